"""The answers that our server writes, read by a parser that is not ours."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.oracle import answers_in
from conformance.reading import Asked, OurServer
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.messages import Header, Response, Sink

HEADERS: st.SearchStrategy[Header] = st.tuples(
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8).map(lambda name: b"x-" + name.encode()),
    st.text("".join(map(chr, [*range(0x21, 0x7F), *range(0xA1, 0x100)])), max_size=12).map(
        lambda value: value.encode("latin-1")
    ),
)


@dataclass
class Plan:
    """One request, and the answer that it is to have."""

    method: str
    version: bytes
    status: int
    headers: list[Header]
    pieces: list[bytes]
    kind: str
    """`bytes`, `stream` of unknown length or `sized` stream."""

    @property
    def request(self) -> bytes:
        lasting = b"keep-alive" if self.version == b"1.0" else b"x"
        line = b"%b / HTTP/%b\r\n" % (self.method.encode(), self.version)
        return line + b"host: h\r\nconnection: %b\r\n\r\n" % lasting

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def bodiless(self) -> bool:
        return self.method == "HEAD" or self.status in (204, 304)

    @property
    def ends_the_connection(self) -> bool:
        return self.version == b"1.0" and self.kind == "stream" and not self.bodiless

    def response(self) -> Response:
        if self.kind == "bytes":
            return Response(self.status, list(self.headers), self.body)
        length = len(self.body) if self.kind == "sized" else None
        return Response(self.status, list(self.headers), IterableSource(self.pieces), length=length)


PLANS = st.lists(
    st.builds(
        Plan,
        method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]),
        version=st.sampled_from([b"1.1", b"1.0"]),
        status=st.sampled_from([200, 201, 204, 299, 304, 400, 404, 429, 500, 503, 599]),
        headers=st.lists(HEADERS, max_size=4),
        pieces=st.lists(st.binary(min_size=1, max_size=50), max_size=4),
        kind=st.sampled_from(["bytes", "stream", "sized"]),
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class Planned:
    """Answers as planned, in turn."""

    plans: Iterator[Plan] = field(default_factory=lambda: iter(()))

    def __call__(self, asked: Asked) -> Response:
        return next(self.plans).response()


@pytest.fixture(scope="module")
def planned() -> Planned:
    return Planned()


@pytest.fixture(scope="module")
def server(planned: Planned) -> Iterator[OurServer]:
    server = OurServer(planned)
    yield server
    server.close()


@settings(max_examples=400, deadline=None)
@given(plans=PLANS)
def test_every_answer_is_read_as_it_was_meant(server: OurServer, planned: Planned, plans: list[Plan]) -> None:
    planned.plans = iter(plans)
    reading = server.read(b"".join(plan.request for plan in plans))
    last = next((at for at, plan in enumerate(plans) if plan.ends_the_connection), len(plans) - 1)
    plans = plans[: last + 1]
    answers = answers_in(reading.answers, [plan.method for plan in plans], closed=reading.closed)
    assert len(answers) == len(plans)
    for plan, answer in zip(plans, answers, strict=True):
        assert (answer.status, answer.cut) == (plan.status, False)
        assert answer.body == (b"" if plan.bodiless else plan.body)
        assert {name: answer.headers[name] for name, _ in plan.headers} == dict(plan.headers)
        if plan.status in (204, 304):
            assert not {b"content-length", b"transfer-encoding"} & answer.headers.keys()
        elif plan.method == "HEAD" and plan.kind != "stream":
            assert answer.headers[b"content-length"] == b"%d" % len(plan.body)


class BreaksOff:
    """A source that gives one piece, and then fails."""

    def start(self, sink: Sink) -> None:
        sink.write(b"abc")
        sink.abort(UpstreamError("broke off"))

    def pause(self) -> None:
        """Nothing flows."""

    def resume(self) -> None:
        """Nothing flows."""

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("length", [None, 10])
def test_an_answer_that_broke_off_is_read_as_cut(length: int | None) -> None:
    server = OurServer(lambda _: Response(200, [], BreaksOff(), length=length))
    reading = server.read(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n" * 2)
    server.close()
    [answer] = answers_in(reading.answers, ["GET", "GET"], closed=reading.closed)
    assert (answer.body, answer.cut) == (b"abc", True)


@pytest.mark.parametrize(
    "header", [(b"x", b"a\r\nset-cookie: evil"), (b"x", b"a\nb"), (b"x\r\ny", b"a"), (b"x", b"a\0b")]
)
def test_a_header_that_would_split_the_answer_is_never_written(header: Header) -> None:
    server = OurServer(lambda _: Response(200, [header], b"abc"))
    reading = server.read(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    server.close()
    [answer] = answers_in(reading.answers, ["GET"], closed=reading.closed)
    assert answer.status == 500
    assert not {b"set-cookie", b"x", b"y"} & answer.headers.keys()
