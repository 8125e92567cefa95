"""Requests made at random, cut anywhere, and bent: h11 reads the same, or we refused."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.corpus import HOST, ROWS, SMUGGLED
from conformance.oracle import judge, requests_in
from conformance.reading import OurServer

TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12).map(str.encode)
VALUE = st.text("".join(map(chr, [*range(0x21, 0x7F), *range(0xA1, 0x100)])), max_size=20).map(
    lambda text: text.encode("latin-1")
)
SPACE = st.sampled_from([b"", b" ", b"\t", b" \t "])
FRAMING = {
    b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect",
    b"proxy-connection", b"keep-alive", b"http2-settings",
}  # fmt: skip
CRLF = b"\r\n"


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    names = draw(st.lists(TOKEN.filter(lambda name: name.lower() not in FRAMING), max_size=5))
    lines = [name + b":" + draw(SPACE) + draw(VALUE) + draw(SPACE) + CRLF for name in names]
    return b"".join(lines)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    body = b"".join(
        b"%b%x%b\r\n%b\r\n" % (b"0" * draw(st.integers(0, 3)), len(piece), draw(extensions()), piece)
        for piece in pieces
    )
    return body + b"0" + draw(extensions()) + CRLF + draw(st.sampled_from([b"", b"x-sum: y\r\n"])) + CRLF


def extensions() -> st.SearchStrategy[bytes]:
    return st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a;b=c"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]))
    target = b"/" + draw(st.text("azAZ09-._~/?&=%:@!$'()*+,;", max_size=20)).encode()
    head = draw(st.sampled_from([b"", b"", b"\r\n"])) + method + b" " + target + b" HTTP/1.1\r\n" + HOST
    head += draw(fields())
    kind = draw(st.sampled_from(["none", "length", "chunks"]))
    if kind == "none":
        return head + CRLF
    if kind == "length":
        body = draw(st.binary(max_size=60) | st.just(SMUGGLED))
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + draw(chunked())


PIPELINES = st.lists(requests(), min_size=1, max_size=5)
CUTS = st.lists(st.floats(0, 1), max_size=12)

BITS = st.sampled_from(
    [b"\r", b"\n", b"\0", b"\t", b"\x0b", b" ", b":", b";", b",", b"0", b"-", b"+", b'"', b"\xff", b"\r\n",
     b"\r\n\r\n", b"\r\n ", b"0\r\n\r\n", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n",
     b"connection: close\r\n", b"host: x\r\n", b" HTTP/1.0\r\n", SMUGGLED]
) | st.binary(min_size=1, max_size=3)  # fmt: skip
# Where, how many bytes go, and what comes instead.
BENDS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), BITS | st.just(b"")), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def server() -> Iterator[OurServer]:
    server = OurServer()
    yield server
    server.close()


def cut(data: bytes, at: list[float]) -> list[bytes]:
    edges = [0, *sorted(int(place * len(data)) for place in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def bent(data: bytes, bends: list[tuple[float, int, bytes]]) -> bytes:
    for place, gone, new in bends:
        at = int(place * len(data))
        data = data[:at] + new + data[at + gone :]
    return data


@settings(max_examples=300, deadline=None)
@given(pipeline=PIPELINES, at=CUTS)
def test_well_formed_requests_are_read_as_h11_reads_them(
    server: OurServer, pipeline: list[bytes], at: list[float]
) -> None:
    sent = b"".join(pipeline)
    reading = server.read(*cut(sent, at))
    judge(sent, reading)
    assert len(reading.asked) == len(requests_in(sent)) == len(pipeline)
    assert all(asked.body is not None for asked in reading.asked)
    assert not reading.closed


@settings(max_examples=600, deadline=None)
@given(pipeline=PIPELINES, at=CUTS, bends=BENDS)
def test_bent_requests_are_never_more_than_h11_takes(
    server: OurServer, pipeline: list[bytes], at: list[float], bends: list[tuple[float, int, bytes]]
) -> None:
    sent = bent(b"".join(pipeline), bends)
    judge(sent, server.read(*cut(sent, at)))


@settings(max_examples=600, deadline=None)
@given(row=st.sampled_from(ROWS), at=CUTS, bends=BENDS)
def test_the_corpus_bent_is_never_more_than_h11_takes(
    server: OurServer, row: tuple[object, ...], at: list[float], bends: list[tuple[float, int, bytes]]
) -> None:
    sent = bent(row.whole, bends)  # type: ignore[attr-defined]
    judge(sent, server.read(*cut(sent, at)))
