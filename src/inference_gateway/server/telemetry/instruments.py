"""Every figure once: its name, kind, buckets and meaning; and how one series of it is counted.

Names and buckets are those that dashboards of the gateway know. https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import isnan, nan
from typing import Final, Literal

import msgspec

from inference_gateway.server.telemetry.totals import Region

OWN_SOURCE: Final = "gateway"
"""Value of `source` on figures that the gateway measured itself."""
SECONDS: Final = tuple(0.01 * 2**step for step in range(14))
TOKENS: Final = tuple(float(4**step) for step in range(14))
_MOMENTS: Final = (
    *(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005),
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)


class Family(msgspec.Struct, frozen=True):
    """One figure with all its series."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    buckets: tuple[float, ...] = ()
    is_least: bool = False
    """Whether a gauge is the least of all processes' and not their sum."""

    @property
    def width(self) -> int:
        """How many numbers a series is."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


TOKEN_USAGE = Family("gen_ai_client_token_usage", "histogram", "Tokens per request.", TOKENS)
DURATION = Family(
    "gen_ai_server_request_duration_seconds", "histogram", "Time of a request to its end.", SECONDS
)
CLIENT_DURATION = Family(
    "gen_ai_client_operation_duration_seconds", "histogram", "Time of a request, as clients tell.", SECONDS
)
FIRST_CHUNK = Family(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "histogram",
    "Time to a stream's first chunk, as clients tell.",
    SECONDS,
)
FIRST_TOKEN = Family(
    "gen_ai_server_time_to_first_token_seconds", "histogram", "Time to a stream's first event.", SECONDS
)
PER_TOKEN = Family(
    "gen_ai_server_time_per_output_token_seconds",
    "histogram",
    "Time of a stream behind its first event, per output token behind the first.",
    (0.001, 0.0025, 0.005, *SECONDS),
)
TOOL_CALLS = Family("inference_gateway_tool_calls_total", "counter", "Tool calls that models asked for.")
TOOL_TIME = Family(
    "gen_ai_execute_tool_duration_seconds", "histogram", "Time of a tool that the gateway ran.", SECONDS
)
TOKEN_DETAILS = Family(
    "inference_gateway_token_details_total",
    "counter",
    "Tokens that are part of input or output: cached, audio, reasoning.",
)
OVERHEAD = Family(
    "inference_gateway_overhead_seconds",
    "histogram",
    "Time of a request in the gateway until its answer begins, waiting for the provider left out.",
    _MOMENTS,
)
REQUESTS = Family("inference_gateway_requests_total", "counter", "Inference requests by how they ended.")
UNCOUNTED = Family(
    "inference_gateway_usage_missing_total", "counter", "Answers that did not say how many tokens they took."
)
UPSTREAM_ERRORS = Family(
    "inference_gateway_upstream_errors_total", "counter", "Errors of providers by what went wrong."
)
REFUSED = Family(
    "inference_gateway_refused_total",
    "counter",
    "Requests of any kind that the gateway refused.",
)
REQUESTS_OPEN = Family("inference_gateway_requests_open", "gauge", "Inference requests under way.")
STREAMS_OPEN = Family("inference_gateway_streams_open", "gauge", "Streams under way.")
BYTES_IN_FLIGHT = Family(
    "inference_gateway_bytes_in_flight", "gauge", "Bytes of answers that wait for clients to take them."
)
CLIENT_CONNECTIONS = Family("inference_gateway_client_connections", "gauge", "Open connections of clients.")
POOL_CONNECTIONS = Family(
    "inference_gateway_pool_connections", "gauge", "Open connections to providers, by state."
)
RESENT = Family(
    "inference_gateway_upstream_resent_total",
    "counter",
    "Calls sent again because their kept-alive connection had died.",
)
SERVER_UP = Family(
    "inference_gateway_tool_server_up",
    "gauge",
    "Whether every process has a session with a server that brings tools: 1 or 0.",
    is_least=True,
)
SERVER_RECONNECTS = Family(
    "inference_gateway_tool_server_reconnects_total",
    "counter",
    "Sessions with servers that bring tools, behind the first.",
)
LOG_DROPPED = Family(
    "inference_gateway_log_lines_dropped_total", "counter", "Lines of the log that nobody took in time."
)
SERIES_LOST = Family(
    "inference_gateway_series_lost", "gauge", "Series that are not counted: there are too many."
)
SPANS_LOST = Family(
    "inference_gateway_spans_dropped_total", "counter", "Spans of traces that never reached a collector."
)
FAMILIES: Final = {
    family.name: family
    for family in (
        *(
            TOKEN_USAGE,
            DURATION,
            CLIENT_DURATION,
            FIRST_CHUNK,
            FIRST_TOKEN,
            PER_TOKEN,
            TOOL_CALLS,
            TOOL_TIME,
            TOKEN_DETAILS,
            OVERHEAD,
        ),
        *(REQUESTS, UNCOUNTED, UPSTREAM_ERRORS, REFUSED, REQUESTS_OPEN, STREAMS_OPEN, BYTES_IN_FLIGHT),
        *(CLIENT_CONNECTIONS, POOL_CONNECTIONS, RESENT, SERVER_UP, SERVER_RECONNECTS),
        *(LOG_DROPPED, SPANS_LOST, SERIES_LOST),
    )
}

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(tuple[str, dict[str, str]]).decode


def series_of(key: bytes) -> tuple[str, dict[str, str]]:
    """Name and labels of a series from its key."""
    return _decode(key)


def forget_gauges(region: Region) -> None:
    """Have no gauge say anything until it is set: what a dead process had open went with it."""
    for key in region.series():
        if FAMILIES[series_of(key)[0]].kind == "gauge":
            region.values[region.place(key, 1)] = nan


def is_known(numbers: tuple[float, ...]) -> bool:
    """Whether a gauge was set."""
    return not isnan(numbers[0])


def _place(region: Region, family: Family, labels: dict[str, str]) -> int:
    # A label without a value is the same as none.
    said = {name: value for name, value in labels.items() if value}
    return region.place(_encode((family.name, said)), family.width)


class Number:
    """One series of a counter or a gauge."""

    __slots__ = ("_index", "_values")

    def __init__(self, region: Region, family: Family, **labels: str) -> None:
        self._values = region.values
        self._index = _place(region, family, labels)

    def add(self, amount: float = 1.0) -> None:
        """Count on, or back."""
        self._values[self._index] += amount

    def set(self, value: float) -> None:
        """Say how many there are."""
        self._values[self._index] = value


class Histogram:
    """One series of a histogram."""

    __slots__ = ("_bounds", "_index", "_sum", "_values")

    def __init__(self, region: Region, family: Family, **labels: str) -> None:
        self._values = region.values
        self._bounds = family.buckets
        self._index = _place(region, family, labels)
        self._sum = self._index + len(family.buckets) + 1

    def merge(self, counts: Sequence[int], total: float) -> None:
        """Count what somebody else observed.

        :param counts: how many in each bucket, those beyond the last bound at the end.
        :param total: sum of what was observed.
        """
        values = self._values
        for place, count in enumerate(counts, self._index):
            values[place] += count
        values[self._sum] += total

    def observe(self, value: float) -> None:
        """Count one more of this size."""
        values = self._values
        values[self._index + bisect_left(self._bounds, value)] += 1.0
        values[self._sum] += value
