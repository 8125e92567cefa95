"""The fault lab over real sockets, and inside the gateway: the same faults with the same effect."""

import gzip
import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from fakes.gateway import FakeGateway
from fakes.http_server import Answer, eventually
from fakes.lab import FakeLab, chat_body, chat_request
from fakes.process import running
from inference_gateway.server.providers.mock.fault_grammar import SCENARIOS, TABLE

DONE = b"data: [DONE]\n\n"
CLOSE = "connection: close\r\n"


class Case(NamedTuple):
    """One list of faults, and what the gateway makes of it: "whole", "broken" or a status."""

    faults: str
    streamed: str | int = "whole"
    plain: str | int = "whole"


CASES = [
    Case("tokens=3"),
    Case("latency=0.01"),
    Case("first_token=0.01"),
    Case("tokens=3,tokens_per_second=1000,jitter=0.5,seed=3"),
    Case("trickle=100000"),
    Case("status=401", 401, 401),
    Case("status=429,retry_after=7", 429, 429),
    Case("status=529,code=overloaded_error", 529, 529),
    Case("no_prefill"),
    Case("refuse", 502, 502),
    Case("reset", 502, 502),
    Case("hang=0.01", 502, 502),
    Case("hang", 504, 504),
    Case("headers_only=0.01", "broken", 502),
    Case("headers_only", "broken", 504),
    Case("cut_after_events=2", "broken", 502),
    Case("cut_after_events=0", "broken", 502),
    Case("cut_after_events=9,chunked", "whole", 502),
    Case("cut_after_bytes=50", "broken", 502),
    Case("cut_after_bytes=50,chunked", "broken", 502),
    Case("reset_after_events=2", "broken", 502),
    Case("end_after_events=2", "broken", 502),
    Case("stall_after_events=2,stall=0.01", "broken", 502),
    Case("stall_after_events=2", "broken", 504),
    Case("error_event=2", "broken"),
    Case("garbage=2", "broken", 502),
    Case("no_done"),
    Case("double_done"),
    Case("no_finish", "broken"),
    Case("finish_reason=content_filter"),
    Case("finish_reason=length"),
    Case("empty_choices"),
    Case("usage_at_end"),
    Case("huge_event"),
    Case("split"),
    Case("split,cut_after_events=2", "broken", 502),
    Case("crlf"),
    Case("gzip"),
    Case("gzip,cut_after_events=2", "broken", 502),
    Case("chunked"),
    Case("content_type=text/html", 502),
    Case("fail_first=1,key=of-cases,restart", 503, 503),
    Case("down_for=60,restart", 503, 503),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[FakeLab]:
    """A lab on its own port."""
    lab = FakeLab()
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def gateway(lab: FakeLab) -> Iterator[FakeGateway]:
    """A gateway that has the lab as its OpenAI, and the one inside."""
    gateway = FakeGateway(
        {
            "OPENAI_API_KEY": "k",
            "OPENAI_API_URL": lab.url,
            "MOCK_ENABLED": "true",
            "CLIENT_RESPONSE_HEADER_TIMEOUT": "250ms",
            "CLIENT_STREAM_IDLE_TIMEOUT": "250ms",
        }
    )
    yield gateway
    gateway.close()


def seen(gateway: FakeGateway, model: str, *, stream: bool) -> tuple[str | int, bytes]:
    """What a bare client sees of an answer: its end, and all of it but for dates and ids."""
    raw = gateway.exchange(chat_request(model, stream=stream, fields=CLOSE))
    raw = re.sub(rb"(?m)^(date|x-request-id): .*\r\n|chatcmpl-\w+", b"", raw)
    status = int(raw.split(b" ", 2)[1])
    if status != 200:
        return status, raw
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return "whole", body
    whole = body.endswith(b"0\r\n\r\n") and DONE in body
    assert whole or (DONE not in body and not body.endswith(b"0\r\n\r\n"))
    return ("whole" if whole else "broken"), body


def test_every_fault_has_a_case() -> None:
    named = {word.partition("=")[0] for case in CASES for word in case.faults.split(",")}
    assert named == set(TABLE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.faults)
def test_a_fault_shows_at_the_gateway_alike_inside_and_over_a_socket(
    gateway: FakeGateway, case: Case
) -> None:
    for stream, expected in ((True, case.streamed), (False, case.plain)):
        inside, text = seen(gateway, f"mock/lab:{case.faults}", stream=stream)
        outside, same = seen(gateway, f"openai/lab:{case.faults}", stream=stream)
        assert (inside, outside) == (expected, expected)
        if "reset_after" not in case.faults:  # a reset may overtake what was sent before it
            assert text == same


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.faults)
@pytest.mark.parametrize("provider", ["mock", "openai"])
def test_the_openai_package_is_not_deceived(gateway: FakeGateway, case: Case, provider: str) -> None:
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        ended, received = streamed(client, f"{provider}/lab:{case.faults}")
    assert ended == case.streamed
    reasons = [choice.finish_reason for chunk in received for choice in chunk.choices]
    assert ended != "whole" or reasons[-1] is not None


