"""The pure parts: contexts read and written, who is sampled, spans as bytes."""

import math

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline.span_content import StreamedOutput, input_messages, output_messages
from inference_gateway.server.spans import Kind, Span, Trace, Value
from inference_gateway.server.trace_context import TraceContext, context_of
from inference_gateway.server.tracing import otlp
from inference_gateway.server.tracing.sampling import sampler

IDS = st.binary(min_size=16, max_size=16).filter(any)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)
VALUES = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.text(), max_size=3).map(tuple),
)
PARENT = TraceContext(b"\1" * 16, b"\2" * 8, 1)


@given(IDS, SPAN_IDS, st.integers(0, 3), st.sampled_from([b"", b"a=1", b"a=1,b@c= x"]))
def test_a_context_is_read_as_it_was_written(trace: bytes, span: bytes, flags: int, state: bytes) -> None:
    context = TraceContext(trace, span, flags, state)
    assert context_of(context.fields()) == context


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate"]), st.binary()), max_size=4))
def test_no_field_breaks_the_reading_of_a_context(fields: list[tuple[bytes, bytes]]) -> None:
    context_of(fields)
    context_of([*PARENT.fields(), *fields])


def test_a_state_that_is_none_is_dropped_and_the_context_kept() -> None:
    for state in (
        b"A=1",
        b"a",
        b"a=1,a=2",
        b"a=\x00",
        b"a=" + b"x" * 257,
        b",".join(b"k%d=1" % n for n in range(33)),
    ):
        context = context_of([*PARENT.fields(), (b"tracestate", state)])
        assert context == PARENT, state
    whole = context_of([*PARENT.fields(), (b"tracestate", b"a=1 , ,"), (b"tracestate", b"b=2")])
    assert whole is not None
    assert whole.state == b"a=1,b=2"


def test_two_contexts_are_none() -> None:
    assert context_of([*PARENT.fields(), *PARENT.fields()]) is None


def test_samplers_do_as_their_names_say() -> None:
    low, high = b"\0" * 16, b"\xff" * 16
    unsampled = TraceContext(low, b"\1" * 8, 0)
    cases = {
        "always_on": (True, True, True),
        "always_off": (False, False, False),
        "traceidratio": (True, False, True),
        "parentbased_always_on": (True, True, False),
        "parentbased_always_off": (False, True, False),
        "parentbased_traceidratio": (True, True, False),
    }
    for name, expected in cases.items():
        decide = sampler(name, 0.5)
        assert (decide(None, low), decide(PARENT, high), decide(unsampled, low)) == expected, name
    assert not sampler("traceidratio", 0.0)(None, low)
    assert sampler("traceidratio", 1.0)(None, high)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
def test_a_span_is_written_whole(attributes: dict[str, Value]) -> None:
    kept: list[Span] = []
    trace = Trace(PARENT, kept.append, "GET", captures=False, propagates=True)
    child = trace.child("chat m", Kind.CLIENT)
    child.attributes = dict(attributes)
    child.finish(Outcome.CUT)
    child.finish(Outcome.COMPLETE)
    trace.close(Outcome.COMPLETE)
    assert kept == [child, trace.root]
    written = otlp.request({"service.name": "x"}, kept)
    [of_resource] = ExportTraceServiceRequest.FromString(written).resource_spans
    [of_scope] = of_resource.scope_spans
    first, second = of_scope.spans
    assert (first.trace_id, first.parent_span_id) == (PARENT.trace_id, second.span_id)
    assert second.parent_span_id == PARENT.span_id
    read = {each.key: each.value for each in first.attributes}
    assert read.keys() == attributes.keys() | {"inference_gateway.outcome", "error.type"}
    for key, value in attributes.items():
        plain = getattr(read[key], str(read[key].WhichOneof("value")))
        if isinstance(value, tuple):
            plain = tuple(each.string_value for each in plain.values)
        assert (type(plain), plain) == (type(value), value) or math.isclose(plain, value)


def test_text_that_is_none_is_written_as_far_as_it_goes() -> None:
    kept: list[Span] = []
    trace = Trace(PARENT, kept.append, "GET", captures=False, propagates=True)
    trace.root.attributes = {"\ud800": "a\udfff", "list": ("\ud800",)}
    trace.root.name = "GET \ud800"
    trace.close(Outcome.COMPLETE)
    [of_resource] = ExportTraceServiceRequest.FromString(otlp.request({}, kept)).resource_spans
    [span] = of_resource.scope_spans[0].spans
    assert span.name == "GET ?"
    assert next((each.key, each.value.string_value) for each in span.attributes) == ("?", "a?")


@given(st.sampled_from(Kind), st.integers(0, 3), st.booleans(), st.booleans(), st.sampled_from([b"", b"a=1"]))
def test_a_span_is_written_as_the_messages_of_otlp_would_be(
    kind: Kind, flags: int, failed: bool, has_parent: bool, state: bytes
) -> None:
    kept: list[Span] = []
    parent = PARENT.span_id if has_parent else b""
    trace = Trace(
        TraceContext(PARENT.trace_id, parent, flags, state),
        kept.append,
        "GET",
        captures=False,
        propagates=True,
    )
    trace.root.kind, trace.root.failed = kind, failed
    trace.close(Outcome.COMPLETE)
    [of_resource] = ExportTraceServiceRequest.FromString(otlp.request({}, kept)).resource_spans
    [span] = of_resource.scope_spans[0].spans
    remote = 0x300 if has_parent and kind is Kind.SERVER else 0x100
    assert span == Message(
        trace_id=PARENT.trace_id,
        span_id=kept[0].id,
        parent_span_id=parent,
        trace_state=state.decode(),
        flags=trace.flags | remote,
        name="GET",
        kind=Message.SpanKind.ValueType(kind + 0),
        start_time_unix_nano=kept[0].start,
        end_time_unix_nano=kept[0].end,
        attributes=span.attributes,
        status=Status(code=Status.STATUS_CODE_ERROR) if failed else None,
    )


def test_spans_that_do_not_know_how_they_ended_end_as_the_request_does() -> None:
    kept: list[Span] = []
    trace = Trace(PARENT, kept.append, "GET", captures=False, propagates=True)
    early, late = trace.child("a", Kind.CLIENT), trace.child("b", Kind.CLIENT)
    early.finish()
    assert kept == []
    trace.close(Outcome.CLIENT_GONE)
    late.finish()
    assert kept == [early, trace.root, late]
    assert {span.attributes["inference_gateway.outcome"] for span in kept} == {"client_gone"}


@given(st.binary())
def test_no_content_breaks_its_writing(data: bytes) -> None:
    input_messages(data)
    output_messages(data)
    output = StreamedOutput()
    output.feed(data)
    output.feed(b'data: {"choices":[' + data + b"]}\n\n")
    output.written()


def test_content_is_bounded_and_its_last_messages_are_kept() -> None:
    long = "x" * 50_000
    messages = [f'{{"role":"user","content":"{n}{long}"}}' for n in range(3)]
    written = input_messages(f"[{','.join(messages)}]".encode())
    assert 65_000 < len(written) < 70_000
    assert '"2xxx' in written
    assert '"0xxx' not in written
    image = input_messages(b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}]')
    assert image == '[{"role": "user", "parts": [{"type": "image_url"}]}]'
