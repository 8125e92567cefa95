"""Answers fed to a connection in memory: every framing, cut anywhere, and what is no answer at all."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import Any, cast

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.upstream import OK, Taken
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.upstream import Answer, UpstreamConnection

ORIGIN = Origin(tls=False, host="provider.test", port=80)
HEAD = b"HTTP/1.1 200 OK\r\n"


class Wire:
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, pieces: list[bytes]) -> None:
        self.written += b"".join(pieces)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0


class Kept:
    """Counts what comes back."""

    def __init__(self) -> None:
        self.released = 0
        self.discarded = 0

    def release(self, connection: UpstreamConnection) -> None:
        self.released += 1
        connection.rest(inf)

    def discard(self, connection: UpstreamConnection) -> None:
        self.discarded += 1


class Clock:
    """As much of a loop as a connection without time limits needs."""

    def time(self) -> float:
        return 0.0


class Line:
    """One connection and its surroundings."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.wire = Wire()
        self.connection = UpstreamConnection(ORIGIN, self.kept, cast("asyncio.AbstractEventLoop", Clock()))
        self.connection.connection_made(cast("asyncio.Transport", self.wire))

    def ask(self, *, method: str = "GET") -> Answer:
        head = f"{method} / HTTP/1.1\r\n".encode()
        return self.connection.send(Call(ORIGIN, head, None, bodiless_answer=method == "HEAD"))

    def feed(self, pieces: Iterator[bytes]) -> None:
        """Feed while somebody listens."""
        for piece in pieces:
            if not self.wire.closing:
                self.connection.data_received(piece)

    def lose(self) -> None:
        """End the connection from the other side."""
        if not self.wire.closing:
            self.connection.eof_received()
        self.connection.connection_lost(None)


def cut(data: bytes, edges: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(edge % (len(data) + 1) for edge in edges)})
    return (data[a:b] for a, b in pairwise(places))


CUTS = st.lists(st.integers(0, 4000), max_size=12)
SHORT = st.binary(max_size=300)
FRAMINGS = st.sampled_from(["length", "chunked", "close"])


def written(framing: str, pieces: list[bytes], *, status: int = 200, interim: int = 0) -> bytes:
    """Write an answer as h11's server writes it."""
    server = h11.Connection(h11.SERVER)
    # For HTTP/1.0 clients h11 ends bodies with the connection.
    version = b"1.0" if framing == "close" else b"1.1"
    server.receive_data(b"GET / HTTP/%b\r\nhost: x\r\n\r\n" % version)
    assert isinstance(server.next_event(), h11.Request)
    headers = [("x-one", "1")]
    if framing == "length":
        headers.append(("content-length", str(sum(map(len, pieces)))))
    out = b""
    for _ in range(interim):
        out += server.send(h11.InformationalResponse(status_code=103, headers=[("link", "</x>")])) or b""
    events: list[Any] = [h11.Response(status_code=status, headers=headers)]
    events += [h11.Data(data=piece) for piece in pieces]
    events.append(h11.EndOfMessage())
    return out + b"".join(server.send(event) or b"" for event in events)


@given(framing=FRAMINGS, pieces=st.lists(SHORT, max_size=6), cuts=CUTS, interim=st.integers(0, 2))
def test_where_an_answer_is_cut_makes_no_difference(
    framing: str, pieces: list[bytes], cuts: list[int], interim: int
) -> None:
    line = Line()
    answer = line.ask()
    line.feed(cut(written(framing, pieces, interim=interim), cuts))
    if framing == "close":
        assert not answer.complete
        line.lose()
    assert answer.complete
    assert answer.status == 200
    assert answer.header(b"x-one") == b"1"
    assert answer.header(b"link") is None
    taken = Taken.of(answer)
    assert taken.body == b"".join(pieces)
    assert taken.finished
    assert line.kept.released == (framing != "close")


@given(
    framing=st.sampled_from(["length", "chunked"]),
    pieces=st.lists(SHORT, min_size=1),
    end=st.integers(0, 4000),
)
def test_an_answer_that_breaks_off_anywhere_is_never_taken_for_whole(
    framing: str, pieces: list[bytes], end: int
) -> None:
    data = written(framing, pieces)
    line = Line()
    answer = line.ask()
    line.feed(iter([data[: end % len(data)] or b"H"]))
    line.lose()
    assert not answer.complete
    assert isinstance(answer.error, UpstreamError)
    assert isinstance(answer.error, UpstreamCut) == (answer.status == 200)
    assert line.kept.released == 0
    taken = Taken.of(answer)
    assert taken.error is answer.error
    assert b"".join(pieces).startswith(taken.body)


@given(behind=st.binary(min_size=1, max_size=30), cuts=CUTS, framing=st.sampled_from(["length", "chunked"]))
def test_bytes_behind_an_answer_never_become_part_of_the_next_one(
    behind: bytes, cuts: list[int], framing: str
) -> None:
    line = Line()
    answer = line.ask()
    line.feed(cut(written(framing, [b"body"]) + behind, cuts))
    assert answer.complete
    assert Taken.of(answer).body == b"body"
    # Empty lines before a status line mean nothing.
    assert line.wire.closing or not behind.strip(b"\r\n")


