"""A user's code, for type checkers to read: it is checked, and never run."""

import asyncio
from collections.abc import Iterator
from typing import assert_type

from pydantic import BaseModel

from inference_gateway import (
    APIResponse,
    AsyncInferenceGatewayClient,
    ChatCompletionStream,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    ImageContentPart,
    ImageURL,
    InferenceGatewayAPIError,
    InferenceGatewayClient,
    ListModelsResponse,
    Message,
    MiddlewareOptions,
    Provider,
    RetryConfig,
    SSEvent,
    StreamCallbacks,
    TextContentPart,
    Timeout,
    tool,
)
from inference_gateway.client import InferenceGatewayAPIError as SameError
from inference_gateway.models import ChatCompletionTool, FunctionObject, FunctionParameters


class City(BaseModel):
    name: str


@tool
def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def blocking() -> None:
    client = InferenceGatewayClient("http://localhost:8080/v1", token="t", timeout=60.0, use_httpx=True)
    InferenceGatewayClient.from_env(use_httpx=True, token_provider=lambda: "t").close()
    messages = [
        Message(role="system", content="x"),
        Message(
            role="user",
            content=[
                TextContentPart(type="text", text="x"),
                ImageContentPart(
                    type="image_url", image_url=ImageURL(url="https://x.example", detail="auto")
                ),
            ],
        ),
    ]
    tools = [
        ChatCompletionTool(
            type="function",
            function=FunctionObject(name="f", parameters=FunctionParameters(type="object", properties={})),
        )
    ]
    response = client.create_chat_completion(
        model="m",
        messages=messages,
        provider=Provider("groq"),
        tools=tools,
        temperature=0.7,
        stop=["END"],
        logit_bias={"50256": -100},
        response_format={"type": "json_object"},
        tool_choice={"type": "function", "function": {"name": "f"}},
        reasoning_effort="low",
        extra_headers={"X-A": None},
        extra_body={"anything": 1},
        timeout=Timeout(connect=1),
    )
    assert_type(response, CreateChatCompletionResponse)
    messages.append(response.choices[0].message)
    for call in response.choices[0].message.tool_calls or []:
        assert_type(call.function.arguments, str)

    stream = client.create_chat_completion_stream("m", messages)
    assert_type(stream, ChatCompletionStream)
    for event in stream:
        assert_type(event, SSEvent)
    assert_type(stream.chunks(), Iterator[CreateChatCompletionStreamResponse])
    assert_type(stream.text_stream, Iterator[str])

    parsed = client.parse_chat_completion("m", messages, City, temperature=0)
    assert_type(parsed.parsed, City | None)
    assert_type(parsed.choices[0].message.parsed, City | None)

    client.run_tools("m", messages, [add, len, *tools]).until_done()
    client.stream_chat_completion(StreamCallbacks(on_content=print), "m", messages)
    raw = client.with_raw_response.list_models(provider="openai", include=["pricing"])
    assert_type(raw, APIResponse[ListModelsResponse])
    raw_chat = client.with_raw_response.create_chat_completion("m", messages, seed=1)
    assert_type(raw_chat.parsed.id, str)
    client.with_options(retry=RetryConfig(max_attempts=5), default_headers={"a": "b"}).list_tools()
    client.with_middleware_options(MiddlewareOptions(skip_mcp=True))
    assert_type(client.proxy_raw("openai", "x").content, bytes)
    assert_type(add(1, b=2), int)
    assert_type(add.name, str)


def wrongly() -> None:
    client = InferenceGatewayClient("x")
    client.create_chat_completion("m", [], temperature="hot")  # type: ignore[arg-type]
    client.create_chat_completion("m", [], stream=True)  # type: ignore[arg-type]
    client.create_chat_completion("m", [], temprature=1)  # type: ignore[call-arg]
    client.parse_chat_completion("m", [], int)  # type: ignore[type-var]


async def on_a_loop() -> None:
    async with AsyncInferenceGatewayClient("http://localhost:8080/v1") as client:
        response = await client.create_chat_completion("m", [{"role": "user", "content": "x"}])
        assert_type(response, CreateChatCompletionResponse)
        async for event in client.create_chat_completion_stream("m", []):
            assert_type(event, SSEvent)
        async with client.create_chat_completion_stream("m", []) as stream:
            async for text in stream.text_stream:
                assert_type(text, str)
        raw = await client.with_raw_response.create_chat_completion("m", [])
        assert_type(raw, APIResponse[CreateChatCompletionResponse])
        await client.run_tools("m", [], [add]).until_done()


def failing(error: InferenceGatewayAPIError) -> float | None:
    assert isinstance(error, SameError)
    assert_type(error.status_code, int)
    return error.retry_after


if __name__ == "__main__":
    asyncio.run(on_a_loop())
