"""Make an instance of a JSON Schema: plain, small and the same every time.

Every value is checked against its schema before it is used, so what comes out is valid, or an error
names the keyword that could not be met.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock.schema_check import canonical, property_schemas, violation
from inference_gateway.server.providers.mock.schema_document import (
    IS_TYPE,
    JSON,
    Document,
    KeywordError,
    Keywords,
    Schema,
    SchemaError,
    count,
    flag,
    named_subschemas,
    names,
    subschema,
    subschemas,
    types,
    values,
)
from inference_gateway.server.providers.mock.schema_merge import Trail, alternatives
from inference_gateway.server.providers.mock.schema_scalars import numbers, strings

_MAX_ITEMS: Final = 1000
_SIGNS: Final = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "uniqueItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that tell what a schema without a `type` is about."""


def instance(schema: Schema, *, field: str = "schema") -> JSON:
    """Make a value that is valid for a schema.

    :param field: where the schema stands in the request, for the error.
    :raises BadRequest: the schema is malformed, or a keyword cannot be met here; the text names it.
    """
    document = Document(schema)
    try:
        return _first(document, schema, frozenset())
    except KeywordError as error:
        raise BadRequest(f"{field}: the mock cannot meet {error.keyword!r}") from error
    except SchemaError as error:
        raise BadRequest(f"{field}: {error}") from error
    except RecursionError as error:
        raise BadRequest(f"{field}: the schema is nested too deeply") from error


def _first(document: Document, schema: Schema, trail: Trail) -> JSON:
    return next(_valid(document, schema, trail))


def _valid(document: Document, schema: Schema, trail: Trail) -> Iterator[JSON]:
    """All values that are found for a schema, at least one.

    :raises KeywordError: there is none.
    """
    found, unmet = False, KeywordError("type")
    for keywords, longer in alternatives(document, schema, trail):
        try:
            for value in _candidates(document, keywords, longer):
                broken = _broken(document, value, schema)
                if broken is None:
                    found = True
                    yield value
                else:
                    unmet = KeywordError(broken)
        except KeywordError as error:
            unmet = error
    if not found:
        raise unmet


def _broken(document: Document, value: JSON, schema: Schema) -> str | None:
    # A keyword that is not read rules this value out; the next may not be concerned by it.
    try:
        return violation(document, value, schema)
    except KeywordError as error:
        return error.keyword


def _candidates(document: Document, schema: Keywords, trail: Trail) -> Iterator[JSON]:
    if "const" in schema:
        yield schema["const"]
        return
    if "enum" in schema:
        yield from values(schema, "enum")
        return
    if "default" in schema:
        yield schema["default"]
    if isinstance(schema.get("examples"), list):
        yield from values(schema, "examples")
    unmet: KeywordError | None = None
    for name in _types(schema):
        try:
            yield from _of_type(document, schema, trail, name)
        except KeywordError as error:
            unmet = error
    if unmet is not None:
        raise unmet


def _types(schema: Keywords) -> list[str]:
    """Order the types of a schema: null, which says least, comes last."""
    allowed = types(schema)
    if allowed is not None:
        return sorted(allowed, key="null".__eq__)
    meant = [name for name, signs in _SIGNS.items() if any(sign in schema for sign in signs)]
    return list(dict.fromkeys([*meant, *IS_TYPE]))


def _of_type(document: Document, schema: Keywords, trail: Trail, name: str) -> Iterator[JSON]:
    match name:
        case "object":
            yield from _objects(document, schema, trail)
        case "array":
            yield from _arrays(document, schema, trail)
        case "string":
            yield from strings(document, schema)
        case "boolean":
            yield from (True, False)
        case "null":
            yield None
        case _:
            yield from numbers(schema, whole=name == "integer")


def _objects(document: Document, schema: Keywords, trail: Trail) -> Iterator[JSON]:
    required = names(schema, "required")
    wanted = _property_names(document, schema, trail, required)
    full = _object(document, schema, trail, wanted)
    yield full
    yield {name: full[name] for name in full if name in required}
    for name in full:
        for value in islice(_property(document, schema, trail, name), 1, None):
            yield {**full, name: value}


