"""What users build: only what is set goes out, and what is out of bounds does not."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference_gateway.models import (
    ChatCompletionMessageToolCall,
    ChatCompletionMessageToolCallFunction,
    ChatCompletionTool,
    CreateChatCompletionRequest,
    FunctionObject,
    FunctionParameters,
    ImageContentPart,
    ImageURL,
    Message,
    TextContentPart,
)

USER = {"role": "user", "content": "Hi"}
WEATHER = ChatCompletionTool(
    type="function",
    function=FunctionObject(
        name="get_current_weather",
        description="Get the current weather in a given location",
        parameters=FunctionParameters(
            type="object",
            properties={"unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": None}},
            required=["unit"],
            additionalProperties=False,
        ),
    ),
)
WEATHER_ON_THE_WIRE = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": None}},
            "required": ["unit"],
            "additionalProperties": False,
        },
    },
}


def body(**fields: object) -> dict[str, Any]:
    request = CreateChatCompletionRequest.model_validate({"model": "m", "messages": [USER], **fields})
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_a_bare_request_has_no_defaults_in_it() -> None:
    assert body() == {"model": "m", "messages": [USER]}


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.7, "top_p": 0.9, "n": 1, "max_completion_tokens": 512, "max_tokens": 5},
        {"frequency_penalty": 0.0, "presence_penalty": 0.0, "seed": 42, "user": "user-123"},
        {"reasoning_effort": "low", "reasoning_format": "parsed", "parallel_tool_calls": False},
        {"stop": "\n\n"},
        {"stop": ["END", "STOP"]},
        {"response_format": {"type": "json_object"}},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "get_current_weather"}}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
        {"tools": [{"type": "web_search", "search_context_size": "low"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": False}}]},
        {"logprobs": True, "top_logprobs": 5, "logit_bias": {"50256": -100}},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"metadata": {"a": None}, "service_tier": "auto", "top_k": 4},
    ],
)
def test_given_fields_go_out_as_they_were_given(fields: dict[str, object]) -> None:
    assert body(**fields) == {"model": "m", "messages": [USER], **fields}


def test_none_means_not_given() -> None:
    assert body(temperature=None, tools=None) == {"model": "m", "messages": [USER]}
    message = Message(role="user", content="Hi", tool_calls=None, name=None)
    assert message.model_dump(exclude_unset=True) == USER


@pytest.mark.parametrize("name", ["schema", "schema_"])
def test_the_key_of_a_schema_is_schema(name: str) -> None:
    wanted = {"name": "city", "strict": True, "schema": {"type": "object", "default": None}}
    given_ = {"name": "city", "strict": True, name: wanted["schema"]}
    sent = body(response_format={"type": "json_schema", "json_schema": given_})
    assert sent["response_format"] == {"type": "json_schema", "json_schema": wanted}


def test_a_tool_goes_out_with_nothing_added() -> None:
    assert body(tools=[WEATHER])["tools"] == [WEATHER_ON_THE_WIRE]


def test_parts_go_out_unwrapped_and_without_a_detail_that_was_not_given() -> None:
    parts: list[TextContentPart | ImageContentPart] = [
        TextContentPart(type="text", text="What is this?"),
        ImageContentPart(type="image_url", image_url=ImageURL(url="data:image/png;base64,AA==")),
    ]
    message = Message(role="user", content=parts)
    assert body(messages=[message])["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    assert isinstance(message.content.root, list)
    assert message.content.root[0].root == parts[0]


def test_a_part_of_another_kind_goes_through() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    message = {"role": "user", "content": [part, marked], "name": "ann"}
    assert body(messages=[message])["messages"] == [message]


def test_an_assistant_may_call_tools_instead_of_speaking() -> None:
    function = ChatCompletionMessageToolCallFunction(name="f", arguments="{}")
    call = ChatCompletionMessageToolCall(id="1", function=function)
    assert Message(role="assistant", tool_calls=[call]).model_dump(exclude_unset=True) == {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }


def test_assignment_is_checked_and_wrapped() -> None:
    message = Message.model_validate(USER)
    setattr(message, "content", "Bye")  # noqa: B010
    assert message.content.root == "Bye"
    with pytest.raises(ValidationError, match="not a MessageRole"):
        setattr(message, "role", "nobody")  # noqa: B010
    message.reasoning = "first"
    message.reasoning = "second"
    assert message.reasoning_content == "second"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 1.5}, "n"),
        ({"stop": []}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"frequency_penalty": -2.1}, "frequency_penalty"),
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools"),
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"reasoning_effort": "utmost"}, "reasoning_effort"),
        ({"stream": "yes"}, "stream"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages"),
        ({"messages": [{"role": "nobody", "content": "Hi"}]}, "messages"),
        ({"messages": ["Hi"]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}]}, "messages"),
    ],
)
def test_an_error_names_the_field(fields: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        body(**fields)
    assert {error["loc"][0] for error in caught.value.errors()} == {where}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DECLARED = frozenset(FunctionParameters.model_fields)


@given(st.dictionaries(st.text().filter(lambda key: key not in DECLARED), JSON, max_size=4))
def test_a_schema_is_sent_verbatim(schema: dict[str, object]) -> None:
    parameters = FunctionParameters.model_validate(schema)
    assert parameters.model_dump(by_alias=True, exclude_unset=True) == schema


@given(st.text(), JSON)
def test_any_extra_field_is_sent_verbatim(text: str, value: object) -> None:
    message = {"role": "user", "content": text, "x_extra": value}
    assert body(messages=[message], x_extra=value)["messages"] == [message]
