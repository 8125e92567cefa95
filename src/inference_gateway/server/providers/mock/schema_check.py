"""Does a value meet a JSON Schema? The first keyword that it does not meet, or None.

A keyword that asserts something and is not read here is an error, so that nothing wrong passes.
`format` is an annotation, as the specification has it.

https://json-schema.org/draft/2020-12/json-schema-validation
"""

from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from typing import Final, TypeAlias

from inference_gateway.server.providers.mock.schema_document import (
    IS_TYPE,
    JSON,
    Document,
    KeywordError,
    Keywords,
    Schema,
    count,
    exact,
    flag,
    is_number,
    limit,
    lists_of_names,
    named_subschemas,
    names,
    subschema,
    subschemas,
    text,
    types,
    values,
)

_NOT_READ: Final = (
    "$dynamicRef",
    "$recursiveRef",
    "dependencies",
    "unevaluatedItems",
    "unevaluatedProperties",
)
Broken: TypeAlias = str | None
"""The keyword that is not met."""


def canonical(value: JSON) -> Hashable:
    """Turn a value into a key: equal keys for equal JSON values (1 and 1.0, but not 1 and true)."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, list):
        return ("array", tuple(map(canonical, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, canonical(value[name])) for name in value))
    return value


def violation(document: Document, value: JSON, schema: Schema) -> Broken:
    """Find the first keyword of a schema that a value does not meet.

    :raises KeywordError: a keyword is not read here.
    :raises SchemaError: the schema is malformed, or checking is too much work.
    """
    document.spend(4)
    if isinstance(schema, bool):
        return None if schema else "false"
    for rule in _RULES:
        broken = rule(document, value, schema)
        if broken is not None:
            return broken
    return None


def _meets(document: Document, value: JSON, schema: Schema) -> bool:
    return violation(document, value, schema) is None


def _first(found: Iterable[Broken]) -> Broken:
    return next((broken for broken in found if broken is not None), None)


def _unread(_document: Document, _value: JSON, schema: Keywords) -> Broken:
    for keyword in _NOT_READ:
        if keyword in schema:
            raise KeywordError(keyword)
    return None


def _plain(document: Document, value: JSON, schema: Keywords) -> Broken:
    allowed = types(schema)
    if allowed is not None and not any(IS_TYPE[name](value) for name in allowed):
        return "type"
    if "const" in schema and canonical(schema["const"]) != canonical(value):
        return "const"
    if "enum" in schema:
        options = values(schema, "enum")
        document.spend(len(options))
        if canonical(value) not in set(map(canonical, options)):
            return "enum"
    return None


def _number(_document: Document, value: JSON, schema: Keywords) -> Broken:
    if not is_number(value):
        return None
    size = exact(value)
    for keyword, holds in _BOUNDS.items():
        bound = limit(schema, keyword)
        if bound is not None and not holds(size, bound):
            return keyword
    step = limit(schema, "multipleOf")
    return "multipleOf" if step is not None and (step <= 0 or size % step) else None


_BOUNDS: Final[dict[str, Callable[[Fraction, Fraction], bool]]] = {
    "minimum": lambda size, bound: size >= bound,
    "maximum": lambda size, bound: size <= bound,
    "exclusiveMinimum": lambda size, bound: size > bound,
    "exclusiveMaximum": lambda size, bound: size < bound,
}


def _sized(schema: Keywords, size: int, least: str, most: str) -> Broken:
    low, high = count(schema, least), count(schema, most)
    if low is not None and size < low:
        return least
    return most if high is not None and size > high else None


def _string(document: Document, value: JSON, schema: Keywords) -> Broken:
    if not isinstance(value, str):
        return None
    broken = _sized(schema, len(value), "minLength", "maxLength")
    pattern = text(schema, "pattern")
    if broken is not None or pattern is None:
        return broken
    return None if document.matches(pattern, value, keyword="pattern") else "pattern"


def _array(document: Document, value: JSON, schema: Keywords) -> Broken:
    if not isinstance(value, list):
        return None
    broken = _sized(schema, len(value), "minItems", "maxItems")
    if broken is not None:
        return broken
    if flag(schema, "uniqueItems") and len(set(map(canonical, value))) < len(value):
        return "uniqueItems"
    if "contains" in schema and (broken := _contains(document, value, schema)) is not None:
        return broken
    prefix = subschemas(schema, "prefixItems")
    rest = subschema(schema, "items")
    expected = [*prefix[: len(value)], *[rest] * (len(value) - len(prefix))]
    return _first(violation(document, item, part) for item, part in zip(value, expected, strict=True))


def _contains(document: Document, value: list[JSON], schema: Keywords) -> Broken:
    part = subschema(schema, "contains")
    found = sum(_meets(document, item, part) for item in value)
    least, most = count(schema, "minContains"), count(schema, "maxContains")
    if found < (1 if least is None else least):
        return "contains"
    return "maxContains" if most is not None and found > most else None


def _object(document: Document, value: JSON, schema: Keywords) -> Broken:
    if not isinstance(value, dict):
        return None
    broken = _sized(schema, len(value), "minProperties", "maxProperties")
    if broken is not None:
        return broken
    if not value.keys() >= set(names(schema, "required")):
        return "required"
    if "propertyNames" in schema:
        part = subschema(schema, "propertyNames")
        if not all(_meets(document, name, part) for name in value):
            return "propertyNames"
    broken = _dependent(document, value, schema)
    if broken is not None:
        return broken
    return _first(
        violation(document, value[name], part)
        for name in value
        for part in property_schemas(document, schema, name)
    )


def _dependent(document: Document, value: dict[str, JSON], schema: Keywords) -> Broken:
    required = lists_of_names(schema, "dependentRequired")
    if any(name in value and not value.keys() >= set(required[name]) for name in required):
        return "dependentRequired"
    parts = named_subschemas(schema, "dependentSchemas")
    return _first(violation(document, value, parts[name]) for name in parts if name in value)


def property_schemas(document: Document, schema: Keywords, name: str) -> list[Schema]:
    """List the schemas that a property of this name must meet."""
    parts = named_subschemas(schema, "properties")
    found = [parts[name]] if name in parts else []
    patterns = named_subschemas(schema, "patternProperties")
    for pattern, part in patterns.items():
        if document.matches(pattern, name, keyword="patternProperties"):
            found.append(part)
    return found or [subschema(schema, "additionalProperties")]


def _combined(document: Document, value: JSON, schema: Keywords) -> Broken:
    reference = text(schema, "$ref")
    if reference is not None:
        broken = violation(document, value, document.resolve(reference))
        if broken is not None:
            return broken
    broken = _first(violation(document, value, part) for part in subschemas(schema, "allOf"))
    if broken is not None:
        return broken
    if "anyOf" in schema and not any(_meets(document, value, part) for part in subschemas(schema, "anyOf")):
        return "anyOf"
    if "oneOf" in schema and sum(_meets(document, value, part) for part in subschemas(schema, "oneOf")) != 1:
        return "oneOf"
    return "not" if "not" in schema and _meets(document, value, subschema(schema, "not")) else None


def _conditional(document: Document, value: JSON, schema: Keywords) -> Broken:
    if "if" not in schema:
        return None
    branch = "then" if _meets(document, value, subschema(schema, "if")) else "else"
    return violation(document, value, subschema(schema, branch))


_RULES: Final[tuple[Callable[[Document, JSON, Keywords], Broken], ...]] = (
    _unread,
    _plain,
    _number,
    _string,
    _array,
    _object,
    _combined,
    _conditional,
)
