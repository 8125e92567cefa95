"""Arguments of a chat completion as the JSON that goes over the wire: checked, and nothing added."""

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue, ValidationError
from pydantic_core import PydanticSerializationError

from inference_gateway.client.errors import InferenceGatewayValidationError, field_errors, sentence, wrong
from inference_gateway.client.options import check_mapping
from inference_gateway.client.tools import to_definition
from inference_gateway.types import ChatCompletionTool, CreateChatCompletionRequest

_UNWRITABLE = (TypeError, ValueError, RecursionError)


def chat_body(fields: Mapping[str, object]) -> dict[str, JsonValue]:
    """Check the fields of a request and write those that are given; None is not given.

    :raises InferenceGatewayValidationError: a field is wrong; the error names it.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if "tools" in given:
        given["tools"] = definitions(given["tools"])
    try:
        request = CreateChatCompletionRequest.model_validate(given)
        body: dict[str, JsonValue] = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValidationError as error:
        found = field_errors(error)
        raise InferenceGatewayValidationError(sentence(found), found) from error
    except (PydanticSerializationError, RecursionError) as error:
        raise wrong(_culprit(given), "cannot be written as JSON") from error
    body["messages"] = _without_nulls(body["messages"])
    return body


def definitions(tools: object) -> object:
    """Write functions among the tools as their definitions; what is no list of tools stays as it is."""
    if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Iterable):
        return tools
    return [to_definition(tool) if callable(tool) else tool for tool in tools]


def tool_names(tools: object) -> list[str]:
    """Return the names of the functions among the tools of a request."""
    written = definitions(tools)
    return [name for tool in written if (name := _name_of(tool))] if isinstance(written, Iterable) else []


def _name_of(tool: object) -> str:
    if isinstance(tool, ChatCompletionTool):
        return tool.function.name
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if isinstance(function, Mapping):
        return str(function.get("name", ""))
    return str(getattr(function, "name", ""))


def merged(body: Mapping[str, JsonValue], extra: object) -> dict[str, object]:
    """Add the fields of `extra_body`, which win. How the answer comes is the method's choice.

    :raises InferenceGatewayValidationError: it is no mapping, or names `stream`.
    """
    if extra is None:
        return dict(body)
    check_mapping("extra_body", extra)
    fields = dict(extra) if isinstance(extra, Mapping) else {}
    if "stream" in fields:
        raise wrong("extra_body.stream", "is set by the method that is called")
    return {**body, **fields}


def encode_fields(fields: Mapping[str, object]) -> bytes:
    """Write an object as JSON.

    :raises InferenceGatewayValidationError: a field has no form in JSON; the error names it.
    """
    try:
        return _written(fields)
    except _UNWRITABLE as error:
        raise wrong(_culprit(fields), f"cannot be written as JSON: {error}") from error


def encode_value(name: str, value: object) -> bytes:
    """Write any value as JSON.

    :raises InferenceGatewayValidationError: it has no form in JSON; the error has this name.
    """
    try:
        return _written(value)
    except _UNWRITABLE as error:
        raise wrong(name, f"cannot be written as JSON: {error}") from error


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _culprit(fields: Mapping[str, object]) -> str:
    for name, value in fields.items():
        try:
            _written(value)
        except _UNWRITABLE:
            # Models among the values are no JSON to this encoder, and none of them is at fault.
            if name not in {"messages", "tools"}:
                return name
    return "messages"


def _without_nulls(messages: JsonValue) -> JsonValue:
    """Leave out what a provider sent as null in a message that now goes back, but for its content.

    Some providers send nulls that others, and even they themselves, refuse.
    """
    if not isinstance(messages, list):
        return messages
    return [
        {name: value for name, value in message.items() if value is not None or name == "content"}
        if isinstance(message, dict)
        else message
        for message in messages
    ]
