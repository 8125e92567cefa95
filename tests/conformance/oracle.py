"""How h11, which shares no code with our server, reads requests and answers.

Rules of its own are set aside: it refuses the empty lines before a request that RFC 9112 section 2.2 wants
skipped, it refuses further spaces within the request line, which section 3 leaves to the recipient, it does
not know the kept-alive connections of HTTP/1.0, and it takes the preface of HTTP/2 for a request, of which we
wait for the end. It writes transfer codings in lower case; so do we, to compare.
"""

import re
from typing import NamedTuple

import h11

from conformance.reading import Asked, Reading
from inference_gateway.server.transport.messages import Header

_LARGEST = 1 << 20
_REQUEST_LINE = re.compile(rb"\A([A-Z-]+) +([^ \r\n]+) +(?=HTTP/)")


class Answered(NamedTuple):
    """One answer; `cut` is whether the connection ended before it did."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    cut: bool


def requests_in(data: bytes) -> list[Asked]:
    """Everything that h11 takes for a request, until it refuses, wants more or would close."""
    found: list[Asked] = []
    while data := data.lstrip(b"\r\n"):
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST)
        parser.receive_data(_REQUEST_LINE.sub(rb"\1 \2 ", data))
        try:
            request = parser.next_event()
        except h11.RemoteProtocolError:
            break
        if not isinstance(request, h11.Request) or request.method == b"PRI":
            break
        body = _body(parser)
        found.append(_asked(request, body))
        if body is None or not _goes_on(request):
            break
        data = parser.trailing_data[0]
    return found


def _asked(request: h11.Request, body: bytes | None) -> Asked:
    target = bytes(request.target)
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        _, slash, path = rest.partition(b"/")
        target = slash + path or b"/"
    path, _, query = target.partition(b"?")
    headers = [(bytes(name), bytes(value)) for name, value in request.headers]
    return Asked(bytes(request.method).decode("ascii"), path, query, headers, body)


def _body(parser: h11.Connection) -> bytes | None:
    body = b""
    try:
        while isinstance(event := parser.next_event(), h11.Data):
            body += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    return body if isinstance(event, h11.EndOfMessage) else None


def _goes_on(request: h11.Request) -> bool:
    words = {
        word.strip().lower()
        for name, value in request.headers
        if name == b"connection"
        for word in bytes(value).split(b",")
    }
    return b"close" not in words and (request.http_version == b"1.1" or b"keep-alive" in words)


def answers_in(data: bytes, methods: list[str], *, closed: bool) -> list[Answered]:
    """Everything that h11 as a client takes for answers to requests of these methods, and to one more.

    :raises h11.RemoteProtocolError: it is none.
    """
    found: list[Answered] = []
    for method in [*methods, "GET"]:
        if not data:
            break
        answer, data = _answer(data, method, closed=closed)
        found.append(answer)
    assert data == b"", f"more answers than requests: {data!r}"
    return found


def _answer(data: bytes, method: str, *, closed: bool) -> tuple[Answered, bytes]:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST)
    parser.send(h11.Request(method=method, target="/", headers=[("host", "h")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    if closed:
        parser.receive_data(b"")
    response = parser.next_event()
    while isinstance(response, h11.InformationalResponse):
        response = parser.next_event()
    assert isinstance(response, h11.Response), f"no answer: {data!r}"
    body, cut = b"", False
    try:
        while isinstance(event := parser.next_event(), h11.Data):
            body += bytes(event.data)
    except h11.RemoteProtocolError:
        cut = True
    cut = cut or not isinstance(event, h11.EndOfMessage)
    return Answered(response.status_code, dict(response.headers), body, cut), parser.trailing_data[0]


def judge(sent: bytes, reading: Reading) -> None:
    """Hold our reading against h11's.

    What we take for a request is the same request to h11, in the same place. Where we take less than h11
    does, we refused, and the connection is closed. Our answers are answers to h11.
    """
    theirs = requests_in(sent)
    ours = reading.asked
    assert len(ours) <= len(theirs), f"{ours[len(theirs)]} is no request to h11"
    for mine, its in zip(ours, theirs, strict=False):
        assert (*mine[:3], _lowered(mine.headers)) == (*its[:3], _lowered(its.headers))
        assert mine.body in (None, its.body)
    if len(ours) < len(theirs):
        assert reading.closed, f"{theirs[len(ours)]} is neither taken nor refused"
    answers = _answers(reading)
    taken = [asked for asked in ours if asked.body is not None]
    assert [answer.status for answer in answers[: len(taken)]] == [200] * len(taken)
    for asked, answer in zip(taken, answers, strict=False):
        assert answer.body == (b"" if asked.method == "HEAD" else asked.body)
    assert len(answers) - len(taken) in ((0, 1) if reading.closed else (0,))


def _lowered(headers: list[Header]) -> list[Header]:
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]


def _answers(reading: Reading) -> list[Answered]:
    methods = [asked.method for asked in reading.asked]
    answers = answers_in(reading.answers, methods, closed=reading.closed)
    # Whether what was refused was a HEAD, nobody can tell: such a refusal has no body, and nothing follows.
    assert not any(answer.cut and answer.body for answer in answers)
    assert not any(answer.cut for answer in answers[:-1])
    return answers
