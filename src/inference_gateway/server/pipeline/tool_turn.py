"""What a model said in one turn, whole or in pieces: its message, its calls, what it used. No I/O."""

from collections.abc import Mapping, Sequence

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.pipeline.tool_members import (
    NULL,
    Members,
    decode_many,
    decode_members,
    text_of,
)
from inference_gateway.server.toolbox import ToolResult

CUT_SHORT = frozenset({"length", "content_filter"})
"""Reasons to end after which a call may be half of one."""


class Call(msgspec.Struct):
    """A call as the model made it; `members` is all that its provider says of it."""

    id: str
    name: str
    arguments: str
    members: Members


class Turn(msgspec.Struct):
    """An assistant's message that has calls, or none."""

    message: Members
    calls: list[Call]
    finish_reason: str


def read_turn(body: bytes) -> Turn | None:
    """Read a whole answer; None where it makes no call, or has not exactly one choice."""
    if b'"tool_calls"' not in body:
        return None
    try:
        answer = decode_members(body)
        [choice] = decode_many(answer["choices"])
        message = decode_members(choice["message"])
        made = enumerate(_list(message.get("tool_calls")))
        calls = [_call(members, made_up_id(answer, place)) for place, members in made]
    except (*codec.UNREADABLE, KeyError, ValueError):
        return None
    return Turn(message, calls, text_of(choice.get("finish_reason"))) if calls else None


def _list(value: msgspec.Raw | None) -> list[Members]:
    return [] if value is None or value == NULL else decode_many(value)


def made_up_id(answer: Members, place: int) -> str:
    """Name a call that came without an id; its result has to name it."""
    return f"call_{text_of(answer.get('id'))}_{place}"


def _call(members: Members, fallback_id: str) -> Call:
    function = decode_members(members["function"]) if "function" in members else {}
    return Call(
        id=text_of(members.get("id")) or fallback_id,
        name=text_of(function.get("name")),
        arguments=arguments_of(function.get("arguments")),
        members=members,
    )


def arguments_of(value: msgspec.Raw | None) -> str:
    """Return a call's arguments as text; some servers send them parsed."""
    if value is None or value == NULL:
        return ""
    return text_of(value) if bytes(value).startswith(b'"') else bytes(value).decode()


def assistant_message(turn: Turn) -> bytes:
    """Write a turn as the message that the next one is asked with: as its provider said it, without nulls."""
    message = {name: value for name, value in turn.message.items() if value != NULL or name == "content"}
    if "reasoning" in message and message["reasoning"] == message.get("reasoning_content"):
        del message["reasoning"]  # one thought under two names
    written = [_written(call, with_index=False) for call in turn.calls]
    return codec.encode({"role": "assistant", **message, "tool_calls": written})


def _written(call: Call, *, with_index: bool) -> dict[str, object]:
    members: dict[str, object] = {"id": call.id, "type": "function", **call.members}
    members["id"] = call.id
    if not with_index:
        members.pop("index", None)
    return members


def mark(result: ToolResult, text: str, *, images: Sequence[str] = ()) -> dict[str, object]:
    """Say on a call what came of it, for a client that gets all calls of its turn."""
    marked: dict[str, object] = {"result": text}
    if images:
        marked["images"] = images
    if result.is_error:
        marked["is_error"] = True
    return marked


def marked(call: Call, result: dict[str, object]) -> dict[str, object]:
    """Write a call with its mark."""
    return _carrying(_written(call, with_index=False), result)


def _carrying(members: dict[str, object], result: dict[str, object]) -> dict[str, object]:
    extra = members.get("extra_content")
    # Which is an object, where it is what its name says.
    known = bytes(extra) if isinstance(extra, msgspec.Raw) else b""
    others = decode_members(known) if known.startswith(b"{") else {}
    return {**members, "extra_content": {**others, "gateway": result}}


def with_results(
    body: bytes, turn: Turn, results: Mapping[int, dict[str, object]], usage: dict[str, object] | None
) -> bytes:
    """Write an answer anew, with results riding on calls, given by their place."""
    calls = []
    for place, call in enumerate(turn.calls):
        members = _written(call, with_index=True)
        calls.append(_carrying(members, results[place]) if place in results else members)
    return _rewritten(body, {**turn.message, "tool_calls": calls}, "tool_calls", usage)


def stopped(body: bytes, turn: Turn, note: str, usage: dict[str, object] | None) -> bytes:
    """Write an answer anew whose calls nobody will run: without them, and with a note in their place."""
    message: dict[str, object] = {**turn.message}
    del message["tool_calls"]
    said = text_of(turn.message.get("content"))
    message["content"] = f"{said}\n\n{note}" if said else note
    return _rewritten(body, message, "length", usage)


def _rewritten(
    body: bytes, message: dict[str, object], finish_reason: str, usage: dict[str, object] | None
) -> bytes:
    document = decode_members(body)
    [choice] = decode_many(document["choices"])
    answer: dict[str, object] = {**document}
    answer["choices"] = [{**choice, "message": message, "finish_reason": finish_reason}]
    if usage is not None:
        answer["usage"] = usage
    return codec.encode(answer)


def usage_of(body: bytes) -> dict[str, object] | None:
    """Return the usage that an answer reports."""
    try:
        return decode_usage(decode_members(body).get("usage"))
    except codec.UNREADABLE:
        return None


def decode_usage(value: msgspec.Raw | None) -> dict[str, object] | None:
    """Read a usage; None where there is none."""
    decoded = codec.decode(value) if value is not None else None
    return decoded if isinstance(decoded, dict) else None


def with_usage(body: bytes, usage: dict[str, object]) -> bytes:
    """Write an answer with another usage, all else as it came."""
    try:
        return codec.Document(body).edited({"usage": codec.encode(usage)})
    except GatewayError:
        return body  # of a shape that is relayed and not touched


def summed(total: dict[str, object] | None, usage: dict[str, object] | None) -> dict[str, object] | None:
    """Add up what two turns used: counts are added, wherever they stand; of the rest the later one holds."""
    if total is None or usage is None:
        return usage if total is None else total
    return {name: _added(total.get(name), usage.get(name)) for name in {**total, **usage}}


def _added(before: object, now: object) -> object:
    if isinstance(before, dict) and isinstance(now, dict):
        return summed(before, now)
    if _is_count(before) and _is_count(now):
        return before + now  # type: ignore[operator]  # both are numbers, as was just asked
    return before if now is None else now


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
