"""Closed lists of words that the wire uses. Fields that servers fill read them as `Open[...]`."""

from collections.abc import Mapping
from typing import ClassVar

from inference_gateway.types.wrappers import RootStr


class Provider(RootStr):
    """Id of a provider behind the gateway."""

    __slots__ = ()
    known = (
        "anthropic",
        "cloudflare",
        "cohere",
        "deepseek",
        "google",
        "groq",
        "llamacpp",
        "minimax",
        "mistral",
        "moonshot",
        "nvidia",
        "ollama",
        "ollama_cloud",
        "openai",
        "zai",
    )


class ProviderAuthType(RootStr):
    """How a provider takes its credentials: bearer token, own header, query parameter, or not at all."""

    __slots__ = ()
    known = ("bearer", "xheader", "query", "none")
    synonyms: ClassVar[Mapping[str, str]] = {"x-header": "xheader"}


class MessageRole(RootStr):
    """Who speaks in a message."""

    __slots__ = ()
    known = ("system", "developer", "user", "assistant", "tool")


class FinishReason(RootStr):
    """Why the model stopped.

    `stop`: it was done, or met a stop sequence; `length`: the token limit; `tool_calls`: it called tools;
    `content_filter`: a filter withheld content; `function_call`: the predecessor of `tool_calls`.
    """

    __slots__ = ()
    known = ("stop", "length", "tool_calls", "content_filter", "function_call")


class ChatCompletionToolType(RootStr):
    """Kind of a tool."""

    __slots__ = ()
    known = ("function",)


class EventType(RootStr):
    """Name of a server-sent event."""

    __slots__ = ()
    known = (
        "message-start",
        "stream-start",
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
        "stream-end",
    )


class ModelsInclude(RootStr):
    """Metadata that a list of models carries on request."""

    __slots__ = ()
    known = ("context_window", "pricing", "modalities")


class Modality(RootStr):
    """What a model reads or writes."""

    __slots__ = ()
    known = ("text", "image", "audio", "video", "file")
