"""Answers to a chat completion request: whole, and as chunks of a stream.

Read leniently: only `choices` must be there, since without it nothing is an answer.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from inference_gateway.types.base import UnixTime, WireModel
from inference_gateway.types.messages import Reasoning, ResponseMessage, Thoughts
from inference_gateway.types.tools import ChatCompletionMessageToolCallChunk
from inference_gateway.types.words import FinishReason, MessageRole
from inference_gateway.types.wrappers import Open

_ENVELOPE = ConfigDict(json_schema_extra={"required": ["id", "object", "created", "model", "choices"]})


class PromptTokensDetails(WireModel):
    """Of the prompt's tokens, how many were what."""

    cached_tokens: int | None = None
    audio_tokens: int | None = None


class CompletionTokensDetails(WireModel):
    """Of the generated tokens, how many were what."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class CompletionUsage(WireModel):
    """How many tokens a completion took."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["prompt_tokens", "completion_tokens", "total_tokens"]}
    )

    prompt_tokens: Annotated[int, Field(description="Tokens of the prompt.")] = 0
    completion_tokens: Annotated[int, Field(description="Tokens generated, thoughts included.")] = 0
    total_tokens: Annotated[int, Field(description="Both together.")] = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class TopLogprobsItem(WireModel):
    """A token and how likely it was."""

    token: Annotated[str, Field(description="The token.")]
    logprob: Annotated[float, Field(description="Its log probability; -9999 if very unlikely.")]
    bytes: Annotated[
        list[int] | None, Field(description="Its UTF-8 bytes; null if the provider does not say.")
    ] = None


class ChatCompletionTokenLogprob(TopLogprobsItem):
    """A token of the answer, how likely it was, and the likeliest at its place."""

    top_logprobs: Annotated[
        list[TopLogprobsItem] | None, Field(description="The likeliest tokens at this place.")
    ] = None


class ChatCompletionChoiceLogprobs(WireModel):
    """Log probabilities of a choice's tokens."""

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


class ChatCompletionStreamChoiceLogprobs(ChatCompletionChoiceLogprobs):
    """Log probabilities of a chunk's tokens."""


class ChatCompletionChoice(WireModel):
    """One of the completions that were asked for."""

    model_config = ConfigDict(json_schema_extra={"required": ["index", "message", "finish_reason"]})

    index: Annotated[int, Field(description="Number of the choice, from 0.")] = 0
    message: ResponseMessage
    finish_reason: Open[FinishReason] | None = None
    logprobs: ChatCompletionChoiceLogprobs | None = None


class CreateChatCompletionResponse(WireModel):
    """A whole answer."""

    model_config = _ENVELOPE

    id: Annotated[str, Field(description="Id of the completion.")] = ""
    object: Annotated[str, Field(description="Always `chat.completion`.", examples=["chat.completion"])] = (
        "chat.completion"
    )
    created: Annotated[UnixTime, Field(description="Unix time in seconds.")] = 0
    model: Annotated[str, Field(description="The model that answered, by its provider's name for it.")] = ""
    choices: Annotated[list[ChatCompletionChoice], Field(description="The completions.")]
    usage: CompletionUsage | None = None
    system_fingerprint: Annotated[
        str | None, Field(description="Changes when the provider changes what `seed` relies on.")
    ] = None


def _text_of_parts(content: object) -> object:
    """Join text parts, which some providers send in place of a string; leave all else as it is."""
    if not isinstance(content, list):
        return content
    texts = (part for part in content if isinstance(part, Mapping) and part.get("type") == "text")
    return "".join(str(part.get("text", "")) for part in texts)


class ChatCompletionStreamResponseDelta(Reasoning):
    """What a chunk adds to a choice. `content` is a plain string, unlike that of a whole message."""

    role: Annotated[Open[MessageRole] | None, Field(description="Sent once, first.")] = None
    content: Annotated[
        str | None, BeforeValidator(_text_of_parts), Field(description="More of the text.")
    ] = None
    reasoning: Thoughts = None
    reasoning_content: Thoughts = None
    refusal: Annotated[str | None, Field(description="More of a refusal.")] = None
    tool_calls: Annotated[
        list[ChatCompletionMessageToolCallChunk] | None, Field(description="More of the tool calls.")
    ] = None


class ChatCompletionStreamChoice(WireModel):
    """A chunk's share of one choice."""

    model_config = ConfigDict(json_schema_extra={"required": ["index", "delta"]})

    index: Annotated[int, Field(description="Number of the choice, from 0.")] = 0
    delta: ChatCompletionStreamResponseDelta = Field(default_factory=ChatCompletionStreamResponseDelta)
    finish_reason: Annotated[
        Open[FinishReason] | None, Field(description="Null until the choice's last chunk.")
    ] = None
    logprobs: ChatCompletionStreamChoiceLogprobs | None = None


def _empty_if_null(choices: object) -> object:
    return [] if choices is None else choices


class CreateChatCompletionStreamResponse(WireModel):
    """One chunk of a streamed answer: the JSON of one event."""

    model_config = _ENVELOPE

    id: Annotated[str, Field(description="Id of the completion, the same in every chunk.")] = ""
    object: Annotated[
        str, Field(description="Always `chat.completion.chunk`.", examples=["chat.completion.chunk"])
    ] = "chat.completion.chunk"
    created: Annotated[UnixTime, Field(description="Unix time in seconds.")] = 0
    model: Annotated[str, Field(description="The model that answers.")] = ""
    choices: Annotated[
        list[ChatCompletionStreamChoice],
        BeforeValidator(_empty_if_null),
        Field(description="What is new; empty in a chunk of usage only."),
    ]
    usage: Annotated[CompletionUsage | None, Field(description="In the last chunk, if asked for.")] = None
    system_fingerprint: Annotated[
        str | None, Field(description="Changes when the provider changes what `seed` relies on.")
    ] = None
    reasoning_format: Annotated[str | None, Field(description="How thoughts are told from the answer.")] = (
        None
    )
