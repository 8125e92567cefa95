"""What is under way is counted, turned away past the caps, and counted out once however it ends."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.http_server import Client, HTTPServer, Tap, eventually
from fakes.loops import PATIENCE
from inference_gateway.server.api.answers import error_response
from inference_gateway.server.errors import BadRequest, GatewayError
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.load import Load
from inference_gateway.server.transport.messages import Request, Response

Start = Callable[..., HTTPServer]

CAP = 20_000
RESET = struct.pack("ii", 1, 0)


def never_ending() -> Iterator[bytes]:
    while True:
        yield bytes(1000)


class Sunk:
    """Takes a body and drops it."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes) -> None:
        """Drop a piece."""

    def finish(self) -> None:
        self.done.set_result(None)

    def abort(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def application(request: Request) -> Response:
    """Do what the path says."""
    if request.refusal is not None:
        return error_response(request.refusal)
    try:
        return await _answer(request)
    except GatewayError as error:
        return error_response(error)


async def _answer(request: Request) -> Response:
    match request.path:
        case b"/read":
            return Response(200, [], await request.body.read())
        case b"/sink":
            sunk = Sunk()
            request.body.start(sunk)
            await sunk.done
        case b"/close":
            request.body.close()
        case b"/wait":
            await request.body.read()
            await asyncio.Event().wait()
        case b"/pause":
            await asyncio.sleep(0.01)
        case b"/forever":
            return Response(200, [], IterableSource(never_ending()))
        case b"/short":
            return Response(200, [], IterableSource([b"x"]), length=5)
        case b"/long":
            return Response(200, [], IterableSource([b"x" * 9]), length=5)
        case b"/fail":
            raise RuntimeError("on purpose")
    return Response(200, [], b"ok")


def post(path: str, body: bytes = b"", fields: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: h\r\n{fields}content-length: {len(body)}\r\n\r\n".encode() + body


def chunked(path: str, *sizes: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (size, bytes(size)) for size in sizes)


PATHS = ["/read", "/sink", "/close", "/pause", "/forever", "/short", "/long", "/fail", "/ignore"]
SIZES = [0, 1, 5_000, 9_000, 19_000, 70_000]
KINDS: dict[str, Callable[[str, int], bytes]] = {
    "whole": lambda path, size: post(path, bytes(size)),
    "unfinished": lambda path, size: post(path, bytes(size))[:-1],
    "expecting": lambda path, size: post(path, bytes(size), "expect: 100-continue\r\n"),
    "chunked": lambda path, size: chunked(path, *[size] * bool(size)) + b"0\r\n\r\n",
    "chunked, unfinished": lambda path, size: chunked(path, 5_000, *[size] * bool(size)),
    "chunked, broken": lambda path, size: chunked(path, 5_000) + b"zz\r\n",
    "1.0": lambda path, size: f"GET {path} HTTP/1.0\r\n\r\n".encode(),
    "a head's beginning": lambda path, size: f"GET {path} HTTP/1.1\r\nho".encode(),
    "no HTTP": lambda path, size: b"no HTTP\r\n\r\n",
}
REQUESTS = st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(PATHS), st.sampled_from(SIZES))
ENDS = st.sampled_from(["close", "reset", "half", "read and close"])
CLIENTS = st.lists(st.tuples(st.lists(REQUESTS, min_size=1, max_size=4), ENDS), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[HTTPServer]:
    """One server for all examples, or each would wait for a loop to start."""
    server = HTTPServer(application, Limits(max_body_size=60_000, read_timeout=0.2, write_timeout=0.2))
    yield server
    server.close()


@given(clients=CLIENTS, max_requests=st.integers(0, 3), max_bytes=st.sampled_from([0, CAP]))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_requests_end_nothing_stays_counted(
    shared_server: HTTPServer,
    caplog: pytest.LogCaptureFixture,
    clients: list[tuple[list[tuple[str, str, int]], str]],
    max_requests: int,
    max_bytes: int,
) -> None:
    load = shared_server.shared.load = Load(max_requests=max_requests, max_bytes=max_bytes)
    opened = [(shared_server.connect(), requests, end) for requests, end in clients]
    for number in range(4):
        for client, requests, _ in opened:
            if number < len(requests):
                kind, path, size = requests[number]
                send(client, KINDS[kind](path, size))
                assert load.requests >= 0
                assert load.held >= 0
    for client, _, end in opened:
        leave(client, end)
    eventually(lambda: not shared_server.shared.open)
    assert (load.requests, load.held) == (0, 0)
    eventually(lambda: not shared_server.tasks())


def send(client: Client, data: bytes) -> None:
    client.socket.setblocking(False)
    try:
        client.socket.send(data)
    except OSError:
        return  # closed, or as full as it gets


def leave(client: Client, how: str) -> None:
    try:
        if how == "read and close":
            client.socket.settimeout(0.001)
            client.socket.recv(1000)
        elif how == "half":
            client.socket.shutdown(socket.SHUT_WR)
        elif how == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except OSError:
        pass
    finally:
        client.socket.close()


def test_requests_are_counted_from_their_head_to_the_end_of_their_answer(start_server: Start) -> None:
    tap = Tap()

    async def streaming(_: Request) -> Response:
        return Response(200, [], tap)

    server = start_server(streaming)
    load = server.shared.load
    with server.connect() as client:
        client.send(post("/", b"12345")[:-1])
        eventually(lambda: (load.requests, load.held) == (1, 4))
        client.send(b"5")
        eventually(lambda: (load.requests, load.held) == (1, 5))
        assert tap.flowing.wait(PATIENCE)
        assert load.requests == 1
        server.run(tap.finish)
        assert client.answer().status == 200
        assert (load.requests, load.held) == (0, 0)


def test_a_request_too_many_is_turned_away_at_once_and_the_connection_lives(start_server: Start) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_requests=1)
    with server.connect() as first, server.connect() as second:
        first.send(post("/wait"))
        eventually(lambda: load.requests == 1)
        second.send(post("/read", b"body"))
        answer = second.answer()
        assert (answer.status, answer.headers[b"retry-after"]) == (503, b"1")
        assert b"connection" not in answer.headers
        assert load.requests == 1
        assert load.refused == 1
        first.socket.close()
        second.send(post("/read", b"body"))
        assert second.answer().body == b"body"


def test_a_client_that_was_turned_away_is_not_read_from_for_a_while(start_server: Start) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_requests=1)
    with server.connect() as first, server.connect() as second:
        first.send(post("/wait"))
        eventually(lambda: load.requests == 1)
        second.send(post("/ignore"))
        assert second.answer().status == 503
        eventually(server.not_reading)
        second.send(post("/ignore"))
        eventually(lambda: not server.not_reading())
        assert second.answer().status == 503
        assert load.refused == 2