def _property_names(document: Document, schema: Keywords, trail: Trail, required: list[str]) -> list[str]:
    """Choose the properties, in the order of the schema."""
    known = list(dict.fromkeys([*named_subschemas(schema, "properties"), *required]))
    least, most = count(schema, "minProperties") or 0, count(schema, "maxProperties")
    if least > _MAX_ITEMS:
        raise KeywordError("minProperties")
    if len(known) < least:
        fresh = (name for name in _made_up_names(document, schema, trail) if name not in known)
        known += islice(fresh, least - len(known))
    surplus = 0 if most is None else max(len(known) - most, 0)
    dropped = set([name for name in reversed(known) if name not in required][:surplus])
    return [name for name in known if name not in dropped]


def _made_up_names(document: Document, schema: Keywords, trail: Trail) -> Iterator[str]:
    if "propertyNames" not in schema:
        yield from (f"property{number}" for number in range(1, 2 * _MAX_ITEMS))
        return
    rule: Keywords = {"allOf": [{"type": "string"}, subschema(schema, "propertyNames")]}
    for name in _valid(document, rule, trail):
        assert isinstance(name, str)
        yield name


def _object(document: Document, schema: Keywords, trail: Trail, wanted: list[str]) -> dict[str, JSON]:
    required = names(schema, "required")
    made: dict[str, JSON] = {}
    for name in wanted:
        try:
            made[name] = next(_property(document, schema, trail, name))
        except KeywordError:
            # Left out where it may be: here a recursive schema ends.
            if name in required:
                raise
    return made


def _property(document: Document, schema: Keywords, trail: Trail, name: str) -> Iterator[JSON]:
    first, *others = property_schemas(document, schema, name)
    return _valid(document, {"allOf": [first, *others]} if others else first, trail)


def _arrays(document: Document, schema: Keywords, trail: Trail) -> Iterator[JSON]:
    least, most = _array_sizes(schema)
    try:
        full = _array(document, schema, trail, most)
    except KeywordError:
        if most == least:
            raise
        # Nothing that may be left out: here a recursive schema ends.
        full = _array(document, schema, trail, least)
    yield full
    yield full[:least]
    for place in range(len(full)):
        for value in islice(_valid(document, _item(schema, place), trail), 1, None):
            yield [*full[:place], value, *full[place + 1 :]]


def _array_sizes(schema: Keywords) -> tuple[int, int]:
    """Fewest items, and how many are pleasant."""
    least, most = count(schema, "minItems") or 0, count(schema, "maxItems")
    if least > _MAX_ITEMS:
        raise KeywordError("minItems")
    contained = count(schema, "minContains")
    found = (1 if contained is None else contained) if "contains" in schema else 0
    shown = 1 if subschema(schema, "items") is not False and "items" in schema else 0
    pleasant = max(least, found, shown, len(subschemas(schema, "prefixItems")))
    return least, pleasant if most is None else max(least, min(pleasant, most))


def _item(schema: Keywords, place: int) -> Schema:
    prefix = subschemas(schema, "prefixItems")
    part = prefix[place] if place < len(prefix) else subschema(schema, "items")
    contained = count(schema, "minContains")
    if "contains" in schema and place < (1 if contained is None else contained):
        return {"allOf": [part, subschema(schema, "contains")]}
    return part


def _array(document: Document, schema: Keywords, trail: Trail, size: int) -> list[JSON]:
    made: list[JSON] = []
    unique = flag(schema, "uniqueItems")
    for place in range(size):
        found = _valid(document, _item(schema, place), trail)
        made.append(_another(found, made) if unique else next(found))
    return made


def _another(found: Iterator[JSON], made: list[JSON]) -> JSON:
    seen = set(map(canonical, made))
    for value in found:
        if canonical(value) not in seen:
            return value
    raise KeywordError("uniqueItems")
