"""Who waits for whom: slow readers, slow writers, clients that leave, and many at a time."""

import asyncio
import contextlib
import gc
import resource
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from fakes.http_server import Application, HTTPServer, Tap, eventually
from fakes.loops import PATIENCE
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response
from inference_gateway.server.transport.server import ServerConnection

Start = Callable[..., HTTPServer]

GET = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n"
PIECE = bytes(10_000)
SMALL = 65_536


def streaming(tap: Tap) -> Application:
    async def answer(_: Request) -> Response:
        return Response(200, [], tap)

    return answer


def fill(server: HTTPServer, tap: Tap) -> None:
    """Send until the client's reluctance is felt."""
    assert tap.flowing.wait(PATIENCE)

    def felt() -> bool:
        if not tap.paused:
            server.run(tap.give, PIECE)
        return tap.paused

    eventually(felt)


def test_a_client_that_stops_reading_pauses_the_source_until_it_reads_on(start_server: Start) -> None:
    tap = Tap()
    server = start_server(streaming(tap), send_buffer=SMALL)
    with server.connect(receive_buffer=SMALL) as client:
        client.send(GET)
        fill(server, tap)
        assert server.run(server.connection.transport.get_write_buffer_size) < 64 * 1024 + 2 * len(PIECE)
        client.socket.settimeout(0.01)

        def flows_again() -> bool:
            with contextlib.suppress(TimeoutError):
                client.receive()
            return not tap.paused

        eventually(flows_again)
        client.socket.settimeout(PATIENCE)
        fill(server, tap)
        server.run(tap.finish)
        assert client.receive_until(b"\r\n0\r\n\r\n")


def test_no_more_is_pulled_than_a_slow_client_takes(start_server: Start) -> None:
    pulled = 0

    def pieces() -> Iterator[bytes]:
        nonlocal pulled
        for _ in range(300):
            pulled += 1
            yield PIECE

    async def answer(_: Request) -> Response:
        return Response(200, [], IterableSource(pieces()))

    server = start_server(answer, send_buffer=SMALL)
    with server.connect(receive_buffer=SMALL) as client:
        client.send(GET)
        eventually(server.stuck)
        assert pulled < 100
        answer_read = client.answer()
        assert (len(answer_read.body), answer_read.cut) == (300 * len(PIECE), False)


@pytest.mark.parametrize("request_", [GET, b"GET / HTTP/1.0\r\n\r\n"], ids=["new", "old"])
def test_a_client_that_takes_nothing_of_a_stream_is_dropped(start_server: Start, request_: bytes) -> None:
    tap = Tap()
    server = start_server(streaming(tap), Limits(write_timeout=0.2), send_buffer=SMALL)
    with server.connect(receive_buffer=SMALL) as client:
        client.send(request_)
        fill(server, tap)

        def pour() -> bool:
            if not (tap.paused or tap.gone.is_set()):
                server.run(tap.give, PIECE)  # the sockets' own buffers had room for more
            return tap.gone.is_set()

        eventually(pour)
        eventually(lambda: not server.shared.open)
        with pytest.raises(ConnectionResetError):
            client.rest()


def test_a_client_that_takes_nothing_of_a_large_answer_is_dropped(start_server: Start) -> None:
    async def answer(_: Request) -> Response:
        return Response(200, [], bytes(5_000_000))

    server = start_server(answer, Limits(write_timeout=0.2), send_buffer=SMALL)
    with server.connect(receive_buffer=SMALL) as client:
        client.send(GET)
        eventually(server.stuck)
        eventually(lambda: not server.shared.open)


@pytest.mark.parametrize("closing", [b"", b"connection: close\r\n"])
def test_a_slow_client_that_does_read_is_served_to_the_end(
    start_server: Start, monkeypatch: pytest.MonkeyPatch, closing: bytes
) -> None:
    async def answer(_: Request) -> Response:
        return Response(200, [], bytes(300_000))

    monkeypatch.setattr("inference_gateway.server.transport.server._LINGER", 0.05)
    limits = Limits(write_timeout=0.5, idle_timeout=0.1)
    server = start_server(answer, limits, send_buffer=SMALL)
    with server.connect(receive_buffer=SMALL) as client:
        client.send(GET[:-2] + closing + b"\r\n")
        received, pace = 0, threading.Event()
        while received < 300_000:
            pace.wait(0.04)  # a slow line
            piece = client.socket.recv(8000)
            assert piece, f"dropped after {received} bytes"
            received += len(piece)


def test_a_client_that_never_takes_its_last_bytes_is_dropped(start_server: Start) -> None:
    async def answer(_: Request) -> Response:
        return Response(200, [], bytes(60_000))

    server = start_server(answer, Limits(write_timeout=0.2, idle_timeout=0.1), send_buffer=4096)
    with server.connect(receive_buffer=4096) as client:
        client.send(GET)
        eventually(lambda: len(server.shared.open) == 1)
        eventually(lambda: not server.shared.open)


class Cup:
    """Takes a request's body; one that is not thirsty asks once for a pause, as a full socket does."""

    def __init__(self, request: Request) -> None:
        self._source = request.body
        self.size = 0
        self.thirsty = True
        self._full = False
        self.finished = threading.Event()
        self.aborted = threading.Event()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if not (self.thirsty or self._full):
            self._full = True
            self._source.pause()

    def finish(self) -> None:
        self.finished.set()

    def abort(self, error: Exception) -> None:
        self.aborted.set()

    def drink(self) -> None:
        self.thirsty = True
        self._source.resume()


