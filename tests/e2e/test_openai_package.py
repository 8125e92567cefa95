"""The `openai` package as a client: what it does with OpenAI it does with the gateway."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from fakes import chats
from fakes.gateway import FakeGateway
from fakes.provider import COMPLETION, DONE, STREAM, Call, FakeProvider, Script, chunk

MESSAGES: Any = chats.MESSAGES
Start = Callable[..., FakeGateway]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "d",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
SCHEMA: Any = {"name": "place", "schema": {**TOOL["function"]["parameters"], "additionalProperties": False}}
WEATHER: Any = [{"role": "user", "content": "get_weather for Paris"}]


@pytest.fixture
def mock(start_gateway: Start) -> Iterator[openai.OpenAI]:
    """A client of a gateway without providers, whose mock answers."""
    with openai.OpenAI(base_url=start_gateway().url + "/v1", api_key="x", max_retries=0) as client:
        yield client


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[openai.OpenAI]:
    """A client of a gateway before the fake provider."""
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        yield client


def test_a_chat_completion_of_the_mock(mock: openai.OpenAI) -> None:
    completion = mock.chat.completions.create(model="mock/echo", messages=MESSAGES)
    assert completion.choices[0].message.content == "hi"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0


def test_a_chat_completion_of_a_provider(client: openai.OpenAI, provider: FakeProvider) -> None:
    response = client.chat.completions.with_raw_response.create(
        model="openai/m", messages=MESSAGES, temperature=0
    )
    assert response.parse().to_dict() == COMPLETION
    assert response.headers["x-request-id"].startswith("req_")
    [call] = provider.calls
    assert call.json() == {"model": "m", "messages": MESSAGES, "temperature": 0}
    assert call.headers["authorization"] == "Bearer sk-test"


def test_a_provider_named_in_the_query(client: openai.OpenAI, provider: FakeProvider) -> None:
    client.chat.completions.create(model="m", messages=MESSAGES, extra_query={"provider": "openai"})
    assert provider.calls[0].json()["model"] == "m"


def text(chunks: list[openai.types.chat.ChatCompletionChunk], index: int = 0) -> str:
    return "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == index)


def test_a_stream_of_the_mock_with_its_usage(mock: openai.OpenAI) -> None:
    with mock.chat.completions.create(
        model="mock/echo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream
    assert text(chunks) == "hi"
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


def test_a_stream_of_a_provider(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="openai/m", messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert text(chunks) == "hi"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_streaming_interface_that_collects(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="openai/m", messages=MESSAGES) as stream:
        kinds = [event.type for event in stream]
        completion = stream.get_final_completion()
    assert "content.delta" in kinds
    assert completion.choices[0].message.content == "hi"


def test_tools_of_the_mock(mock: openai.OpenAI) -> None:
    completion = mock.chat.completions.create(
        model="mock/echo", messages=WEATHER, tools=[TOOL], tool_choice="required"
    )
    [call] = completion.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)
    assert completion.choices[0].finish_reason == "tool_calls"


def test_tools_of_the_mock_in_a_stream(mock: openai.OpenAI) -> None:
    with mock.chat.completions.create(
        model="mock/echo", messages=WEATHER, tools=[TOOL], tool_choice="required", stream=True
    ) as stream:
        calls = [call for c in stream for choice in c.choices for call in choice.delta.tool_calls or ()]
    assert "".join(c.function.name or "" for c in calls if c.function) == "get_weather"
    assert "city" in json.loads("".join(c.function.arguments or "" for c in calls if c.function))


def test_a_tool_call_of_a_provider_keeps_what_it_carries(
    client: openai.OpenAI, provider: FakeProvider
) -> None:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}},
    }
    message = {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [call]}

    async def script(asked: Call) -> None:
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        await asked.respond_json({**COMPLETION, "choices": [choice]})

    provider.script = script
    answer = (
        client.chat.completions.create(model="openai/m", messages=MESSAGES, tools=[TOOL]).choices[0].message
    )
    assert answer.to_dict() == message
    back = [*MESSAGES, answer.to_dict(), {"role": "tool", "tool_call_id": "1", "content": "x"}]
    client.chat.completions.create(model="openai/m", messages=back, tools=[TOOL])
    assert provider.calls[1].json()["messages"] == back


def test_tools_of_a_provider_in_a_stream(client: openai.OpenAI, provider: FakeProvider) -> None:
    def part(**function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]}

    async def script(call: Call) -> None:
        pieces = [part(name="f", arguments=""), part(arguments='{"a"'), part(arguments=":1}")]
        await call.stream([*map(chunk, pieces), chunk({}, "tool_calls"), DONE])

    provider.script = script
    with client.chat.completions.stream(model="openai/m", messages=MESSAGES, tools=[TOOL]) as stream:
        completion = stream.get_final_completion()
    [call] = completion.choices[0].message.tool_calls or ()
    assert (call.function.name, call.function.arguments) == ("f", '{"a":1}')


def test_several_choices_plain_and_streamed(mock: openai.OpenAI) -> None:
    completion = mock.chat.completions.create(model="mock/echo", messages=MESSAGES, n=3)
    assert [(c.index, c.message.content) for c in completion.choices] == [(i, "hi") for i in range(3)]
    with mock.chat.completions.create(model="mock/echo", messages=MESSAGES, n=3, stream=True) as stream:
        chunks = list(stream)
    assert [text(chunks, index) for index in range(3)] == ["hi"] * 3
    finished = [c.index for piece in chunks for c in piece.choices if c.finish_reason == "stop"]
    assert sorted(finished) == [0, 1, 2]


def test_an_answer_by_a_schema(mock: openai.OpenAI) -> None:
    completion = mock.chat.completions.create(
        model="mock/echo",
        messages=MESSAGES,
        response_format={"type": "json_schema", "json_schema": SCHEMA},
    )
    answer = json.loads(completion.choices[0].message.content or "")
    assert list(answer) == ["city"]


def test_models_are_listed_and_described(client: openai.OpenAI, provider: FakeProvider) -> None:
    assert [model.id for model in client.models.list()] == ["openai/m"]
    model = client.models.retrieve("openai/m")
    assert (model.id, model.object, model.created, model.owned_by) == ("openai/m", "model", 1, "o")
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("openai/nothing")
    assert missing.value.body == "no model 'openai/nothing' is listed here"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_bad_request_is_one(client: openai.OpenAI, streamed: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="nothing", messages=MESSAGES, stream=streamed)
    assert "unable to determine the provider" in str(refused.value.body)
    assert refused.value.request_id is not None
    assert refused.value.request_id.startswith("req_")
    with pytest.raises(openai.BadRequestError) as empty:
        client.chat.completions.create(model="openai/m", messages=[], stream=streamed)
    assert "'messages' is missing or empty" in str(empty.value.body)


def test_a_model_that_the_mock_has_not_is_not_found(mock: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        mock.chat.completions.create(model="mock/nothing", messages=MESSAGES)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_rate_limit_of_the_provider_arrives_with_its_patience(
    client: openai.OpenAI, provider: FakeProvider, streamed: bool
) -> None:
    async def script(call: Call) -> None:
        error = {"message": "slow down", "type": "rate_limit", "code": "x"}
        await call.respond_json({"error": error}, 429, [("retry-after", "7")])

    provider.script = script
    with pytest.raises(openai.RateLimitError, match="slow down") as limited:
        client.chat.completions.create(model="openai/m", messages=MESSAGES, stream=streamed)
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.code == "x"
    assert len(provider.calls) == 1


async def _breaks_off(call: Call) -> None:
    await call.begin_stream()
    await call.piece(b"".join(STREAM[:2]))
    call.close()


async def _resets(call: Call) -> None:
    await call.begin_stream()
    await call.piece(b"".join(STREAM[:2]))
    call.reset()


async def _ends_early(call: Call) -> None:
    await call.stream(STREAM[:2])


async def _says_done_early(call: Call) -> None:
    await call.stream([*STREAM[:2], DONE])


async def _tells_an_error(call: Call) -> None:
    await call.stream([*STREAM[:2], b'data: {"error": {"message": "overloaded"}}\n\n', DONE])


async def _sends_no_json(call: Call) -> None:
    await call.stream([*STREAM[:2], b"data: {broken\n\n", *STREAM[2:]])


@pytest.mark.parametrize(
    "script",
    [_breaks_off, _resets, _ends_early, _says_done_early, _tells_an_error, _sends_no_json],
    ids=lambda script: script.__name__,
)
def test_a_stream_that_did_not_end_well_raises(
    client: openai.OpenAI, provider: FakeProvider, script: Script
) -> None:
    provider.script = script
    chunks: list[openai.types.chat.ChatCompletionChunk] = []
    stream = client.chat.completions.create(model="openai/m", messages=MESSAGES, stream=True)
    with stream, pytest.raises(openai.APIError):
        chunks.extend(stream)
    assert text(chunks) == "hi"


async def test_the_asynchronous_client(gateway: FakeGateway) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        completion = await client.chat.completions.create(model="openai/m", messages=MESSAGES)
        assert completion.choices[0].message.content == "hi"
        async with await client.chat.completions.create(
            model="openai/m", messages=MESSAGES, stream=True
        ) as stream:
            assert text([piece async for piece in stream]) == "hi"
