"""Metrics as OTLP brings them, whichever encoding they came in, and the JSON one read and answered.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Protocol

import msgspec

from inference_gateway.server import codec

Kind = Literal["sum", "histogram", "other"]


class Unreadable(ValueError):
    """Not an export of metrics."""


class Point(msgspec.Struct):
    """One data point: a number, or a histogram."""

    labels: dict[str, str]
    """Its attributes that are text, by their names in OTLP."""
    value: float = 0.0
    count: int = 0
    sum: float | None = None
    counts: Sequence[int] = ()
    bounds: Sequence[float] = ()
    is_recorded: bool = True


class Metric(msgspec.Struct):
    """One metric of one resource."""

    name: str
    unit: str
    kind: Kind
    service: str
    """`service.name` of the resource, empty without."""
    size: int
    """How many points there are."""
    points: Iterator[Point]
    is_delta: bool = False
    is_monotonic: bool = False


class Encoding(Protocol):
    """A way to write exports and their answers."""

    content_type: bytes

    def read(self, body: bytes) -> Iterator[Metric]:
        """Read an export.

        :raises Unreadable: it is none.
        """

    def answer(self, rejected: int, why: str) -> bytes:
        """Write the answer to an export: so many points were not taken, for these reasons."""


_NO_RECORDED_VALUE = 1
_DELTA = frozenset({1, "1", "AGGREGATION_TEMPORALITY_DELTA"})


class _Wire(msgspec.Struct, rename="camel"):
    pass


class _Value(_Wire):
    string_value: str | None = None


class _Attribute(_Wire):
    key: str = ""
    value: _Value | None = None


class _Point(_Wire):
    attributes: list[_Attribute] | None = None
    flags: int = 0


class _NumberPoint(_Point):
    as_int: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    as_double: float | None = None


class _HistogramPoint(_Point):
    count: int = 0
    sum: float | None = None
    bucket_counts: list[int] | None = None
    explicit_bounds: list[float] | None = None


class _Sum(_Wire):
    data_points: list[_NumberPoint] | None = None
    aggregation_temporality: int | str = 0
    is_monotonic: bool = False


class _Histogram(_Wire):
    data_points: list[_HistogramPoint] | None = None
    aggregation_temporality: int | str = 0


class _Unsupported(_Wire):
    data_points: list[msgspec.Raw] | None = None


class _Metric(_Wire):
    name: str = ""
    unit: str = ""
    sum: _Sum | None = None
    histogram: _Histogram | None = None
    gauge: _Unsupported | None = None
    exponential_histogram: _Unsupported | None = None
    summary: _Unsupported | None = None


class _Scope(_Wire):
    metrics: list[_Metric] | None = None


class _Resource(_Wire):
    attributes: list[_Attribute] | None = None


class _ResourceMetrics(_Wire):
    resource: _Resource | None = None
    scope_metrics: list[_Scope] | None = None


class _Export(_Wire):
    resource_metrics: list[_ResourceMetrics] | None = None


# Not strict: whole numbers of 64 bits come as text.
_decode = msgspec.json.Decoder(_Export, strict=False).decode


class JSONEncoding:
    """OTLP as JSON, names in camel case, unknown ones passed over."""

    content_type = b"application/json"

    def read(self, body: bytes) -> Iterator[Metric]:
        """Read an export; see `Encoding`."""
        try:
            export = _decode(body)
        except codec.UNREADABLE as error:
            raise Unreadable(str(error)) from error
        return _metrics(export)

    def answer(self, rejected: int, why: str) -> bytes:
        """Write the answer; see `Encoding`. Whole numbers of 64 bits are text."""
        if not rejected:
            return b"{}"
        partial = {"rejectedDataPoints": str(rejected), "errorMessage": why}
        return codec.encode({"partialSuccess": partial})


def _metrics(export: _Export) -> Iterator[Metric]:
    for source in export.resource_metrics or ():
        labels = _labels(source.resource.attributes) if source.resource is not None else {}
        for scope in source.scope_metrics or ():
            for metric in scope.metrics or ():
                yield _metric(metric, labels.get("service.name", ""))


def _metric(metric: _Metric, service: str) -> Metric:
    name, unit = metric.name, metric.unit
    if metric.sum is not None:
        numbers = metric.sum.data_points or []
        return Metric(
            *(name, unit, "sum", service, len(numbers), map(_number, numbers)),
            is_delta=metric.sum.aggregation_temporality in _DELTA,
            is_monotonic=metric.sum.is_monotonic,
        )
    if metric.histogram is not None:
        found = metric.histogram.data_points or []
        return Metric(
            *(name, unit, "histogram", service, len(found), map(_distribution, found)),
            is_delta=metric.histogram.aggregation_temporality in _DELTA,
        )
    other = metric.gauge or metric.exponential_histogram or metric.summary
    size = len(other.data_points or ()) if other is not None else 0
    return Metric(name, unit, "other", service, size, iter(()))


def _number(point: _NumberPoint) -> Point:
    value = point.as_double if point.as_int is None else point.as_int
    return Point(
        _labels(point.attributes),
        value=float(value or 0),
        is_recorded=value is not None and not point.flags & _NO_RECORDED_VALUE,
    )


def _distribution(point: _HistogramPoint) -> Point:
    return Point(
        _labels(point.attributes),
        count=point.count,
        sum=point.sum,
        counts=point.bucket_counts or (),
        bounds=point.explicit_bounds or (),
        is_recorded=not point.flags & _NO_RECORDED_VALUE,
    )


def _labels(attributes: list[_Attribute] | None) -> dict[str, str]:
    return {
        each.key: each.value.string_value
        for each in attributes or ()
        if each.value is not None and each.value.string_value is not None
    }