class Bar:
    """Pours each request's body into a cup, and answers when told to."""

    def __init__(self, *, thirsty: bool) -> None:
        self._thirsty = thirsty
        self.cup: Cup
        self.served = threading.Event()
        self.cancelled = threading.Event()
        self.release = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.cup = Cup(request)
        self.cup.thirsty = self._thirsty
        request.body.start(self.cup)
        self.served.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Response(200, [], b"done")


def send_in_background(client: socket.socket, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=client.sendall, args=(data,), daemon=True)
    thread.start()
    return thread


def test_a_sink_that_pauses_stops_the_client_from_sending(start_server: Start) -> None:
    bar = Bar(thirsty=False)
    server = start_server(bar)
    with server.connect() as client:
        sender = send_in_background(client.socket, POST % 9_000_000 + bytes(9_000_000))
        assert bar.served.wait(PATIENCE)
        eventually(server.not_reading)
        for _ in range(100):
            server.tasks()  # takes a turn of the loop, which would read on
        assert bar.cup.size < 1_000_000
        assert sender.is_alive()
        server.run(bar.cup.drink)
        assert bar.cup.finished.wait(PATIENCE)
        assert bar.cup.size == 9_000_000
        sender.join(PATIENCE)
        server.run(bar.release.set)
        assert client.answer().body == b"done"
        client.send(POST % 0)
        assert client.answer().body == b"done"


def test_a_body_that_nobody_asked_for_is_held_back(start_server: Start) -> None:
    release = asyncio.Event()

    async def later(request: Request) -> Response:
        await release.wait()
        return Response(200, [], b"%d" % len(await request.body.read()))

    server = start_server(later)
    with server.connect() as client:
        sender = send_in_background(client.socket, POST % 9_000_000 + bytes(9_000_000))
        eventually(server.not_reading)
        assert sender.is_alive()
        server.run(release.set)
        assert client.answer().body == b"9000000"
        sender.join(PATIENCE)


def leave_by_close(client: socket.socket) -> None:
    client.close()


def leave_by_half(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [leave_by_close, leave_by_half])
@pytest.mark.parametrize("size", [0, 10, 150_000])
@pytest.mark.parametrize("thirsty", [True, False])
def test_a_client_that_leaves_ends_its_handler(
    start_server: Start, leave: Callable[[socket.socket], None], size: int, thirsty: bool
) -> None:
    bar = Bar(thirsty=thirsty)
    server = start_server(bar)
    with server.connect() as client:
        client.send(POST % size + bytes(size))
        assert bar.served.wait(PATIENCE)
        if not thirsty:
            server.run(bar.cup.drink)
        assert bar.cup.finished.wait(PATIENCE)
        leave(client.socket)
        assert bar.cancelled.wait(PATIENCE)
        eventually(lambda: not server.shared.open)
    assert server.tasks() == 0


@pytest.mark.parametrize("leave", [leave_by_close, leave_by_half])
def test_a_client_that_leaves_while_it_sends_aborts_its_body(
    start_server: Start, leave: Callable[[socket.socket], None]
) -> None:
    bar = Bar(thirsty=True)
    server = start_server(bar)
    with server.connect() as client:
        client.send(POST % 1000 + bytes(500))
        assert bar.served.wait(PATIENCE)
        leave(client.socket)
        assert bar.cup.aborted.wait(PATIENCE)
        assert bar.cancelled.wait(PATIENCE)
        eventually(lambda: not server.shared.open)


@pytest.mark.parametrize("leave", [leave_by_close, leave_by_half])
def test_a_client_that_leaves_ends_its_stream(
    start_server: Start, leave: Callable[[socket.socket], None]
) -> None:
    tap = Tap()
    server = start_server(streaming(tap))
    with server.connect() as client:
        client.send(GET)
        assert tap.flowing.wait(PATIENCE)
        server.run(tap.give, b"piece")
        assert client.receive()
        leave(client.socket)
        assert tap.gone.wait(PATIENCE)
        eventually(lambda: not server.shared.open)


def test_a_half_closed_client_that_reads_nothing_is_dropped(start_server: Start) -> None:
    tap = Tap()
    server = start_server(streaming(tap), Limits(write_timeout=0.1), send_buffer=4096)
    with server.connect(receive_buffer=4096) as client:
        client.send(GET)
        assert tap.flowing.wait(PATIENCE)
        server.run(tap.give, bytes(50_000))
        client.socket.shutdown(socket.SHUT_WR)
        assert tap.gone.wait(PATIENCE)
        eventually(lambda: not server.shared.open)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for two thousand sockets in one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_streams_end_well_and_leave_nothing_behind(start_server: Start) -> None:
    taps: list[Tap] = []

    async def stream(_: Request) -> Response:
        taps.append(Tap())
        return Response(200, [], taps[-1])

    def give_all() -> None:
        for tap in taps:
            tap.give(b"data: x\n\n")

    def finish_all() -> None:
        for tap in taps:
            tap.finish()

    server = start_server(stream)
    clients = [server.connect() for _ in range(1000)]
    for client in clients:
        client.send(GET)
    eventually(lambda: len(taps) == 1000 and all(tap.flowing.is_set() for tap in taps))
    assert server.tasks() == 0  # a stream needs none
    for _ in range(5):
        server.run(give_all)
    server.run(finish_all)
    for client in clients:
        assert client.answer().body == b"data: x\n\n" * 5
        client.socket.close()
    eventually(lambda: not server.shared.open)
    taps.clear()
    assert server.tasks() == 0
    eventually(lambda: server.run(connections_in_memory) == 0)


def connections_in_memory() -> int:
    gc.collect()
    return sum(isinstance(each, ServerConnection) for each in gc.get_objects())