@given(st.lists(st.tuples(st.sampled_from(["length", "chunked"]), SHORT, CUTS), min_size=2, max_size=4))
def test_answers_on_one_connection_do_not_touch_each_other(
    answers: list[tuple[str, bytes, list[int]]],
) -> None:
    line = Line()
    for framing, body, cuts in answers:
        answer = line.ask()
        line.feed(cut(written(framing, [body]), cuts))
        assert Taken.of(answer).body == body
    assert line.kept.released == len(answers)


@given(st.binary(max_size=200), CUTS)
def test_garbage_is_an_error_and_never_an_exception(garbage: bytes, cuts: list[int]) -> None:
    line = Line()
    answer = line.ask()
    line.feed(cut(garbage, cuts))
    line.lose()
    assert isinstance(answer.error, UpstreamError)
    assert line.kept.discarded == 1
    assert line.kept.released == 0


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"<html>400 Bad Request</html>",
        b"HTTP/3.7 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 000 Nothing\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nhi",
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok",
        HEAD + b"content-length: 2, 2\r\n\r\nok",
        HEAD + b"content-length: +2\r\n\r\nok",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 99999999999999999999\r\n\r\n",
        HEAD + b"transfer-encoding: gzip\r\n\r\n",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"x: 1\r\n folded: 2\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x : 1\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_what_is_not_an_answer_is_refused(data: bytes, step: int) -> None:
    line = Line()
    answer = line.ask()
    line.feed(data[at : at + step] for at in range(0, len(data), step))
    line.lose()
    assert isinstance(answer.error, UpstreamError)
    assert answer.error.status == 502
    assert "callback" not in answer.error.message
    assert line.wire.closing
    assert line.kept.released == 0


@pytest.mark.parametrize(
    "line_end", [b"xyz\r\n", b"-1\r\nx\r\n", b"2 \r\nok\r\n", b"2\nok\n", b"2\r\nokay\r\n", b"0x2\r\n"]
)
def test_a_bad_chunk_breaks_the_answer_off(line_end: bytes) -> None:
    line = Line()
    answer = line.ask()
    line.feed(iter([HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n" + line_end]))
    assert answer.status == 200
    taken = Taken.of(answer)
    assert isinstance(taken.error, UpstreamError)
    assert taken.body.startswith(b"abc")
    assert line.wire.closing


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD, b"x-field: " + b"v" * 100 + b"\r\n"),
        (HEAD + b"x: ", b"v" * 100),
        (HEAD, b"n" * 100),
        (b"HTTP/1.1 200 ", b"r" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
        (b"", b"\r\n" * 50),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"x-trailer: 1\r\n"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: ", b"v" * 100),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;", b"v" * 100),
    ],
)
def test_a_head_without_end_is_cut_off(start: bytes, more: bytes) -> None:
    line = Line()
    answer = line.ask()
    if start:
        line.connection.data_received(start)
    given_bytes = 0
    while answer.error is None:
        assert given_bytes < 512 * 1024
        line.connection.data_received(more)
        given_bytes += len(more)
    assert isinstance(answer.error, UpstreamError)
    assert given_bytes > 128 * 1024
    assert line.wire.closing


def test_a_long_body_in_small_chunks_is_no_long_head() -> None:
    line = Line()
    taken = Taken.of(line.ask())
    line.connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(100_000):
        line.connection.data_received(b"1\r\nx\r\n")
    line.connection.data_received(b"0\r\n\r\n")
    assert taken.finished
    assert len(taken.body) == 100_000


class Failing(Taken):
    """A sink with a bug."""

    def write(self, data: bytes) -> None:
        raise ZeroDivisionError


def test_a_bug_in_a_sink_is_not_blamed_on_the_provider(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    sink = Failing()
    line.ask().start(sink)
    line.connection.data_received(OK)
    assert isinstance(sink.error, GatewayError)
    assert sink.error.status == 500
    assert "ZeroDivisionError" in caplog.text
    assert line.wire.closing


def test_trailers_are_dropped() -> None:
    line = Line()
    answer = line.ask()
    line.connection.data_received(
        HEAD + b"x-a: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-b: 2\r\nx-a: 3\r\n\r\n"
    )
    assert answer.complete
    assert answer.headers == [(b"x-a", b"1"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [b"", b"content-length: 5\r\n"])
def test_some_answers_never_have_a_body(status: int, fields: bytes) -> None:
    line = Line()
    answer = line.ask()
    line.connection.data_received(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, fields))
    assert answer.complete
    assert Taken.of(answer).body == b""
    assert line.kept.released == 1


@pytest.mark.parametrize("answered", [HEAD + b"\r\n", OK[:-2], HEAD + b"transfer-encoding: chunked\r\n\r\n"])
def test_an_answer_to_head_is_whole_with_its_head(answered: bytes) -> None:
    line = Line()
    answer = line.ask(method="HEAD")
    line.connection.data_received(answered)
    assert answer.complete
    assert answer.length == (2 if answered is OK[:-2] or b"length" in answered else None)
    assert line.kept.released == 0


def test_fields_come_in_lower_case_without_white_space_around_their_values() -> None:
    line = Line()
    answer = line.ask()
    line.connection.data_received(HEAD + b"X-Mixed:\t a b \t\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")
    assert answer.headers[:2] == [(b"x-mixed", b"a b"), (b"x-empty", b"")]
    assert answer.header(b"x-missing") is None
