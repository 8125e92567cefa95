"""Spans as OTLP writes them. No I/O.

https://opentelemetry.io/docs/specs/otlp/, by its own protobuf messages. Most attributes say the same again
and again: each is written once, and its bytes are spliced into the spans that have it, which takes a third
of the time. https://protobuf.dev/programming-guides/encoding/#last-one-wins is what that rests on.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, SpanFlags, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from inference_gateway._version import __version__
from inference_gateway.server.spans import Kind, Span, Value


def _tag(message: type[Any], field: str) -> bytes:
    """Announce a field that is a message itself."""
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return bytes([number << 3 | 2])


_RESOURCE_SPANS = _tag(ExportTraceServiceRequest, "resource_spans")
_SCOPE_SPANS = _tag(ResourceSpans, "scope_spans")
_SPANS = _tag(ScopeSpans, "spans")
_ATTRIBUTES = _tag(Message, "attributes")
_SCOPE = ScopeSpans(
    scope=InstrumentationScope(name="inference_gateway", version=__version__)
).SerializeToString()
_FAILED = Status(code=Status.STATUS_CODE_ERROR)
_KINDS = {
    Kind.INTERNAL: Message.SPAN_KIND_INTERNAL,
    Kind.SERVER: Message.SPAN_KIND_SERVER,
    Kind.CLIENT: Message.SPAN_KIND_CLIENT,
}
_LONGEST_KEPT = 100
"""Characters of the longest text that is written once: what people write is not kept."""
_EVER_NEW = frozenset(
    {
        "gen_ai.response.id",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.tool.call.id",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "inference_gateway.request_id",
    }
)
"""Attributes that seldom say the same twice."""


def request(resource: Mapping[str, Value], spans: Iterable[Span]) -> bytes:
    """Write a request that hands over spans that have ended. Several in a row are one as well."""
    of_scope = b"".join([_SCOPE, *(_within(_SPANS, _span(span)) for span in spans)])
    own = Resource(attributes=[_made(key, value) for key, value in resource.items()])
    of_resource = ResourceSpans(resource=own).SerializeToString() + _within(_SCOPE_SPANS, of_scope)
    return _within(_RESOURCE_SPANS, of_resource)


def _span(span: Span) -> bytes:
    trace = span.trace
    is_remote = span.kind is Kind.SERVER and span.parent_id
    flags = trace.flags | SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
    message = Message(
        trace_id=trace.id,
        span_id=span.id,
        parent_span_id=span.parent_id,
        trace_state=trace.state.decode("ascii"),
        flags=flags | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK if is_remote else flags,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        status=_FAILED if span.failed else None,
    )
    return b"".join([message.SerializeToString(), *map(_attribute, span.attributes.items())])


def _attribute(item: tuple[str, Value]) -> bytes:
    key, value = item
    if key in _EVER_NEW or (isinstance(value, str) and len(value) > _LONGEST_KEPT):
        return _written(key, value)
    return _kept(key, value)


def _written(key: str, value: Value) -> bytes:
    return _within(_ATTRIBUTES, _made(key, value).SerializeToString())


@lru_cache(4096, typed=True)
def _kept(key: str, value: Value) -> bytes:
    """Write an attribute, or find it written before."""
    return _written(key, value)


def _made(key: str, value: Value) -> KeyValue:
    return KeyValue(key=key, value=_value(value))


def rejected(answer: bytes) -> int:
    """Read how many spans a collector did not take although it took the request."""
    try:
        return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    except DecodeError:
        return 0


def _value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=each) for each in value]))


def _within(tag: bytes, content: bytes) -> bytes:
    """Write a message as a field of another."""
    length, digits = len(content), bytearray()
    while length > 0x7F:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return tag + bytes(digits) + content
