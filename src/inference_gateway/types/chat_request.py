"""The body of a chat completion request. Bounds are checked here; what a model supports is not."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, JsonValue, SerializeAsAny

from inference_gateway.types.base import BuiltModel, Switch
from inference_gateway.types.messages import Message
from inference_gateway.types.tools import AnyTool, ChatCompletionToolChoiceOption

Count = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]


class ChatCompletionStreamOptions(BuiltModel):
    """Options of a streamed answer."""

    include_usage: Annotated[
        Switch | None, Field(description="Whether a last chunk without choices reports the tokens used.")
    ] = None


class ResponseFormatText(BuiltModel):
    """Free text, the default."""

    type: Literal["text"]


class ResponseFormatJsonObject(BuiltModel):
    """Some JSON object. The prompt has to ask for JSON too, or the model may never end."""

    type: Literal["json_object"]


class ResponseFormatJsonSchemaJsonSchema(BuiltModel):
    """A named JSON Schema. Python spells the field `schema_`, the wire `schema`."""

    name: Annotated[str, Field(description="Name of the format.")]
    description: Annotated[str | None, Field(description="What the format is for.")] = None
    schema_: Annotated[dict[str, JsonValue] | None, Field(alias="schema", description="The schema.")] = None
    strict: Annotated[
        Switch | None, Field(description="Whether the answer must match exactly. Default: false.")
    ] = None


class ResponseFormatJsonSchema(BuiltModel):
    """JSON that follows a schema."""

    type: Literal["json_schema"]
    json_schema: ResponseFormatJsonSchemaJsonSchema


ResponseFormat = Annotated[
    ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema, Discriminator("type")
]


class CreateChatCompletionRequest(BuiltModel):
    """What to complete, and how. Fields not listed here are passed on to the provider."""

    model: Annotated[
        str,
        Field(
            description="`provider/model`, or the bare model if the provider is given otherwise.",
            examples=["openai/gpt-4o"],
        ),
    ]
    messages: Annotated[
        list[SerializeAsAny[Message]], Field(min_length=1, description="The conversation so far.")
    ]
    stream: Annotated[Switch | None, Field(description="Whether to answer in events. Default: false.")] = None
    stream_options: ChatCompletionStreamOptions | None = None
    max_tokens: Annotated[
        Count | None, Field(description="Deprecated: `max_completion_tokens` counts thoughts too.")
    ] = None
    max_completion_tokens: Annotated[
        Count | None, Field(description="Most tokens to generate, thoughts included.")
    ] = None
    temperature: Annotated[
        Number | None, Field(ge=0, le=2, description="Higher is more random. Default: 1.")
    ] = None
    top_p: Annotated[
        Number | None, Field(ge=0, le=1, description="Draw from this probability mass only. Default: 1.")
    ] = None
    n: Annotated[Count | None, Field(ge=1, le=128, description="How many choices. Default: 1.")] = None
    stop: Annotated[
        str | Annotated[list[str], Field(min_length=1, max_length=4)] | None,
        Field(description="Stop before this text, or before any of up to four."),
    ] = None
    frequency_penalty: Annotated[
        Number | None, Field(ge=-2, le=2, description="Against frequent tokens. Default: 0.")
    ] = None
    presence_penalty: Annotated[
        Number | None, Field(ge=-2, le=2, description="Against tokens used before. Default: 0.")
    ] = None
    seed: Annotated[Count | None, Field(description="Same seed, same answer, if the model can.")] = None
    logprobs: Annotated[Switch | None, Field(description="Whether to report log probabilities.")] = None
    top_logprobs: Annotated[
        Count | None,
        Field(ge=0, le=20, description="How many alternatives to report per token. Needs `logprobs`."),
    ] = None
    logit_bias: Annotated[
        dict[str, Annotated[Count, Field(ge=-100, le=100)]] | None,
        Field(description="Token id to bias, from -100 (never) to 100 (always)."),
    ] = None
    response_format: Annotated[ResponseFormat | None, Field(description="Form of the answer.")] = None
    tools: Annotated[
        list[AnyTool] | None, Field(max_length=128, description="Tools that the model may call.")
    ] = None
    tool_choice: ChatCompletionToolChoiceOption | None = None
    parallel_tool_calls: Annotated[
        Switch | None, Field(description="Whether one turn may hold several tool calls. Default: true.")
    ] = None
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None,
        Field(description="How long a reasoning model thinks."),
    ] = None
    reasoning_format: Annotated[
        str | None,
        Field(
            description="`raw` leaves thoughts in the content, `parsed` moves them to `reasoning_content`.",
            examples=["raw", "parsed"],
        ),
    ] = None
    user: Annotated[str | None, Field(description="Id of the end user, against abuse.")] = None
