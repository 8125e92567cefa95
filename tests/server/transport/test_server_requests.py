"""Requests that are in order: each is answered once, in its turn, and the connection lives as it should."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest

from fakes.http_server import Client, HTTPServer, echo, eventually
from fakes.loops import PATIENCE
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response

GET = b"GET /%d HTTP/1.1\r\nhost: h\r\n\r\n"
Start = Callable[..., HTTPServer]


def test_one_connection_serves_many_requests(client: Client) -> None:
    for number in range(50):
        client.send(GET % number)
        assert client.answer().body == b"GET /%d " % number


def test_a_client_that_asks_for_it_gets_its_connection_closed(client: Client) -> None:
    client.send(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
    answer = client.answer()
    assert answer.headers[b"connection"] == b"close"
    assert client.rest() == b""


def test_nothing_behind_a_request_that_closes_is_answered(client: Client) -> None:
    client.send(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n" + GET % 1)
    assert client.answer().status == 200
    assert client.rest() == b""


def test_an_old_client_is_answered_and_its_connection_closed(client: Client) -> None:
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.answer().body == b"GET / "
    assert client.rest() == b""


def test_an_old_client_may_keep_its_connection(client: Client) -> None:
    for _ in range(2):
        client.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert client.answer().headers[b"connection"] == b"keep-alive"


def test_a_request_may_come_in_absolute_form(client: Client) -> None:
    client.send(b"GET http://elsewhere/a?b=c HTTP/1.1\r\nhost: h\r\n\r\n")
    assert client.answer().body == b"GET /a?b=c "


def test_empty_lines_before_a_request_are_skipped(client: Client) -> None:
    client.send(b"\r\n\r\n" + GET % 1)
    assert client.answer().body == b"GET /1 "


def test_pipelined_requests_are_answered_in_order_though_the_first_is_slow(start_server: Start) -> None:
    running: list[bytes] = []
    begun = threading.Event()
    release = asyncio.Event()

    async def slow_first(request: Request) -> Response:
        running.append(request.path)
        begun.set()
        if request.path == b"/0":
            await release.wait()
        return await echo(request)

    server = start_server(slow_first)
    with server.connect() as client:
        client.send(b"".join([GET % number for number in range(20)]))
        assert begun.wait(PATIENCE)
        assert running == [b"/0"]
        client.send(GET % 20)
        server.run(release.set)
        assert [client.answer().body for _ in range(21)] == [b"GET /%d " % number for number in range(21)]


def test_a_flood_from_a_client_that_reads_nothing_is_held_back(start_server: Start) -> None:
    handled = 0

    async def large(_: Request) -> Response:
        nonlocal handled
        handled += 1
        return Response(200, [], bytes(50_000))

    server = start_server(large, send_buffer=65_536)
    with server.connect(receive_buffer=4096) as client:
        client.socket.setblocking(False)
        flood = GET % 1 * 500
        with contextlib.suppress(BlockingIOError):
            while True:
                client.socket.send(flood)
        eventually(lambda: server.stuck() and server.tasks() == 0)
        assert server.run(server.connection.transport.get_write_buffer_size) < 200_000
        assert len(server.connection._queue) < 256_000 / len(GET)
        assert handled < 500  # what the buffers of both sockets take


@pytest.mark.parametrize("size", [1, 3, 4096, 100_000])
def test_a_chunked_body_arrives_whole_however_it_is_chunked(client: Client, size: int) -> None:
    body = b"0123456789" * 10_000 if size > 3 else b"0123456789"
    client.send(b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        client.send(b"%x;name=value\r\n%b\r\n" % (len(piece), piece))
    client.send(b"0\r\n\r\n" + GET % 2)
    assert client.answer().body == b"POST / " + body
    assert client.answer().body == b"GET /2 "


def test_trailers_are_dropped(start_server: Start) -> None:
    async def names(request: Request) -> Response:
        await request.body.read()
        return Response(200, [], b" ".join([name for name, _ in request.headers]))

    with start_server(names).connect() as client:
        client.send(
            b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1\r\na\r\n0\r\nauthorization: x\r\nx-y: z\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n"
        )
        assert client.answer().body == b"host transfer-encoding"
        assert client.answer().body == b"host"


@pytest.mark.parametrize("size", [0, 1, 70_000, 300_000, 2_000_000])
def test_a_body_with_a_length_arrives_whole(client: Client, size: int) -> None:
    for _ in range(2):
        client.send(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size)
        assert client.answer().body == b"POST / " + b"x" * size


def test_an_answer_to_head_has_a_length_and_no_body(client: Client) -> None:
    client.send(b"HEAD /1 HTTP/1.1\r\nhost: h\r\n\r\n" + GET % 2)
    answer = client.answer("HEAD")
    assert (answer.headers[b"content-length"], answer.body) == (b"8", b"")
    assert client.answer().body == b"GET /2 "


EXPECTING = b"POST / HTTP/%b\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"


def test_a_client_that_waits_is_invited_to_send_its_body(client: Client) -> None:
    client.send(EXPECTING % b"1.1")
    assert client.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc")
    assert client.answer().body == b"POST / abc"


def test_a_client_that_did_not_wait_is_not_invited(client: Client) -> None:
    client.send(EXPECTING % b"1.1" + b"abc")
    assert client.answer().interim == ()


def test_a_client_whose_body_nobody_reads_is_not_invited(start_server: Start) -> None:
    async def refuse(_: Request) -> Response:
        return Response(403, [], b"no")

    with start_server(refuse).connect() as client:
        client.send(EXPECTING % b"1.1")
        answer = client.answer()
        assert (answer.status, answer.interim, answer.headers[b"connection"]) == (403, (), b"close")
        assert client.rest() == b""


def test_an_old_client_is_not_invited(client: Client) -> None:
    client.send(EXPECTING % b"1.0", b"abc")
    assert client.answer().interim == ()


def test_a_body_too_large_is_refused_before_it_is_invited(start_server: Start) -> None:
    with start_server(limits=Limits(max_body_size=2)).connect() as client:
        client.send(EXPECTING % b"1.1")
        answer = client.answer()
        assert (answer.status, answer.interim) == (413, ())


H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n"


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("request_with_offer", "body"),
    [
        (b"GET / HTTP/1.1\r\nhost: h\r\n" + H2C + b"\r\n", b"GET / "),
        (b"POST / HTTP/1.1\r\nhost: h\r\n" + H2C + b"content-length: 3\r\n\r\nabc", b"POST / abc"),
        (
            b"POST / HTTP/1.1\r\nhost: h\r\n" + H2C + b"transfer-encoding: chunked\r\n\r\n"
            b"1\r\na\r\n2\r\nbc\r\n0\r\nx: y\r\n\r\n",
            b"POST / abc",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: h\r\n" + H2C + b"content-length: %d\r\n\r\n" % len(GET % 9) + GET % 9,
            b"POST / " + GET % 9,
        ),
    ],
)
def test_an_offer_to_upgrade_is_declined(
    client: Client, request_with_offer: bytes, body: bytes, cut: bool
) -> None:
    for _ in range(2):
        client.send(*([bytes([byte]) for byte in request_with_offer] if cut else [request_with_offer]))
        answer = client.answer()
        assert (answer.status, answer.body) == (200, body)
    client.send(GET % 1)
    assert client.answer().body == b"GET /1 "


def test_many_pipelined_offers_to_upgrade_are_declined_one_by_one(client: Client) -> None:
    offer = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    client.send(offer * 3000 + b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
    assert client.rest().count(b"\r\n\r\nGET / ") == 3001
