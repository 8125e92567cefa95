"""Chunks put together again: whatever way a completion was cut, it comes out whole."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_gateway.client.accumulate import CompletionAccumulator
from inference_gateway.types import (
    ChatCompletionMessageToolCall,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
)

Json = dict[str, Any]


def accumulated(*chunks: Json) -> CompletionAccumulator:
    accumulator = CompletionAccumulator()
    for chunk in chunks:
        accumulator.add(CreateChatCompletionStreamResponse.model_validate(chunk))
    return accumulator


def sent(completion: CreateChatCompletionResponse) -> Json:
    return completion.model_dump(by_alias=True, exclude_unset=True)


def delta(finish_reason: str | None = None, *, index: int = 0, chunk_id: str = "c", **fields: Any) -> Json:
    return {
        "id": chunk_id,
        "choices": [{"index": index, "delta": fields, "finish_reason": finish_reason}],
    }


def calls(*chunks: Json) -> list[ChatCompletionMessageToolCall]:
    return accumulated(*chunks).completion().choices[0].message.tool_calls or []


def piece(**fields: object) -> Json:
    """A tool call's piece; `name` and `arguments` go into its function."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": function} if function else fields


# ---- accumulate(stream of X) = X -----------------------------------------------------------------------

TEXT = st.text(max_size=12)
TOKENS = st.lists(
    st.fixed_dictionaries(
        {"token": TEXT, "logprob": st.floats(-9, 0), "bytes": st.none() | st.lists(st.integers(0, 255))},
        optional={"top_logprobs": st.just([])},
    ),
    max_size=3,
)
EXTRA = st.one_of(st.integers(), st.text(min_size=1), st.lists(st.integers()), st.just({"a": [1, None]}))
CALL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["get_weather", "f", "mcp_search"]), "arguments": TEXT}
        ),
    },
    optional={"extra_content": st.just({"google": {"thought_signature": "Ew=="}}), "vendor": EXTRA},
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.just("assistant")},
    optional={
        "content": TEXT | st.none(),
        "refusal": TEXT | st.none(),
        "reasoning": TEXT,
        "annotations": EXTRA,
        "tool_calls": st.lists(CALL, min_size=1, max_size=3),
    },
)
CHOICE: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"message": MESSAGE, "finish_reason": st.sampled_from(["stop", "length", "tool_calls", "novel"])},
    optional={
        "logprobs": st.fixed_dictionaries({"content": TOKENS | st.none(), "refusal": TOKENS | st.none()}),
        "stop_reason": EXTRA,
    },
)


@st.composite
def completions(draw: st.DrawFn) -> Json:
    choices = draw(st.lists(CHOICE, max_size=3))
    for index, choice in enumerate(choices):
        choice["index"] = index
        if "reasoning" in choice["message"] and draw(st.booleans()):
            choice["message"]["reasoning_content"] = choice["message"]["reasoning"]
        for number, call in enumerate(choice["message"].get("tool_calls", [])):
            call["id"] = f"call_{index}_{number}"
    envelope = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1741569952, "model": "m"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return {
        **envelope,
        "choices": choices,
        **draw(st.sampled_from([{}, {"usage": None}, {"usage": usage}])),
        **draw(
            st.sampled_from([{}, {"system_fingerprint": "fp"}, {"service_tier": "default", "x": {"y": 1}}])
        ),
    }


