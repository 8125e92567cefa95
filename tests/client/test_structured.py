"""Structured answers: the schema that is asked for, and the text read back."""

import json
import warnings
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Generic, Literal, Self, TypeVar

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from inference_gateway.client.errors import (
    ContentFilterFinishReasonError,
    InferenceGatewayValidationError,
    LengthFinishReasonError,
    ResponseValidationError,
)
from inference_gateway.client.structured import (
    ParsedChatCompletion,
    parse_content,
    response_format_for,
    strict_schema,
)
from inference_gateway.types import (
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    ResponseFormatJsonSchema,
)

T = TypeVar("T")


class Unit(Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Place(BaseModel):
    """Where it is."""

    city: str
    country: str | None = None


class Weather(BaseModel):
    """The weather somewhere."""

    model_config = ConfigDict(extra="allow")

    place: Place = Field(description="Where exactly.")
    nearby: list[Place] = []
    unit: Unit = Unit.CELSIUS
    degrees: Annotated[float, Field(ge=-300)]
    title: str | None = None


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Drawing(BaseModel):
    shape: Annotated[Circle | Square, Field(discriminator="kind")]


class Tree(BaseModel):
    name: str
    children: list[Self] = Field(description="Below it.")
    best: Annotated["Tree | None", Field(description="The best of them.")] = None


class Chain(BaseModel):
    following: "Chain" = Field(description="The one after.")


class Box(BaseModel, Generic[T]):
    content: T


class Prices(BaseModel):
    by_name: dict[str, float]


def schema_of(model: type[BaseModel]) -> dict[str, object]:
    sent = response_format_for(model)["json_schema"]
    assert isinstance(sent, dict)
    schema = sent["schema"]
    assert isinstance(schema, dict)
    return schema


def objects_in(node: object) -> list[dict[str, object]]:
    if isinstance(node, list):
        return [found for each in node for found in objects_in(each)]
    if not isinstance(node, dict):
        return []
    here = [node] if isinstance(node.get("properties"), dict) and node.get("type") == "object" else []
    return here + [found for each in node.values() for found in objects_in(each)]


def completion(*messages: dict[str, object], finish_reason: str = "stop") -> CreateChatCompletionResponse:
    choices = [
        {
            "index": index,
            "finish_reason": finish_reason,
            "message": {"role": "assistant", "content": None, **message},
        }
        for index, message in enumerate(messages)
    ]
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "tier": "x"}
    return CreateChatCompletionResponse.model_validate({**whole, "choices": choices})


# ---- the schema ----------------------------------------------------------------------------------------


def test_the_format_is_what_a_request_takes() -> None:
    sent = response_format_for(Place)
    assert sent == {
        "type": "json_schema",
        "json_schema": {
            "name": "Place",
            "strict": True,
            "schema": {
                "type": "object",
                "title": "Place",
                "description": "Where it is.",
                "properties": {
                    "city": {"type": "string"},
                    "country": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["city", "country"],
                "additionalProperties": False,
            },
        },
    }
    request = CreateChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": sent}
    )
    assert isinstance(request.response_format, ResponseFormatJsonSchema)
    assert request.model_dump(by_alias=True, exclude_unset=True)["response_format"] == sent


@pytest.mark.parametrize("model", [Weather, Drawing, Tree, Chain, Box[Place], Prices])
def test_every_schema_is_valid_closed_and_requires_all_it_has(model: type[BaseModel]) -> None:
    schema = schema_of(model)
    Draft202012Validator.check_schema(schema)
    found = objects_in(schema)
    assert found
    for each in found:
        properties = each["properties"]
        assert isinstance(properties, dict)
        assert each["required"] == list(properties)
        assert each["additionalProperties"] is False


def test_keywords_beside_a_reference_are_inlined() -> None:
    properties = schema_of(Weather)["properties"]
    assert isinstance(properties, dict)
    place = properties["place"]
    assert "$ref" not in place
    assert place["description"] == "Where exactly."
    assert place["required"] == ["city", "country"]
    assert properties["nearby"]["items"] == {"$ref": "#/$defs/Place"}


def test_null_defaults_are_dropped_and_others_stay() -> None:
    properties = schema_of(Weather)["properties"]
    assert isinstance(properties, dict)
    assert "default" not in properties["title"]
    assert properties["unit"]["default"] == "c"


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"default": {"type": "null"}, "$ref": {"type": "string"}},
    }
    assert strict_schema(schema) == {
        **schema,
        "required": ["default", "$ref"],
        "additionalProperties": False,
    }


def test_a_tagged_union_is_spelled_as_any_of() -> None:
    properties = schema_of(Drawing)["properties"]
    assert isinstance(properties, dict)
    assert properties["shape"] == {"anyOf": [{"$ref": "#/$defs/Circle"}, {"$ref": "#/$defs/Square"}]}


@pytest.mark.parametrize("model", [Tree, Chain])
def test_a_model_that_contains_itself_has_a_finite_schema(model: type[BaseModel]) -> None:
    schema = schema_of(model)
    assert schema["type"] == "object"
    json.dumps(schema)


