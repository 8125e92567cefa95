"""Tools: how a user offers them, how a model calls them, and how a choice between them is forced.

Only `function` tools are spelled out. Another kind goes through as it is, in both directions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, JsonValue, Tag, model_validator
from pydantic_core import to_json

from inference_gateway.types.base import BuiltModel, Switch, WireModel
from inference_gateway.types.words import ChatCompletionToolType
from inference_gateway.types.wrappers import Open, RootValue

_NOT_FUNCTION = {"not": {"const": "function"}}


def kind_of(value: object) -> str:
    """Return the `type` of a part, tool or choice that is a mapping or a model; "" if it has none."""
    kind = value.get("type", "") if isinstance(value, Mapping) else getattr(value, "type", "")
    return str(kind)


class FunctionParameters(WireModel):
    """JSON Schema of a function's arguments. Any keyword of JSON Schema is taken and sent verbatim."""

    type: str | list[str] | None = None
    properties: dict[str, JsonValue] | None = None
    required: list[str] | None = None

    def __init__(self, /, **schema: object) -> None:
        super().__init__(**schema)


class FunctionObject(BuiltModel):
    """A function that the model may call."""

    name: Annotated[
        str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$", description="Letters, digits, `_` and `-`, at most 64.")
    ]
    description: Annotated[
        str | None, Field(description="What it does; the model decides by this when to call it.")
    ] = None
    parameters: Annotated[
        FunctionParameters | None, Field(description="Its arguments. Left out: it takes none.")
    ] = None
    strict: Annotated[
        Switch | None, Field(description="Whether arguments must match `parameters` exactly. Default: false.")
    ] = None


class ChatCompletionTool(BuiltModel):
    """A tool that the model may call."""

    type: ChatCompletionToolType
    function: FunctionObject

    if TYPE_CHECKING:  # A plain word is taken for its wrapper.

        def __init__(self, *, type: str, function: FunctionObject, **extra: object) -> None: ...  # noqa: A002


class OtherTool(WireModel):
    """A tool of a kind that only its provider knows."""

    type: Annotated[str, Field(json_schema_extra=_NOT_FUNCTION)]


def _tool_tag(value: object) -> str:
    # Without a type it is a function tool that lacks one, and its error should say so.
    return "function" if kind_of(value) in {"function", ""} else "other"


AnyTool = Annotated[
    Annotated[ChatCompletionTool, Tag("function")] | Annotated[OtherTool, Tag("other")],
    Discriminator(_tool_tag),
]


class ChatCompletionNamedToolChoiceFunction(BuiltModel):
    """Name of the function to call."""

    name: str


class ChatCompletionNamedToolChoice(BuiltModel):
    """Makes the model call one function."""

    type: Literal["function"]
    function: ChatCompletionNamedToolChoiceFunction


class OtherToolChoice(WireModel):
    """A choice of a kind that only its provider knows."""

    type: Annotated[str, Field(json_schema_extra=_NOT_FUNCTION)]


def _choice_tag(value: object) -> str:
    return "mode" if isinstance(value, str) else _tool_tag(value)


class ChatCompletionToolChoiceOption(
    RootValue[
        Annotated[
            Annotated[Literal["none", "auto", "required"], Tag("mode")]
            | Annotated[ChatCompletionNamedToolChoice, Tag("function")]
            | Annotated[OtherToolChoice, Tag("other")],
            Discriminator(_choice_tag),
        ]
    ]
):
    """Whether the model calls tools: never, as it likes, at least one, or the one that is named."""


class Google(WireModel):
    """What Google attaches to a tool call. Gemini refuses the next request if the signature is missing."""

    thought_signature: str | None = None


class ToolCallExtraContent(WireModel):
    """What a provider attaches to a tool call. Nobody reads it; it has to come back verbatim."""

    google: Google | None = None


def _as_text(arguments: object) -> object:
    """Write what some servers send parsed, or as null for a function without arguments."""
    if arguments is None:
        return ""
    return to_json(arguments).decode() if isinstance(arguments, dict) else arguments


class ChatCompletionMessageToolCallFunction(WireModel):
    """The function that the model called."""

    name: Annotated[str, Field(description="Name of the function.")]
    arguments: Annotated[
        str,
        BeforeValidator(_as_text),
        Field(description="Its arguments, as JSON that the model wrote: check it."),
    ]


class ChatCompletionMessageToolCall(WireModel):
    """A call of a tool. One of another kind than `function` has its own fields, and an empty function."""

    id: Annotated[str, Field(description="Id that the answer refers to.")]
    type: Open[ChatCompletionToolType] = Field(default_factory=lambda: ChatCompletionToolType("function"))
    function: ChatCompletionMessageToolCallFunction = Field(
        default_factory=lambda: ChatCompletionMessageToolCallFunction(name="", arguments="")
    )
    extra_content: ToolCallExtraContent | None = None

    if TYPE_CHECKING:  # A plain word is taken for its wrapper.

        def __init__(
            self,
            *,
            id: str,
            type: str = "function",  # noqa: A002
            function: ChatCompletionMessageToolCallFunction = ...,
            extra_content: ToolCallExtraContent | None = None,
            **extra: object,
        ) -> None: ...

    @model_validator(mode="after")
    def _a_function_call_names_its_function(self) -> Self:
        if self.type == "function" and "function" not in self.model_fields_set:
            raise ValueError("a call of type 'function' needs a function")
        # Some providers leave the type out and all want to see it again.
        self.__pydantic_fields_set__.add("type")
        return self


class ChatCompletionMessageToolCallChunkFunction(WireModel):
    """Piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ChatCompletionMessageToolCallChunk(WireModel):
    """Piece of a tool call in a stream; pieces with one `index` make one call.

    Some providers leave the index out and send each call whole.
    """

    index: int | None = None
    id: str | None = None
    type: Open[ChatCompletionToolType] | None = None
    function: ChatCompletionMessageToolCallChunkFunction | None = None
    extra_content: ToolCallExtraContent | None = None
