"""One span for each call of a provider, each turn of a tool loop its own, and the context that goes along.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/#inference
In the chain only where requests are traced; a request that is not costs a look and two fields.
"""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.chat_stream import ChatStream
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.pipeline.chat_relay import ChatRelay
from inference_gateway.server.pipeline.span_content import StreamedOutput, input_messages, output_messages
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.spans import Kind, Passage, Span, Trace, Tracing, Value, hold
from inference_gateway.server.trace_context import without
from inference_gateway.server.transport.messages import Header, Response, Source
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.passing import Passing
from inference_gateway.server.usage import Usage

_LONGEST = 200
"""Characters of a name that a span holds."""
_MOST_REASONS = 128

_CHOICES = "gen_ai.request.choice.count"
_PARAMETERS: Mapping[str, tuple[str, type]] = {
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "max_completion_tokens": ("gen_ai.request.max_tokens", int),
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
    "seed": ("gen_ai.request.seed", int),
    "n": (_CHOICES, int),
}
_USAGE = (
    ("cached_input", "gen_ai.usage.cache_read.input_tokens"),
    ("reasoning_output", "gen_ai.usage.reasoning.output_tokens"),
    ("audio_input", "gen_ai.usage.audio.input_tokens"),
    ("audio_output", "gen_ai.usage.audio.output_tokens"),
)
_decode_number: msgspec.json.Decoder[int | float | None] = msgspec.json.Decoder(int | float | None)


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_decode_answer = msgspec.json.Decoder(_Answer).decode


