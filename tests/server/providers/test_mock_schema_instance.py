"""Instances of JSON Schemas, with the `jsonschema` package as the judge."""

import re

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock.schema_check import violation
from inference_gateway.server.providers.mock.schema_document import JSON, Document, Schema
from inference_gateway.server.providers.mock.schema_instance import instance

FORMATS = ["date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"]


def is_valid(value: JSON, schema: Schema) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def some(**keywords: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=keywords)


def typed(name: str, keywords: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    return keywords.map(lambda found: {"type": name, **found})


SMALL = st.integers(0, 4)
VALUES: st.SearchStrategy[JSON] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b1"]), st.just([1]), st.just({})
)
NUMBERS = st.integers(-9, 9) | st.sampled_from([-2.5, 0.25, 1.5, 4.75])
NAMES = st.sampled_from(["a", "b", "c"])
STRINGS = some(
    minLength=SMALL,
    maxLength=SMALL.map(lambda size: size + 2),
    pattern=st.sampled_from(["^a", "[0-9]+", "b$", "^[a-z]{2,4}$"]),
)
BOUNDS = some(
    minimum=NUMBERS,
    maximum=NUMBERS,
    exclusiveMinimum=NUMBERS,
    exclusiveMaximum=NUMBERS,
    multipleOf=st.sampled_from([1, 2, 3, 0.5, 0.25]),
)
SCALARS = st.one_of(
    st.booleans(),
    typed("string", STRINGS),
    typed("string", some(format=st.sampled_from(FORMATS))),
    typed("integer", BOUNDS),
    typed("number", BOUNDS),
    st.sampled_from(
        [{}, {"type": "null"}, {"type": "boolean"}, {"type": ["null", "string"]}, {"$ref": "#/$defs/d"}]
    ),
    VALUES.map(lambda value: {"const": value}),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda found: {"enum": found}),
    VALUES.map(lambda value: {"type": "string", "default": value}),
)


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    several = st.lists(inner, min_size=1, max_size=3)
    objects = some(
        properties=st.dictionaries(NAMES, inner, max_size=3),
        required=st.lists(NAMES, unique=True, max_size=2),
        additionalProperties=inner,
        patternProperties=st.dictionaries(st.sampled_from(["^a", "b|c"]), inner, max_size=1),
        propertyNames=st.sampled_from([{"pattern": "^[a-z]"}, {"maxLength": 9}]),
        minProperties=SMALL,
        maxProperties=SMALL,
        dependentRequired=st.just({"a": ["b"]}),
        dependentSchemas=st.dictionaries(NAMES, inner, max_size=1),
    )
    arrays = some(
        items=inner,
        prefixItems=several,
        minItems=SMALL,
        maxItems=SMALL,
        uniqueItems=st.booleans(),
        contains=inner,
        minContains=st.integers(0, 2),
        maxContains=st.integers(1, 3),
    )
    combined = some(
        anyOf=several,
        oneOf=several,
        allOf=several,
        **{"not": inner, "if": inner, "then": inner, "else": inner},
    )
    return st.one_of(
        typed("object", objects),
        typed("array", arrays),
        combined,
        st.tuples(objects, combined).map(lambda both: {**both[0], **both[1]}),
    )


SCHEMAS = st.recursive(SCALARS, containers, max_leaves=8)


def document(schema: object, definition: object) -> Schema:
    return {"allOf": [schema], "$defs": {"d": definition}}  # type: ignore[list-item, dict-item]  # any JSON


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, SCHEMAS)
def test_an_instance_is_valid_or_there_is_an_error(schema: object, definition: object) -> None:
    whole = document(schema, definition)
    try:
        value = instance(whole)
    except BadRequest as error:
        event(error.message)
        return
    assert is_valid(value, whole), value


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(NAMES, VALUES, max_size=3))
def test_the_check_agrees_with_the_judge(schema: object, value: JSON) -> None:
    whole = document(schema, {"type": "string"})
    assert (violation(Document(whole), value, whole) is None) == is_valid(value, whole)


@given(
    typed("object", some(properties=st.dictionaries(st.text(max_size=5), SCALARS.filter(bool), max_size=5)))
)
def test_an_object_of_plain_properties_is_always_met(schema: Schema) -> None:
    assert isinstance(schema, dict)
    assert is_valid(instance({**schema, "$defs": {"d": True}}), {**schema, "$defs": {"d": True}})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {}),
        (True, {}),
        ({"type": "string"}, "string"),
        ({"type": "string", "minLength": 8, "maxLength": 8}, "string.."),
        ({"type": "string", "maxLength": 3}, "str"),
        ({"minimum": 4}, 4),
        ({"type": "number", "minimum": -1, "maximum": 1}, 0),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.3, "multipleOf": 0.1}, 0.1),
        ({"type": "integer", "minimum": 10, "multipleOf": 7}, 14),
        ({"type": "integer", "maximum": -1}, -1),
        ({"type": "integer", "minimum": 1e30}, 1e30),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"enum": [3, 4], "minimum": 4}, 4),
        ({"type": "integer", "default": 9}, 9),
        ({"type": "integer", "default": "nine", "examples": ["x", 8]}, 8),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}, [0, 1, -1]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        ({"type": "array", "contains": {"const": 5}, "minContains": 2}, [5, 5]),
        ({"prefixItems": [{"type": "string"}, {"const": 1}], "items": False}, ["string", 1]),
        ({"minProperties": 2, "additionalProperties": {"const": 1}}, {"property1": 1, "property2": 1}),
        ({"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^k"}}, {"k": {}}),
        ({"allOf": [{"type": "integer"}, {"type": "number", "minimum": 5}, {"maximum": 7}]}, 5),
        ({"anyOf": [{"type": "string", "minLength": 3, "maxLength": 2}, {"type": "boolean"}]}, True),
        ({"anyOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}], "type": "null"}, None),
        ({"oneOf": [{"type": "number", "minimum": 0, "maximum": 64}, {"type": "integer"}]}, 0.5),
        ({"not": {"type": "object"}}, "string"),
    ],
)  # fmt: skip
def test_the_plainest_value_is_made(schema: Schema, expected: JSON) -> None:
    assert instance(schema) == expected