def cut(draw: st.DrawFn, text: str) -> list[str]:
    edges = [0, *sorted(draw(st.lists(st.integers(0, len(text)), max_size=3))), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def call_pieces(draw: st.DrawFn, index: int, call: Json) -> list[Json]:
    function = call["function"]
    first: Json = {**call, "index": index, "function": {"name": function["name"]}}
    repeated = {"id": call["id"]} if draw(st.booleans()) else {}
    rest = [piece(index=index, arguments=text, **repeated) for text in cut(draw, function["arguments"])]
    return [first, *rest]


def deltas(draw: st.DrawFn, message: Json) -> list[Json]:
    """Cut a message: the texts and each tool call in order, but mixed with one another."""
    tracks: list[list[Json]] = []
    thoughts = [name for name in ("reasoning", "reasoning_content") if name in message]
    for names in (["content"], ["refusal"], thoughts):
        text = message.get(names[0]) if names else None
        if isinstance(text, str):
            tracks.append([dict.fromkeys(names, each) for each in cut(draw, text)])
        elif names and names[0] in message:
            tracks.append([dict.fromkeys(names)])
    tool_calls = message.get("tool_calls", [])
    # A later call is not opened before an earlier one.
    opened = [call_pieces(draw, index, call) for index, call in enumerate(tool_calls)]
    tracks += [[{"tool_calls": [each[0] for each in opened]}]] if opened else []
    result = mixed(draw, tracks)
    result += [{"tool_calls": [each]} for each in mixed(draw, [each[1:] for each in opened])]
    extras: Json = {name: message[name] for name in ("role", "annotations") if name in message}
    return [extras, *result]


def mixed(draw: st.DrawFn, tracks: list[list[Json]]) -> list[Json]:
    order = draw(st.permutations([number for number, track in enumerate(tracks) for _ in track]))
    rest = [iter(track) for track in tracks]
    return [next(rest[number]) for number in order]


def choice_chunks(draw: st.DrawFn, choice: Json) -> list[Json]:
    index, message = choice["index"], choice["message"]
    pieces: list[Json] = [
        {"index": index, "delta": each, "finish_reason": None} for each in deltas(draw, message)
    ]
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        content, refusal = logprobs["content"], logprobs["refusal"]
        pieces[0]["logprobs"] = {"content": content and content[:1], "refusal": refusal}
        rest = {"content": content and content[1:], "refusal": refusal and []}
        pieces.append({"index": index, "delta": {}, "logprobs": rest})
    last = {name: choice[name] for name in ("finish_reason", "stop_reason") if name in choice}
    return [*pieces, {"index": index, "delta": {}, **last}]


@st.composite
def streamed(draw: st.DrawFn) -> tuple[Json, list[Json]]:
    whole = draw(completions())
    choices = whole["choices"]
    envelope = {name: value for name, value in whole.items() if name not in {"choices", "usage", "object"}}
    envelope["object"] = "chat.completion.chunk"
    pieces = mixed(draw, [choice_chunks(draw, choice) for choice in choices])
    chunks: list[Json] = [{**envelope, "choices": [each]} for each in pieces]
    usage = {"usage": whole["usage"]} if "usage" in whole else {}
    return whole, [*chunks, {**envelope, "choices": [], **usage}]


# Whole completions are large, and slow to make up where the processor is busy.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(streamed())
def test_a_completion_cut_into_chunks_comes_out_as_it_was(case: tuple[Json, list[Json]]) -> None:
    whole, chunks = case
    accumulator = accumulated(*chunks)
    expected = CreateChatCompletionResponse.model_validate(whole)
    assert sent(accumulator.completion()) == sent(expected)
    assert accumulator.completion() == expected
    assert accumulator.usage == expected.usage
    assert accumulator.text() == (expected.choices[0].message.content.text if expected.choices else "")
    assert accumulator.complete == bool(expected.choices)


@given(streamed())
def test_one_chunk_may_hold_pieces_of_every_choice(case: tuple[Json, list[Json]]) -> None:
    whole, chunks = case
    merged = {**chunks[-1], "choices": [choice for chunk in chunks for choice in chunk["choices"]]}
    expected = CreateChatCompletionResponse.model_validate(whole)
    assert sent(accumulated(merged).completion()) == sent(expected)


# ---- tool calls as providers really send them ----------------------------------------------------------


def test_one_chunk_may_hold_an_index_twice() -> None:
    pieces = [piece(index=0, id="1", name="f", arguments='{"a'), piece(index=0, arguments='":1}')]
    (call,) = calls(delta(tool_calls=pieces))
    assert (call.id, call.function.name, call.function.arguments) == ("1", "f", '{"a":1}')


def test_whole_calls_without_an_index_take_the_next_slot() -> None:
    first = delta(
        tool_calls=[piece(id="1", name="f", arguments="{}"), piece(id="2", name="f", arguments="{}")]
    )
    second = delta(tool_calls=[piece(id="3", name="g", arguments="{}")])
    assert [(call.id, call.function.name) for call in calls(first, second)] == [
        ("1", "f"),
        ("2", "f"),
        ("3", "g"),
    ]


def test_whole_calls_that_are_all_numbered_0_stay_apart() -> None:
    chunks = [delta(tool_calls=[piece(index=0, id=id, name="f", arguments="{}")]) for id in ("1", "2")]
    assert [(call.id, call.function.arguments) for call in calls(*chunks)] == [("1", "{}"), ("2", "{}")]


def test_pieces_without_an_index_are_matched_by_id() -> None:
    first = delta(tool_calls=[piece(id="1", name="f", arguments="["), piece(id="2", name="g", arguments="{")])
    second = delta(tool_calls=[piece(id="1", arguments="]"), piece(id="2", arguments="}")])
    assert [call.function.arguments for call in calls(first, second)] == ["[]", "{}"]


def test_a_piece_with_neither_index_nor_id_continues_the_last_call() -> None:
    first = delta(tool_calls=[piece(id="1", name="f", arguments="{")])
    assert [call.function.arguments for call in calls(first, delta(tool_calls=[piece(arguments="}")]))] == [
        "{}"
    ]


def test_a_repeated_id_and_name_count_once() -> None:
    chunks = [delta(tool_calls=[piece(index=0, id="1", name="f", arguments=text)]) for text in "{}"]
    (call,) = calls(*chunks)
    assert (call.id, call.function.name, call.function.arguments) == ("1", "f", "{}")


def test_a_new_id_in_every_piece_is_still_one_call() -> None:
    first = delta(tool_calls=[piece(index=0, id="1", name="f", arguments="{")])
    (call,) = calls(first, delta(tool_calls=[piece(index=0, id="x", name="", arguments="}")]))
    assert (call.function.name, call.function.arguments) == ("f", "{}")


def test_a_name_may_come_in_pieces() -> None:
    first = delta(tool_calls=[piece(index=0, id="1", name="get_")])
    (call,) = calls(first, delta(tool_calls=[piece(index=0, name="weather")]))
    assert call.function.name == "get_weather"


def test_the_last_extra_content_wins_and_null_does_not() -> None:
    pieces = [
        piece(index=0, id="1", name="f", extra_content={"google": {"thought_signature": "a"}}),
        piece(index=0, extra_content={"google": {"thought_signature": "b"}}),
        piece(index=0, arguments="{}", extra_content=None),
    ]
    (call,) = calls(*(delta(tool_calls=[each]) for each in pieces))
    assert call.extra_content is not None
    assert call.extra_content.model_dump() == {"google": {"thought_signature": "b"}}


def test_an_empty_type_and_role_in_later_pieces_mean_nothing() -> None:
    first = delta(role="assistant", tool_calls=[piece(index=0, id="1", type="function", name="f")])
    second = delta(role="", tool_calls=[piece(index=0, id="", type="", arguments="{}")])
    message = accumulated(first, second).completion().choices[0].message
    assert message.role == "assistant"
    assert [call.type for call in message.tool_calls or []] == ["function"]


def test_calls_without_ids_get_ids_that_differ() -> None:
    made = calls(delta(tool_calls=[piece(index=index, name="f", arguments="{}") for index in (0, 1)]))
    assert len({call.id for call in made}) == 2
    assert all(call.id for call in made)


def test_a_call_of_another_kind_keeps_its_own_fields() -> None:
    (call,) = calls(delta(tool_calls=[{"index": 0, "id": "1", "type": "custom", "custom": {"input": "x"}}]))
    assert call.model_dump(exclude_unset=True) == {"id": "1", "type": "custom", "custom": {"input": "x"}}


# ---- tools that the gateway ran ------------------------------------------------------------------------


def test_calls_that_the_gateway_answered_are_dropped_and_the_text_is_kept() -> None:
    accumulator = accumulated(
        delta(content="Let me look. ", chunk_id="1"),
        delta("tool_calls", tool_calls=[piece(index=0, id="1", name="mcp_f", arguments="{}")], chunk_id="1"),
        delta(role="assistant", content="", chunk_id="2"),
        delta(content="It is 3.", chunk_id="2"),
        delta("stop", chunk_id="2"),
    )
    (choice,) = accumulator.completion().choices
    assert not choice.message.tool_calls
    assert choice.finish_reason == "stop"
    assert choice.message.content == "Let me look. It is 3."


def test_the_calls_of_the_last_round_are_the_callers() -> None:
    first = delta("tool_calls", tool_calls=[piece(index=0, id="1", name="mcp_f")], chunk_id="1")
    second = delta("tool_calls", tool_calls=[piece(index=0, id="2", name="mine")], chunk_id="2")
    assert [call.function.name for call in calls(first, second)] == ["mine"]


def test_a_round_that_was_cut_is_not_complete() -> None:
    first = delta("tool_calls", tool_calls=[piece(index=0, id="1", name="mcp_f")], chunk_id="1")
    assert accumulated(first).complete
    assert not accumulated(first, delta(content="It", chunk_id="2")).complete


def test_calls_that_each_end_with_a_finish_reason_are_all_kept() -> None:
    chunks = [
        delta("tool_calls", tool_calls=[piece(index=index, id=str(index), name="f")]) for index in (0, 1)
    ]
    assert len(calls(*chunks)) == 2


# ---- the rest ------------------------------------------------------------------------------------------


def test_nothing_added_is_an_answer_without_choices() -> None:
    accumulator = CompletionAccumulator()
    assert accumulator.completion().choices == []
    assert accumulator.text() == ""
    assert accumulator.usage is None
    assert not accumulator.complete


def test_a_completion_can_be_looked_at_while_it_grows() -> None:
    accumulator = accumulated(delta(content="Hel"))
    assert accumulator.completion().choices[0].message.content == "Hel"
    assert not accumulator.complete
    accumulator.add(CreateChatCompletionStreamResponse.model_validate(delta("stop", content="lo")))
    assert accumulator.completion().choices[0].message.content == "Hello"
    assert accumulator.complete


def test_a_choice_without_a_finish_reason_is_not_complete() -> None:
    assert not accumulated(delta("stop"), delta(index=1, content="x")).complete


def test_a_chunk_of_usage_alone_brings_usage() -> None:
    accumulator = accumulated(
        delta("stop", content="x"), {"id": "c", "choices": [], "usage": {"total_tokens": 7}}
    )
    usage = accumulator.usage
    assert usage is not None
    assert usage.total_tokens == 7
    assert accumulator.completion().usage == usage


def test_an_empty_first_chunk_does_not_name_the_completion() -> None:
    filtered: Json = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "filters": [1]}
    real = {**delta("stop"), "created": 5, "model": "m"}
    for chunks in ([filtered, real], [real, filtered]):
        completion = accumulated(*chunks).completion()
        assert (completion.id, completion.created, completion.model) == ("c", 5, "m")
        assert sent(completion)["filters"] == [1]


