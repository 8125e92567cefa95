"""The least that a Python relay can do: parse, rewrite the model, forward, pass the answer on.

No errors, no limits, no backpressure, no timeouts: a floor to measure from, not a gateway.

usage: python -m benchmarks.floor PORT UPSTREAM_PORT
"""

import asyncio
import collections
import sys
from typing import cast

import httptools
import msgspec
import uvloop

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_ANSWER = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_STREAM = b"HTTP/1.1 %d OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sk-bench\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)


class Upstream(asyncio.Protocol):
    """A connection to the provider; one answer at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._parser = httptools.HttpResponseParser(self)

    def ask(
        self, body: bytes, client: "Client | None"
    ) -> "tuple[asyncio.Future[int], asyncio.Future[bytes]]":
        """Send a request; pieces of the answer go to `client`, or are gathered where it is None."""
        loop = asyncio.get_running_loop()
        self._client = client
        self._pieces: list[bytes] = []
        self._status: asyncio.Future[int] = loop.create_future()
        self._whole: asyncio.Future[bytes] = loop.create_future()
        self._transport.write(_REQUEST % (len(body), body))
        return self._status, self._whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a fresh connection."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        """The status is known."""
        self._status.set_result(self._parser.get_status_code())

    def on_body(self, piece: bytes) -> None:
        """A piece of the body came."""
        if self._client is None:
            self._pieces.append(piece)
        else:
            self._client.relay(piece)

    def on_message_complete(self) -> None:
        """The message is whole."""
        self._whole.set_result(b"".join(self._pieces))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self.closed = True


class Pool:
    """Connections to the provider that are free."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: collections.deque[Upstream] = collections.deque()

    async def take(self) -> Upstream:
        """Return a free connection, or a new one."""
        while self._free:
            upstream = self._free.pop()
            if not upstream.closed:
                return upstream
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(Upstream, "127.0.0.1", self._port)
        return upstream

    def give_back(self, upstream: Upstream) -> None:
        """Free a connection whose answer was read whole."""
        self._free.append(upstream)


class Client(asyncio.Protocol):
    """A connection of a client; one task per request."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpRequestParser(self)
        self._closed = False
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a fresh connection."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body came."""
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """The message is whole."""
        body = b"".join(self._body)
        self._body.clear()
        self._task = asyncio.get_running_loop().create_task(self._answer(body))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._closed = True

    def relay(self, piece: bytes) -> None:
        """Pass a piece of a stream on, as it is."""
        if not self._closed:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def _answer(self, body: bytes) -> None:
        request = _decode(body)
        request["model"] = request["model"].partition("/")[2]
        streams = request.get("stream", False)
        upstream = await self._pool.take()
        status, whole = upstream.ask(_encode(request), self if streams else None)
        if streams:
            self._transport.write(_STREAM % await status)
            await whole
            self._transport.write(b"0\r\n\r\n")
        else:
            answer = await whole
            assert "usage" in _decode(answer)
            self._transport.write(_ANSWER % (status.result(), len(answer), answer))
        self._pool.give_back(upstream)


async def serve(port: int, *, upstream: int) -> None:
    """Serve on a port of 127.0.0.1 until cancelled."""
    pool = Pool(upstream)
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(pool), "127.0.0.1", port, backlog=8192
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), upstream=int(sys.argv[2])))
