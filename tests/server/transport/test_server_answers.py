"""Answers: framed for who asked, never whole in looks when they are not, and not lost when early."""

import json
from collections.abc import Callable

import pytest

from fakes.http_server import Application, Client, HTTPServer, Tap, echo, eventually
from fakes.loops import PATIENCE
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import (
    Header,
    Request,
    Response,
    Sink,
    Source,
)

Start = Callable[..., HTTPServer]

GET = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
PIECES = [b"one", b"", b"two" * 10_000, b"three"]
WHOLE = b"".join(PIECES)
TROUBLE = UpstreamError("trouble")


def always(
    body: Callable[[], bytes | Source], *, status: int = 200, length: int | None = None, ending: bytes = b""
) -> Application:
    """Answer everything with the same body."""

    async def answer(_: Request) -> Response:
        return Response(
            status, [(b"x-a", b"b")], body(), length=length, ending=(lambda _: ending) if ending else None
        )

    return answer


def pieces() -> IterableSource:
    return IterableSource(PIECES)


def test_a_body_in_bytes_is_sent_with_its_length(start_server: Start) -> None:
    with start_server(always(lambda: WHOLE)).connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.answer()
            assert (answer.body, answer.headers[b"content-length"]) == (WHOLE, b"%d" % len(WHOLE))
            assert answer.headers[b"x-a"] == b"b"
            assert b"connection" not in answer.headers


@pytest.mark.parametrize("request_", [GET, OLD])
def test_a_source_of_known_length_is_sent_with_it(start_server: Start, request_: bytes) -> None:
    with start_server(always(pieces, length=len(WHOLE))).connect() as client:
        for _ in range(2):
            client.send(request_)
            answer = client.answer()
            assert (answer.body, answer.headers[b"content-length"]) == (WHOLE, b"%d" % len(WHOLE))


def test_a_source_of_unknown_length_is_sent_in_chunks(start_server: Start) -> None:
    with start_server(always(pieces)).connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.answer()
            assert (answer.body, answer.cut) == (WHOLE, False)
            assert answer.headers[b"transfer-encoding"] == b"chunked"


def test_to_an_old_client_a_source_of_unknown_length_ends_with_the_connection(start_server: Start) -> None:
    with start_server(always(pieces)).connect() as client:
        client.send(OLD)
        head, _, body = client.rest().partition(b"\r\n\r\n")
        assert b"connection: close" in head
        assert b"transfer-encoding" not in head
        assert body == WHOLE


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("body", [lambda: b"x", pieces])
def test_a_status_without_content_is_sent_without(
    start_server: Start, status: int, body: Callable[[], bytes | Source]
) -> None:
    with start_server(always(body, status=status)).connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.answer()
            assert (answer.status, answer.body) == (status, b"")
            assert b"transfer-encoding" not in answer.headers


@pytest.mark.parametrize("length", [None, 12])
def test_head_does_not_start_a_source(start_server: Start, length: int | None) -> None:
    tap = Tap()
    with start_server(always(lambda: tap, length=length)).connect() as client:
        client.send(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n")
        answer = client.answer("HEAD")
        assert answer.headers.get(b"content-length") == (None if length is None else b"12")
        assert tap.gone.wait(PATIENCE)
        assert not tap.flowing.is_set()


def begin(server: HTTPServer, client: Client, tap: Tap, request: bytes) -> None:
    """Ask, and let the first piece through."""
    client.send(request)
    assert tap.flowing.wait(PATIENCE)
    server.run(tap.give, b"piece")


@pytest.mark.parametrize("ending", [b"", b"why"])
def test_a_chunked_answer_that_breaks_off_lacks_its_last_chunk(start_server: Start, ending: bytes) -> None:
    tap = Tap()
    server = start_server(always(lambda: tap, ending=ending))
    with server.connect() as client:
        begin(server, client, tap, GET)
        server.run(tap.abort, TROUBLE)
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"piece" + ending, True)


