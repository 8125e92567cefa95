"""The streams of several turns, made into one: what a client gets of each event. No I/O.

As long as a first turn calls nothing, its bytes pass as they came. Then events are written anew: under one
id, calls numbered through, without the ends and the usage of turns that are not the last. What comes behind
a turn's reason to end is held until it is known whether the stream ends with it.
"""

from collections.abc import Callable, Mapping

import msgspec

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.chat_stream import DONE
from inference_gateway.server.errors import GatewayError, UpstreamError
from inference_gateway.server.pipeline.tool_deltas import Said, StreamedCall
from inference_gateway.server.pipeline.tool_members import (
    NULL,
    Members,
    decode_many,
    decode_members,
    text_of,
)
from inference_gateway.server.pipeline.tool_turn import Turn, decode_usage, made_up_id, marked, summed

_ENVELOPE = ("id", "object", "created", "model")
_UNSTAMPED = (b"", b'""', b"0", b"null")
_MOST_UNREAD = 64 * 1024
"""Bytes of a first turn that are kept as they came, before what they say is read out of them."""


class ToolStream:
    """Feed whole events, turn after turn; get what the client is to see.

    :param ours: whether a call of this name is run by the gateway.
    :param shown: whether the client sees the calls that the gateway runs.
    :param wants_usage: whether it asked for the usage at the end.
    :param limit: most bytes of a turn that are held.
    """

    def __init__(self, ours: Callable[[str], bool], *, shown: bool, wants_usage: bool, limit: int) -> None:
        self._ours = ours
        self._shown = shown
        self._wants_usage = wants_usage
        self._limit = limit
        self._first = True
        self._envelope: Members = {}
        self._next_index = 0
        self._shown_ids: set[str] = set()
        self._used: dict[str, object] | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget the turn before."""
        self._plain = self._first
        self._said = Said(self._limit)
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._too_large: GatewayError | None = None
        self._finish: dict[str, object] | None = None
        self._finish_reason = ""
        self._usage: dict[str, object] | None = None

    def feed(self, data: bytes) -> bytes:
        """Take whole events in their plain writing.

        :raises UpstreamError: more than `limit`, in a turn that makes calls.
        """
        if self._plain and b'"tool_calls"' not in data:
            self._keep(data)
            return data
        return b"".join([self._event(event) for event in data[:-2].split(b"\n\n")])

    def turn(self) -> Turn | None:
        """Return what the turn said that has ended; None where it called nothing."""
        if not self._said.calls:
            return None
        for place, call in enumerate(self._said.calls):
            call.id = call.id or made_up_id(self._envelope, self._next_index + place)
        return self._said.turn(self._finish_reason)

    def go_on(self, results: Mapping[int, dict[str, object]]) -> bytes:
        """Close a turn that others follow. Results are given by the place of their calls."""
        shown = self._results(results)
        self._used = summed(self._used, self._usage)
        self._first = False
        self._begin()
        return shown

    def last(self, results: Mapping[int, dict[str, object]]) -> bytes:
        """Close the turn with which the stream ends."""
        if self._plain:
            return b""
        return self._results(results) + self._closing()

    def stopped(self, note: str) -> bytes:
        """Close a turn whose calls nobody will run, and say so."""
        self._finish = self._chunk({"content": ""}, "length")
        return _encoded(self._chunk({"content": note}, None)) + self._closing()

    def _closing(self) -> bytes:
        """Write the end, with what all turns used: in a chunk of its own for whom has asked for one."""
        used = summed(self._used, self._usage)
        ending = [self._finish] if self._finish is not None else []
        if used is not None and self._wants_usage:
            ending.append({**self._envelope, "choices": [], "usage": used})
        elif used is not None and ending:
            ending = [{**ending[0], "usage": used}]
        return b"".join(map(_encoded, ending)) + DONE

    def _keep(self, data: bytes) -> None:
        """Hold what a turn says until it is known whether it is needed."""
        self._unread.append(data)
        self._unread_size += len(data)
        if self._unread_size > _MOST_UNREAD:
            self._read()

    def _read(self) -> None:
        unread, self._unread, self._unread_size = self._unread, [], 0
        for data in unread:
            for event in data[:-2].split(b"\n\n"):
                if self._too_large is None and event != DONE[:-2]:
                    self._take_in(event)

    def _take_in(self, event: bytes) -> None:
        try:
            chunk = decode_members(event[6:])
            self._note(chunk)
            for choice in _choices(chunk):
                self._hear(_delta(choice))
        except codec.UNREADABLE:
            return  # of a shape that says nothing

    def _hear(self, delta: Members) -> None:
        """Take in what a delta says. That it is too much matters only if the model has to be told of it."""
        try:
            self._said.add(delta)
        except UpstreamError as error:
            self._too_large = error

    def _note(self, chunk: Members) -> None:
        for name in _ENVELOPE:
            # Some providers begin with a chunk that is stamped with nothing.
            if name not in self._envelope and bytes(chunk.get(name, b"")) not in _UNSTAMPED:
                self._envelope[name] = chunk[name]
        usage = chunk.get("usage")
        if usage is not None and usage != NULL:
            self._usage = decode_usage(usage)

    def _event(self, event: bytes) -> bytes:
        """Take an event that may have to be written anew."""
        if event == DONE[:-2]:
            return event + b"\n\n" if self._plain else b""
        try:
            return self._chunk_of(event)
        except codec.UNREADABLE:
            return event + b"\n\n"  # of a shape that passes as it is

    def _chunk_of(self, event: bytes) -> bytes:
        chunk = decode_members(event[6:])
        if chunk.get("error", NULL) != NULL:
            return event + b"\n\n"
        choices = _choices(chunk)
        if self._plain and not any(_calls_something(choice) for choice in choices):
            self._keep(event + b"\n\n")
            return event + b"\n\n"
        self._become_written()
        self._note(chunk)
        if not choices:
            return b"" if "usage" in chunk else event + b"\n\n"
        return self._written(event, chunk, choices[0])

    def _become_written(self) -> None:
        if self._plain:
            self._read()
            self._plain = False

    def _written(self, event: bytes, chunk: Members, choice: Members) -> bytes:
        """Write what the client gets of a chunk, and hold what it gets only if the turn is the last."""
        delta = _delta(choice)
        self._hear(delta)
        changed = not self._first
        if "tool_calls" in delta:
            changed |= self._number(delta)
        if not self._first:
            delta.pop("role", None)
        reason = text_of(choice.get("finish_reason"))
        if reason:
            self._finish_reason = reason
            end = {**choice, "delta": {"content": ""}}
            self._finish = {**chunk, **self._envelope, "choices": [end]}
            self._finish.pop("usage", None)
            delta = {name: value for name, value in delta.items() if not _is_nothing(value)}
            changed = True
        if not changed and _names_no_usage(chunk):
            return event + b"\n\n"
        if not delta:
            return b""
        rest = {**choice, "delta": delta, "finish_reason": None}
        members: dict[str, object] = {**chunk, **self._envelope, "choices": [rest]}
        if not _names_no_usage(chunk):
            del members["usage"]
        return _encoded(members)

    def _number(self, delta: Members) -> bool:
        """Put into a delta what the client sees of its pieces of calls; return whether that is a change."""
        shown: list[Members] = []
        changed = False
        for piece, call in self._said.pieces(delta):
            opened = call.index is None
            if self._too_large is not None:
                raise self._too_large
            if opened and not self._show(call):
                changed = True
                continue
            index = msgspec.Raw(b"%d" % (call.index or 0))
            seen = {**piece, "index": index}
            if opened:
                seen = self._opening(call, seen)
            elif "id" in piece and call.shown_id != call.id:
                del seen["id"]
            changed |= seen != piece
            shown.append(seen)
        if shown:
            delta["tool_calls"] = msgspec.Raw(codec.encode(shown))
        else:
            del delta["tool_calls"]
        return changed

    def _show(self, call: StreamedCall) -> bool:
        """Number a call if the client is to see it."""
        if not self._shown and (not call.name or self._ours(call.name)):
            return False
        call.index = self._next_index
        self._next_index += 1
        made_up = made_up_id(self._envelope, call.index)
        call.id = call.id or made_up
        # Some providers count each turn's calls anew.
        call.shown_id = made_up if call.id in self._shown_ids else call.id
        self._shown_ids.add(call.shown_id)
        return True

    def _opening(self, call: StreamedCall, piece: Members) -> Members:
        """Write the first piece that is seen of a call: with an id, and with all that came before it."""
        piece["id"] = msgspec.Raw(codec.encode(call.shown_id))
        if len(call.arguments) > 1:
            return {**call.whole().members, "index": piece["index"], "id": piece["id"]}
        return piece

    def _results(self, results: Mapping[int, dict[str, object]]) -> bytes:
        """Let results ride on the calls that the client has seen; those of others on the first of these."""
        calls = self._said.calls
        pieces = [
            _rider(calls[place].index, {"gateway": result})
            for place, result in results.items()
            if calls[place].index is not None
        ]
        carrier = next((call.index for call in calls if call.index is not None), None)
        if carrier is not None and len(pieces) < len(results):
            unseen = [marked(calls[p].whole(), r) for p, r in results.items() if calls[p].index is None]
            pieces.append(_rider(carrier, {"gateway_calls": unseen}))
        return _encoded(self._chunk({"content": "", "tool_calls": pieces}, None)) if pieces else b""

    def _chunk(self, delta: dict[str, object], finish_reason: str | None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._envelope, "choices": [choice]}


def _rider(index: int | None, extra: dict[str, object]) -> dict[str, object]:
    return {"index": index, "function": {"name": "", "arguments": ""}, "extra_content": extra}


def _encoded(chunk: dict[str, object]) -> bytes:
    return sse.encode(codec.encode(chunk))


def _choices(chunk: Members) -> list[Members]:
    choices = chunk.get("choices")
    return [] if choices is None or choices == NULL else decode_many(choices)


def _delta(choice: Members) -> Members:
    delta = choice.get("delta")
    return {} if delta is None or delta == NULL else decode_members(delta)


def _calls_something(choice: Members) -> bool:
    return not _is_nothing(_delta(choice).get("tool_calls"))


def _is_nothing(value: msgspec.Raw | None) -> bool:
    return value is None or bytes(value) in (b"null", b'""', b"[]", b"{}")


def _names_no_usage(chunk: Members) -> bool:
    return chunk.get("usage", NULL) == NULL
