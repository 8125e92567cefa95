"""Lists of faults: how they are written, and how long they last."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.lab import Clock, chat_body
from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock import fault_grammar
from inference_gateway.server.providers.mock.fault_grammar import SCENARIOS, TABLE, parse
from inference_gateway.server.providers.mock.faults import Faults
from inference_gateway.server.providers.mock.lab import Lab
from inference_gateway.server.providers.mock.plan import End, Plan

ROOT = Path(__file__).resolve().parents[3]


def body(model: str, **options: Any) -> bytes:
    return msgspec.json.encode(chat_body(model, stream=options.pop("stream", True), **options))


def waits(faults: str) -> list[float]:
    plan = Lab().plan(body("echo"), faults.encode())
    return [plan.wait, *[piece.after for piece in plan.pieces], plan.last_wait]


def status(lab: Lab, faults: str) -> int:
    plan = lab.plan(body("echo"), faults.encode())
    assert plan.head is not None
    return plan.head.status


def test_the_document_has_the_table_of_all_faults() -> None:
    assert fault_grammar.markdown() in (ROOT / "docs/fault-lab.md").read_text()


def test_a_list_is_read() -> None:
    assert parse(" cut_after_events=40, tokens=60,huge_event ,").faults == Faults(
        cut_after_events=40, tokens=60, huge_event=1_048_576
    )


def test_every_scenario_is_a_list_and_may_stand_in_one() -> None:
    assert len(SCENARIOS) == 16
    for name, text in SCENARIOS.items():
        assert parse(name).faults == parse(text).faults
        assert parse(f"{name},seed=4").faults.seed == 4


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("explode", "'explode'"),
        ("tokens=x", "'tokens=x'"),
        ("tokens", "'tokens'"),
        ("tokens=0", "'tokens=0'"),
        ("tokens=1.5", "'tokens=1.5'"),
        ("tokens=\N{ARABIC-INDIC DIGIT ONE}", "'tokens='"),
        ("latency=nan", "'latency=nan'"),
        ("latency=601", "'latency=601'"),
        ("latency=-1", "'latency=-1'"),
        ("reset=true", "'reset=true'"),
        ("finish_reason=none", "'finish_reason=none'"),
        ("content_type=a", "'content_type=a'"),
        ("code=nu\r\nll", "'code='"),
        ("key=", "'key='"),
        ("reset,hang", "reset and hang"),
        ("fail_first=1,down_for=2", "fail_first and down_for"),
        ("status=500,status=503", "'status'"),
        ("tokens=1," * 200, "1024"),
    ],
)
def test_what_is_wrong_in_a_list_is_named(text: str, named: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(text)
    assert named in caught.value.message
    if text in ("explode", "tokens=x"):
        assert all(name in caught.value.message for name in TABLE)


@given(st.text(max_size=60) | st.lists(st.sampled_from([*TABLE, "=", ",", "1", "x"])).map("".join))
def test_whatever_is_written_is_understood_or_refused(text: str) -> None:
    assert (refusal(text) or "faults: ").startswith("faults: ")


def refusal(text: str) -> str:
    """What a list is refused with, empty where it is not."""
    try:
        parse(text)
    except BadRequest as error:
        return error.message
    return ""


def test_jitter_varies_waits_and_repeats_with_its_seed() -> None:
    faults = "tokens=20,tokens_per_second=10,first_token=1,latency=1,jitter=0.5"
    plain, varied = waits("tokens=20,tokens_per_second=10,first_token=1,latency=1"), waits(faults)
    assert plain[:3] == [1, 1, 0.1]
    assert varied == waits(faults) != waits(f"{faults},seed=2")
    assert len(set(varied[:-1])) == len(varied) - 1
    assert all(was * 0.5 <= is_now <= was * 1.5 for was, is_now in zip(plain, varied, strict=True))


def test_a_plain_answer_takes_as_long_as_its_stream() -> None:
    plan = Lab().plan(body("lab:tokens=20,tokens_per_second=10", stream=False), None)
    assert plan.wait == 2


def test_a_trickle_keeps_its_pace() -> None:
    plan = Lab().plan(body("lab:trickle=100"), None)
    pieces = list(plan.pieces)
    assert {len(piece.data) for piece in pieces[:20]} == {5}
    assert sum(piece.after for piece in pieces) == pytest.approx(len(pieces) * 0.05)


def test_the_header_wins_over_the_name_of_the_model() -> None:
    lab = Lab()
    assert lab.plan(body("lab:reset"), b"status=500").head is not None
    assert lab.plan(body("fault-02"), b"").end is End.WHOLE


def test_a_fault_of_the_first_calls_passes() -> None:
    lab = Lab()
    assert [status(lab, "status=500,fail_first=2") for _ in range(4)] == [500, 500, 200, 200]
    assert [status(lab, "fail_first=1") for _ in range(2)] == [503, 200]


def test_a_provider_that_is_down_comes_back() -> None:
    clock = Clock()
    lab = Lab(clock)
    seen = []
    for _ in range(4):
        seen.append(status(lab, "fault-15"))
        clock.now += 20.0
    assert seen == [503, 503, 503, 200]


def test_calls_are_counted_by_list_or_key_and_forgotten_on_demand() -> None:
    lab = Lab()
    lists = ["fault-03", "fault-03,key=a", "fail_first=1,status=500", "fault-03", "fault-03,key=a"]
    assert [status(lab, each) for each in lists] == [500, 500, 500, 200, 200]
    assert [status(lab, f"fault-03{rest}") for rest in (",restart", "", ",key=a,restart")] == [500, 200, 500]


def test_only_so_many_counts_are_kept() -> None:
    lab = Lab()
    for number in range(1025):
        status(lab, f"fail_first=1,key={number}")
    assert status(lab, "fail_first=1,key=1024") == 200
    assert status(lab, "fail_first=1,key=0") == 503


def test_a_prefill_is_refused_and_nothing_else() -> None:
    def asked(role: str) -> Plan:
        return Lab().plan(body("fault-14", role=role), None)

    assert [head.status for role in ("user", "assistant") if (head := asked(role).head)] == [200, 400]


def test_what_is_said_stays_bounded() -> None:
    greedy = {**chat_body("lab:huge_event=1500000", stream=True), "n": 2}
    with pytest.raises(BadRequest, match="2 choices"):
        Lab().plan(msgspec.json.encode(greedy), None)


def test_no_wait_is_longer_than_ten_minutes() -> None:
    for faults in ("hang,latency=600", "tokens=10000,tokens_per_second=0.1", "latency=600,jitter=1,seed=1"):
        assert Lab().plan(body(f"lab:{faults}", stream=False), None).wait == 600


def test_a_body_is_cut_into_so_many_small_pieces_only() -> None:
    pieces = list(Lab().plan(body("lab:huge_event=200000,split"), None).pieces)
    assert max(len(piece.data) for piece in pieces[:100_000]) == 1
    assert len(pieces) < 201_000
    pieces = list(Lab().plan(body("lab:tokens=10000,split"), None).pieces)
    assert len(pieces) < 111_000
