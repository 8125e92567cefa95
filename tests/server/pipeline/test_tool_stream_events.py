"""The merging of turns, event by event: however events come, and whatever stands in them."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.provider import DONE
from fakes.turns import pieces, stream_of
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.pipeline import tool_turn
from inference_gateway.server.pipeline.tool_request import settled
from inference_gateway.server.pipeline.tool_stream import ToolStream

TURNS = (
    stream_of(
        {"content": "a"}, *pieces("mcp_x", '{"n"', ":1}"), *pieces("own", "{}", index=1, id="c2"), usage=True
    ),
    stream_of({"content": "b"}, *pieces("mcp_y", "{}"), finish="tool_calls", usage=True),
    stream_of({"content": "c"}, {"content": "d"}, usage=True),
)


def ours(name: str) -> bool:
    return name.startswith("mcp_")


def merged(turns: tuple[list[list[bytes]], ...], *, shown: bool = True) -> bytes:
    """Feed turns, each a list of writes, each a list of events."""
    stream = ToolStream(ours, shown=shown, wants_usage=True, limit=1 << 20)
    seen = []
    for place, writes in enumerate(turns):
        seen += [stream.feed(b"".join(events)) for events in writes if events]
        last = place == len(turns) - 1
        seen.append(stream.last({}) if last else stream.go_on({0: {"result": "r"}}))
    return b"".join(seen)


def cut(events: list[bytes], edges: list[int]) -> list[list[bytes]]:
    places = [0, *sorted(edge % (len(events) + 1) for edge in edges), len(events)]
    return [events[a:b] for a, b in pairwise(places)]


@given(st.lists(st.integers(0, 20), max_size=6), st.booleans())
def test_how_events_are_written_together_does_not_matter(edges: list[int], shown: bool) -> None:
    one_by_one = tuple([[event] for event in turn] for turn in TURNS)
    assert merged(tuple(cut(turn, edges) for turn in TURNS), shown=shown) == merged(one_by_one, shown=shown)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMED = (
    "id",
    "index",
    "function",
    "type",
    "extra_content",
    "name",
    "arguments",
    "content",
    "role",
    "tool_calls",
)


def near(name: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Something, or an object that has this member among others that readers look at."""
    others = st.dictionaries(st.sampled_from(NAMED), JSON, max_size=3)
    return JSON | st.builds(lambda rest, value: {**rest, name: value}, others, inner)


CALLS = st.lists(near("function", near("name", st.sampled_from(["mcp_x", "own", ""]))), max_size=2) | JSON
CHOICES = st.lists(near("delta", near("tool_calls", CALLS)), max_size=2) | JSON
CHUNKS = st.builds(
    lambda choices, usage, reason: {
        "id": "c",
        "choices": [{**c, "finish_reason": reason} if isinstance(c, dict) else c for c in choices]
        if isinstance(choices, list)
        else choices,
        "usage": usage,
    },
    CHOICES,
    JSON,
    st.sampled_from([None, "stop", "tool_calls", 1]),
)


@given(st.lists(st.lists(CHUNKS | JSON, max_size=5), min_size=1, max_size=3), st.booleans())
def test_nothing_that_is_json_breaks_it(turns: list[list[Any]], shown: bool) -> None:
    stream = ToolStream(ours, shown=shown, wants_usage=True, limit=1 << 20)
    seen = b""
    for turn in turns:
        for value in turn:
            seen += stream.feed(b"data: " + json.dumps(value).encode() + b"\n\n")
        said = stream.turn()
        made = {place: {"result": "r"} for place in range(len(said.calls))} if said else {}
        seen += stream.go_on(made)
    seen += stream.feed(DONE) + stream.last({})
    *events, end = seen.split(b"\n\n")
    assert end == b""
    for event in events:
        assert event == DONE[:-2] or json.loads(event.removeprefix(b"data: ")) is not ...


def test_a_turn_larger_than_what_is_held_cannot_go_on_but_passes() -> None:
    stream = ToolStream(ours, shown=True, wants_usage=False, limit=1000)
    events = [event for event in stream_of(*[{"content": "x" * 100}] * 1000) if event != DONE]
    assert b"".join(map(stream.feed, events)) == b"".join(events)
    [call, *_] = pieces("mcp_x", "{}")
    with pytest.raises(GatewayError, match="larger than the 1000 bytes"):
        stream.feed(b"data: " + json.dumps({"choices": [{"delta": call}]}).encode() + b"\n\n")


MESSAGES = st.lists(
    near("role", st.sampled_from(["assistant", "tool", "user"])).map(
        lambda m: {**m, "tool_calls": m.get("tool_calls", [])} if isinstance(m, dict) else m
    ),
    max_size=4,
)


@given(MESSAGES, CALLS)
def test_no_conversation_breaks_the_settling_of_calls(messages: list[Any], calls: Any) -> None:
    said = [*messages, {"role": "assistant", "tool_calls": calls}]
    written = settled(json.dumps(said).encode(), ours, images=True)
    assert written is None or isinstance(json.loads(written), list)


@given(CALLS, JSON, st.sampled_from(["stop", None, 1]))
def test_no_answer_breaks_the_reading_of_calls(calls: Any, usage: Any, reason: Any) -> None:
    choice = {"message": {"role": "assistant", "tool_calls": calls}, "finish_reason": reason}
    body = json.dumps({"choices": [choice], "usage": usage}).encode()
    turn = tool_turn.read_turn(body)
    used = tool_turn.summed(tool_turn.usage_of(body), tool_turn.usage_of(body))
    if turn is not None:
        marks = {place: {"result": "r"} for place in range(len(turn.calls))}
        assert json.loads(tool_turn.with_results(body, turn, marks, used))
        assert json.loads(tool_turn.stopped(body, turn, "note", used))
        assert json.loads(tool_turn.assistant_message(turn))["role"] == "assistant"
    if used is not None:
        assert json.loads(tool_turn.with_usage(body, used))


@pytest.mark.parametrize("extra", [None, 1, "text", [1]])
def test_extra_content_that_is_no_object_gives_way_to_a_result(extra: object) -> None:
    made = {
        "id": "c",
        "type": "function",
        "function": {"name": "ours", "arguments": "{}"},
        "extra_content": extra,
    }
    choice = {"message": {"role": "assistant", "tool_calls": [made]}, "finish_reason": "tool_calls"}
    body = json.dumps({"choices": [choice]}).encode()
    turn = tool_turn.read_turn(body)
    assert turn is not None
    written = json.loads(tool_turn.with_results(body, turn, {0: {"result": "r"}}, None))
    [call] = written["choices"][0]["message"]["tool_calls"]
    assert call["extra_content"] == {"gateway": {"result": "r"}}
