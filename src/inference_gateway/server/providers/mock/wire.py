"""The part of a chat completion request that the mock reads, checked. Other fields may hold anything.

https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from typing import Annotated, Final, Literal

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.translators.reasoning import Format

_WHERE: Final = re.compile(r" - at `\$\.?(.+)`$")
"""How msgspec says which field it means."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Part(msgspec.Struct, frozen=True):
    """One part of a message: a text, or something that the mock can only mention."""

    type: str
    text: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None


class Function(msgspec.Struct, frozen=True):
    """What a tool is called and what it takes."""

    name: _Name
    parameters: dict[str, object] | None = None


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call."""

    type: Literal["function"]
    function: Function


class NamedFunction(msgspec.Struct, frozen=True):
    """The name of a function."""

    name: _Name


class NamedTool(msgspec.Struct, frozen=True):
    """A choice of one tool."""

    type: Literal["function"]
    function: NamedFunction


class NamedSchema(msgspec.Struct, frozen=True):
    """The schema of an answer; some clients write `schema_`."""

    schema: dict[str, object] | bool | None = None
    schema_: dict[str, object] | bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """What the text of the answer must be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """A chat completion request. Null and absent are one."""

    model: str
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stop: (
        Annotated[str, msgspec.Meta(min_length=1)]
        | Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(max_length=4)]
        | None
    ) = None
    tools: Annotated[list[Tool], msgspec.Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning_format: Format | None = None


_decoder: Final = msgspec.json.Decoder(ChatRequest)


def decode(body: bytes) -> ChatRequest:
    """Read a request.

    :raises BadRequest: it is not JSON, or a field is not what it should be; the text names the field.
    """
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(_naming_the_field(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("the body is not valid JSON") from error
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error
    _check_messages(request.messages)
    _check_tool_choice(request)
    _check_response_format(request.response_format)
    return request


def _naming_the_field(text: str) -> str:
    field = _WHERE.search(text)
    return f"{field[1]}: {text[: field.start()]}" if field else text


def _check_messages(messages: list[Message]) -> None:
    for place, message in enumerate(messages):
        field = f"messages[{place}].content"
        if message.content is None and message.role != "assistant":
            raise BadRequest(f"{field}: a message of role {message.role!r} needs content")
        if isinstance(message.content, list):
            _check_parts(message.content, field)


def _check_parts(parts: list[Part], field: str) -> None:
    for place, part in enumerate(parts):
        if part.type == "text" and part.text is None:
            raise BadRequest(f"{field}[{place}].text: a part of type 'text' needs text")


def _check_tool_choice(request: ChatRequest) -> None:
    choice, tools = request.tool_choice, request.tools or []
    if isinstance(choice, NamedTool):
        if choice.function.name not in {tool.function.name for tool in tools}:
            raise BadRequest(f"tool_choice.function.name: no tool is named {choice.function.name!r}")
    elif choice == "required" and not tools:
        raise BadRequest("tool_choice: 'required' needs tools")


def _check_response_format(wanted: ResponseFormat | None) -> None:
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
        raise BadRequest("response_format.json_schema: needed for the type 'json_schema'")
