"""A provider that takes turns: each request gets the next of the answers that a test wrote down."""

import json
from collections.abc import Sequence
from typing import Any

from fakes.provider import DONE, Call, Script, chunk

USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "details": {"cached": 1}}


def call(name: str, arguments: object = None, id: str = "c1", **extra: Any) -> dict[str, Any]:
    """A whole call."""
    function = {"name": name, "arguments": json.dumps(arguments or {})}
    return {"id": id, "type": "function", "function": function, **extra}


def calling(*calls: dict[str, Any], finish: str = "tool_calls", **message: Any) -> dict[str, Any]:
    """An answer that makes calls."""
    return answer(finish, tool_calls=list(calls), **{"content": None, **message})


def saying(text: str, **message: Any) -> dict[str, Any]:
    """An answer that makes none."""
    return answer("stop", content=text, **message)


def answer(finish: str, **message: Any) -> dict[str, Any]:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
    }


def taking_turns(*answers: dict[str, Any] | Sequence[bytes]) -> Script:
    """Answer by how many assistant's messages the conversation has; a list of bytes is a stream."""

    async def script(asked: Call) -> None:
        messages = asked.json()["messages"]
        told = answers[sum(m["role"] == "assistant" for m in messages)]
        if isinstance(told, dict):
            await asked.respond_json(told)
        else:
            await asked.stream(told)

    return script


def stream_of(
    *deltas: dict[str, Any], finish: str = "stop", id: str = "c", usage: bool = False
) -> list[bytes]:
    """A turn as a stream."""
    events = [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas), chunk({}, finish)]
    if usage:
        body = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [],
            "usage": USAGE,
        }
        events.append(b"data: " + json.dumps(body).encode() + b"\n\n")
    return [event.replace(b'"id": "c"', b'"id": "%b"' % id.encode()) for event in (*events, DONE)]


def pieces(
    name: str, *arguments: str, index: int | None = 0, id: str = "c1", **extra: Any
) -> list[dict[str, Any]]:
    """Deltas of one call."""
    place = {} if index is None else {"index": index}
    first = {**place, "id": id, "type": "function", "function": {"name": name, "arguments": ""}, **extra}
    rest = [{**place, "function": {"arguments": piece}} for piece in arguments]
    return [{"tool_calls": [piece]} for piece in (first, *rest)]