@pytest.mark.parametrize(
    ("ending", "sent"), [(b"", b""), (b"why", b"why"), (b"fills", b""), (b"longer", b"")]
)
def test_an_answer_with_a_length_that_breaks_off_ends_short(
    start_server: Start, ending: bytes, sent: bytes
) -> None:
    tap = Tap()
    server = start_server(always(lambda: tap, length=10, ending=ending))
    with server.connect() as client:
        begin(server, client, tap, GET)
        server.run(tap.abort, TROUBLE)
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"piece" + sent, True)


def test_an_answer_to_an_old_client_that_breaks_off_is_reset(start_server: Start) -> None:
    tap = Tap()
    server = start_server(always(lambda: tap, ending=b"why"))
    with server.connect() as client:
        begin(server, client, tap, OLD)
        client.receive_until(b"piece")
        server.run(tap.abort, TROUBLE)
        with pytest.raises(ConnectionResetError):
            client.rest()
    eventually(lambda: not server.shared.open)


def test_an_answer_shorter_than_announced_ends_short(start_server: Start) -> None:
    tap = Tap()
    server = start_server(always(lambda: tap, length=10))
    with server.connect() as client:
        begin(server, client, tap, GET)
        server.run(tap.finish)
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"piece", True)


def test_an_answer_longer_than_announced_is_cut_and_its_source_closed(start_server: Start) -> None:
    tap = Tap()
    server = start_server(always(lambda: tap, length=8))
    with server.connect() as client:
        begin(server, client, tap, GET)
        server.run(tap.give, b"piece")
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"piece", True)
        assert tap.gone.wait(PATIENCE)


@pytest.mark.parametrize(
    "field", [(b"x", b"a\r\nevil: b"), (b"x", b"a\nb"), (b"x", b"a\rb"), (b"x\r\ny", b"a"), (b"x", b"a\0b")]
)
@pytest.mark.parametrize("body", [lambda: b"x", pieces])
def test_a_header_that_would_split_the_answer_is_never_sent(
    start_server: Start, caplog: pytest.LogCaptureFixture, field: Header, body: Callable[[], bytes | Source]
) -> None:
    async def inject(_: Request) -> Response:
        return Response(200, [field], body())

    with start_server(inject).connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.answer()
            assert answer.status == 500
            assert list(json.loads(answer.body)) == ["error"]
    assert "an answer cannot be sent" in caplog.text


def test_a_handler_that_fails_is_answered_for(start_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: Request) -> Response:
        raise RuntimeError("secret")

    with start_server(fail).connect() as client:
        for _ in range(2):
            client.send(GET)
            answer = client.answer()
            assert answer.status == 500
            assert b"secret" not in answer.body
    assert "a handler failed" in caplog.text


class Broken(Tap):
    """Fails once it has begun."""

    def start(self, sink: Sink) -> None:
        sink.write(b"piece")
        raise RuntimeError("broken")


def test_a_source_that_fails_is_cut_off(start_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    with start_server(always(Broken)).connect() as client:
        client.send(GET)
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"piece", True)
    assert "an answer cannot be sent" in caplog.text


@pytest.mark.parametrize(
    "framing", [b"content-length: 5000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n4c4b40\r\n"]
)
@pytest.mark.parametrize("body", [lambda: b"not here", pieces])
def test_an_early_answer_reaches_a_client_that_still_sends(
    start_server: Start, framing: bytes, body: Callable[[], bytes | Source]
) -> None:
    server = start_server(always(body, status=404))
    with server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nhost: h\r\n" + framing, *[bytes(50_000)] * 100)
        answer = client.answer()
        assert (answer.status, answer.cut) == (404, False)
        assert client.rest() == b""
    eventually(lambda: not server.shared.open)


def test_a_body_too_large_is_answered_though_its_client_still_sends(start_server: Start) -> None:
    with start_server(echo, Limits(max_body_size=1000)).connect() as client:
        client.send(b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
        client.send(*[b"c350\r\n" + bytes(50_000) + b"\r\n"] * 100)
        assert client.answer().status == 413
        assert client.rest() == b""


def test_a_flood_behind_the_last_request_does_not_cost_its_answer(start_server: Start) -> None:
    with start_server(always(lambda: bytes(200_000))).connect() as client:
        client.send(GET + b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n" + GET * 50_000)
        for _ in range(2):
            assert len(client.answer().body) == 200_000
        assert client.rest() == b""