def test_unknown_fields_are_kept_and_the_last_value_wins() -> None:
    first = {**delta(stamp=1), "tier": "a"}
    second = {**delta("stop", stamp=0), "tier": "b", "choices": [{"delta": {"stamp": 0}, "matched": 3}]}
    dumped = json.loads(accumulated(first, second).completion().model_dump_json(exclude_unset=True))
    assert dumped["tier"] == "b"
    assert dumped["choices"][0]["matched"] == 3
    assert dumped["choices"][0]["message"]["stamp"] == 0


@pytest.mark.parametrize(
    "pieces",
    [
        [{"reasoning": "a"}, {"reasoning": "b"}],
        [{"reasoning_content": "a", "reasoning": "a"}, {"reasoning_content": "b", "reasoning": "b"}],
        [{"reasoning_content": "a", "reasoning": None}, {"reasoning_content": "b", "reasoning": None}],
        [{"reasoning_content": "a", "reasoning": ""}, {"reasoning": "b"}],
        [{"reasoning_content": "", "reasoning": "a"}, {"reasoning": "b"}],
    ],
)
def test_thoughts_under_two_names_count_once(pieces: list[Json]) -> None:
    message = accumulated(*(delta(**each) for each in pieces)).completion().choices[0].message
    assert message.reasoning == message.reasoning_content == "ab"


def test_an_accumulated_message_can_be_sent_back() -> None:
    message = accumulated(delta("stop", content="x")).completion().choices[0].message
    assert message.model_dump(exclude_unset=True) == {"role": "assistant", "content": "x"}


def test_what_provider_and_gateway_attach_to_a_call_is_kept_side_by_side() -> None:
    whole = CompletionAccumulator()
    for extra in ({"google": {"thought_signature": "s"}}, {"gateway": {"result": "noon"}}):
        piece = {"index": 0, "id": "1", "function": {"name": "", "arguments": ""}, "extra_content": extra}
        choice = {"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}
        whole.add(CreateChatCompletionStreamResponse.model_validate({"id": "c", "choices": [choice]}))
    [call] = whole.completion().choices[0].message.tool_calls or []
    assert call.extra_content is not None
    assert call.extra_content.model_dump(exclude_unset=True) == {
        "google": {"thought_signature": "s"},
        "gateway": {"result": "noon"},
    }