class CallSpans:
    """Note each call of a provider, and make it part of the client's trace.

    :param propagates: whether providers are told of the trace.
    """

    def __init__(self, providers: Mapping[str, Provider], *, propagates: bool) -> None:
        self._facts = {provider.id: _facts(provider) for provider in providers.values()}
        self._propagates = propagates

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on below a span of its own."""
        trace = request.trace
        if isinstance(trace, Trace):
            return self._noted(trace, request, call_next)
        request.headers = self.along(request.headers, trace)
        return call_next(request)

    def begin_raw(
        self, trace: Tracing | None, provider_id: str, method: str, headers: list[Header]
    ) -> tuple[Span | None, list[Header]]:
        """Begin to note a raw call; return its span where it has one, and the fields that go along."""
        if not isinstance(trace, Trace):
            return None, self.along(headers, trace)
        span = trace.child(method, Kind.CLIENT)
        span.attributes = {"http.request.method": method, **self._facts[provider_id]}
        trace.root.attributes.update(self._facts[provider_id])
        return span, self._along(headers, span)

    def along(self, headers: list[Header], trace: Tracing | None) -> list[Header]:
        """Return the fields that go along with a call that has no span of its own."""
        if trace is None:
            return headers
        return self._along(headers, trace.root if isinstance(trace, Trace) else trace)

    def _along(self, headers: list[Header], who: Span | Passage) -> list[Header]:
        return without(headers) + who.context.fields() if self._propagates else headers

    async def _noted(self, trace: Trace, request: InferenceRequest, call_next: Handler) -> Response:
        span = self._begin(trace, request)
        request.headers = self._along(request.headers, span)
        with judged(span):
            response = await call_next(request)
        body = response.body
        told(span, response.status)
        if not isinstance(body, bytes):
            response.body = watched(body, span)
            return response
        _tell(span, body)
        if trace.captures:
            hold(span, "gen_ai.output.messages", output_messages(body))
        span.finish(response.outcome)
        return response

    def _begin(self, trace: Trace, request: InferenceRequest) -> Span:
        operation, model = request.operation.name, request.upstream_model[:_LONGEST]
        span = trace.child(f"{operation} {model}", Kind.CLIENT)
        facts = self._facts[request.provider_id]
        span.attributes = attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.request.model": model,
            **facts,
        }
        trace.root.attributes["gen_ai.provider.name"] = facts["gen_ai.provider.name"]
        if request.stream:
            attributes["gen_ai.request.stream"] = True
        values = request.document.values
        for name, (attribute, kind) in _PARAMETERS.items():
            if name in values and (number := _number(values[name])) is not None:
                attributes[attribute] = kind(number)
        if attributes.get(_CHOICES) == 1:
            del attributes[_CHOICES]  # that is what one gets without asking
        if trace.captures:
            messages = request.changes.get("messages") or bytes(values.get("messages", b""))
            hold(span, "gen_ai.input.messages", input_messages(messages))
        return span


def _facts(provider: Provider) -> dict[str, Value]:
    """What each call of a provider has in common."""
    facts: dict[str, Value] = {
        "gen_ai.provider.name": provider.trace_name or provider.id,
        "inference_gateway.provider": provider.id,
    }
    if not provider.built_in:
        origin = Origin.of(provider.base_url)
        facts |= {"server.address": origin.host, "server.port": origin.port}
    return facts


def _number(raw: msgspec.Raw) -> int | float | None:
    try:
        number = _decode_number.decode(raw)
    except codec.UNREADABLE:
        return None
    # What is larger is no number of a model's, and none that OTLP can write.
    return number if number is not None and abs(number) < 2**63 else None


def told(span: Span, status: int) -> None:
    """Note what a provider answers with."""
    span.attributes["http.response.status_code"] = status
    if status >= 400:
        span.fail(str(status))


def noted(body: bytes | Source, span: Span, status: int, outcome: Outcome) -> bytes | Source:
    """Note the answer to a raw call; one that is still to come, to its end."""
    told(span, status)
    if not isinstance(body, bytes):
        return watched(body, span)
    span.finish(outcome)
    return body


@contextmanager
def judged(span: Span | None) -> Iterator[None]:
    """End a span with whatever keeps its call from being answered."""
    try:
        yield
    except GatewayError as error:
        if span is not None:
            span.fail(error.code)
            span.finish(error.outcome)
        raise
    except BaseException:
        # Cancelled: by whom, the request's own end says.
        if span is not None:
            span.finish()
        raise


def _tell(span: Span, answer: bytes) -> None:
    """Note what an answer, or the first event of a stream, says of itself."""
    try:
        said = _decode_answer(answer)
    except codec.UNREADABLE:
        return
    attributes = span.attributes
    if said.model:
        attributes["gen_ai.response.model"] = said.model[:_LONGEST]
    if said.id:
        attributes["gen_ai.response.id"] = said.id[:_LONGEST]
    _tell_reasons(span, [each.finish_reason for each in said.choices or () if each.finish_reason])
    _tell_usage(span, bytes(said.usage))


def _tell_reasons(span: Span, reasons: list[str]) -> None:
    if reasons:
        shown = tuple(reason[:_LONGEST] for reason in reasons[:_MOST_REASONS])
        span.attributes["gen_ai.response.finish_reasons"] = shown


def _tell_usage(span: Span, raw: bytes) -> None:
    usage = Usage()
    if not raw or not usage.add(raw):
        return
    span.attributes["gen_ai.usage.input_tokens"] = usage.input
    span.attributes["gen_ai.usage.output_tokens"] = usage.output
    for name, attribute in _USAGE:
        if tokens := getattr(usage, name):
            span.attributes[attribute] = tokens


def watched(source: Source, span: Span) -> "Watched":
    """Follow an answer that comes piece by piece to its end."""
    return Watched(source, span, source.stream if isinstance(source, ChatRelay) else None)


class Watched(Passing):
    """An answer on its way out, whose end is its span's.

    :param stream: what is known of it where it is a chat stream.
    """

    __slots__ = ("_is_new", "_output", "_span", "_stream")

    def __init__(self, source: Source, span: Span, stream: ChatStream | None) -> None:
        super().__init__(source)
        self._span = span
        self._stream = stream
        self._output = StreamedOutput() if stream is not None and span.trace.captures else None
        self._is_new = True

    def close(self) -> None:
        """Give up the source: nobody reads on."""
        self._note()
        self._span.finish()
        super().close()

    def write(self, data: bytes) -> None:
        """Pass a piece on."""
        if self._is_new:
            self._is_new = False
            self._begin(data)
        if self._output is not None:
            self._output.feed(data)
        super().write(data)

    def finish(self) -> None:
        """Pass the end on."""
        self._note()
        failed = self._span.failed
        self._span.finish(Outcome.PROVIDER_ERROR if failed else Outcome.COMPLETE)
        super().finish()

    def abort(self, error: Exception) -> None:
        """Pass the break on."""
        self._note()
        self._span.finish(error.outcome if isinstance(error, GatewayError) else Outcome.CUT)
        super().abort(error)

    def _begin(self, data: bytes) -> None:
        if self._stream is None:
            return
        span = self._span
        span.attributes["gen_ai.response.time_to_first_chunk"] = (span.trace.now() - span.start) / 1e9
        _tell(span, data.partition(b"\n")[0].removeprefix(b"data: "))

    def _note(self) -> None:
        if self._stream is not None:
            _tell_reasons(self._span, self._stream.finish_reasons)
            _tell_usage(self._span, self._stream.usage)
        if self._output is not None:
            hold(self._span, "gen_ai.output.messages", self._output.written())
