"""Bytes cut anywhere: the same requests, the same answers. Mostly without a socket, for speed."""

import asyncio
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.http_server import HTTPServer, echo
from fakes.loops import PATIENCE
from inference_gateway.server.api.answers import error_response
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response
from inference_gateway.server.transport.server import ServerConnection

SEQUENCE = b"".join(
    [
        b"GET /0 HTTP/1.1\r\nhost: h\r\n\r\n",
        b"\r\nPOST /1?a=b HTTP/1.1\r\nhost: h\r\ncontent-length: 7\r\n\r\nGET / x",
        b"POST /2 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n",
        b"5;a=b\r\nhello\r\n00a\r\n0123456789\r\n0\r\nx-trailer: y\r\nz: 1\r\n\r\n",
        b"HEAD /3 HTTP/1.1\r\nhost: h\r\n\r\n",
        b"POST /4 HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc",
        b"GET /5 HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"GET /stream HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /6 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    ]
)
NEVER = b"GET /never HTTP/1.1\r\nhost: h\r\n\r\n"
LAST = {
    "close": b"DELETE /7 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n" + NEVER,
    "bad head": b"GET /bad HTTP/1.1\r\n\r\n" + NEVER,
    "large head": b"GET /large HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 1100 + b"\r\n\r\n" + NEVER,
    "bad body": b"POST /8 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "large body": b"POST /9 HTTP/1.1\r\nhost: h\r\ncontent-length: 101\r\n\r\n" + b"a" * 101,
}
LIMITS = Limits(max_header_size=1024, max_url_size=256, max_body_size=100)


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, and knows when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self.ended = asyncio.Event()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended.is_set()
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.ended.set()

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._closing = True
        self.ended.set()

    def abort(self) -> None:
        pytest.fail("aborted")

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class Site:
    """Echoes, streams one path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, bytes, list[tuple[bytes, bytes]]]] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append((request.method, request.path, request.query, list(request.headers)))
        response = await echo(request)
        if request.path == b"/stream":
            response.body = IterableSource([b"a" * 10, b"b" * 100])
        return response


def undated(answers: bytes) -> bytes:
    return re.sub(rb"\r\ndate: [^\r]+", b"", answers)


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3})", answers)


async def drive(pieces: list[bytes]) -> tuple[bytes, list[tuple[object, ...]]]:
    """Feed pieces to a connection as fast as it takes them."""
    site, transport = Site(), MemoryTransport()
    connection = ServerConnection(Connections(site, error_response, LIMITS), asyncio.get_running_loop())
    connection.connection_made(transport)
    async with asyncio.timeout(PATIENCE):
        for piece in pieces:
            await transport.reading.wait()
            if transport.is_closing():
                break
            connection.data_received(piece)
        await transport.ended.wait()
    connection.connection_lost(None)
    return undated(transport.sent), list(site.asked)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_a_sequence_is_answered_as_it_should(loop: asyncio.AbstractEventLoop, last: bytes) -> None:
    answers, asked = loop.run_until_complete(drive([SEQUENCE + last]))
    assert statuses(answers)[:8] == [b"200"] * 8
    assert len(statuses(answers)) == 9
    paths = [path for _, path, _, _ in asked]
    assert paths[:8] == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/5", b"/stream", b"/6"]
    assert b"/never" not in paths


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_a_sequence_cut_into_single_bytes_is_answered_alike(
    loop: asyncio.AbstractEventLoop, last: bytes
) -> None:
    data = SEQUENCE + last
    whole = loop.run_until_complete(drive([data]))
    assert loop.run_until_complete(drive([data[at : at + 1] for at in range(len(data))])) == whole


@settings(max_examples=300, deadline=None)
@given(
    last=st.sampled_from(sorted(LAST.values())),
    at=st.lists(st.integers(0, len(SEQUENCE) + 300), max_size=40),
)
def test_where_bytes_are_cut_changes_nothing(
    loop: asyncio.AbstractEventLoop, last: bytes, at: list[int]
) -> None:
    data = SEQUENCE + last
    whole = loop.run_until_complete(drive([data]))
    assert loop.run_until_complete(drive(cut(data, [min(each, len(data)) for each in at]))) == whole


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_same_holds_over_a_socket(start_server: Callable[..., HTTPServer], size: int) -> None:
    data = SEQUENCE + LAST["close"]
    server = start_server(Site(), LIMITS)
    whole = undated(server.exchange(data))
    with server.connect() as client:
        client.send(*[data[at : at + size] for at in range(0, len(data), size)])
        assert undated(client.rest()) == whole
    assert statuses(whole) == [b"200"] * 9


def test_a_large_body_that_came_at_once_does_not_stop_the_reading(loop: asyncio.AbstractEventLoop) -> None:
    size = 200_000
    read = asyncio.Event()

    async def think(request: Request) -> Response:
        assert len(await request.body.read()) == size
        read.set()
        return await asyncio.Future()

    async def send() -> bool:
        transport = MemoryTransport()
        shared = Connections(think, error_response, Limits())
        connection = ServerConnection(shared, asyncio.get_running_loop())
        connection.connection_made(transport)
        connection.data_received(
            b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n%b" % (size, bytes(size))
        )
        await read.wait()
        connection.connection_lost(None)
        return transport.reading.is_set()

    # A connection that is not read does not show that its client left.
    assert loop.run_until_complete(send())
