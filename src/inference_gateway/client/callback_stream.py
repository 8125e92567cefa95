"""A chat stream driven to its end, with everything in it told to callbacks."""

from inference_gateway.client.body import tool_names
from inference_gateway.client.callbacks import CallbackDispatcher, StreamCallbacks
from inference_gateway.client.errors import InferenceGatewayError
from inference_gateway.client.parameters import ChatParameters
from inference_gateway.client.streaming import AsyncChatCompletionStream, ChatCompletionStream
from inference_gateway.types import CreateChatCompletionResponse


def with_usage(keywords: ChatParameters) -> ChatParameters:
    """Ask for the tokens used, unless the caller said something about it."""
    return {**keywords, "stream_options": keywords.get("stream_options") or {"include_usage": True}}


def play(
    stream: ChatCompletionStream, callbacks: StreamCallbacks, tools: object
) -> CreateChatCompletionResponse:
    """Read a stream to its end; return the whole completion.

    :param tools: those of the request; calls of others are the gateway's.
    :raises InferenceGatewayError: it did not end well; `on_error` has heard of it.
    """
    dispatcher = CallbackDispatcher(callbacks, tool_names(tools))
    try:
        with stream:
            dispatcher.open()
            for chunk in stream.chunks():
                dispatcher.chunk(chunk)
            completion = stream.get_final_completion()
    except InferenceGatewayError as error:
        dispatcher.error(error)
        raise
    dispatcher.done()
    return completion


async def aplay(
    stream: AsyncChatCompletionStream, callbacks: StreamCallbacks, tools: object
) -> CreateChatCompletionResponse:
    """Read a stream to its end; see `play`."""
    dispatcher = CallbackDispatcher(callbacks, tool_names(tools))
    try:
        async with stream:
            dispatcher.open()
            async for chunk in stream.chunks():
                dispatcher.chunk(chunk)
            completion = await stream.get_final_completion()
    except InferenceGatewayError as error:
        dispatcher.error(error)
        raise
    dispatcher.done()
    return completion
