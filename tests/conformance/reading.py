"""How our server reads bytes: a real connection over a transport of memory, fed piece by piece."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from inference_gateway.server.api.answers import error_response
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Header, Request, Response
from inference_gateway.server.transport.server import ServerConnection

_QUIET = 5
"""Rounds of the loop without news after which nothing is under way: no step here takes more."""


class Asked(NamedTuple):
    """A request as a reader understood it; `body` is None where it never came whole."""

    method: str
    path: bytes
    query: bytes
    headers: list[Header]
    body: bytes | None


class Reading(NamedTuple):
    """What came of some bytes; `closed` is whether the server takes no more of them."""

    asked: list[Asked]
    answers: bytes
    closed: bool


def echoed(asked: Asked) -> Response:
    """Answer with the body of the request."""
    return Response(200, [], asked.body or b"")


class Site:
    """Answers whole requests, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Response]) -> None:
        self._answer = answer
        self.asked: list[Asked] = []

    async def __call__(self, request: Request) -> Response:
        asked = Asked(request.method, request.path, request.query, list(request.headers), None)
        self.asked.append(asked)
        place = len(self.asked) - 1
        try:
            body = await request.body.read()
        except GatewayError as error:
            return error_response(error)
        self.asked[place] = asked._replace(body=body)
        return self._answer(self.asked[place])


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, and holds the server to the rules of a transport."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.paused = False
        self.ended = False
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "written after the end"
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._closing = self.ended = True

    def abort(self) -> None:
        raise AssertionError("aborted")

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Never full."""

    def get_write_buffer_size(self) -> int:
        return 0


class OurServer:
    """Reads, in an event loop of its own."""

    def __init__(self, answer: Callable[[Asked], Response] = echoed) -> None:
        self._answer = answer
        self._loop = asyncio.new_event_loop()

    def read(self, *pieces: bytes) -> Reading:
        """Feed the pieces to a new connection; return what was made of them."""
        return self._loop.run_until_complete(self._read(pieces))

    def close(self) -> None:
        """Close the loop."""
        self._loop.close()

    async def _read(self, pieces: tuple[bytes, ...]) -> Reading:
        site, transport = Site(self._answer), MemoryTransport()
        connection = ServerConnection(Connections(site, error_response, Limits()), self._loop)
        connection.connection_made(transport)
        for piece in pieces:
            if transport.paused:
                await self._settle(site, transport)
            assert transport.is_closing() or not transport.paused, "reads no more, and nothing is under way"
            if transport.is_closing():
                break
            connection.data_received(piece)
        await self._settle(site, transport)
        reading = Reading(list(site.asked), transport.sent, transport.ended)
        connection.connection_lost(None)
        await self._settle(site, transport)
        return reading

    async def _settle(self, site: Site, transport: MemoryTransport) -> None:
        quiet, before = 0, None
        while quiet < _QUIET:
            await asyncio.sleep(0)
            now = (len(transport.sent), transport.paused, transport.ended, len(site.asked))
            quiet, before = (quiet + 1 if now == before else 0), now
