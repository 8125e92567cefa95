"""What the mock says to a chat request: an echo, a valid tool call, or JSON that meets a schema. Pure.

How a reply looks on the wire is the business of `answers`.
"""

import re
from typing import Final, Literal, cast

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock import tool_script
from inference_gateway.server.providers.mock.schema_document import JSON, Schema
from inference_gateway.server.providers.mock.schema_instance import instance
from inference_gateway.server.providers.mock.wire import ChatRequest, Message, NamedTool, Part, ResponseFormat

# White space stays with the word after it, and a line end or a combining mark is never cut off.
_PIECE: Final = re.compile(r"\s*\S+|\s+")
_WORD: Final = re.compile(r"\S+")


class Call(msgspec.Struct, frozen=True):
    """A tool call; `arguments` is JSON text."""

    name: str
    arguments: str


class Reply(msgspec.Struct, frozen=True):
    """What is said, in this order: the thought, then the text or the call."""

    thought: str
    text: str
    call: Call | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] | None
    """None where nothing is said of why it ends."""
    further_calls: tuple[Call, ...] = ()
    """Calls beside the first."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call."""
        return (self.call, *self.further_calls) if self.call is not None else ()


def pieces(text: str) -> list[str]:
    """Cut a text before its white space; joined, they are the text."""
    return _PIECE.findall(text)


def words(text: str) -> int:
    """Count words; to the mock, a token is a word."""
    return sum(1 for _ in _WORD.finditer(text))


def text_of(message: Message) -> str:
    """Write a message as text; what is no text is only mentioned, an image as `[image]`."""
    if isinstance(message.content, list):
        return " ".join(map(_text_of_part, message.content))
    return message.content or ""


def _text_of_part(part: Part) -> str:
    if part.text is not None:
        return part.text
    return f"[{part.type.removesuffix('_url').removeprefix('input_')}]"


def compose(request: ChatRequest) -> Reply:
    """Decide what to say.

    :raises BadRequest: a schema in the request cannot be met; the text names the field and the keyword.
    """
    if request.model == tool_script.MODEL:
        return _scripted(request)
    if request.tools and request.tool_choice != "none" and request.messages[-1].role != "tool":
        call = _call(request)
        thought = _thought(request, f"I will call the tool {call.name}.")
        return Reply(thought=thought, text="", call=call, finish_reason="tool_calls")
    heard = text_of(_last_words(request.messages))
    text = _formatted(heard, request.response_format)
    return _limited(
        _thought(request, "I will repeat what I was told."), _stopped(text, request.stop), request
    )


def _scripted(request: ChatRequest) -> Reply:
    turn = tool_script.turn_of(request)
    if isinstance(turn, str):
        return _limited("", turn, request)
    if not turn:
        return _limited("", "", request)
    first, *further = [Call(name=each.name, arguments=_written(each.arguments)) for each in turn]
    return Reply(thought="", text="", call=first, finish_reason="tool_calls", further_calls=tuple(further))


def _call(request: ChatRequest) -> Call:
    tools = request.tools or []
    choice = request.tool_choice
    wanted = choice.function.name if isinstance(choice, NamedTool) else tools[0].function.name
    place = next(place for place, tool in enumerate(tools) if tool.function.name == wanted)
    field = f"tools[{place}].function.parameters"
    arguments = _instance(tools[place].function.parameters, field)
    if not isinstance(arguments, dict):
        raise BadRequest(f"{field}: must describe an object")
    return Call(name=wanted, arguments=_written(arguments))


def _instance(schema: dict[str, object] | bool | None, field: str) -> JSON:
    # A cast, because the decoder puts only JSON values there, and has no recursive type to say so.
    return instance({} if schema in (None, True) else cast(Schema, schema), field=field)


def _written(value: object) -> str:
    """Write JSON on one line with spaces, so that a stream of it has more than one piece."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _thought(request: ChatRequest, thought: str) -> str:
    asked = request.reasoning_format is not None or request.reasoning_effort is not None
    return thought if asked and request.reasoning_effort != "none" else ""


def _last_words(messages: list[Message]) -> Message:
    """Choose what is echoed: a tool's result, else the user's last message, else the last of all."""
    if messages[-1].role == "tool":
        return messages[-1]
    return next((message for message in reversed(messages) if message.role == "user"), messages[-1])


def _formatted(heard: str, wanted: ResponseFormat | None) -> str:
    if wanted is None or wanted.type == "text":
        return heard
    if wanted.json_schema is None:
        return _written({"echo": heard})
    schema = wanted.json_schema.schema
    if schema is None:
        schema = wanted.json_schema.schema_
    return _written(_instance(schema, "response_format.json_schema.schema"))


def _stopped(text: str, stop: str | list[str] | None) -> str:
    """Cut a text where its first stop sequence begins."""
    sequences = [stop] if isinstance(stop, str) else stop or []
    found = [text.find(sequence) for sequence in sequences]
    return text[: min((place for place in found if place >= 0), default=len(text))]


def _limited(thought: str, text: str, request: ChatRequest) -> Reply:
    """Keep to the word limit, thought and text together. A call is never cut: half of one is none."""
    limits = [limit for limit in (request.max_tokens, request.max_completion_tokens) if limit is not None]
    spoken = words(thought) + words(text)
    limit = min(limits, default=spoken)
    shown = "".join(pieces(thought)[:limit])
    if spoken <= limit:
        return Reply(thought=thought, text=text, call=None, finish_reason="stop")
    rest = "".join(pieces(text)[: limit - words(shown)])
    return Reply(thought=shown, text=rest, call=None, finish_reason="length")
