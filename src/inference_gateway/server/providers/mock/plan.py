"""What a request and its faults come to: a head, pieces with waits between them, and an end. No I/O."""

import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from itertools import chain, islice
from typing import Final

import msgspec

from inference_gateway.server.providers.mock import answers
from inference_gateway.server.providers.mock.answers import MockRequest
from inference_gateway.server.providers.mock.faults import LONGEST, Faults
from inference_gateway.server.providers.mock.reply import Reply, words
from inference_gateway.server.transport.messages import Header

_GARBAGE: Final = b'data: {"id": "chatcmpl-garbage", "choices": [{"index": 0, "del\n\n'
_CONTINUES: Final = 64
"""Bytes that a torn chunk announces where nothing would have followed."""
_TRICKLES: Final = 20
"""Pieces per second of a body that trickles, where it is that fast."""
_MOST_SLICES: Final = 100_000
"""Small pieces that a body is cut into; what follows comes in large ones."""


class End(Enum):
    """How an answer ends."""

    WHOLE = auto()
    CUT = auto()
    """The connection closes before the end."""
    RESET = auto()
    """The same, with a reset."""


class Piece(msgspec.Struct, frozen=True):
    """Bytes that are sent at once, so many seconds after the piece before."""

    after: float
    data: bytes
    missing: int = 0
    """Bytes that are announced along with these, and never come."""


class Head(msgspec.Struct, frozen=True):
    """Begin of an answer; `length` is None where the body has to show its own end."""

    status: int
    headers: list[Header]
    length: int | None


class Plan(msgspec.Struct, frozen=True):
    """All that happens to one request; times in seconds."""

    wait: float
    """Time before the head, or without one before the end."""
    head: Head | None
    pieces: Iterator[Piece]
    end: End
    last_wait: float = 0.0
    """Time between the last piece and the end."""


def plan(request: MockRequest, faults: Faults) -> Plan:
    """Decide what happens to a request.

    :raises BadRequest: it asks for more than the mock says.
    """
    vary = _jitter(faults)
    if faults.refuse or faults.reset or faults.hang is not None:
        wait = faults.latency if faults.hang is None else faults.latency + faults.hang
        return Plan(min(vary(wait), LONGEST), None, iter(()), End.RESET if faults.reset else End.CUT)
    if faults.status is not None:
        return _whole(faults, _error(faults), vary, status=faults.status, wait=faults.latency)
    request = _altered(request, faults)
    if request.stream:
        return _streamed(request, faults, vary)
    wait = faults.latency
    if faults.tokens_per_second is not None:
        wait += words(request.reply.text) / faults.tokens_per_second
    return _whole(faults, _answer(request, faults), vary, status=200, wait=wait)


def _jitter(faults: Faults) -> Callable[[float], float]:
    if not faults.jitter:
        return lambda seconds: seconds
    drawn = random.Random(faults.seed)  # noqa: S311 - waits are no secret, and are to repeat
    return lambda seconds: seconds * (1 + faults.jitter * (2 * drawn.random() - 1))


def _altered(request: MockRequest, faults: Faults) -> MockRequest:
    """Make the request one for the answer that the faults ask for."""
    reply = request.reply
    said = ["x" * faults.huge_event] if faults.huge_event is not None else []
    said += [f"word{number}" for number in range(1, (faults.tokens or 0) + 1)]
    if said:
        reply = Reply(thought="", text=" ".join(said), call=None, finish_reason="stop")
        answers.check_size(reply, request.n)
    if faults.finish_reason is not None:
        reply = msgspec.structs.replace(reply, finish_reason=faults.finish_reason)
    if faults.no_finish:
        reply = msgspec.structs.replace(reply, finish_reason=None)
    usage = request.include_usage or faults.usage_at_end
    return msgspec.structs.replace(request, reply=reply, include_usage=usage)


# ---- plain answers


def _error(faults: Faults) -> bytes:
    name = faults.code or f"status_{faults.status}"
    error = {"message": f"the fault lab answers {faults.status}: {name}", "type": name, "code": name}
    return msgspec.json.encode({"error": {**error, "param": None}})