def test_a_map_stays_a_map() -> None:
    properties = schema_of(Prices)["properties"]
    assert isinstance(properties, dict)
    assert properties["by_name"] == {"type": "object", "additionalProperties": {"type": "number"}}


def test_the_name_of_a_generic_model_is_made_fit() -> None:
    sent = response_format_for(Box[Place])["json_schema"]
    assert isinstance(sent, dict)
    assert sent["name"] == "Box_Place_"


def test_an_intersection_of_one_is_what_it_holds() -> None:
    schema: dict[str, JsonValue] = {"allOf": [{"type": "object", "properties": {}}], "description": "d"}
    closed = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert strict_schema(schema) == {**closed, "description": "d"}


def test_the_schema_it_is_made_of_is_left_alone() -> None:
    schema = Weather.model_json_schema()
    before = json.dumps(schema)
    strict_schema(schema)
    assert json.dumps(schema) == before


def test_a_default_that_json_lacks_makes_no_noise() -> None:
    class Odd(BaseModel):
        when: float = Field(default_factory=float)
        what: object = object()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response_format_for(Odd)


class Runnable(BaseModel):
    run: Callable[[], int]


@pytest.mark.parametrize("model", [dict, {"type": "object"}, None, Place(city="x")])
def test_what_is_not_a_model_is_refused_by_name(model: object) -> None:
    with pytest.raises(InferenceGatewayValidationError, match="pydantic model") as caught:
        response_format_for(model)  # type: ignore[arg-type]
    assert caught.value.field == "response_format"


def test_a_model_without_a_json_schema_is_refused_by_name() -> None:
    with pytest.raises(InferenceGatewayValidationError, match="CallableSchema") as caught:
        response_format_for(Runnable)
    assert caught.value.field == "response_format"


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(InferenceGatewayValidationError, match="Nobody"):
        strict_schema({"$ref": "#/$defs/Nobody", "description": "x"})


# ---- the answer ----------------------------------------------------------------------------------------


def test_every_choice_is_read() -> None:
    answer = completion({"content": '{"city": "Bonn"}'}, {"content": '{"city": "Rome", "country": "IT"}'})
    parsed = parse_content(Place, answer)
    assert isinstance(parsed, ParsedChatCompletion)
    assert parsed.parsed == Place(city="Bonn")
    assert parsed.choices[1].message.parsed == Place(city="Rome", country="IT")


def test_the_completion_is_kept_as_it_came() -> None:
    answer = completion({"content": '{"city": "Bonn"}', "reasoning": "Hm", "annotations": []})
    parsed = parse_content(Place, answer)
    before = answer.model_dump(by_alias=True, exclude_unset=True)
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == before


def test_what_was_read_is_not_sent_back() -> None:
    message = parse_content(Place, completion({"content": '{"city": "Bonn"}'})).choices[0].message
    request = CreateChatCompletionRequest(model="m", messages=[message])
    (sent,) = request.model_dump(by_alias=True, exclude_unset=True)["messages"]
    assert sent == {"role": "assistant", "content": '{"city": "Bonn"}'}


def test_text_in_parts_is_read_too() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": '{"city": "Bonn"}'}]
    assert parse_content(Place, completion({"content": parts})).parsed == Place(city="Bonn")


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "message", [{"refusal": "No."}, {"tool_calls": [CALL]}, {"content": "", "tool_calls": [CALL]}]
)
def test_a_refusal_or_a_tool_call_has_nothing_to_read(message: dict[str, object]) -> None:
    assert parse_content(Place, completion(message)).parsed is None


def test_an_answer_without_choices_has_nothing_to_read() -> None:
    assert parse_content(Place, completion()).parsed is None


def test_an_answer_cut_at_the_limit_is_an_error_that_holds_it() -> None:
    answer = completion({"content": '{"ci'}, finish_reason="length")
    with pytest.raises(LengthFinishReasonError) as caught:
        parse_content(Place, answer)
    assert caught.value.completion is answer


def test_a_filtered_answer_is_an_error_that_holds_it() -> None:
    answer = completion({"content": ""}, finish_reason="content_filter")
    with pytest.raises(ContentFilterFinishReasonError) as caught:
        parse_content(Place, answer)
    assert caught.value.completion is answer


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"city": 3}', "choices.1.message.content.city"),
        ("{}", "choices.1.message.content.city"),
        ('{"city', "choices.1.message.content"),
        ("Bonn, I think", "choices.1.message.content"),
        ("", "choices.1.message.content"),
        (None, "choices.1.message.content"),
    ],
)
def test_a_text_that_does_not_fit_is_an_error_that_names_the_field(text: str | None, field: str) -> None:
    with pytest.raises(ResponseValidationError, match=field) as caught:
        parse_content(Place, completion({"content": '{"city": "Bonn"}'}, {"content": text}))
    assert caught.value.field == field
    assert caught.value.body == (text or "")
