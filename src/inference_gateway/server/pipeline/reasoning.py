"""`reasoning_format`: done by the provider that understands it, else here, and then not sent."""

from collections.abc import Awaitable, Mapping

import msgspec

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.chat_stream import DONE
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.providers.translators.reasoning import (
    FORMATS,
    Format,
    StreamConverter,
    convert_answer,
)
from inference_gateway.server.transport.messages import Response, Source
from inference_gateway.server.transport.passing import Passing

_format: msgspec.json.Decoder[Format | None] = msgspec.json.Decoder(Format | None)


class Reasoning:
    """Put a model's reasoning where the caller wants it."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let a request without a wish on, untouched."""
        if "reasoning_format" not in request.document.values:
            return call_next(request)
        if self._providers[request.provider_id].understands_reasoning_format:
            return call_next(request)
        wanted: Format | None = request.document.get(
            "reasoning_format", _format, expected=f"one of {', '.join(map(repr, FORMATS))}"
        )
        request.changes["reasoning_format"] = None
        return call_next(request) if wanted is None else self._converted(request, wanted, call_next)

    async def _converted(self, request: InferenceRequest, wanted: Format, call_next: Handler) -> Response:
        response = await call_next(request)
        body = response.body
        if not isinstance(body, bytes):
            response.body = _ConvertedStream(body, StreamConverter(wanted))
        elif response.status == 200:
            answer = _decoded(body)
            converted = convert_answer(answer, wanted) if isinstance(answer, dict) else None
            if converted is not None:
                response.body = _written(converted)
        return response


def _decoded(data: bytes) -> object:
    """Decode what a provider sent; None where it cannot be written again, and so must stay as it is."""
    try:
        return codec.decode(data)
    except codec.UNREADABLE:
        return _decoded_leniently(data)


def _decoded_leniently(data: bytes) -> object:
    try:
        value = codec.decode_leniently(data)
        codec.encode_leniently(value)
    except (ValueError, RecursionError):
        return None
    return value


def _written(value: dict[str, object]) -> bytes:
    try:
        return codec.encode(value)
    except UnicodeEncodeError:
        return codec.encode_leniently(value)  # half a surrogate pair


class _ConvertedStream(Passing):
    """A chat stream on whose every event the converter has its say.

    What comes in are whole events in their plain writing, and `[DONE]` behind a whole stream.
    """

    __slots__ = ("_converter",)

    def __init__(self, source: Source, converter: StreamConverter) -> None:
        super().__init__(source)
        self._converter = converter

    def write(self, data: bytes) -> None:
        """Convert whole events."""
        converted = b"".join([self._event(event) for event in data[:-2].split(b"\n\n")])
        if converted:
            super().write(converted)

    def _event(self, event: bytes) -> bytes:
        event += b"\n\n"
        if event == DONE:
            return _encoded(self._converter.finish()) + DONE
        chunk = _decoded(event[6:])
        if not isinstance(chunk, dict):
            return event
        converted = self._converter.feed(chunk)
        # What needs no change comes back as the same object: its bytes pass as they came.
        return event if len(converted) == 1 and converted[0] is chunk else _encoded(converted)


def _encoded(chunks: list[dict[str, object]]) -> bytes:
    return b"".join([sse.encode(_written(chunk)) for chunk in chunks])
