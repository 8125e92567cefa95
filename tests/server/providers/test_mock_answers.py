"""The mock provider from its bytes: what it answers, streams, and refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_gateway.server.errors import BadRequest, NotFound
from inference_gateway.server.providers.mock.answers import MODELS, answer, events, parse

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["place"],
        },
    },
}
OTHER = {"type": "function", "function": {"name": "get_time"}}


def body(text: object = "Hello there", **fields: object) -> bytes:
    return json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}], **fields}).encode()


def ask(text: object = "Hello there", **fields: object) -> Any:
    whole = answer(parse(body(text, **fields)))
    ChatCompletion.model_validate_json(whole)
    return json.loads(whole)


def message(text: object = "Hello there", **fields: object) -> Any:
    return ask(text, **fields)["choices"][0]["message"]


def stream(text: object = "Hello there", **fields: object) -> list[Any]:
    *data, last = list(events(parse(body(text, stream=True, **fields))))
    assert last == b"data: [DONE]\n\n"
    chunks = []
    for event in data:
        assert event.startswith(b"data: {")
        assert event.endswith(b"}\n\n")
        # Clients that split lines as Python does must see one line, too.
        assert len(event.decode().splitlines()) == 2
        ChatCompletionChunk.model_validate_json(event[6:])
        chunks.append(json.loads(event[6:]))
    return chunks


def deltas(chunks: list[Any], index: int = 0) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]


def joined(chunks: list[Any], field: str, index: int = 0) -> str:
    return "".join(delta.get(field, "") for delta in deltas(chunks, index))


def finishes(chunks: list[Any]) -> list[str]:
    return [
        choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]
    ]


def test_the_answer_is_an_echo() -> None:
    assert ask("Hello there, you") | {"id": "", "created": 0} == {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": "echo",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there, you"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }


def test_the_same_request_gets_the_same_bytes_and_another_one_another_id() -> None:
    assert answer(parse(body())) == answer(parse(body()))
    assert list(events(parse(body()))) == list(events(parse(body())))
    assert ask()["id"] != ask("Good bye")["id"]


def test_a_stream_comes_word_by_word_with_the_role_first() -> None:
    chunks = stream("Hello  there\n")
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": "  there"},
        {"content": "\n"},
        {"content": ""},
    ]
    assert finishes(chunks) == ["stop"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1


@given(
    st.text(),
    st.integers(1, 3),
    st.integers(1, 5) | st.none(),
    st.lists(st.text(min_size=1), max_size=4),
    st.booleans(),
)
def test_a_stream_says_what_the_plain_answer_says(
    text: str, n: int, limit: int | None, stop: list[str], thinks: bool
) -> None:
    fields: dict[str, object] = {"n": n, "max_tokens": limit, "stop": stop}
    if thinks:
        fields["reasoning_effort"] = "low"
    chunks = stream(text, **fields, stream_options={"include_usage": True})
    whole = ask(text, **fields)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert finishes(chunks) == [choice["finish_reason"] for choice in whole["choices"]]
    for index, choice in enumerate(whole["choices"]):
        assert joined(chunks, "content", index) == choice["message"]["content"]
        assert joined(chunks, "reasoning_content", index) == choice["message"].get("reasoning_content", "")


@given(st.text())
def test_the_echo_is_exact(text: str) -> None:
    assert message(text)["content"] == text


@pytest.mark.parametrize("fields", [{}, {"n": 3}, {"tools": [TOOL]}, {"reasoning_effort": "low"}])
def test_the_official_client_puts_a_stream_together(fields: dict[str, Any]) -> None:
    state = ChatCompletionStreamState()
    for chunk in stream("one two", **fields):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    choices: Any = state.get_final_completion().to_dict()["choices"]
    for made, wanted in zip(choices, ask("one two", **fields)["choices"], strict=True):
        assert made["finish_reason"] == wanted["finish_reason"]
        for name in ("role", "content", "reasoning_content"):
            assert made["message"].get(name) == wanted["message"].get(name)
        for call, whole in zip(
            made["message"].get("tool_calls") or [], wanted["message"].get("tool_calls", []), strict=True
        ):
            assert call["type"] == whole["type"]
            assert call["function"].items() >= whole["function"].items()


def test_choices_take_turns() -> None:
    chunks = stream("one two", n=2)
    assert [chunk["choices"][0]["index"] for chunk in chunks] == [0, 1] * 4
    whole = ask("one two", n=3)
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    assert whole["usage"]["completion_tokens"] == 6


def test_usage_is_streamed_only_on_request() -> None:
    assert all("usage" not in chunk for chunk in stream())
    assert all("usage" not in chunk for chunk in stream(stream_options={"include_usage": False}))


@pytest.mark.parametrize(
    ("messages", "echo"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        ([{"role": "system", "content": "rules"}], "rules"),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant"}, {"role": "tool", "content": "21 C"}],
            "21 C",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]}],
            "a  b",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image_url", "image_url": {"url": "x"}},
                    ],
                }
            ],
            "see [image]",
        ),
        ([{"role": "user", "content": [{"type": "input_audio"}, {"type": "file"}]}], "[audio] [file]"),
        ([{"role": "developer", "content": "d", "name": "x"}, {"role": "user", "content": []}], ""),
    ],
)
def test_what_is_echoed_is_what_was_said_last_to_the_model(messages: list[object], echo: str) -> None:
    assert message(messages=messages)["content"] == echo


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_limit_is_a_number_of_words(field: str) -> None:
    choice = ask("one two\nthree four", **{field: 3})["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two\nthree", "length")
    choice = ask("one two\n", **{field: 2})["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two\n", "stop")


def test_the_lower_of_two_limits_counts() -> None:
    assert message("one two three", max_tokens=2, max_completion_tokens=1)["content"] == "one"


@pytest.mark.parametrize(
    ("stop", "left"), [("three", "one two "), (["four", "two"], "one "), (["five"], "one two three")]
)
def test_a_stop_sequence_ends_the_text(stop: object, left: str) -> None:
    choice = ask("one two three", stop=stop)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (left, "stop")


def test_a_tool_is_called_with_valid_arguments() -> None:
    choice = ask(tools=[TOOL, OTHER])["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == ""
    assert call["id"].startswith("call_")
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"place": "string", "unit": "C"}


def test_a_tool_call_is_streamed_in_parts() -> None:
    chunks = stream(tools=[TOOL])
    first, *rest = [delta["tool_calls"][0] for delta in deltas(chunks) if "tool_calls" in delta]
    assert first["type"] == "function"
    assert first["function"] == {"name": "get_weather", "arguments": ""}
    assert all(set(part) == {"index", "function"} and part["function"]["name"] == "" for part in rest)
    whole = message(tools=[TOOL])["tool_calls"][0]
    arguments = "".join(part["function"]["arguments"] for part in rest)
    assert len(rest) > 1
    assert arguments == whole["function"]["arguments"]
    assert finishes(chunks) == ["tool_calls"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", "get_weather"),
        ("required", "get_weather"),
        ("none", None),
        ({"type": "function", "function": {"name": "get_time"}}, "get_time"),
    ],
)
def test_the_choice_of_a_tool_is_obeyed(choice: object, called: str | None) -> None:
    calls = message(tools=[TOOL, OTHER], tool_choice=choice).get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == ([called] if called else [])


def test_a_tool_without_parameters_gets_an_empty_object() -> None:
    assert message(tools=[OTHER])["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_tools_result_is_answered_with_text() -> None:
    messages = [
        {"role": "user", "content": "q"},
        {"role": "tool", "tool_call_id": "call_1", "content": "21 C"},
    ]
    choice = ask(messages=messages, tools=[TOOL], tool_choice="required")["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("21 C", "stop")


def test_json_can_be_asked_for() -> None:
    assert json.loads(message('say "hi"', response_format={"type": "json_object"})["content"]) == {
        "echo": 'say "hi"'
    }
    assert message(response_format={"type": "text"})["content"] == "Hello there"


@pytest.mark.parametrize("key", ["schema", "schema_"])
def test_json_of_a_schema_can_be_asked_for(key: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "people": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, key: schema}}
    assert json.loads(message(response_format=wanted)["content"]) == {"city": "string", "people": 0}
    assert len(deltas(stream(response_format=wanted))) > 4


@pytest.mark.parametrize("fields", [{"reasoning_effort": "low"}, {"reasoning_format": "parsed"}])
def test_reasoning_comes_before_the_content(fields: dict[str, object]) -> None:
    whole = ask(**fields)
    said = whole["choices"][0]["message"]
    assert said["reasoning_content"] == said["reasoning"] == "I will repeat what I was told."
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 7}
    assert whole["usage"]["completion_tokens"] == 9
    names = ["reasoning_content" in delta for delta in deltas(stream(**fields))]
    assert names == [False] + [True] * 7 + [False] * 3
    assert not joined(stream(**fields), "reasoning")


@pytest.mark.parametrize(
    ("wanted", "content"),
    [("raw", "<think>I will repeat what I was told.</think>Hello there"), ("hidden", "Hello there")],
)
def test_reasoning_goes_where_it_is_wanted(wanted: str, content: str) -> None:
    whole = ask(reasoning_format=wanted)
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": content}
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 7}
    chunks = stream(reasoning_format=wanted)
    assert (joined(chunks, "content"), joined(chunks, "reasoning_content")) == (content, "")


def test_reasoning_can_be_switched_off() -> None:
    assert "reasoning_content" not in message(reasoning_effort="none", reasoning_format="parsed")
    assert "reasoning_content" not in message(reasoning_effort=None)


def test_a_thought_counts_against_the_limit() -> None:
    choice = ask("one two", reasoning_effort="low", max_completion_tokens=8)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "length")
    choice = ask("one two", reasoning_effort="low", max_completion_tokens=2)["choices"][0]
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("", "I will")


def test_it_thinks_before_it_calls() -> None:
    said = message(tools=[TOOL], reasoning_effort="high")
    assert said["reasoning_content"] == "I will call the tool get_weather."
    assert said["tool_calls"]


def test_what_official_clients_send_is_accepted() -> None:
    unset = ("stop", "tools", "tool_choice", "response_format", "n", "stream", "stream_options", "max_tokens")
    fields: dict[str, object] = dict.fromkeys(unset)
    fields |= {"temperature": 1, "user": "u", "seed": 1, "vendor": {"x": []}}
    assert message(**fields)["content"] == "Hello there"
    request = parse(body(stream=True))
    assert (request.stream, request.model) == (True, "echo")
    assert not parse(body()).stream
    assert MODELS == ("echo", "tools")


def test_line_ends_that_only_some_clients_know_are_escaped_in_streams() -> None:
    text = "a\u0085b\u2028c\u2029d\x0b\x0c\x1c\x1d\x1e\u00e9"
    raw = b"".join(events(parse(body(text))))
    assert "é".encode() in raw
    assert all(escape in raw for escape in (b"\\u0085b", b"\\u2028c", b"\\u2029d"))
    assert joined(stream(text), "content") == text


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(NotFound, match="'gpt-9'"):
        parse(body(model="gpt-9"))


NAMED = {"type": "function", "function": {"name": "nobody"}}


def user(content: object) -> object:
    return [{"role": "user", "content": content}]


def tool(**function: object) -> object:
    return {"type": "function", "function": function}


def schema(value: object) -> object:
    return {"type": "json_schema", "json_schema": {"schema": value}}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": 5}, "model: "),
        ({"messages": []}, "messages: "),
        ({"messages": {}}, "messages: "),
        ({"messages": ["hi"]}, "messages[0]: "),
        ({"messages": [{"content": "x"}]}, "messages[0]: Object missing required field `role`"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role: "),
        ({"messages": user(5)}, "messages[0].content: "),
        ({"messages": user(None)}, "messages[0].content: "),
        ({"messages": user([{"text": "x"}])}, "messages[0].content[0]: Object missing required field `type`"),
        ({"messages": user([{"type": "text"}])}, "messages[0].content[0].text: "),
        ({"n": 0}, "n: "),
        ({"n": 129}, "n: "),
        ({"n": "1"}, "n: "),
        ({"stream": "yes"}, "stream: "),
        ({"stream_options": []}, "stream_options: "),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens: "),
        ({"stop": ""}, "stop: "),
        ({"stop": [1]}, "stop[0]: "),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop: "),
        ({"tools": {}}, "tools: "),
        ({"tools": [tool()]}, "tools[0].function: Object missing required field `name`"),
        ({"tools": [tool(name="")]}, "tools[0].function.name: "),
        ({"tools": [{"type": "magic", "function": {"name": "a"}}]}, "tools[0].type: "),
        ({"tools": [{"function": {"name": "a"}}]}, "tools[0]: Object missing required field `type`"),
        ({"tools": [TOOL, tool(name="a", parameters=5)]}, "tools[1].function.parameters: "),
        ({"tools": [tool(name="a", parameters={"type": "string"})]}, "tools[0].function.parameters: "),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice: "),
        ({"tools": [TOOL], "tool_choice": NAMED}, "tool_choice.function.name: no tool is named 'nobody'"),
        ({"tool_choice": NAMED}, "tool_choice.function.name: "),
        ({"tool_choice": "required"}, "tool_choice: "),
        ({"response_format": {"type": "xml"}}, "response_format.type: "),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema: "),
        ({"response_format": schema(5)}, "response_format.json_schema.schema: "),
        ({"response_format": schema({"enum": []})}, "response_format.json_schema.schema: "),
        ({"reasoning_effort": 3}, "reasoning_effort: "),
        ({"reasoning_format": []}, "reasoning_format: "),
        ({"reasoning_format": "loud"}, "reasoning_format: "),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(body(**fields))
    assert caught.value.message.startswith(field)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b"\xff", b'{"model":"echo"}', b'{"x":' * 2000, b'"\\ud800"']
)
def test_a_body_that_is_no_request_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(text)


def test_a_schema_nested_as_deeply_as_json_may_be_is_refused_or_met() -> None:
    for depth in (50, 200, 400, 900):
        value = "[" * depth + "]" * depth
        wanted = '{"type":"json_schema","json_schema":{"schema":{"const":' + value + "}}}"
        text = '{"model":"echo","messages":[{"role":"user","content":""}],"response_format":' + wanted + "}"
        try:
            whole = answer(parse(text.encode()))
        except BadRequest:
            continue
        assert json.loads(json.loads(whole)["choices"][0]["message"]["content"]) == json.loads(value)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "function", "name", "parameters", "content", "role", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = [
    "model",
    "messages",
    "n",
    "stop",
    "tools",
    "tool_choice",
    "response_format",
    "stream_options",
    "max_tokens",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=3))
def test_nothing_but_a_bad_request_comes_of_junk(fields: dict[str, object]) -> None:
    try:
        request = parse(body(**fields))
    except (BadRequest, NotFound):
        return
    assert json.loads(answer(request))
    assert all(events(request))


@pytest.mark.parametrize("key", ["schema", "schema_"])
def test_a_schema_that_is_true_allows_everything(key: str) -> None:
    def said(given: object) -> str:
        wanted = {"type": "json_schema", "json_schema": {"name": "any", key: given}}
        return str(message(response_format=wanted)["content"])

    assert said(True) == said({})
    with pytest.raises(BadRequest, match="mock cannot meet 'false'"):
        said(False)


def test_all_choices_together_say_no_more_than_two_million_characters() -> None:
    parse(body("a " * 50_000, n=20))
    for text, n in (("a " * 50_000, 21), ("a" * 2_000_001, 1)):
        with pytest.raises(BadRequest, match=f"^n: {n} choices"):
            parse(body(text, n=n))
