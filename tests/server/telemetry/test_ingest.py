"""Pushed metrics without a socket: any bytes, any histogram."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.telemetry.ingest import Refused, rebinned
from inference_gateway.server.telemetry.instruments import SECONDS, TOKENS
from inference_gateway.server.telemetry.otlp import Encoding, JSONEncoding, Point, Unreadable
from inference_gateway.server.telemetry.otlp_protobuf import ProtobufEncoding

METRIC = b'{"name": "x", "sum": {"dataPoints": [{"asInt": "%b"}]}}'
LIKELY = b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [' + METRIC + b"]}]}]}"


@pytest.mark.parametrize("encoding", [JSONEncoding(), ProtobufEncoding()], ids=["json", "protobuf"])
@given(st.binary(max_size=200))
def test_any_bytes_are_an_export_or_are_not(encoding: Encoding, data: bytes) -> None:
    try:
        for metric in encoding.read(data):
            assert len(list(metric.points)) == metric.size or metric.kind == "other"
    except Unreadable:
        pass


@given(st.from_regex(rb"-?[0-9]{1,500}", fullmatch=True))
def test_any_number_is_one_or_is_refused(digits: bytes) -> None:
    try:
        [metric] = JSONEncoding().read(LIKELY % digits)
    except Unreadable:
        return
    [point] = metric.points
    assert math.isfinite(point.value)


@st.composite
def histograms(draw: st.DrawFn) -> Point:
    """Any that makes sense."""
    steps = draw(st.lists(st.floats(0.001, 1000), max_size=20))
    bounds = list(accumulate(steps))
    counts = draw(st.lists(st.integers(0, 10**6), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    total = draw(st.none() | st.floats(0, 1e9))
    return Point({}, count=sum(counts), sum=total, counts=counts, bounds=bounds)


@given(histograms(), st.sampled_from([SECONDS, TOKENS]))
def test_every_observation_of_a_histogram_is_counted_once_and_its_sum_kept(
    point: Point, bounds: tuple[float, ...]
) -> None:
    counts, total = rebinned(point, bounds)
    assert len(counts) == len(bounds) + 1
    assert sum(counts) == point.count
    assert point.sum in {None, total}


@given(
    st.builds(
        Point,
        st.just({}),
        count=st.integers(-5, 2**70),
        sum=st.none() | st.floats(),
        counts=st.lists(st.integers(-5, 2**70), max_size=4),
        bounds=st.lists(st.floats(), max_size=4),
    )
)
def test_what_is_counted_never_goes_back(point: Point) -> None:
    try:
        counts, total = rebinned(point, SECONDS)
    except Refused:
        return
    assert min(counts) >= 0
    assert 0 <= total < math.inf
