"""Messages of a conversation: those a user builds (strict) and those a provider sends (lenient)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from inference_gateway.types.base import BuiltModel, WireModel
from inference_gateway.types.tools import ChatCompletionMessageToolCall, kind_of
from inference_gateway.types.words import MessageRole
from inference_gateway.types.wrappers import Open, RootValue


class ImageURL(BuiltModel):
    """Where an image is."""

    url: Annotated[str, Field(description="An https URL, or a data URI with the image in Base64.")]
    detail: Annotated[
        Literal["auto", "low", "high"] | None, Field(description="How closely to look. Default: auto.")
    ] = None


class TextContentPart(BuiltModel):
    """Text in a message."""

    type: Literal["text"]
    text: str


class ImageContentPart(BuiltModel):
    """An image in a message."""

    type: Literal["image_url"]
    image_url: ImageURL


class OtherContentPart(WireModel):
    """A part of a kind that is not spelled out here (audio, file …); it goes through as it is."""

    type: Annotated[str, Field(json_schema_extra={"not": {"enum": ["text", "image_url"]}})]


def _part_tag(value: object) -> str:
    kind = kind_of(value.root if isinstance(value, ContentPart) else value)
    return kind if kind in {"text", "image_url"} else "other"


class ContentPart(
    RootValue[
        Annotated[
            Annotated[TextContentPart, Tag("text")]
            | Annotated[ImageContentPart, Tag("image_url")]
            | Annotated[OtherContentPart, Tag("other")],
            Discriminator(_part_tag),
        ]
    ]
):
    """Piece of a message: text, an image, or something else."""


class MessageContent(RootValue[str | list[ContentPart] | None]):
    """What a message says: a text or parts. `None` where a provider sent no content."""

    @property
    def text(self) -> str:
        """The text, or that of all text parts; "" if there is none."""
        if not isinstance(self.root, list):
            return self.root or ""
        parts = (part.root for part in self.root)
        return "".join(part.text for part in parts if isinstance(part, TextContentPart))

    # Equal contents have equal texts, and lists have no hash.
    def __hash__(self) -> int:
        return hash(self.text if isinstance(self.root, list) else self.root)

    def __str__(self) -> str:
        return self.text


_TWINS = (("reasoning_content", "reasoning"), ("reasoning", "reasoning_content"))


Thoughts = Annotated[str | None, Field(description="The model's thoughts, which go by both names.")]


class Reasoning(WireModel):
    """Has `reasoning` and `reasoning_content`, of which a provider sends either: both are readable.

    Only what was sent is set, so that a dump of the set fields is what came in. A name that was sent as
    null beside a text in the other one takes that text.
    """

    @model_validator(mode="after")
    def _mirror_reasoning(self) -> Self:
        # Past the assignment hooks: a mirrored field is not a set field.
        values = self.__dict__
        for name, twin in _TWINS:
            if name not in self.__pydantic_fields_set__ or values[name] is None:
                values[name] = values[twin]
        return self


class Message(BuiltModel, Reasoning):
    """One message of the conversation."""

    role: MessageRole
    content: Annotated[
        MessageContent, Field(description="Required, but of an assistant that calls tools instead.")
    ] = Field(default_factory=lambda: MessageContent(None))
    tool_calls: Annotated[
        list[ChatCompletionMessageToolCall] | None, Field(description="Calls that the assistant made.")
    ] = None
    tool_call_id: Annotated[
        str | None, Field(description="In a `tool` message: the call that it answers.")
    ] = None
    reasoning: Thoughts = None
    reasoning_content: Thoughts = None
    name: Annotated[str | None, Field(description="Tells speakers of one role apart.")] = None
    refusal: Annotated[str | None, Field(description="The assistant's words when it refused.")] = None

    if TYPE_CHECKING:  # Plain words, texts and parts are taken for their wrappers.

        def __init__(
            self,
            *,
            role: str,
            content: str
            | Sequence[TextContentPart | ImageContentPart | ContentPart | Mapping[str, object]]
            | MessageContent
            | None = None,
            tool_calls: Sequence[ChatCompletionMessageToolCall] | None = None,
            tool_call_id: str | None = None,
            reasoning: str | None = None,
            reasoning_content: str | None = None,
            name: str | None = None,
            refusal: str | None = None,
            **extra: object,
        ) -> None: ...

    def _settle(self) -> None:
        super()._settle()
        # An assistant may have called tools, refused or spoken (`audio`) instead.
        instead = self.role == "assistant" and bool(self.tool_calls or self.refusal or self.model_extra)
        if self.content.root is None and not instead:
            raise ValueError("content is required, except in an assistant's message with tool calls")


class ResponseMessage(Message):
    """A message that a provider sent. It may go back into the conversation unchanged."""

    role: Open[MessageRole] = Field(default_factory=lambda: MessageRole("assistant"))

    def _settle(self) -> None:
        """Keep what came, nulls and all: the rules for what users build do not apply."""