def test_every_property_is_made_in_the_order_of_the_schema() -> None:
    schema: Schema = {
        "type": "object",
        "properties": {
            "place": {"type": "string"},
            "unit": {"enum": ["C", "F"]},
            "days": {"type": "integer", "minimum": 1},
        },
        "required": ["place"],
        "additionalProperties": False,
    }
    value = instance(schema)
    assert value == {"place": "string", "unit": "C", "days": 1}
    assert list(value) == ["place", "unit", "days"]


@pytest.mark.parametrize("keyword", ["$defs", "definitions"])
def test_a_recursive_schema_ends(keyword: str) -> None:
    node: JSON = {"$ref": f"#/{keyword}/a~1node"}
    schema: Schema = {
        "$ref": f"#/{keyword}/a~1node",
        keyword: {
            "a/node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "next": {"anyOf": [node, {"type": "null"}]},
                    "children": {"type": "array", "items": node},
                    "parent": node,
                },
                "required": ["value", "next", "children"],
                "additionalProperties": False,
            }
        },
    }
    assert instance(schema) == {"value": 0, "next": None, "children": []}


def test_the_root_may_be_named() -> None:
    schema: Schema = {"type": "object", "properties": {"child": {"$ref": "#"}, "name": {"type": "string"}}}
    assert instance(schema) == {"child": {"name": "string"}, "name": "string"}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_met(name: str) -> None:
    schemas: Schema = {"type": "string", "format": name}
    shapes = {
        "date": r"\d{4}-\d\d-\d\d",
        "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "time": r"\d\d:\d\d:\d\dZ",
        "email": r"\w+@\w+\.com",
        "uri": r"https://[\w./]+",
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "ipv4": r"192\.0\.2\.\d+",
        "ipv6": r"2001:db8::\d",
        "hostname": r"[\w.]+",
        "duration": r"PT\dM",
    }
    value = instance(schemas)
    assert isinstance(value, str)
    assert re.fullmatch(shapes[name], value)
    several = instance({"type": "array", "items": schemas, "minItems": 9, "uniqueItems": True})
    assert isinstance(several, list)
    assert len(set(map(str, several))) == 9


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "string", "pattern": "(?<=a)b"}, "pattern"),
        ({"type": "string", "pattern": "^a$", "minLength": 2}, "minLength"),
        ({"type": "string", "minLength": 10**9}, "minLength"),
        ({"type": "array", "minItems": 10**9}, "minItems"),
        ({"type": "object", "minProperties": 10**9}, "minProperties"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 3, "uniqueItems": True}, "uniqueItems"),
        ({"type": "integer", "minimum": 0.1, "maximum": 0.9}, "minimum"),
        ({"type": "integer", "minimum": 10**400}, "minimum"),
        ({"multipleOf": -1, "type": "number"}, "multipleOf"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "type"),
        ({"allOf": [{"const": 1}, {"const": True}]}, "const"),
        ({"allOf": [{"enum": [1]}, {"enum": [2]}]}, "enum"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties"),
        ({"$ref": "https://example.com/schema"}, "$ref"),
        ({"$ref": "#/$defs/none"}, "$ref"),
        ({"$ref": "#anchor"}, "$ref"),
        ({"$ref": "#"}, "$ref"),
        ({"not": {}}, "not"),
        (False, "false"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "false"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_named(schema: Schema, keyword: str) -> None:
    with pytest.raises(BadRequest) as caught:
        instance(schema, field="here")
    assert caught.value.message == f"here: the mock cannot meet {keyword!r}"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"type": "text"},
        {"enum": 1},
        {"required": [1], "type": "object"},
        {"required": "a", "type": "object"},
        {"properties": []},
        {"properties": {"a": 1}},
        {"items": [{}], "type": "array"},
        {"minLength": -1, "type": "string"},
        {"minLength": 1.5, "type": "string"},
        {"minimum": "1", "type": "integer"},
        {"exclusiveMinimum": True, "type": "integer"},
        {"uniqueItems": 1, "type": "array"},
        {"pattern": 1, "type": "string"},
        {"anyOf": {}},
        {"not": 1},
        {"$ref": 1},
        {"dependentRequired": []},
        {"type": "object", "dependentRequired": {"a": 1}},
    ],
)
def test_a_malformed_keyword_is_named(schema: Schema) -> None:
    with pytest.raises(BadRequest, match="is malformed"):
        instance(schema)


def doubling(depth: int) -> Schema:
    both = ["left", "right"]
    definitions: dict[str, JSON] = {
        f"d{level}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in both},
            "required": list(both),
        }
        for level in range(depth)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{depth}": {}}}


def test_a_schema_that_grows_without_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="too large"):
        instance(doubling(30))


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: JSON = {"type": "integer"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    assert isinstance(schema, dict)
    with pytest.raises(BadRequest, match="nested too deeply"):
        instance(schema)


def test_a_pattern_cannot_be_made_to_run_long() -> None:
    hostile: Schema = {"type": "string", "pattern": "((x|x)*)*y" * 90, "default": "x" * 100_000}
    with pytest.raises(BadRequest, match="too large"):
        instance(hostile)
