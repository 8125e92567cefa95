"""The last stop of a request: the provider is asked, and its answer made into ours."""

from collections.abc import Collection, Mapping
from time import perf_counter

from inference_gateway.server import codec, encodings
from inference_gateway.server.chat_shapes import decode_answer
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError
from inference_gateway.server.inference import InferenceRequest, Measurement
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline import tool_names
from inference_gateway.server.pipeline.chat_relay import ChatRelay, ending
from inference_gateway.server.providers.backend import Backend, ProviderAnswer
from inference_gateway.server.transport import headers
from inference_gateway.server.transport.messages import Header, Response
from inference_gateway.server.usage import usage_in

JSON: Header = (b"content-type", b"application/json")
_LONGEST_WRAPPED = 4096
"""Bytes of a provider's error that are passed on where it is not JSON."""


class Upstream:
    """Asks the provider that routing chose.

    :param omit_finish_reason: ids of providers whose streams need not say why they ended.
    :param limit: most bytes of an answer that is held as a whole.
    """

    def __init__(
        self, backends: Mapping[str, Backend], *, omit_finish_reason: Collection[str] = (), limit: int
    ) -> None:
        self._backends = backends
        self._omit_finish_reason = frozenset(omit_finish_reason)
        self._limit = limit

    async def __call__(self, request: InferenceRequest) -> Response:
        """Answer with what the provider answers: its status, its JSON, its events."""
        measurement = request.measurement
        began = 0.0 if measurement is None else perf_counter()
        try:
            answer = await self._backends[request.provider_id].infer(request)
            if answer.status == 200 and request.stream and _is_stream(answer):
                return self._streamed(request, answer)
            return await self._whole(request, answer)
        finally:
            if measurement is not None:
                measurement.waited += perf_counter() - began

    def _streamed(self, request: InferenceRequest, answer: ProviderAnswer) -> Response:
        try:
            decoder = encodings.decoder(answer.header(b"content-encoding"), limit=self._limit)
        except GatewayError:
            answer.close()
            raise
        relay = ChatRelay(
            answer,
            decoder=decoder,
            omits_finish_reason=request.provider_id in self._omit_finish_reason,
            measurement=request.measurement,
        )
        fields = headers.EVENT_STREAM + headers.limits_and_ids(answer.headers)
        return Response(200, fields, relay, ending=ending)

    async def _whole(self, request: InferenceRequest, answer: ProviderAnswer) -> Response:
        try:
            body = await answer.read(self._limit)
        finally:
            answer.close()
        decoder = encodings.decoder(answer.header(b"content-encoding"), limit=self._limit)
        if decoder is not None:
            body = decoder.feed(body)
            if not decoder.whole:
                raise UpstreamCut("the provider's answer broke off")
        status = answer.status
        fields = [JSON, *headers.limits_and_ids(answer.headers)]
        if status >= 400:
            return _refused(status, fields, body if _is_object(body) else _wrapped(status, body))
        if status >= 300:
            raise UpstreamError(f"the provider answered with a redirect ({status}), which is not followed")
        if not _is_object(body):
            raise UpstreamError("the provider's answer is not JSON")
        if request.measurement is not None:
            _note(request.measurement, body)
        if request.stream:
            raise UpstreamError("the provider answered a request for a stream with a plain answer")
        return Response(status, fields, body)


def _note(measurement: Measurement, body: bytes) -> None:
    measurement.note(usage_in(body))
    if tool_names.SIGN in body:
        tool_names.note_in_answer(measurement, body)


def _refused(status: int, fields: list[Header], body: bytes) -> Response:
    # A 4xx is most often the client's mistake, and nothing for the log.
    problem = f"the provider answered with status {status}" if status >= 500 else ""
    return Response(status, fields, body, outcome=Outcome.PROVIDER_ERROR, problem=problem)


def _is_stream(answer: ProviderAnswer) -> bool:
    # Some providers name their streams text/plain, or not at all: only JSON is surely none.
    kind = answer.header(b"content-type") or b"text/event-stream"
    return not kind.lower().startswith((b"application/json", b"text/html"))


def _is_object(body: bytes) -> bool:
    try:
        codec.check_text(body)
        decode_answer(body)
    except codec.UNREADABLE:
        return _is_object_after_all(body)
    return True


def _is_object_after_all(body: bytes) -> bool:
    try:
        return isinstance(codec.decode_leniently(body), dict)
    except (ValueError, RecursionError):
        return False


def _wrapped(status: int, body: bytes) -> bytes:
    """Make a provider's error that is not JSON into one that clients can read."""
    text = body[:_LONGEST_WRAPPED].decode("utf-8", "replace").strip()
    return codec.encode({"error": text or f"the provider answered with status {status}"})
