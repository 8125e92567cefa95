"""Reasoning, inline and in its own field, in whole answers and in streams cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inference_gateway.server.providers.translators.reasoning import (
    FORMATS,
    Format,
    Object,
    StreamConverter,
    convert_answer,
)

TEXTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<thi", "nk>", "</", "<", ">", "think", " ", "\n", "é", "a b", "\u2028"]
    ),
    max_size=9,
).map("".join)
THINKING = st.tuples(
    st.sampled_from(["", " ", "\n"]), TEXTS, st.sampled_from(["", "</think>", "</think>\n\n"]), TEXTS
)
ANY_TEXT = TEXTS | THINKING.map(lambda parts: f"{parts[0]}<think>{parts[1]}{parts[2]}{parts[3]}")
CUTS = st.lists(st.integers(0, 60))


def answer(message: Object, **more: object) -> Object:
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **more}


def chunk(delta: Object, finish: str | None = None, index: int = 0, **more: object) -> Object:
    return {"id": "x", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def message_of(converted: Object | None) -> Object:
    assert converted is not None
    choices = converted["choices"]
    assert isinstance(choices, list)
    message = choices[0]["message"]
    assert isinstance(message, dict)
    return message


def deltas(chunks: list[Object], index: int = 0) -> list[Object]:
    found = []
    for one in chunks:
        choices = one["choices"]
        assert isinstance(choices, list)
        found += [choice["delta"] for choice in choices if choice["index"] == index]
    return found


def joined(chunks: list[Object], field: str, index: int = 0) -> str:
    return "".join(str(delta.get(field) or "") for delta in deltas(chunks, index))


def run(wanted: Format, chunks: list[Object]) -> list[Object]:
    converter = StreamConverter(wanted)
    out = [new for one in chunks for new in converter.feed(one)]
    return out + converter.finish()


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def test_parsed_splits_an_inline_block_into_both_fields() -> None:
    converted = convert_answer(
        answer({"role": "assistant", "content": " <think>plan\n</think>\n\nrest"}), "parsed"
    )
    assert list(message_of(converted).items()) == [
        ("role", "assistant"),
        ("content", "rest"),
        ("reasoning_content", "plan\n"),
        ("reasoning", "plan\n"),
    ]


def test_unknown_fields_and_the_order_of_keys_survive() -> None:
    given_answer = answer({"x": 1, "content": "<think>a</think>b", "y": {"z": None}}, vendor={"k": [1]})
    converted = convert_answer(given_answer, "parsed")
    assert converted is not None
    assert list(converted) == ["id", "choices", "vendor"]
    assert list(message_of(converted)) == ["x", "content", "y", "reasoning_content", "reasoning"]
    assert message_of(given_answer)["content"] == "<think>a</think>b"


@pytest.mark.parametrize(
    ("content", "thought", "said"),
    [
        ("<think>never closed", "never closed", ""),
        ("reasoning</think>\nanswer", "reasoning", "answer"),
        ("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d"),
    ],
)
def test_parsed_reads_the_unusual_forms(content: str, thought: str, said: str) -> None:
    message = message_of(convert_answer(answer({"content": content}), "parsed"))
    assert (message["reasoning_content"], message["reasoning"], message["content"]) == (
        thought,
        thought,
        said,
    )


@pytest.mark.parametrize(
    "content", ["plain", "", "see <think>a</think>", "a</think>b</think>", None, [{"type": "text"}]]
)
def test_parsed_leaves_an_answer_without_reasoning_alone(content: object) -> None:
    assert convert_answer(answer({"content": content}), "parsed") is None


def test_an_empty_block_disappears_without_a_trace() -> None:
    assert message_of(convert_answer(answer({"content": "<think>\n\n</think>\n\nhi"}), "parsed")) == {
        "content": "hi"
    }


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_parsed_mirrors_the_providers_own_field_and_leaves_the_content(name: str) -> None:
    message = message_of(convert_answer(answer({"content": "<think>kept</think>", name: "own"}), "parsed"))
    assert message == {"content": "<think>kept</think>", "reasoning_content": "own", "reasoning": "own"}


def test_raw_puts_the_field_inline() -> None:
    message = message_of(
        convert_answer(answer({"content": "rest", "reasoning": "r", "reasoning_content": "r"}), "raw")
    )
    assert message == {"content": "<think>r</think>rest"}


def test_raw_keeps_what_is_inline_already() -> None:
    assert convert_answer(answer({"content": "<think>a</think>b"}), "raw") is None
    message = message_of(convert_answer(answer({"content": "<think>a</think>b", "reasoning": "a"}), "raw"))
    assert message == {"content": "<think>a</think>b"}


def test_raw_gives_content_to_an_answer_that_has_none() -> None:
    message: Object = {"content": None, "reasoning": "r", "tool_calls": [{"id": "1"}]}
    assert message_of(convert_answer(answer(message), "raw")) == {
        "content": "<think>r</think>",
        "tool_calls": [{"id": "1"}],
    }


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>a</think>b"},
        {"content": "b", "reasoning": "a"},
        {"content": "a</think>b", "reasoning_content": ""},
    ],
)
def test_hidden_removes_reasoning_wherever_it_is(message: Object) -> None:
    assert message_of(convert_answer(answer(message), "hidden")) == {"content": "b"}


@pytest.mark.parametrize("wanted", FORMATS)
@pytest.mark.parametrize(
    "strange", [{}, {"choices": None}, {"choices": [1, {}, {"message": 5}]}, {"error": "x"}]
)
def test_what_is_no_answer_is_left_alone(strange: Object, wanted: Format) -> None:
    assert convert_answer(strange, wanted) is None


@given(ANY_TEXT, CUTS, st.sampled_from(FORMATS), st.booleans())
def test_however_a_stream_is_cut_it_says_what_the_plain_answer_says(
    text: str, cuts: list[int], wanted: Format, finishes: bool
) -> None:
    # A lone closing tag is known in a whole answer only.
    assume(text.lstrip().startswith("<think>") or "</think>" not in text)
    plain = convert_answer(answer({"content": text}), wanted) or answer({"content": text})
    stream = [chunk({"content": piece}) for piece in cut(text, cuts)]
    out = run(wanted, [*stream, chunk({}, "stop")] if finishes else stream)
    message = message_of(plain)
    assert joined(out, "content") == message["content"]
    assert joined(out, "reasoning_content") == message.get("reasoning_content", "")
    assert joined(out, "reasoning") == ""


@given(TEXTS, TEXTS, CUTS, st.sampled_from(["reasoning", "reasoning_content"]), st.sampled_from(FORMATS))
def test_a_stream_of_the_providers_own_field_says_what_the_plain_answer_says(
    thought: str, said: str, cuts: list[int], name: str, wanted: Format
) -> None:
    assume(thought)
    assume(wanted == "parsed" or "think>" not in said)
    plain = message_of(convert_answer(answer({"content": said, name: thought}), wanted))
    stream = [chunk({name: piece}) for piece in cut(thought, cuts)]
    stream += [chunk({"content": piece}) for piece in cut(said, cuts)]
    out = run(wanted, [*stream, chunk({}, "stop")])
    assert joined(out, "content") == plain["content"]
    assert joined(out, "reasoning_content") == plain.get("reasoning_content", "")


@given(ANY_TEXT, CUTS, st.sampled_from(FORMATS))
def test_nothing_of_a_choice_comes_after_its_finish(text: str, cuts: list[int], wanted: Format) -> None:
    stream = [chunk({"content": piece}) for piece in cut(text, cuts)]
    converter = StreamConverter(wanted)
    out = [new for one in [*stream, chunk({"content": "<thi"}, "stop")] for new in converter.feed(one)]
    finishes = [
        choice["finish_reason"]
        for one in out
        if isinstance(one["choices"], list)
        for choice in one["choices"]
    ]
    assert finishes[-1] == "stop"
    assert finishes.count("stop") == 1
    assert converter.finish() == []


def test_what_was_held_comes_before_the_finish() -> None:
    out = run(
        "parsed",
        [chunk({"role": "assistant", "content": "<think>a</thi"}), chunk({}, "length", usage={"n": 1})],
    )
    assert deltas(out) == [
        {"role": "assistant", "content": "", "reasoning_content": "a"},
        {"reasoning_content": "</thi"},
        {},
    ]
    assert out[1] == {
        "id": "x",
        "choices": [{"index": 0, "delta": {"reasoning_content": "</thi"}, "finish_reason": None}],
    }
    assert out[2]["usage"] == {"n": 1}


def test_a_stream_of_one_chunk_keeps_the_role_first() -> None:
    out = run("raw", [chunk({"role": "assistant", "reasoning": "r", "content": None}, "stop")])
    assert deltas(out) == [{"role": "assistant", "content": "<think>r</think>"}, {"content": None}]


def test_a_stream_that_ends_without_a_finish_gives_what_was_held() -> None:
    assert joined(run("parsed", [chunk({"content": "<thin"})]), "content") == "<thin"
    assert joined(run("raw", [chunk({"reasoning": "r"})]), "content") == "<think>r</think>"


def test_deltas_use_the_providers_own_name_only_if_it_does() -> None:
    out = run("parsed", [chunk({"reasoning": "a"}), chunk({"reasoning_content": "b"})])
    assert deltas(out) == [{"reasoning": "a", "reasoning_content": "a"}, {"reasoning_content": "b"}]


def test_raw_closes_the_block_before_a_tool_call() -> None:
    call = chunk({"tool_calls": [{"index": 0}]})
    out = run(
        "raw",
        [chunk({"reasoning": "a"}), chunk({"reasoning": "b", "content": ""}), call, chunk({}, "tool_calls")],
    )
    assert deltas(out) == [
        {"content": "<think>a"},
        {"content": "b"},
        {"content": "</think>"},
        {"tool_calls": [{"index": 0}]},
        {},
    ]


def test_a_chunk_with_nothing_left_is_dropped_unless_it_carries_something_else() -> None:
    bare, counted = chunk({"reasoning": "a"}), chunk({"reasoning": "a"}, usage={"total_tokens": 1})
    rated: Object = {"choices": [{"index": 0, "delta": {"reasoning": "a"}, "logprobs": {"content": []}}]}
    out = run("hidden", [bare, chunk({"role": "assistant", "reasoning": "a"}), counted, rated])
    assert out == [
        chunk({"role": "assistant"}),
        {"id": "x", "choices": [], "usage": {"total_tokens": 1}},
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": []}}]},
    ]


@pytest.mark.parametrize("wanted", FORMATS)
def test_what_needs_no_change_is_the_same_object(wanted: Format) -> None:
    stream: list[Object] = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "hi"}),
        chunk({"tool_calls": [{"index": 0}]}),
        chunk({}, "stop"),
        {"choices": [], "usage": {"total_tokens": 1}},
        {"error": "x"},
        {"choices": [7, {"index": "?", "delta": {"content": "<think>"}}]},
    ]
    out = run(wanted, stream)
    assert all(new is old for new, old in zip(out, stream, strict=True))


def test_choices_are_told_apart() -> None:
    both: list[Object] = [
        {"choices": [{"index": index, "delta": {"content": text}} for index, text in enumerate(texts)]}
        for texts in [("<think>a", "<thi"), ("</think>x", "s")]
    ]
    out = run("parsed", both)
    assert (joined(out, "reasoning_content", 0), joined(out, "content", 0)) == ("a", "x")
    assert (joined(out, "reasoning_content", 1), joined(out, "content", 1)) == ("", "<this")


def test_a_stream_never_holds_more_than_a_little_white_space() -> None:
    text = " " * 300 + "<think>a</think>"
    assert joined(run("parsed", [chunk({"content": one}) for one in text]), "content") == text
    assert convert_answer(answer({"content": text}), "parsed") is None
