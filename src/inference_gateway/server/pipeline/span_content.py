"""What people write to models and what these answer, in the form that spans hold it in. No I/O.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/#capturing-instructions-inputs-and-outputs
Made only where an operator asks for it. What is too long is cut, the oldest messages first; what is not text
is named and left out.
"""

import json

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.pipeline.tool_deltas import Said
from inference_gateway.server.pipeline.tool_members import Members, decode_many, decode_members, text_of

_ROOM = 65_536
"""Characters of text that one attribute holds."""
_MOST_CHOICES = 16

Part = dict[str, object]


class _Room:
    """How much text there is room for."""

    def __init__(self) -> None:
        self._left = _ROOM

    def __bool__(self) -> bool:
        return self._left > 0

    def take(self, text: str) -> str:
        taken = text[: max(self._left, 0)]
        self._left -= len(text)
        return taken


def input_messages(raw: bytes) -> str:
    """Write the messages of a request; empty where they cannot be read."""
    try:
        messages = decode_many(raw)
    except codec.UNREADABLE:
        return ""
    room = _Room()
    written: list[dict[str, object]] = []
    for message in reversed(messages):
        if not room:
            break
        written.append({"role": text_of(message.get("role")), "parts": _parts(message, room)})
    return json.dumps(written[::-1], ensure_ascii=False)


def output_messages(answer: bytes) -> str:
    """Write what a whole answer says; empty where it cannot be read."""
    room = _Room()
    try:
        choices = decode_many(decode_members(answer).get("choices", msgspec.Raw(b"[]")))
        said = [
            (_message(choice), text_of(choice.get("finish_reason"))) for choice in choices[:_MOST_CHOICES]
        ]
    except codec.UNREADABLE:
        return ""
    return _written([(_parts(message, room), reason) for message, reason in said])


class StreamedOutput:
    """What a stream says, put together from its events."""

    def __init__(self) -> None:
        self._choices: dict[bytes, Said] = {}
        self._reasons: dict[bytes, str] = {}

    def feed(self, events: bytes) -> None:
        """Take in whole events, as they are sent to clients."""
        for event in events.split(b"\n\n"):
            try:
                chunk = decode_members(event.removeprefix(b"data: "))
                for choice in decode_many(chunk.get("choices", msgspec.Raw(b"[]"))):
                    self._add(choice)
            except (*codec.UNREADABLE, GatewayError):
                continue

    def written(self) -> str:
        """Write what came so far."""
        room = _Room()
        return _written(
            [(_grown(said, room), self._reasons.get(index, "")) for index, said in self._choices.items()]
        )

    def _add(self, choice: Members) -> None:
        index = bytes(choice.get("index", b"0"))
        if index not in self._choices and len(self._choices) >= _MOST_CHOICES:
            return
        if reason := text_of(choice.get("finish_reason")):
            self._reasons[index] = reason
        if "delta" in choice:
            said = self._choices.setdefault(index, Said(_ROOM))
            delta = decode_members(choice["delta"])
            said.add(delta)
            said.pieces(delta)


def _written(choices: list[tuple[list[Part], str]]) -> str:
    messages = [
        {"role": "assistant", "parts": parts, "finish_reason": reason or "error"} for parts, reason in choices
    ]
    return json.dumps(messages, ensure_ascii=False)


def _message(choice: Members) -> Members:
    return decode_members(choice.get("message", msgspec.Raw(b"{}")))


def _grown(said: Said, room: _Room) -> list[Part]:
    turn = said.turn("")
    text = text_of(turn.message.get("content"))
    parts: list[Part] = [{"type": "text", "content": room.take(text)}] if text else []
    return parts + [_call(call.id, call.name, call.arguments, room) for call in turn.calls]


def _parts(message: Members, room: _Room) -> list[Part]:
    text = _text(message.get("content"), room)
    if "tool_call_id" in message:
        return [
            {
                "type": "tool_call_response",
                "id": text_of(message["tool_call_id"]),
                "response": "".join(str(part.get("content", "")) for part in text),
            }
        ]
    return text + _calls(message.get("tool_calls"), room)


def _text(content: msgspec.Raw | None, room: _Room) -> list[Part]:
    if content is None or bytes(content) == b"null":
        return []
    if bytes(content).startswith(b'"'):
        return [{"type": "text", "content": room.take(text_of(content))}]
    parts: list[Part] = []
    try:
        for part in decode_many(content):
            kind = text_of(part.get("type"))
            if kind == "text":
                parts.append({"type": "text", "content": room.take(text_of(part.get("text")))})
            else:
                parts.append({"type": kind[:40]})
    except codec.UNREADABLE:
        return parts
    return parts


def _calls(raw: msgspec.Raw | None, room: _Room) -> list[Part]:
    if raw is None or bytes(raw) == b"null":
        return []
    parts = []
    try:
        for call in decode_many(raw):
            function = decode_members(call.get("function", msgspec.Raw(b"{}")))
            name, arguments = text_of(function.get("name")), text_of(function.get("arguments"))
            parts.append(_call(text_of(call.get("id")), name, arguments, room))
    except codec.UNREADABLE:
        return parts
    return parts


def _call(id: str, name: str, arguments: str, room: _Room) -> Part:
    return {"type": "tool_call", "id": id, "name": name, "arguments": room.take(arguments)}
