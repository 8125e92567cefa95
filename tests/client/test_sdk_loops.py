"""Callbacks, tool loops and structured answers over real connections."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from facade import Clients
from pydantic import BaseModel

import inference_gateway as sdk
from fakes.provider import COMPLETION, DONE, Call, FakeProvider, chunk

MESSAGES = [sdk.Message(role="user", content="What is the weather in Paris?")]
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}\n\n'


@sdk.tool
def get_weather(city: str) -> str:
    """Tell the weather.

    :param city: where.
    """
    return f"sunny in {city}"


def tool_call(name: str, arguments: str, call_id: str = "c1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(reason: str, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {**COMPLETION, "choices": [choice]}


PARIS = tool_call("get_weather", '{"city": "Paris"}')
CALLS_WEATHER = completion("tool_calls", content=None, tool_calls=[PARIS])


def in_turn(*answers: Any) -> Callable[[Call], Any]:
    """Give one answer after the other; bytes are events of a stream."""
    left = list(answers)

    async def script(call: Call) -> None:
        answer = left.pop(0)
        if isinstance(answer, tuple):
            await call.stream(answer)
        else:
            await call.respond_json(answer)

    return script


class Heard:
    """Callbacks that note everything down."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.callbacks = sdk.StreamCallbacks(
            on_open=lambda: self.events.append(("open", None)),
            on_reasoning=lambda text: self.events.append(("reasoning", text)),
            on_content=lambda text: self.events.append(("content", text)),
            on_tool=lambda call: self.events.append(("tool", call.function.name)),
            on_mcp_tool=lambda call: self.events.append(("mcp_tool", call.function.name)),
            on_usage_metrics=lambda usage: self.events.append(("usage", usage.total_tokens)),
            on_finish=lambda last: self.events.append(("finish", last is not None)),
            on_error=lambda error: self.events.append(("error", type(error).__name__)),
        )


# ---- callbacks -----------------------------------------------------------------------------------------


def piece(name: str, arguments: str, index: int) -> dict[str, Any]:
    return {"index": index, **tool_call(name, arguments, f"c{index}")}


def test_callbacks_hear_everything_once(make_client: Clients, start_provider: Any) -> None:
    events = (
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm", "reasoning": "Hm"}),
        chunk({"content": "Let me see"}),
        chunk({"tool_calls": [piece("get_weather", '{"city"', 0)]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ': "Paris"}'}}]}),
        chunk({"tool_calls": [piece("mcp_read", "", 1)]}),
        chunk({}, "tool_calls"),
        USAGE,
        DONE,
    )
    provider: FakeProvider = start_provider(in_turn(events))
    heard = Heard()
    completion = make_client(provider.url).stream_chat_completion(
        heard.callbacks, "m", MESSAGES, tools=[get_weather]
    )
    assert heard.events == [
        ("open", None),
        ("reasoning", "Hm"),
        ("content", "Let me see"),
        ("tool", "get_weather"),
        ("mcp_tool", "mcp_read"),
        ("usage", 4),
        ("finish", True),
    ]
    assert completion.choices[0].message.tool_calls[0].function.arguments == '{"city": "Paris"}'
    assert provider.calls[0].json()["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("events", "heard_events"),
    [
        ((chunk({"content": "a"}),), [("open", None), ("content", "a"), ("error", "IncompleteStreamError")]),
        ((b'data: {"error": "no"}\n\n',), [("open", None), ("error", "StreamError")]),
    ],
)
def test_a_stream_that_fails_is_told_and_raised(
    make_client: Clients, start_provider: Any, events: Any, heard_events: Any
) -> None:
    heard = Heard()
    client = make_client(start_provider(in_turn(events)).url)
    with pytest.raises(sdk.InferenceGatewayError):
        client.stream_chat_completion(heard.callbacks, "m", MESSAGES)
    assert heard.events == heard_events


def test_a_request_that_fails_opens_nothing(make_client: Clients) -> None:
    heard = Heard()
    client = make_client("http://127.0.0.1:1/v1")
    with pytest.raises(sdk.InferenceGatewayConnectionError):
        client.stream_chat_completion(heard.callbacks, "m", MESSAGES)
    assert heard.events == [("error", "InferenceGatewayConnectionError")]


def test_what_a_callback_raises_is_raised(client: Any) -> None:
    def stop(_text: str) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        client.stream_chat_completion(sdk.StreamCallbacks(on_content=stop), "m", MESSAGES)


# ---- tools ---------------------------------------------------------------------------------------------


