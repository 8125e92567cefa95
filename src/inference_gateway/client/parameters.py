"""The keywords of chat completion calls, for type checkers and editors. Bounds are the wire type's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inference_gateway.client.callbacks import StreamCallbacks
from inference_gateway.client.options import BodyOptions
from inference_gateway.client.tools import ToolLike, ToolResult
from inference_gateway.types import (
    ChatCompletionMessageToolCall,
    ChatCompletionNamedToolChoice,
    ChatCompletionStreamOptions,
    ChatCompletionToolChoiceOption,
    Message,
    ResponseFormatJsonObject,
    ResponseFormatJsonSchema,
    ResponseFormatText,
)

Messages = Sequence[Message | Mapping[str, object]]
Tools = Sequence[ToolLike]
Include = str | Sequence[str] | None
"""Names of metadata: one, several, or several in one string with commas between."""


@dataclass(frozen=True, kw_only=True)
class RunCallbacks:
    """What to call while tools run. All are optional."""

    stream: StreamCallbacks | None = None
    """If given, every round is streamed, and these are told of what is in it."""

    on_tool_start: Callable[[ChatCompletionMessageToolCall], object] | None = None
    """For every call of a tool before it is executed, in the thread that executes it."""

    on_tool_end: Callable[[ChatCompletionMessageToolCall, ToolResult], object] | None = None
    """For every call of a tool after it, with what the model will read."""


class SharedParameters(BodyOptions, total=False):
    """Fields of a request that every way of asking for a completion takes. None leaves a field out.

    A field that is not listed here is sent as well; type checkers accept it in `extra_body` only.
    """

    temperature: float | None
    """0 to 2; higher is more random."""
    top_p: float | None
    """0 to 1: draw from this probability mass only."""
    n: int | None
    """1 to 128 choices."""
    stop: str | Sequence[str] | None
    """Stop before this text, or before any of up to four."""
    max_completion_tokens: int | None
    """Most tokens to generate, thoughts included."""
    frequency_penalty: float | None
    """-2 to 2, against frequent tokens."""
    presence_penalty: float | None
    """-2 to 2, against tokens used before."""
    seed: int | None
    """Same seed, same answer, if the model can."""
    logprobs: bool | None
    """Whether to report log probabilities."""
    top_logprobs: int | None
    """0 to 20 alternatives per token; needs `logprobs`."""
    logit_bias: Mapping[str, int] | None
    """Token id to bias, from -100 to 100."""
    tool_choice: (
        Literal["none", "auto", "required"]
        | Mapping[str, object]
        | ChatCompletionNamedToolChoice
        | ChatCompletionToolChoiceOption
        | None
    )
    """Whether the model calls tools, or which one it must call."""
    parallel_tool_calls: bool | None
    """Whether one turn may hold several tool calls."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None
    """How long a reasoning model thinks."""
    user: str | None
    """Id of the end user, against abuse."""
    metadata: Mapping[str, str] | None
    """Notes that some providers keep with the completion."""
    service_tier: str | None
    """Which class of service to use, where the provider has several."""
    store: bool | None
    """Whether the provider may keep the completion."""
    verbosity: str | None
    """How much some models say: low, medium or high."""


class FormattedParameters(SharedParameters, total=False):
    """The same, with the form of the answer."""

    response_format: (
        Mapping[str, object] | ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema | None
    )
    """`{"type": "text" | "json_object" | "json_schema", …}`."""


class ChatParameters(FormattedParameters, total=False):
    """Everything that a chat completion call takes as keywords."""

    stream_options: ChatCompletionStreamOptions | Mapping[str, object] | None
    """Options of a stream: `{"include_usage": True}` asks for the tokens used, in a last chunk."""