def _answer(request: MockRequest, faults: Faults) -> bytes:
    body = answers.answer(request)
    if faults.empty_choices:
        body = msgspec.json.encode({**msgspec.json.decode(body, type=dict[str, object]), "choices": []})
    return body[: len(body) // 2] if faults.garbage is not None else body


def _whole(faults: Faults, body: bytes, vary: Callable[[float], float], *, status: int, wait: float) -> Plan:
    if faults.gzip:
        body = zlib.compress(body, wbits=31)
    headers = _headers(faults, b"application/json")
    if faults.retry_after is not None:
        headers.append((b"retry-after", b"%d" % faults.retry_after))
    end, last_wait, most = _break(faults)
    pieces: Iterable[Piece] = iter([Piece(vary(faults.first_token), body)])
    if most is not None:
        kept = 0 if most == 0 else len(body) // 2
        missing = len(body) - kept if end is not End.WHOLE else 0
        pieces = iter([Piece(vary(faults.first_token), body[:kept], missing)])
        body = body if end is not End.WHOLE else body[:kept]
    length = None if faults.chunked else len(body)
    pieces = _chopped(pieces, faults, vary)
    return Plan(min(vary(wait), LONGEST), Head(status, headers, length), pieces, end, vary(last_wait))


# ---- streams


def _streamed(request: MockRequest, faults: Faults, vary: Callable[[float], float]) -> Plan:
    end, last_wait, most = _break(faults)
    events = _crlf(_events(request, faults), faults)
    pieces: Iterator[Piece] = _paced(events, faults, vary)
    if most is not None:
        pieces = _first(pieces, most, torn=end is End.CUT and not last_wait)
    if faults.gzip:
        pieces = _gzipped(pieces, finished=end is End.WHOLE)
    head = Head(200, _headers(faults, b"text/event-stream"), None)
    return Plan(vary(faults.latency), head, _chopped(pieces, faults, vary), end, vary(last_wait))


def _events(request: MockRequest, faults: Faults) -> Iterator[bytes]:
    events = (event for event in answers.events(request) if event != answers.DONE)
    dones = 0 if faults.no_done else 2 if faults.double_done else 1
    first = [answers.choiceless_event(request)] if faults.empty_choices else []
    numbered = enumerate(chain(first, events, [answers.DONE] * dones), 1)
    written = (_GARBAGE if number == faults.garbage else event for number, event in numbered)
    if faults.error_event is None:
        return written
    name = faults.code or "server_error"
    error = {"error": {"message": "the fault lab breaks this stream", "type": name, "code": name}}
    return chain(islice(written, faults.error_event), [b"data: %b\n\n" % msgspec.json.encode(error)])


def _crlf(events: Iterator[bytes], faults: Faults) -> Iterator[bytes]:
    return (event.replace(b"\n", b"\r\n") for event in events) if faults.crlf else events


def _paced(events: Iterator[bytes], faults: Faults, vary: Callable[[float], float]) -> Iterator[Piece]:
    pause = 1 / faults.tokens_per_second if faults.tokens_per_second is not None else 0.0
    for number, event in enumerate(events):
        yield Piece(vary(pause if number else faults.first_token), event)


def _first(pieces: Iterator[Piece], most: int, *, torn: bool) -> Iterator[Piece]:
    """Give the first pieces, and where the stream is torn the announcement of the next."""
    yield from islice(pieces, most)
    if torn:
        following = next(pieces, None)
        yield Piece(0.0, b"", len(following.data) if following is not None else _CONTINUES)


def _gzipped(pieces: Iterator[Piece], *, finished: bool) -> Iterator[Piece]:
    deflate = zlib.compressobj(wbits=31)
    for piece in pieces:
        data = deflate.compress(piece.data) + deflate.flush(zlib.Z_SYNC_FLUSH)
        yield Piece(piece.after, data, piece.missing)
    if finished:
        yield Piece(0.0, deflate.flush())


# ---- both


def _headers(faults: Faults, kind: bytes) -> list[Header]:
    if faults.content_type is not None:
        kind = faults.content_type.encode("ascii")
    headers = [(b"content-type", kind)]
    return [*headers, (b"content-encoding", b"gzip")] if faults.gzip else headers


def _break(faults: Faults) -> tuple[End, float, int | None]:
    """How the body ends, after which wait, and after how many events; None is after all."""
    if faults.cut_after_events is not None:
        return End.CUT, 0.0, faults.cut_after_events
    if faults.reset_after_events is not None:
        return End.RESET, 0.0, faults.reset_after_events
    if faults.end_after_events is not None:
        return End.WHOLE, 0.0, faults.end_after_events
    if faults.stall_after_events is not None:
        return End.CUT, faults.stall, faults.stall_after_events
    if faults.headers_only is not None:
        return End.CUT, faults.headers_only, 0
    return End.CUT if faults.cut_after_bytes is not None else End.WHOLE, 0.0, None


def _chopped(pieces: Iterable[Piece], faults: Faults, vary: Callable[[float], float]) -> Iterator[Piece]:
    """Cut pieces into smaller ones, and the body where a number of bytes ends it."""
    rest = iter(pieces)
    if faults.split:
        rest = _sliced(rest, 1, 0.0, vary)
    elif faults.trickle is not None:
        size = max(1, faults.trickle // _TRICKLES)
        rest = _sliced(rest, size, size / faults.trickle, vary)
    return rest if faults.cut_after_bytes is None else _first_bytes(rest, faults.cut_after_bytes)


def _sliced(
    pieces: Iterator[Piece], size: int, pause: float, vary: Callable[[float], float]
) -> Iterator[Piece]:
    left = _MOST_SLICES
    for piece in pieces:
        after = piece.after
        step = size if left > 0 else max(len(piece.data), 1)
        for begin in range(0, len(piece.data), step):
            yield Piece(after + vary(pause), piece.data[begin : begin + step])
            after = 0.0
            left -= 1
        if piece.missing:
            yield Piece(after, b"", piece.missing)


def _first_bytes(pieces: Iterator[Piece], left: int) -> Iterator[Piece]:
    for piece in pieces:
        if left < len(piece.data):
            yield Piece(piece.after, piece.data[:left], len(piece.data) - left)
            return
        left -= len(piece.data)
        yield piece
    yield Piece(0.0, b"", _CONTINUES)
