"""What a turn of a stream says, put together from its deltas. No I/O.

Made for turns that go on: their text is only needed for the message that the next turn is asked with.
"""

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.pipeline.tool_members import (
    NULL,
    Members,
    decode_many,
    decode_members,
    text_of,
)
from inference_gateway.server.pipeline.tool_turn import Call, Turn, arguments_of

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

_PIECEWISE = frozenset({"index", "id", "function"})


class StreamedCall:
    """A call, growing.

    :ivar index: by which the client knows it; None while it is not shown.
    :ivar shown_id: as well; another one than its provider's where that has named a call before.
    """

    __slots__ = ("arguments", "given", "id", "index", "members", "name", "shown_id")

    def __init__(self, given: msgspec.Raw | None) -> None:
        self.given = given
        self.index: int | None = None
        self.id = ""
        self.shown_id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.members: Members = {}

    def add(self, piece: Members) -> None:
        """Take in a piece. What is repeated is said once; what is no text, the last one says."""
        self.id = self.id or text_of(piece.get("id"))
        self.members.update({name: v for name, v in piece.items() if name not in _PIECEWISE and v != NULL})
        if (raw := piece.get("function")) is not None and raw != NULL:
            function = decode_members(raw)
            name = text_of(function.get("name"))
            if name and name != self.name:
                self.name += name
            self.arguments.append(arguments_of(function.get("arguments")))

    def whole(self) -> Call:
        """Return it as one."""
        arguments = "".join(self.arguments)
        function = codec.encode({"name": self.name, "arguments": arguments})
        return Call(self.id, self.name, arguments, {**self.members, "function": msgspec.Raw(function)})


class Said:
    """A message, growing.

    :param limit: most bytes of text that it may come to.
    """

    def __init__(self, limit: int) -> None:
        self.calls: list[StreamedCall] = []
        self._limit = limit
        self._size = 0
        self._texts: dict[str, list[str]] = {}
        self._lists: dict[str, list[msgspec.Raw]] = {}
        self._others: Members = {}

    def add(self, delta: Members) -> None:
        """Take in a delta, but for its calls: texts and lists go on, of the rest the last one counts.

        :raises UpstreamError: more than `limit`.
        """
        for name, value in delta.items():
            if name in ("role", "tool_calls") or value == NULL:
                continue
            self._size += len(bytes(value))
            if self._size > self._limit:
                raise UpstreamError(f"a turn's answer is larger than the {self._limit} bytes taken here")
            match bytes(value)[:1]:
                case b'"':
                    self._texts.setdefault(name, []).append(text_of(value))
                case b"[":
                    self._lists.setdefault(name, []).extend(_decode_list(value))
                case _:
                    self._others[name] = value

    def pieces(self, delta: Members) -> list[tuple[Members, StreamedCall]]:
        """Take in a delta's pieces of calls; return each with the call that it belongs to.

        :raises UpstreamError: more than `limit`.
        """
        calls = delta.get("tool_calls")
        if calls is None or calls == NULL:
            return []
        self._size += len(bytes(calls))
        if self._size > self._limit:
            raise UpstreamError(f"a turn's answer is larger than the {self._limit} bytes taken here")
        return [(piece, self._grown(piece)) for piece in decode_many(calls)]

    def _grown(self, piece: Members) -> StreamedCall:
        call = self._continued(piece)
        if call is None:
            call = StreamedCall(piece.get("index"))
            self.calls.append(call)
        call.add(piece)
        return call

    def _continued(self, piece: Members) -> StreamedCall | None:
        """Find the call that a piece is more of; None if it opens one."""
        given, call_id = piece.get("index"), text_of(piece.get("id"))
        function = piece.get("function")
        names = function is not None and function != NULL and b'"name"' in bytes(function)
        if given is not None and given != NULL:
            same = [call for call in self.calls if call.given == given]
        elif call_id:
            same = [call for call in self.calls if call.id == call_id]
        else:
            same = [] if names else self.calls
        if not same:
            return None
        # Some providers number every whole call 0.
        another = call_id and same[-1].id and call_id != same[-1].id and names
        return None if another else same[-1]

    def turn(self, finish_reason: str) -> Turn:
        """Return what was said as a whole turn."""
        message: Members = {name: _raw("".join(pieces)) for name, pieces in self._texts.items()}
        message |= {name: _raw(items) for name, items in self._lists.items()}
        message |= self._others
        message.setdefault("content", _raw(""))
        return Turn(message, [call.whole() for call in self.calls], finish_reason)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(codec.encode(value))
