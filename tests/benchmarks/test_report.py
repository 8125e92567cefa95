"""The summary of a run: medians of rounds, ratios of rounds, nothing lost."""

from xml.etree import ElementTree as ET

import msgspec
from benchmarks.chart import chart
from benchmarks.load import Answers, Streamed
from benchmarks.measure import Result, Round
from benchmarks.report import as_json, summary, table
from hypothesis import given
from hypothesis import strategies as st

costs = st.floats(0.1, 1e5)


def turn(cpu: float, *, failed: int = 0, whole: int = 10) -> Round:
    answers = Answers(requests=4000, failed=failed, seconds=2.0, p50=0.5, p99=1.5)
    few, crowd = Streamed(1000, whole, 2.0, 9.0), Streamed(5000, 50, 2.0, 9.0)
    return Round(cpu, 2 * cpu, 3 * cpu, 4 * cpu, answers, answers, few, crowd)


def result(name: str, *rounds: Round) -> Result:
    return Result(name, start_seconds=0.25, memory_mib=20.0, stream_kib=5.0, rounds=list(rounds))


def test_a_ratio_compares_rounds_of_the_same_minute() -> None:
    # The machine was ten times slower in the second round, for both.
    nginx = result("nginx", turn(10), turn(100), turn(20))
    ours = result("gateway", turn(20), turn(200), turn(40))
    _, row = summary([nginx, ours], streams=10)
    assert (row.small_ratio, row.large_ratio, row.event_ratio, row.crowd_ratio) == (2, 2, 2, 2)
    assert (row.small_cpu, row.large_cpu, row.event_cpu, row.crowd_cpu) == (40, 80, 120, 160)
    assert row.requests_per_second == 2000


@given(st.lists(costs, min_size=1, max_size=7))
def test_nginx_is_its_own_measure(measured: list[float]) -> None:
    (row,) = summary([result("nginx", *map(turn, measured))], streams=10)
    assert row.small_ratio == 1
    assert min(measured) <= row.small_cpu <= max(measured)


def test_what_failed_and_what_was_cut_is_counted() -> None:
    (row,) = summary([result("nginx", turn(1, failed=2), turn(1, whole=7))], streams=10)
    assert row.failures == 2 * 2 + 3


def test_the_table_has_a_column_for_each_peer() -> None:
    rows = summary([result("nginx", turn(10)), result("gateway", turn(15))], streams=10)
    lines = table(rows).splitlines()
    assert lines[0].split() == ["nginx", "gateway"]
    assert lines[1].split("  ")[0] == "CPU per request of 1 kB"
    assert lines[1].endswith("15.0 µs (1.50x)")
    assert len(set(map(len, lines))) == 1


def test_the_json_holds_the_summary_and_every_round() -> None:
    results = [result("nginx", turn(10), turn(12))]
    whole = msgspec.json.decode(as_json(summary(results, 10), results, {"rounds": 2}))
    assert whole["options"] == {"rounds": 2}
    assert whole["summary"][0]["small_cpu"] == 11
    assert [each["small_cpu"] for each in whole["results"][0]["rounds"]] == [10, 12]


def test_the_chart_shows_every_ratio_of_the_peers_it_knows() -> None:
    rows = summary([result("nginx", turn(10)), result("gateway", turn(15)), result("older", turn(99))], 10)
    drawn = ET.fromstring(chart(rows, "2001-02-03"))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("1.50") == 3
    assert texts.count("1.00") == 3
    assert not any("9.9" in str(text) for text in texts)
    assert "2001-02-03" in str(texts[0])
