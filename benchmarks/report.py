"""What was measured, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from benchmarks.measure import Result, Round

BASELINE = "nginx"


class Row(msgspec.Struct, frozen=True):
    """Medians over the rounds; a ratio is the median of the rounds' ratios to nginx in the same round."""

    name: str
    small_cpu: float
    small_ratio: float
    large_cpu: float
    large_ratio: float
    event_cpu: float
    event_ratio: float
    crowd_cpu: float
    crowd_ratio: float
    requests_per_second: float
    p50: float
    p99: float
    first_event_p99: float
    memory_mib: float
    stream_kib: float
    start_seconds: float
    failures: int


def summary(results: Sequence[Result], streams: int) -> list[Row]:
    """Boil the rounds of every peer down to a row each.

    :param streams: how many streams each round opened.
    """
    (baseline,) = (result for result in results if result.name == BASELINE)
    return [_row(result, baseline, streams) for result in results]


def _row(result: Result, baseline: Result, streams: int) -> Row:
    def middle(value: Callable[[Round], float]) -> float:
        return median(map(value, result.rounds))

    def ratio(value: Callable[[Round], float]) -> float:
        pairs = zip(result.rounds, baseline.rounds, strict=True)
        return median(value(ours) / max(value(theirs), 1e-9) for ours, theirs in pairs)

    return Row(
        name=result.name,
        small_cpu=middle(lambda each: each.small_cpu),
        small_ratio=ratio(lambda each: each.small_cpu),
        large_cpu=middle(lambda each: each.large_cpu),
        large_ratio=ratio(lambda each: each.large_cpu),
        event_cpu=middle(lambda each: each.event_cpu),
        event_ratio=ratio(lambda each: each.event_cpu),
        crowd_cpu=middle(lambda each: each.crowd_cpu),
        crowd_ratio=ratio(lambda each: each.crowd_cpu),
        requests_per_second=middle(lambda each: each.small.requests / each.small.seconds),
        p50=middle(lambda each: each.small.p50),
        p99=middle(lambda each: each.small.p99),
        first_event_p99=middle(lambda each: each.streamed.first_p99),
        memory_mib=result.memory_mib,
        stream_kib=result.stream_kib,
        start_seconds=result.start_seconds,
        failures=result.failures(streams),
    )


_LINES: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("", lambda row: row.name),
    ("CPU per request of 1 kB", lambda row: f"{row.small_cpu:.1f} µs ({row.small_ratio:.2f}x)"),
    ("CPU per request of 100 kB", lambda row: f"{row.large_cpu:.1f} µs ({row.large_ratio:.2f}x)"),
    ("CPU per event of a stream", lambda row: f"{row.event_cpu:.1f} µs ({row.event_ratio:.2f}x)"),
    ("the same, five times the streams", lambda row: f"{row.crowd_cpu:.1f} µs ({row.crowd_ratio:.2f}x)"),
    ("requests per second (1 kB)", lambda row: f"{row.requests_per_second:.0f}"),
    ("latency, median", lambda row: f"{row.p50:.2f} ms"),
    ("latency, 99 of 100", lambda row: f"{row.p99:.2f} ms"),
    ("first event, 99 of 100", lambda row: f"{row.first_event_p99:.1f} ms"),
    ("memory at rest", lambda row: f"{row.memory_mib:.1f} MiB"),
    ("memory per open stream", lambda row: f"{row.stream_kib:.1f} KiB"),
    ("time to listen", lambda row: f"{row.start_seconds:.2f} s"),
    ("failed requests and streams", lambda row: str(row.failures)),
)


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as plain text, a column for each peer; in brackets, the ratio to nginx."""
    columns = [[label for label, _ in _LINES], *([show(row) for _, show in _LINES] for row in rows)]
    widths = [max(map(len, cells)) for cells in columns]
    return "\n".join(_line(cells, widths) for cells in zip(*columns, strict=True))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    label, *figures = cells
    aligned = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
    return "  ".join([label.ljust(widths[0]), *aligned])


def as_json(rows: Sequence[Row], results: Sequence[Result], options: dict[str, int]) -> bytes:
    """Encode the summary, every round and what it was measured on."""
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.platform()}
    whole = {"options": options, "machine": machine, "summary": rows, "results": results}
    return msgspec.json.format(msgspec.json.encode(whole)) + b"\n"