def test_tools_run_until_the_model_has_its_answer(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(in_turn(CALLS_WEATHER, COMPLETION))
    runner = make_client(provider.url).run_tools(
        "m", MESSAGES, [get_weather], "groq", temperature=0, idempotency_key="k"
    )
    final = runner.until_done()
    assert final.choices[0].message.content == "hi"
    first, second = provider.calls
    assert first.target.endswith("?provider=groq")
    assert first.json()["tools"][0]["function"]["name"] == "get_weather"
    assert second.json()["messages"][2] == {
        "role": "tool",
        "tool_call_id": "c1",
        "content": "sunny in Paris",
    }
    assert second.json()["temperature"] == 0
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert [message.role for message in runner.messages] == ["user", "assistant", "tool", "assistant"]
    assert not runner.exhausted


def test_rounds_can_be_watched_one_by_one(make_client: Clients, start_provider: Any) -> None:
    client = make_client(start_provider(in_turn(CALLS_WEATHER, COMPLETION)).url)
    reasons = [each.choices[0].finish_reason for each in client.run_tools("m", MESSAGES, [get_weather])]
    assert reasons == ["tool_calls", "stop"]


def test_a_run_ends_at_its_limit(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(in_turn(*[CALLS_WEATHER] * 3))
    runner = make_client(provider.url).run_tools("m", MESSAGES, [get_weather], max_iterations=2)
    runner.until_done()
    assert (len(provider.calls), runner.exhausted) == (2, True)


def test_a_tool_that_fails_is_told_to_the_model_or_raised(make_client: Clients, start_provider: Any) -> None:
    def get_weather(city: str) -> str:
        raise sdk.ToolError(f"no such city: {city}")

    provider: FakeProvider = start_provider(in_turn(CALLS_WEATHER, COMPLETION, CALLS_WEATHER))
    client = make_client(provider.url)
    client.run_tools("m", MESSAGES, [get_weather]).until_done()
    assert "no such city: Paris" in provider.calls[1].json()["messages"][2]["content"]
    with pytest.raises(sdk.ToolError):
        client.run_tools("m", MESSAGES, [get_weather], on_error="raise").until_done()


def test_the_progress_of_a_run_can_be_followed(make_client: Clients, start_provider: Any) -> None:
    streamed = (
        chunk({"role": "assistant", "tool_calls": [piece("get_weather", '{"city": "Paris"}', 0)]}),
        chunk({}, "tool_calls"),
        DONE,
    )
    heard = Heard()
    callbacks = sdk.RunCallbacks(
        stream=heard.callbacks,
        on_tool_start=lambda call: heard.events.append(("start", call.function.name)),
        on_tool_end=lambda _call, result: heard.events.append(("end", result.content)),
    )
    client = make_client(start_provider(in_turn(streamed, (chunk({"content": "Sunny"}, "stop"), DONE))).url)
    final = client.run_tools("m", MESSAGES, [get_weather], callbacks=callbacks).until_done()
    assert final.choices[0].message.content == "Sunny"
    assert heard.events == [
        ("open", None),
        ("tool", "get_weather"),
        ("finish", True),
        ("start", "get_weather"),
        ("end", "sunny in Paris"),
        ("open", None),
        ("content", "Sunny"),
        ("finish", True),
    ]


async def test_async_tools_run_on_the_loop(start_provider: Any) -> None:
    threads = []

    async def get_weather(city: str) -> str:
        threads.append(threading.current_thread())
        return f"sunny in {city}"

    provider: FakeProvider = start_provider(in_turn(CALLS_WEATHER, COMPLETION))
    async with sdk.AsyncInferenceGatewayClient(provider.url) as client:
        final = await client.run_tools("m", MESSAGES, [get_weather]).until_done()
    assert final.choices[0].message.content == "hi"
    assert threads == [threading.current_thread()]


# ---- structured answers --------------------------------------------------------------------------------


class City(BaseModel):
    name: str
    inhabitants: int


def test_an_answer_is_read_as_the_model_that_was_asked_for(make_client: Clients, start_provider: Any) -> None:
    text = json.dumps({"name": "Paris", "inhabitants": 2_000_000})
    provider: FakeProvider = start_provider(in_turn(completion("stop", content=text)))
    parsed = make_client(provider.url).parse_chat_completion("m", MESSAGES, City, max_completion_tokens=50)
    assert parsed.choices[0].message.parsed == parsed.parsed == City(name="Paris", inhabitants=2_000_000)
    body = provider.calls[0].json()
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["name", "inhabitants"]
    assert body["max_completion_tokens"] == 50


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (completion("length", content='{"na'), sdk.LengthFinishReasonError),
        (completion("content_filter", content=""), sdk.ContentFilterFinishReasonError),
        (completion("stop", content='{"name": 1}'), sdk.ResponseValidationError),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(
    make_client: Clients, start_provider: Any, answer: Any, kind: type[Exception]
) -> None:
    client = make_client(start_provider(in_turn(answer)).url)
    with pytest.raises(kind):
        client.parse_chat_completion("m", MESSAGES, City)


def test_the_mock_runs_tools_and_meets_schemas(make_client: Clients, mock_gateway: Any) -> None:
    client = make_client(f"{mock_gateway.url}/v1")
    assert client.run_tools("mock/echo", MESSAGES, [get_weather]).until_done().choices[0].message.content
    assert isinstance(client.parse_chat_completion("mock/echo", MESSAGES, City).parsed, City)
    heard = Heard()
    client.stream_chat_completion(heard.callbacks, "mock/echo", MESSAGES, reasoning_format="parsed")
    assert {name for name, _ in heard.events} == {"open", "reasoning", "content", "usage", "finish"}
