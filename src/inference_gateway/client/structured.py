"""Answers as instances of a pydantic model: the format to ask for, and the answer read back. No I/O.

"Strict" is the subset of JSON Schema that providers can enforce while they generate:
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, Field, JsonValue, PydanticUserError, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from inference_gateway.client.errors import (
    ContentFilterFinishReasonError,
    FieldError,
    LengthFinishReasonError,
    ResponseValidationError,
    field_errors,
    sentence,
    wrong,
)
from inference_gateway.types import ChatCompletionChoice, CreateChatCompletionResponse, ResponseMessage

T = TypeVar("T", bound=BaseModel)

Schema = Mapping[str, JsonValue]


class ParsedMessage(ResponseMessage, Generic[T]):
    """A message whose text was read. What was read is not sent along when the message goes back."""

    parsed: T | None = Field(default=None, exclude=True)
    """What the text says; `None` if the model refused or called tools instead."""


class ParsedChoice(ChatCompletionChoice, Generic[T]):
    """A choice whose text was read."""

    message: ParsedMessage[T]


class ParsedChatCompletion(CreateChatCompletionResponse, Generic[T]):
    """A whole answer, with what each choice says under `choices[i].message.parsed`."""

    # A list of narrower items: it is built once and then read.
    choices: list[ParsedChoice[T]]  # type: ignore[assignment]

    @property
    def parsed(self) -> T | None:
        """What the first choice says; `None` if the model refused or called tools instead."""
        return self.choices[0].message.parsed if self.choices else None


def response_format_for(model: type[BaseModel]) -> dict[str, object]:
    """Return the `response_format` that makes a model answer in the form of `model`.

    :raises InferenceGatewayValidationError: `model` is not a pydantic model, or has no JSON Schema.
    """
    if not _is_pydantic_model(model):
        raise wrong("response_format", f"expected a pydantic model, got {model!r}")
    try:
        schema = model.model_json_schema(schema_generator=QuietJsonSchema)
    except PydanticUserError as error:
        raise wrong("response_format", first_line(error)) from error
    # The name of a generic model has brackets in it.
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", model.__name__)[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": strict_schema(schema), "strict": True},
    }


def parse_content(model: type[T], completion: CreateChatCompletionResponse) -> ParsedChatCompletion[T]:
    """Read the text of every choice as JSON in the form of `model`.

    A choice that refused, or called tools and said nothing, has nothing to read.

    :raises LengthFinishReasonError: the token limit cut an answer.
    :raises ContentFilterFinishReasonError: a filter withheld an answer.
    :raises ResponseValidationError: a text is not JSON in that form; `errors` name the fields.
    """
    for choice in completion.choices:
        if choice.finish_reason == "length":
            raise LengthFinishReasonError(completion)
        if choice.finish_reason == "content_filter":
            raise ContentFilterFinishReasonError(completion)
    whole = completion.model_dump(exclude_unset=True)
    for position, choice in enumerate(completion.choices):
        whole["choices"][position]["message"]["parsed"] = _parsed(model, choice.message, position)
    return ParsedChatCompletion.model_validate(whole)


def first_line(error: Exception) -> str:
    """Say what pydantic says, without the link below it."""
    return str(error).partition("\n")[0]


def _is_pydantic_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _parsed(model: type[T], message: ResponseMessage, position: int) -> T | None:
    text = message.content.text
    if message.refusal or (message.tool_calls and not text.strip()):
        return None
    return _read(model, text, f"choices.{position}.message.content")


def _read(model: type[T], text: str, place: str) -> T:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        errors = [
            FieldError(f"{place}.{field}" if field else place, problem)
            for field, problem in field_errors(error)
        ]
        raise ResponseValidationError(sentence(errors), errors, body=text) from error


# ---- the strict subset -----------------------------------------------------------------------------------

_MAPS_OF_SCHEMAS = ("$defs", "definitions", "properties", "patternProperties")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE_SCHEMAS = ("items", "additionalProperties", "not")


class QuietJsonSchema(GenerateJsonSchema):
    """Leaves out what tells a model nothing: titles made of field names, and defaults that JSON lacks."""

    ignored_warning_kinds = {*GenerateJsonSchema.ignored_warning_kinds, "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: object) -> bool:
        """Return whether to make up a title: never."""
        return False


def strict_schema(schema: Schema) -> dict[str, JsonValue]:
    """Return a copy of a JSON Schema that providers can enforce.

    Objects take no further properties and require all they have; defaults of null are dropped; a `$ref`
    stands alone; `oneOf` becomes `anyOf`. A map (an object without declared properties) stays one: the
    strict subset has none, and the provider says so where it cannot do it.
    """
    return _strict(schema, schema, ())


def _strict(node: Schema, root: Schema, within: tuple[str, ...]) -> dict[str, JsonValue]:
    """Make one schema strict. `within` holds the references that are being inlined around it."""
    ref = node.get("$ref")
    if isinstance(ref, str) and len(node) > 1:
        if ref in within:
            # A model that contains itself cannot be inlined for ever.
            return {"$ref": ref}
        siblings = {name: value for name, value in node.items() if name != "$ref"}
        return _strict({**_resolved(ref, root), **siblings}, root, (*within, ref))
    strict = {name: _strict_member(name, value, root, within) for name, value in node.items()}
    _close(strict)
    if strict.get("default", ...) is None:
        del strict["default"]
    return _without_unions_of_one(strict)


def _strict_member(name: str, value: JsonValue, root: Schema, within: tuple[str, ...]) -> JsonValue:
    if name in _MAPS_OF_SCHEMAS and isinstance(value, dict):
        return {key: _strict_or_same(each, root, within) for key, each in value.items()}
    if name in _LISTS_OF_SCHEMAS and isinstance(value, list):
        return [_strict_or_same(each, root, within) for each in value]
    if name in _SINGLE_SCHEMAS:
        return _strict_or_same(value, root, within)
    return value


def _strict_or_same(value: JsonValue, root: Schema, within: tuple[str, ...]) -> JsonValue:
    # `true` and `false` are schemas too.
    return _strict(value, root, within) if isinstance(value, dict) else value


def _close(node: dict[str, JsonValue]) -> None:
    properties = node.get("properties")
    if isinstance(properties, dict):
        node["required"] = list(properties)
        node["additionalProperties"] = False
    elif node.get("type") == "object":
        node.setdefault("additionalProperties", False)


def _without_unions_of_one(node: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if "oneOf" in node and "anyOf" not in node:
        # Which of them it is, a generator decides as it goes; the tag is one of the properties.
        node["anyOf"] = node.pop("oneOf")
        node.pop("discriminator", None)
    whole = node.get("allOf")
    if isinstance(whole, list) and len(whole) == 1 and isinstance(whole[0], dict):
        del node["allOf"]
        return {**whole[0], **node}
    return node


def _resolved(ref: str, root: Schema) -> Schema:
    """Follow a reference within the document: `#/$defs/Name`.

    :raises InferenceGatewayValidationError: it leads nowhere.
    """
    node: JsonValue = dict(root)
    for step in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise wrong("response_format", f"the schema refers to {ref!r}, which it does not hold")
    return node
