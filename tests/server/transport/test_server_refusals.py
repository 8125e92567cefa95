"""What is no request, too much of one, or too slow: the right status, and nothing behind it believed."""

import asyncio
import json
from collections.abc import Callable

import pytest

from fakes.http_server import Answer, Client, HTTPServer, echo, eventually
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response

Start = Callable[..., HTTPServer]

HOST = b"host: h\r\n"
GOOD = b"GET /good HTTP/1.1\r\nhost: h\r\n\r\n"
EVIL = b"GET /evil HTTP/1.1\r\nhost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: h\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"

BAD = {
    "a length and a transfer coding": (400, POST + b"content-length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "a transfer coding and a length": (400, POST + CHUNKED + b"content-length: 4\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\na"),
    "the same length twice": (400, POST + b"content-length: 1\r\ncontent-length: 1\r\n\r\na"),
    "a list of lengths": (400, POST + b"content-length: 1, 1\r\n\r\na"),
    "a length with a plus": (400, POST + b"content-length: +1\r\n\r\na"),
    "a length with a minus": (400, POST + b"content-length: -1\r\n\r\na"),
    "a hexadecimal length": (400, POST + b"content-length: 0x1\r\n\r\na"),
    "an empty length": (400, POST + b"content-length:\r\n\r\n"),
    "a length beyond all bounds": (400, POST + b"content-length: 99999999999999999999\r\n\r\n"),
    "chunked twice": (400, POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunked, but not last": (400, POST + b"transfer-encoding: chunked, gzip\r\n\r\n"),
    "an unknown transfer coding": (501, POST + b"transfer-encoding: gzip\r\n\r\n"),
    "two transfer codings": (501, POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunks in HTTP/1.0": (400, b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "a folded line": (400, b"GET / HTTP/1.1\r\nhost: h\r\n folded\r\n\r\n"),
    "a folded line with a tab": (400, b"GET / HTTP/1.1\r\nhost: h\r\nx: a\r\n\tb\r\n\r\n"),
    "a bare LF behind the request line": (400, b"GET / HTTP/1.1\nhost: h\r\n\r\n"),
    "a bare LF behind a field": (400, b"GET / HTTP/1.1\r\nhost: h\n\r\n"),
    "a bare LF at the end of the head": (400, b"GET / HTTP/1.1\r\nhost: h\r\n\n"),
    "a bare CR in a field": (400, b"GET / HTTP/1.1\r\nhost: h\r\nx: a\rb\r\n\r\n"),
    "a zero byte in a field": (400, b"GET / HTTP/1.1\r\nhost: h\r\nx: a\0b\r\n\r\n"),
    "white space before a colon": (400, b"GET / HTTP/1.1\r\nhost: h\r\nx : a\r\n\r\n"),
    "a field without a name": (400, b"GET / HTTP/1.1\r\nhost: h\r\n: a\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "a host that is none": (400, b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n"),
    "a host with a path": (400, b"GET / HTTP/1.1\r\nhost: h/evil\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nhost: h\r\nhost: h\r\n\r\n"),
    "a fragment": (400, b"GET /a#b HTTP/1.1\r\nhost: h\r\n\r\n"),
    "a target that is no path": (400, b"GET a/b HTTP/1.1\r\nhost: h\r\n\r\n"),
    "another scheme": (400, b"GET ftp://h/a HTTP/1.1\r\nhost: h\r\n\r\n"),
    "a tunnel": (400, b"CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n"),
    "a tunnel to a path": (400, b"CONNECT /path HTTP/1.1\r\nhost: h\r\n\r\n"),
    "a method in lower case": (400, b"get / HTTP/1.1\r\nhost: h\r\n\r\n"),
    "a TLS handshake": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "the preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2.0 in so many words": (505, b"GET / HTTP/2.0\r\nhost: h\r\n\r\n"),
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "a version that never was": (400, b"GET / HTTP/1.2\r\nhost: h\r\n\r\n"),
}

BAD_BODIES = {
    "a chunk size that is no number": POST + CHUNKED + b"\r\nzz\r\n",
    "a chunk size with a prefix": POST + CHUNKED + b"\r\n0x1\r\na\r\n",
    "a signed chunk size": POST + CHUNKED + b"\r\n+1\r\na\r\n",
    "a chunk size beyond all bounds": POST + CHUNKED + b"\r\nfffffffffffffffff\r\n",
    "a bare LF behind a chunk size": POST + CHUNKED + b"\r\n1\na\r\n0\r\n\r\n",
    "a chunk longer than its size": POST + CHUNKED + b"\r\n1\r\nab\r\n0\r\n\r\n",
    "a bad chunk behind a good one": POST + CHUNKED + b"\r\n1\r\na\r\n;\r\n",
    "a trailer that is none": POST + CHUNKED + b"\r\n0\r\nx : y\r\n\r\n",
}


def refused(client: Client, status: int) -> Answer:
    """Check that the next answer is a refusal, and the last."""
    answer = client.answer()
    assert answer.status == status
    assert answer.headers[b"connection"] == b"close"
    assert answer.headers[b"content-type"] == b"application/json"
    assert list(json.loads(answer.body)) == ["error"]
    assert client.rest() == b""
    return answer


@pytest.mark.parametrize(("status", "request_"), BAD.values(), ids=BAD)
def test_a_bad_head_is_refused_and_nothing_behind_it_answered(
    start_server: Start, status: int, request_: bytes
) -> None:
    asked: list[bytes] = []

    async def remember(request: Request) -> Response:
        asked.append(request.path)
        return await echo(request)

    with start_server(remember).connect() as client:
        client.send(GOOD + GOOD + request_ + EVIL)
        assert [client.answer().body for _ in range(2)] == [b"GET /good "] * 2
        refused(client, status)
    assert asked == [b"/good", b"/good"]


@pytest.mark.parametrize("request_", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused_and_nothing_behind_it_answered(client: Client, request_: bytes) -> None:
    client.send(GOOD + request_ + EVIL)
    assert client.answer().body == b"GET /good "
    refused(client, 400)


def test_a_refusal_waits_for_the_answer_that_is_owed(start_server: Start) -> None:
    release = asyncio.Event()

    async def wait(request: Request) -> Response:
        await release.wait()
        return await echo(request)

    server = start_server(wait)
    with server.connect() as client:
        client.send(GOOD + b"nonsense\r\n\r\n")
        eventually(lambda: len(server.shared.open) == 1 and len(server.connection._queue) == 1)
        server.run(release.set)
        assert client.answer().status == 200
        refused(client, 400)


def test_a_refusal_of_head_has_no_body(client: Client) -> None:
    client.send(b"HEAD / HTTP/1.1\r\n\r\n")
    assert client.answer("HEAD").status == 400
    assert client.rest() == b""


SMALL = Limits(max_header_size=1024, max_url_size=256, max_body_size=1000)


@pytest.mark.parametrize(
    "fields",
    [
        b"x: %b\r\n" % (b"a" * 1100),
        b"x: a\r\n" * 200,
        b"x: %b\r\n" % (b"a" * 100_000),
        b"x: a\r\n" * 100_000,
    ],
    ids=["one large field", "many fields", "one huge field", "very many fields"],
)
def test_too_large_a_head_is_refused(start_server: Start, fields: bytes) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nhost: h\r\n" + fields + b"\r\n")
        refused(client, 431)


@pytest.mark.parametrize("beginning", [b"x: ", b"x"], ids=["value", "name"])
def test_a_head_that_never_ends_is_refused(start_server: Start, beginning: bytes) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nhost: h\r\n")
        client.send(beginning, *[b"a" * 200] * 10)
        refused(client, 431)


@pytest.mark.parametrize("framing", [b"0\r\nx: ", b"0\r\n", b"1;", b"1\r\na\r\n1;x="])
def test_a_trailer_or_an_extension_that_never_ends_is_refused(start_server: Start, framing: bytes) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(POST + CHUNKED + b"\r\n" + framing)
        client.send(*[b"a" * 10_000] * 60)  # more than comes in one piece
        refused(client, 431)


@pytest.mark.parametrize("before", [b"", b"\r\n", b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"])
def test_another_protocol_is_refused_wherever_it_stands(start_server: Start, before: bytes) -> None:
    with start_server().connect() as client:
        sent = before + b"GET / RTSP/1.0\r\nhost: h\r\n\r\n"
        client.send(*[sent[at : at + 9] for at in range(0, len(sent), 9)] if not before else [sent])
        if before.strip():
            assert client.answer().status == 200
        refused(client, 400)


@pytest.mark.parametrize("pieces", [1, 3])
def test_trailers_larger_than_a_head_may_be_are_refused(start_server: Start, pieces: int) -> None:
    body = b"\r\n1\r\na\r\n0\r\n" + b"x: %b\r\n" % (b"a" * 100) * 11 + b"\r\n"
    size = len(body) // pieces + 1
    with start_server(limits=SMALL).connect() as client:
        client.send(
            POST + CHUNKED + body[:size], *[body[at : at + size] for at in range(size, len(body), size)]
        )
        refused(client, 431)


def test_a_head_of_exactly_the_limit_passes(start_server: Start) -> None:
    fields = HOST + b"x: %b\r\n" % (b"a" * (1024 - len(HOST) - 5))
    assert len(fields) == 1024
    head = b"GET /" + b"u" * 255 + b" HTTP/1.1\r\n" + fields + b"\r\n"
    with start_server(limits=SMALL).connect() as client:
        client.send(head)
        assert client.answer().status == 200
        client.send(*[head[at : at + 100] for at in range(0, len(head), 100)])
        assert client.answer().status == 200


@pytest.mark.parametrize("size", [257, 5000, 100_000])
def test_too_long_a_url_is_refused(start_server: Start, size: int) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(b"GET /" + b"u" * (size - 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        refused(client, 414)


def test_too_large_a_body_is_refused(start_server: Start) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(POST + b"content-length: 1001\r\n\r\n" + b"a" * 1001)
        refused(client, 413)


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(start_server: Start) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(POST + CHUNKED + b"\r\n", b"3e8\r\n" + b"a" * 1000 + b"\r\n", b"1\r\na")
        refused(client, 413)


def test_a_body_of_exactly_the_limit_passes(start_server: Start) -> None:
    with start_server(limits=SMALL).connect() as client:
        client.send(POST + b"content-length: 1000\r\n\r\n" + b"a" * 1000)
        assert client.answer().status == 200
        client.send(POST + CHUNKED + b"\r\n3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n")
        assert client.answer().status == 200


def test_one_connection_too_many_is_told_to_come_back(start_server: Start) -> None:
    server = start_server(limits=Limits(max_connections=2))
    with server.connect() as first, server.connect() as second:
        for client in (first, second):
            client.send(GOOD)
            assert client.answer().status == 200
        with server.connect() as third:
            third.send(GOOD)
            assert refused(third, 503).headers[b"retry-after"] == b"1"
        eventually(lambda: len(server.shared.open) == 2)
    eventually(lambda: not server.shared.open)
    with server.connect() as client:
        client.send(GOOD)
        assert client.answer().status == 200


HASTY = Limits(read_timeout=0.1, idle_timeout=60)


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
@pytest.mark.parametrize(
    "request_",
    [
        b"G",
        b"GET / HTTP/1.1\r\nhost: h\r\n",
        POST + b"content-length: 5\r\n\r\n",
        POST + b"content-length: 5\r\n\r\nabc",
        POST + CHUNKED + b"\r\n5\r\nabc",
        POST + CHUNKED + b"\r\n0\r\nx: y\r\n",
    ],
)
def test_a_slow_request_is_given_up(start_server: Start, before: bytes, request_: bytes) -> None:
    with start_server(limits=HASTY).connect() as client:
        client.send(before + request_)
        if before:
            assert client.answer().status == 200
        refused(client, 408)


def test_a_head_that_dribbles_in_is_given_up(start_server: Start) -> None:
    with start_server(limits=HASTY).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nhost: h\r\n")
        client.socket.settimeout(0.02)
        for _ in range(1000):
            client.send(b"x: y\r\n")
            try:
                assert client.socket.recv(12) == b"HTTP/1.1 408"
                break
            except TimeoutError:
                continue
        else:
            pytest.fail("never given up")


def test_an_idle_connection_is_closed_without_a_word(start_server: Start) -> None:
    server = start_server(limits=Limits(idle_timeout=0.1))
    with server.connect() as client:
        assert client.rest() == b""
    with server.connect() as client:
        client.send(b"\r\n")
        assert client.rest() == b""
    with server.connect() as client:
        client.send(GOOD)
        assert client.answer().status == 200
        assert client.rest() == b""


def test_a_slow_handler_is_neither_idle_nor_slow_to_read(start_server: Start) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.3)
        return await echo(request)

    with start_server(
        slow, Limits(read_timeout=0.1, idle_timeout=0.1, write_timeout=0.1)
    ).connect() as client:
        client.send(POST, b"content-length: 3\r\n\r\nabc")
        assert client.answer().body == b"POST / abc"


def test_a_head_that_is_too_large_is_refused_behind_another_request_in_one_segment(
    start_server: Start,
) -> None:
    large = b"GET /large HTTP/1.1\r\nhost: h\r\nx: " + b"x" * 4096 + b"\r\n\r\n"
    with start_server(limits=Limits(max_header_size=2048)).connect() as client:
        client.send(GOOD + large)
        assert [client.answer().status, client.answer().status] == [200, 431]
