"""A pool and providers in one uvloop loop, byte for byte, so that a test is one story told in order."""

import asyncio
import functools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvloop

from fakes.loops import PATIENCE
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.limits import PoolLimits
from inference_gateway.server.transport.messages import Sink, Source
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.tls import client_context
from inference_gateway.server.transport.upstream import Answer

LIMIT = 1 << 24
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def on_uvloop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of the kind that production has, for a bounded time."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(**fixtures)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(bounded())

    return run


class Peer:
    """A provider's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Read a request's head."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """Read a request whose body has a length; return it whole."""
        head = await self.head()
        _, found, rest = head.lower().partition(b"content-length:")
        return head + await self.reader.readexactly(int(rest.split(b"\r\n")[0]) if found else 0)

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> bytes:
        """Wait until the gateway hangs up; return what came until then."""
        received = b""
        with suppress(ConnectionError):
            while piece := await self.reader.read(65536):
                received += piece
        return received

    def reset(self) -> None:
        """Tear the connection down with a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Talk = Callable[[Peer], Awaitable[None]]


class Provider:
    """A listening port; `talk` is called with every connection."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.connections = 0
        self.peers: list[Peer] = []
        self._waiting: list[asyncio.Event] = []
        self.origin = Origin(tls=False, host="127.0.0.1", port=0)
        self.open = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        peer = Peer(reader, writer)
        self.peers.append(peer)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self._notify()
        try:
            await self.talk(peer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the gateway hung up, or the test is over
        finally:
            writer.close()
            self.open -= 1
            self.tasks.discard(task)
            self._notify()

    async def only(self, count: int) -> None:
        """Wait until so many connections are open and no more."""
        await self._until(lambda: self.open <= count)

    async def visited(self, times: int) -> None:
        """Wait until so many connections have come."""
        await self._until(lambda: self.connections >= times)

    async def all_gone(self) -> None:
        """Wait until no connection is open."""
        await self.only(0)

    async def _until(self, reached: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        self._waiting.append(changed)
        while not reached():
            changed.clear()
            await changed.wait()
        self._waiting.remove(changed)

    def _notify(self) -> None:
        for event in self._waiting:
            event.set()


@asynccontextmanager
async def serving(
    talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Provider]:
    """A provider on a free port for as long as the block runs."""
    provider = Provider(talk)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, ssl=tls, limit=LIMIT, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    provider.origin = Origin(tls=tls is not None, host=host, port=port)
    try:
        yield provider
    finally:
        server.close()
        for task in provider.tasks:
            task.cancel()
        for peer in provider.peers:
            peer.writer.transport.abort()
        await asyncio.gather(*provider.tasks, return_exceptions=True)


_TLS = client_context()


@asynccontextmanager
async def pooling(
    *, tls: ssl.SSLContext | None = None, connector: Connector | None = None, **limits: Any
) -> AsyncIterator[Pool]:
    """A pool for as long as the block runs."""
    pool = Pool(PoolLimits(**limits), connector or Connector({"": tls or _TLS}))
    try:
        yield pool
    finally:
        pool.close()


def call(
    provider: Provider,
    *,
    method: str = "GET",
    path: str = "/",
    body: bytes | Source | None = None,
    **fields: Any,
) -> Call:
    """A call ready to be sent."""
    head = f"{method} {path} HTTP/1.1\r\nhost: provider.test\r\n".encode()
    return Call(provider.origin, head, body, bodiless_answer=method == "HEAD", **fields)


async def ask(pool: Pool, provider: Provider, **options: Any) -> bytes:
    """Send a call; return the body of its answer."""
    answer = await pool.send(call(provider, **options))
    return await answer.read(LIMIT)


def replying(*answers: bytes) -> Talk:
    """Answer the requests on each connection with these bytes in turn, then wait to be hung up on."""

    async def talk(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)
        await peer.gone()

    return talk


class Taken:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.body = b""
        self.finished = False
        self.error: Exception | None = None
        self._changed = asyncio.Event()

    @classmethod
    def of(cls, answer: Answer) -> "Taken":
        """Start an answer into a new sink."""
        taken = cls()
        answer.start(taken)
        return taken

    def write(self, data: bytes) -> None:
        assert data
        assert not self.ended
        self.body += data
        self._changed.set()

    def finish(self) -> None:
        assert not self.ended
        self.finished = True
        self._changed.set()

    def abort(self, error: Exception) -> None:
        assert not self.ended
        self.error = error
        self._changed.set()

    @property
    def ended(self) -> bool:
        return self.finished or self.error is not None

    async def at_least(self, size: int) -> None:
        """Wait until so many bytes have come."""
        await self._until(lambda: len(self.body) >= size)

    async def end(self) -> "Taken":
        """Wait for the end, good or bad."""
        await self._until(lambda: self.ended)
        return self

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._changed.clear()
            await self._changed.wait()


class GivenBody:
    """A source whose pieces a test gives by hand."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.closed = asyncio.Event()
        self.started = asyncio.Event()
        self.held = asyncio.Event()
        self.flowing = asyncio.Event()

    def start(self, sink: Sink) -> None:
        self.sink = sink
        self.started.set()

    def pause(self) -> None:
        self.flowing.clear()
        self.held.set()

    def resume(self) -> None:
        self.held.clear()
        self.flowing.set()

    def close(self) -> None:
        self.closed.set()
        self.sink = None

    def give(self, data: bytes) -> None:
        """Push a piece."""
        assert self.sink is not None
        self.sink.write(data)

    def finish(self) -> None:
        """End the body well."""
        assert self.sink is not None
        self.sink.finish()

    def abort(self, error: Exception) -> None:
        """End the body badly."""
        assert self.sink is not None
        self.sink.abort(error)