def test_no_body_is_waited_for_where_there_is_no_room(start_server: Start) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_requests=1)
    with server.connect() as first, server.connect() as second:
        first.send(post("/wait"))
        eventually(lambda: load.requests == 1)
        second.send(post("/read", bytes(50), "expect: 100-continue\r\n")[:-50])
        answer = second.answer()
        assert (answer.status, answer.interim, answer.headers[b"connection"]) == (503, (), b"close")


def test_a_body_that_there_is_no_room_for_is_turned_away_by_its_announced_length(
    start_server: Start,
) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_bytes=100)
    with server.connect() as first, server.connect() as second, server.connect() as third:
        first.send(post("/wait", bytes(60)))
        eventually(lambda: load.held == 60)
        second.send(post("/read", bytes(41))[:-41])
        assert second.answer().status == 503
        third.send(post("/read", bytes(40)))
        assert third.answer().body == bytes(40)


def test_a_body_without_a_length_is_turned_away_where_it_grows_too_large(start_server: Start) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_bytes=100)
    with server.connect() as client:
        client.send(chunked("/read", 60))
        eventually(lambda: load.held == 60)
        client.send(b"29\r\n" + bytes(41) + b"\r\n")
        answer = client.answer()
        assert (answer.status, answer.headers[b"retry-after"]) == (503, b"1")
        assert load.held == 0


def test_a_body_that_flows_through_is_not_held(start_server: Start) -> None:
    begun = threading.Event()

    async def sink(request: Request) -> Response:
        sunk = Sunk()
        request.body.start(sunk)
        begun.set()
        await sunk.done
        return Response(200, [], b"ok")

    server = start_server(sink)
    server.shared.load = load = Load(max_bytes=100)
    with server.connect() as client:
        client.send(chunked("/", 64))
        assert begun.wait(PATIENCE)
        assert load.held == 0
        client.send(*[b"40\r\n" + bytes(64) + b"\r\n"] * 5)
        client.send(b"0\r\n\r\n")
        assert client.answer().body == b"ok"


def test_many_pipelined_requests_are_turned_away_one_by_one(start_server: Start) -> None:
    server = start_server(application)
    server.shared.load = load = Load(max_requests=1)
    with server.connect() as first, server.connect() as second:
        first.send(post("/wait"))
        eventually(lambda: load.requests == 1)
        second.send(post("/ignore") * 1000)
        assert [second.answer().status for _ in range(1000)] == [503] * 1000
        eventually(lambda: load.requests == 1)


def test_what_is_always_answered_is_never_turned_away() -> None:
    load = Load(max_requests=1, max_bytes=10, exempt=frozenset({b"/health"}))
    assert load.admit(b"/", 0, limit=20) is None
    assert load.admit(b"/", 0, limit=20) is not None
    assert load.admit(b"/health", 11, limit=20) is None
    assert load.requests == 2


def test_a_body_that_is_too_large_by_itself_is_not_a_matter_of_load() -> None:
    load = Load(max_bytes=10)
    assert load.admit(b"/", 11, limit=20) is not None
    assert load.admit(b"/", 21, limit=20) is None


def test_the_log_tells_of_the_first_request_turned_away_and_not_of_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load = Load(max_requests=1)
    load.admit(b"/", 0, limit=20)
    refusals = [load.admit(b"/", 0, limit=20) for _ in range(999)]
    assert all(isinstance(each, GatewayError) and not isinstance(each, BadRequest) for each in refusals)
    assert len(caplog.records) == 1
