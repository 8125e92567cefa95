"""A provider that streams: every request gets the same events, one per gap. Run as a module of its own.

usage: python -m benchmarks.upstream PORT EVENTS GAP_SECONDS
"""

import asyncio
import sys
from typing import cast

import httptools
import msgspec
import uvloop

_CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1742481679,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
# nginx buffers answers unless told not to; other gateways do not care for the header.
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def _event(delta: dict[str, object], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _data({**_CHUNK, "choices": [choice], "usage": None})


def _data(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def _framed(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


FIRST = _HEAD + _framed(_event({"role": "assistant", "content": ""}))
TOKEN = _framed(_event({"content": " token"}))


def last(events: int) -> bytes:
    """Return the end of a stream: the finish, the usage, the terminator and the final chunk."""
    usage = {"prompt_tokens": 17, "completion_tokens": events, "total_tokens": 17 + events}
    ending = _event({}, "stop") + _data({**_CHUNK, "choices": [], "usage": usage}) + b"data: [DONE]\n\n"
    return _framed(ending) + b"0\r\n\r\n"


class Streams:
    """The streams under way, all moved on by one clock."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._last = last(events)
        self._sent: dict[asyncio.WriteTransport, int] = {}

    def begin(self, transport: asyncio.WriteTransport) -> None:
        """Send the first event; the others follow with the clock."""
        transport.write(FIRST)
        self._sent[transport] = 0

    def drop(self, transport: asyncio.WriteTransport) -> None:
        """Forget a stream whose connection is gone."""
        self._sent.pop(transport, None)

    def tick(self) -> None:
        """Give every stream its next event, or its end."""
        for transport, sent in list(self._sent.items()):
            if sent < self._events:
                transport.write(TOKEN)
                self._sent[transport] = sent + 1
            else:
                transport.write(self._last)
                del self._sent[transport]


class Connection(asyncio.Protocol):
    """Answers whatever is asked with a stream."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a fresh connection."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """The message is whole."""
        self._streams.begin(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._streams.drop(self._transport)


async def serve(port: int, *, events: int, gap: float) -> None:
    """Serve on a port of 127.0.0.1 until cancelled; `gap` in seconds."""
    loop = asyncio.get_running_loop()
    streams = Streams(events)
    await loop.create_server(lambda: Connection(streams), "127.0.0.1", port, backlog=8192)
    due = loop.time()
    while True:
        due += gap
        await asyncio.sleep(max(0.0, due - loop.time()))
        streams.tick()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), events=int(sys.argv[2]), gap=float(sys.argv[3])))
