"""How many tokens a raw answer says that it took, read while it passes. Nothing of it is changed or held.

Knows the shapes of chat completions, of OpenAI's Responses and of Anthropic's Messages.
"""

from typing import Final

import msgspec

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.inference import Measurement
from inference_gateway.server.transport.messages import Header, Source, index
from inference_gateway.server.transport.passing import Passing

_LARGEST: Final = 1024 * 1024
"""Bytes of an answer, or of one event, that are looked at."""
_SIGN: Final = b'"usage"'

_Said = dict[str, msgspec.Raw]
Body = bytes | Source


class _Part(msgspec.Struct):
    usage: _Said | None = None


class _Answer(msgspec.Struct):
    usage: _Said | None = None
    message: _Part | None = None
    """Of the first event of a message."""
    response: _Part | None = None
    """Of the last event of a response."""


_decode = msgspec.json.Decoder(_Answer).decode


class _Reader:
    """Reads an answer piece by piece.

    :param is_stream: whether it comes in events.
    """

    def __init__(self, *, is_stream: bool) -> None:
        self._parser = sse.Parser(_LARGEST)
        self._is_stream = is_stream
        self._held: list[bytes] = []
        self._left = _LARGEST
        self._said: _Said = {}

    @property
    def usage(self) -> bytes:
        """What was said so far, as JSON; empty while nothing was."""
        return codec.encode(self._said) if self._said else b""

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        if self._left < 0:
            return
        if self._is_stream:
            self._read_events(data)
            return
        self._left -= len(data)
        self._held.append(data)

    def finish(self) -> None:
        """Take the end."""
        if self._left >= 0:
            self._note(b"".join(self._held))

    def _read_events(self, data: bytes) -> None:
        try:
            for event in self._parser.feed(data):
                self._note(event.data)
        except sse.EventTooLarge:
            self._left = -1

    def _note(self, data: bytes) -> None:
        self._said |= _usage_in(data)


class _Read(Passing):
    """An answer on its way out, read."""

    __slots__ = ("_reader",)

    def __init__(self, source: Source, reader: _Reader) -> None:
        super().__init__(source)
        self._reader = reader

    def write(self, data: bytes) -> None:
        """Read a piece, and pass it on."""
        self._reader.feed(data)
        super().write(data)

    def finish(self) -> None:
        """Read what is whole now, and pass the end on."""
        self._reader.finish()
        super().finish()


def read(body: Body, headers: list[Header], measurement: Measurement) -> Body:
    """Have an answer read, where it can say how many tokens it took."""
    kind = _readable(headers)
    if kind is None:
        return body
    reader = _Reader(is_stream=kind == b"text/event-stream")
    measurement.streams.append(reader)
    if not isinstance(body, bytes):
        return _Read(body, reader)
    reader.feed(body)
    reader.finish()
    return body


def _readable(headers: list[Header]) -> bytes | None:
    """Return the media type of an answer that can be looked at."""
    fields = index(headers)
    if fields.get(b"content-encoding", b"identity").lower() != b"identity":
        return None
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind if kind in {b"application/json", b"text/event-stream"} else None


def _usage_in(data: bytes) -> _Said:
    if _SIGN not in data:
        return {}
    try:
        answer = _decode(data)
    except codec.UNREADABLE:
        return {}
    return next((each.usage for each in (answer, answer.message, answer.response) if each and each.usage), {})
