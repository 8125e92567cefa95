"""Metrics in OTLP's binary encoding. The one file that imports the types for it, of the extra [otel]."""

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as wire

from inference_gateway.server.telemetry.otlp import Metric, Point, Unreadable


class ProtobufEncoding:
    """OTLP as protocol buffers."""

    content_type = b"application/x-protobuf"

    def read(self, body: bytes) -> Iterator[Metric]:
        """Read an export; see `Encoding`."""
        try:
            export = ExportMetricsServiceRequest.FromString(body)
        except DecodeError:
            raise Unreadable("not an ExportMetricsServiceRequest") from None
        return _metrics(export)

    def answer(self, rejected: int, why: str) -> bytes:
        """Write the answer; see `Encoding`."""
        if not rejected:
            return b""
        partial = ExportMetricsPartialSuccess(rejected_data_points=rejected, error_message=why)
        return ExportMetricsServiceResponse(partial_success=partial).SerializeToString()


def _metrics(export: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for source in export.resource_metrics:
        service = _labels(source.resource.attributes).get("service.name", "")
        for scope in source.scope_metrics:
            for metric in scope.metrics:
                yield _metric(metric, service)


def _metric(metric: wire.Metric, service: str) -> Metric:
    name, unit = metric.name, metric.unit
    kind = metric.WhichOneof("data")
    if kind == "sum":
        numbers = metric.sum.data_points
        return Metric(
            *(name, unit, "sum", service, len(numbers), map(_number, numbers)),
            is_delta=metric.sum.aggregation_temporality == wire.AGGREGATION_TEMPORALITY_DELTA,
            is_monotonic=metric.sum.is_monotonic,
        )
    if kind == "histogram":
        found = metric.histogram.data_points
        return Metric(
            *(name, unit, "histogram", service, len(found), map(_distribution, found)),
            is_delta=metric.histogram.aggregation_temporality == wire.AGGREGATION_TEMPORALITY_DELTA,
        )
    size = len(getattr(metric, kind).data_points) if kind is not None else 0
    return Metric(name, unit, "other", service, size, iter(()))


def _number(point: wire.NumberDataPoint) -> Point:
    kind = point.WhichOneof("value")
    value = point.as_int if kind == "as_int" else point.as_double
    return Point(
        _labels(point.attributes),
        value=float(value),
        is_recorded=kind is not None and not point.flags & wire.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK,
    )


def _distribution(point: wire.HistogramDataPoint) -> Point:
    return Point(
        _labels(point.attributes),
        count=point.count,
        sum=point.sum if point.HasField("sum") else None,
        counts=point.bucket_counts,
        bounds=point.explicit_bounds,
        is_recorded=not point.flags & wire.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK,
    )


def _labels(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {
        each.key: each.value.string_value
        for each in attributes
        if each.value.WhichOneof("value") == "string_value"
    }
