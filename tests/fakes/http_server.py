"""Our HTTP server around an application that a test writes, and a client with a parser not ours."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import h11

from fakes.loops import PATIENCE, LoopThread
from inference_gateway.server.api.answers import error_response
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response, Sink
from inference_gateway.server.transport.server import ServerConnection

T = TypeVar("T")

Application = Callable[[Request], Awaitable[Response]]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail where it never does."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.001)


async def echo(request: Request) -> Response:
    """Answer with the method, the target and the body of the request."""
    try:
        body = await request.body.read()
    except GatewayError as error:
        return error_response(error)
    target = request.path + (b"?" + request.query if request.query else b"")
    return Response(200, [], b"%b %b %b" % (request.method.encode(), target, body))


class HTTPServer:
    """A server on a free loopback port, as bare as it can be."""

    def __init__(
        self, application: Application, limits: Limits | None = None, *, send_buffer: int = 0
    ) -> None:
        self.thread = LoopThread()
        self.shared = Connections(application, error_response, limits or Limits())
        self._listener = self.thread.call(self._listen())
        [listening] = self._listener.sockets
        if send_buffer:  # accepted sockets inherit it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.port: int = listening.getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: ServerConnection(self.shared, loop), "127.0.0.1", 0, backlog=2048
        )

    def connect(self, **options: int) -> "Client":
        """Open a connection."""
        return Client(self.port, **options)

    def exchange(self, data: bytes) -> bytes:
        """Send bytes over a connection of their own; return all that comes back until it closes."""
        with self.connect() as client:
            client.send(data)
            return client.rest()

    def run(self, work: Callable[..., T], *args: object) -> T:
        """Call a function in the server's thread."""

        async def call() -> T:
            return work(*args)

        return self.thread.call(call())

    @property
    def connection(self) -> ServerConnection:
        """The one connection that is open."""
        [connection] = self.shared.open
        return connection

    def stuck(self) -> bool:
        """Whether a client takes nothing at the moment."""
        return any(connection.stuck for connection in list(self.shared.open))

    def not_reading(self) -> bool:
        """Whether a client's bytes are left in its socket at the moment."""
        return any(connection._paused_reading for connection in list(self.shared.open))

    def tasks(self) -> int:
        """Count the tasks that run in the server's loop."""
        return self.run(lambda: len(asyncio.all_tasks())) - 1

    def close(self) -> None:
        """Stop listening, drop every connection."""
        self.run(self._listener.close)
        self.run(lambda: [connection.abort() for connection in list(self.shared.open)])
        self.thread.close()


class Answer(NamedTuple):
    """An answer as an independent parser understands it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    interim: tuple[int, ...] = ()
    cut: bool = False
    """Whether the connection closed before the answer's end."""


class Client:
    """A bare connection that reads answers one by one."""

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self._unread = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send bytes."""
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self, method: str = "GET") -> Answer:
        """Read the next answer to its end, or as far as it goes."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "h")]))
        parser.send(h11.EndOfMessage())
        if self._unread:
            parser.receive_data(self._unread)
        interim: list[int] = []
        status, headers, body, cut = 0, {}, b"", False
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                assert self._unread == b"", f"not an answer: {self._unread!r}"
                event, cut = h11.EndOfMessage(), True
            if event is h11.NEED_DATA:
                self._unread = self.socket.recv(65536)
                parser.receive_data(self._unread)
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        self._unread = parser.trailing_data[0]
        return Answer(status, headers, body, tuple(interim), cut)

    def receive(self) -> bytes:
        """Return some bytes, as they come."""
        unread, self._unread = self._unread, b""
        return unread or self.socket.recv(65536)

    def receive_until(self, end: bytes) -> bytes:
        """Return bytes up to some that end with `end`."""
        received = b""
        while not received.endswith(end):
            piece = self.receive()
            assert piece, f"closed after {received[-200:]!r}"
            received += piece
        return received

    def rest(self) -> bytes:
        """Return everything until the connection closes."""
        received = b""
        while piece := self.receive():
            received += piece
        return received


class Tap:
    """A body that flows when the test says so. Its methods but `wait_*` belong to the server's thread."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.paused = False
        self.flowing = threading.Event()
        self.gone = threading.Event()

    def start(self, sink: Sink) -> None:
        """Note who drinks."""
        self.sink = sink
        self.flowing.set()

    def pause(self) -> None:
        """Note that the sink is full."""
        self.paused = True

    def resume(self) -> None:
        """Note that it is not."""
        self.paused = False

    def close(self) -> None:
        """Note that nobody wants the rest."""
        self.sink = None
        self.gone.set()

    def give(self, data: bytes) -> None:
        """Send a piece."""
        assert self.sink is not None
        self.sink.write(data)

    def finish(self) -> None:
        """End well."""
        assert self.sink is not None
        self.sink.finish()

    def abort(self, error: Exception) -> None:
        """End badly."""
        assert self.sink is not None
        self.sink.abort(error)