def streamed(client: openai.OpenAI, model: str) -> tuple[str | int, list[ChatCompletionChunk]]:
    """How a stream ends for the `openai` package, and what it gets of it."""
    asked: Any = chat_body(model, stream=True)
    received: list[ChatCompletionChunk] = []
    try:
        with client.chat.completions.create(**asked) as chunks:
            received.extend(chunks)
    except openai.APIStatusError as error:
        return error.status_code, received
    except openai.APIError:
        return "broken", received
    return "whole", received


# ---- the wire itself


def text_of(answer: Answer) -> str:
    """The words of a stream, of its whole events."""
    events = answer.body.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]
    chunks = [json.loads(event[6:]) for event in events if event != DONE.strip()]
    return "".join(choice["delta"]["content"] for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize(
    ("faults", "cut", "said"),
    [
        ("tokens=3", False, "word1 word2 word3"),
        ("cut_after_events=3", True, "hello there"),
        ("cut_after_events=3,tokens=60", True, "word1 word2"),
        ("end_after_events=3", False, "hello there"),
        ("stall_after_events=3,stall=0", True, "hello there"),
        ("headers_only=0", True, ""),
        ("no_finish", False, "hello there lab"),
        ("crlf,split", False, "hello there lab"),
    ],
)
def test_a_stream_ends_where_it_was_told_to(lab: FakeLab, faults: str, cut: bool, said: str) -> None:
    answer = lab.answer(faults)
    assert (answer.status, answer.cut, text_of(answer)) == (200, cut, said)


def test_bytes_are_counted_as_they_are_on_the_wire(lab: FakeLab) -> None:
    for faults in ("cut_after_bytes=101", "cut_after_bytes=101,gzip", "cut_after_bytes=101,split"):
        answer = lab.answer(faults)
        assert (answer.cut, len(answer.body)) == (True, 101)


def test_a_cut_stream_stops_inside_a_chunk(lab: FakeLab) -> None:
    for faults, rest in (("cut_after_events=1", rb""), ("cut_after_bytes=9", rb"data: \{\"i")):
        with lab.connect() as client:
            client.send(chat_request(f"lab:{faults}", stream=True))
            assert re.search(rb"\r\n[0-9a-f]{2,}\r\n" + rest + rb"\Z", client.rest())


def test_a_plain_body_is_shorter_than_its_length_or_stops_inside_a_chunk(lab: FakeLab) -> None:
    answer = lab.answer("cut_after_bytes=9", stream=False)
    assert int(answer.headers[b"content-length"]) > 200
    assert (answer.cut, len(answer.body)) == (True, 9)
    answer = lab.answer("cut_after_bytes=9,chunked", stream=False)
    assert answer.headers[b"transfer-encoding"] == b"chunked"
    assert (answer.cut, len(answer.body)) == (True, 9)


@pytest.mark.parametrize(("faults", "error"), [("refuse", None), ("reset", ConnectionResetError)])
def test_no_answer_is_an_end_or_a_reset(lab: FakeLab, faults: str, error: type[Exception] | None) -> None:
    with lab.connect() as client:
        client.send(chat_request(f"lab:{faults}", stream=True))
        if error is None:
            assert client.rest() == b""
        else:
            with pytest.raises(error):
                client.rest()


def test_a_stream_is_reset(lab: FakeLab) -> None:
    with lab.connect() as client:
        client.send(chat_request("lab:reset_after_events=1", stream=True))
        with pytest.raises(ConnectionResetError):
            client.rest()


@pytest.mark.parametrize("faults", ["hang", "headers_only", "stall_after_events=1"])
def test_whoever_hangs_lets_go_with_the_client(lab: FakeLab, faults: str) -> None:
    with lab.connect() as client:
        client.send(chat_request(f"lab:{faults}", stream=True))
        eventually(lambda: lab.server.open_connections() == 1)
    eventually(lambda: lab.server.open_connections() == 0)


def test_split_sends_every_byte_in_a_chunk(lab: FakeLab) -> None:
    with lab.connect() as client:
        client.send(chat_request("lab:split,tokens=1", stream=True))
        body = client.rest().partition(b"\r\n\r\n")[2]
    assert re.fullmatch(rb"(?s)(1\r\n.\r\n)+0\r\n\r\n", body)


def test_what_an_answer_is_made_of(lab: FakeLab) -> None:
    assert b'"message":"the fault lab answers 529: busy"' in lab.answer("status=529,code=busy").body
    assert lab.answer("status=429,retry_after=7").headers[b"retry-after"] == b"7"
    assert lab.answer("content_type=text/html").headers[b"content-type"] == b"text/html"
    assert b"\r\n\r\n" in lab.answer("crlf").body
    assert lab.answer("double_done").body.endswith(2 * DONE)
    assert DONE not in lab.answer("no_done").body
    assert b'"usage":{' in lab.answer("usage_at_end").body
    assert lab.answer("empty_choices").body.split(b"\n")[0].endswith(b'"choices":[]}')
    assert len(lab.answer("huge_event").body) > 1_048_576
    zipped = lab.answer("gzip")
    assert zipped.headers[b"content-encoding"] == b"gzip"
    assert gzip.decompress(zipped.body).endswith(DONE)
    assert b'data: {"error":' in lab.answer("error_event=1").body
    assert lab.answer("garbage=2").body.split(b"\n\n")[1].endswith(b'"del')
    assert lab.answer("finish_reason=length", stream=False).body.count(b'"length"') == 1


def test_a_provider_on_its_own_port_recovers_with_time(lab: FakeLab) -> None:
    assert lab.answer("down_for=60,key=recovery").status == 503
    lab.clock.now += 59.0
    assert lab.answer("down_for=60,key=recovery").status == 503
    lab.clock.now += 2.0
    assert lab.answer("down_for=60,key=recovery").status == 200


def test_the_openai_package_lists_the_scenarios_and_meets_them(lab: FakeLab) -> None:
    with openai.OpenAI(base_url=lab.url, api_key="x", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["echo", "tools", *SCENARIOS]
        asked: Any = chat_body("fault-12", stream=False)
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asked)
        assert caught.value.code == "context_length_exceeded"
        asked = chat_body("mock/fault-11", stream=True)
        with client.chat.completions.create(**asked) as chunks:
            assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [60]


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("GET /v1/nothing", b"", 404),
        ("GET /v1/chat/completions", b"", 405),
        ("POST /v1/chat/completions", b"[]", 400),
        ("POST /v1/chat/completions", json.dumps(chat_body("lab:explode", stream=True)).encode(), 400),
        ("POST /v1/chat/completions", json.dumps(chat_body("fault-17", stream=True)).encode(), 404),
    ],
)
def test_the_lab_refuses_as_openai_does(lab: FakeLab, line: str, body: bytes, status: int) -> None:
    with lab.connect() as client:
        client.send(f"{line} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        answer = client.answer()
    assert answer.status == status
    assert json.loads(answer.body)["error"]["message"]


# ---- through the gateway


def test_the_header_reaches_the_mock_and_no_provider(gateway: FakeGateway) -> None:
    headers = {"X-Mock-Faults": "status=418"}
    assert gateway.chat(chat_body("mock/echo", stream=False), headers=headers).status == 418
    assert gateway.chat(chat_body("openai/echo", stream=False), headers=headers).status == 200


def test_the_header_reaches_a_lab_where_the_operator_forwards_it(lab: FakeLab) -> None:
    gateway = FakeGateway(
        {"OPENAI_API_KEY": "k", "OPENAI_API_URL": lab.url, "FORWARD_REQUEST_HEADERS": "x-mock-faults"}
    )
    try:
        reply = gateway.chat(chat_body("openai/echo", stream=False), headers={"X-Mock-Faults": "status=418"})
        assert reply.status == 418
    finally:
        gateway.close()


def test_an_unknown_fault_is_refused_with_all_that_there_are(gateway: FakeGateway) -> None:
    for model, headers in (("mock/lab:explode", {}), ("mock/echo", {"X-Mock-Faults": "explode"})):
        reply = gateway.chat(chat_body(model, stream=True), headers=headers)
        assert reply.status == 400
        assert all(name in reply.json()["error"] for name in ("'explode'", *TABLE))


def test_the_caller_s_own_limit_holds_for_faults(gateway: FakeGateway) -> None:
    headers = {"X-Gateway-Timeout": "50ms"}
    reply = gateway.chat(chat_body("mock/lab:hang", stream=True), headers=headers)
    assert (reply.status, reply.json()) == (504, {"error": "the call took longer than its limit"})
    reply = gateway.chat(chat_body("mock/lab:headers_only", stream=False), headers=headers)
    assert (reply.status, reply.json()) == (504, {"error": "the call took longer than its limit"})


@pytest.mark.parametrize("faults", ["hang", "stall_after_events=1"])
def test_a_client_that_leaves_ends_the_play(lab: FakeLab, faults: str) -> None:
    gateway = FakeGateway({"MOCK_ENABLED": "true"})
    try:
        with gateway.connect() as client:
            client.sendall(chat_request(f"mock/lab:{faults}", stream=True))
            if faults != "hang":
                assert client.recv(65536)
        eventually(lambda: gateway.tasks() == 0)
    finally:
        gateway.close()


def test_a_slow_reader_gets_all_of_a_large_answer(gateway: FakeGateway) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", gateway.port))
        client.settimeout(20)
        client.sendall(chat_request("mock/lab:tokens=10000", stream=True, fields=CLOSE))
        received = b""
        while piece := client.recv(8192):
            received += piece
    assert received.endswith(DONE + b"\r\n0\r\n\r\n")
    assert b"word10000" in received


# ---- the command


def test_the_command_says_where_it_is_and_ends_in_order(tmp_path: Path) -> None:
    options = ("-m", "inference_gateway.server", "lab", "--port", "0")
    with running(command=(sys.executable, *options), home=tmp_path) as process:
        base = process.logged("the fault lab listens at").split()[-1]
        assert base.startswith("http://127.0.0.1:")
        assert f"OPENAI_API_URL={base}" in process.logged("point a client at it")
        assert "WARNING" not in "".join(process.lines)
        with openai.OpenAI(base_url=base, api_key="x") as client:
            assert client.models.list().data[0].id == "echo"
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


def test_the_command_warns_where_all_can_reach_it(tmp_path: Path) -> None:
    options = ("-m", "inference_gateway.server", "lab", "--port", "0", "--host", "0.0.0.0")
    with running(command=(sys.executable, *options), home=tmp_path) as process:
        assert "not on loopback" in process.logged("WARNING")
