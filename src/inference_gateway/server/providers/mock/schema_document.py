"""A JSON Schema as the mock reads it: keywords with their types, local references, a bound on the work.

Knows nothing of how an instance is checked or made.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Final, TypeAlias, TypeGuard
from urllib.parse import unquote

from inference_gateway.server.providers.mock.pattern import Pattern, PatternError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""A decoded JSON value."""
Keywords: TypeAlias = dict[str, JSON]
Schema: TypeAlias = bool | Keywords
"""True allows everything, False nothing."""

_MAX_STEPS: Final = 200_000


class KeywordError(Exception):
    """A keyword cannot be met, or is not read here; another branch of the schema perhaps can be met."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


class SchemaError(Exception):
    """The whole schema cannot be used; the text says why."""


class Document:
    """What every part of one schema shares: the root of its references and the work it may cause."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = _MAX_STEPS
        self._patterns: dict[str, Pattern] = {}

    def spend(self, steps: int) -> None:
        """Count work.

        :raises SchemaError: there was too much of it.
        """
        self._left -= steps
        if self._left < 0:
            raise SchemaError("the schema is too large for the mock")

    def resolve(self, reference: str) -> Schema:
        """Find what a reference into this document names.

        :raises KeywordError: it names nothing here.
        """
        where, pointer = reference[:1], unquote(reference[1:])
        if where != "#" or not (pointer == "" or pointer.startswith("/")):
            raise KeywordError("$ref")
        found: JSON = self._root
        for token in pointer.split("/")[1:]:
            found = _step_into(found, token.replace("~1", "/").replace("~0", "~"))
        return _schema(found, "$ref")

    def pattern(self, source: str) -> Pattern:
        """Compile a pattern, once.

        :raises PatternError: it is not read here.
        """
        if source not in self._patterns:
            self.spend(len(source))
            self._patterns[source] = Pattern(source)
        return self._patterns[source]

    def matches(self, source: str, text: str, *, keyword: str) -> bool:
        """Whether a text matches a pattern that stands in a keyword.

        :raises KeywordError: the pattern is not read here.
        """
        try:
            return self.pattern(source).matches(text, self.spend)
        except PatternError:
            raise KeywordError(keyword) from None


def _step_into(value: JSON, token: str) -> JSON:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and token.isascii() and token.isdigit() and int(token[:9]) < len(value):
        return value[int(token[:9])]
    raise KeywordError("$ref")


def _malformed(keyword: str) -> SchemaError:
    return SchemaError(f"{keyword!r} is malformed")


def _schema(value: JSON, keyword: str) -> Schema:
    if not isinstance(value, (bool, dict)):
        raise _malformed(keyword)
    return value


def is_number(value: JSON) -> TypeGuard[int | float]:
    """Whether a value is a number; to Python a boolean would be one too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def exact(value: float) -> Fraction:
    """Read a number as the decimal that was written, so that 0.3 is a multiple of 0.1."""
    return Fraction(value) if isinstance(value, int) else Fraction(str(value))


def limit(schema: Keywords, keyword: str) -> Fraction | None:
    """Read a keyword that holds a number."""
    value = schema.get(keyword)
    if value is None:
        return None
    if not is_number(value):
        raise _malformed(keyword)
    return exact(value)


def count(schema: Keywords, keyword: str) -> int | None:
    """Read a keyword that holds a number of things."""
    value = limit(schema, keyword)
    if value is not None and (value < 0 or value.denominator != 1):
        raise _malformed(keyword)
    return None if value is None else value.numerator


def text(schema: Keywords, keyword: str) -> str | None:
    """Read a keyword that holds a text."""
    value = schema.get(keyword)
    if value is not None and not isinstance(value, str):
        raise _malformed(keyword)
    return value


def flag(schema: Keywords, keyword: str) -> bool:
    """Read a keyword that is on or off."""
    value = schema.get(keyword, False)
    if not isinstance(value, bool):
        raise _malformed(keyword)
    return value


def values(schema: Keywords, keyword: str) -> list[JSON]:
    """Read a keyword that holds a list of anything; absent is empty."""
    value = schema.get(keyword, [])
    if not isinstance(value, list):
        raise _malformed(keyword)
    return value


def names(schema: Keywords, keyword: str) -> list[str]:
    """Read a keyword that holds a list of texts; absent is empty."""
    found = [value for value in values(schema, keyword) if isinstance(value, str)]
    if len(found) != len(values(schema, keyword)):
        raise _malformed(keyword)
    return found


def lists_of_names(schema: Keywords, keyword: str) -> dict[str, list[str]]:
    """Read a keyword that holds lists of texts by name; absent is empty."""
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise _malformed(keyword)
    return {name: names(value, name) for name in value}


def types(schema: Keywords) -> list[str] | None:
    """Read `type`, one or several; None is any."""
    if "type" not in schema:
        return None
    found = [schema["type"]] if isinstance(schema["type"], str) else values(schema, "type")
    known = [name for name in found if isinstance(name, str) and name in IS_TYPE]
    if len(known) != len(found):
        raise _malformed("type")
    return known


def subschema(schema: Keywords, keyword: str) -> Schema:
    """Read a keyword that holds a schema; absent allows everything."""
    return _schema(schema.get(keyword, True), keyword)


def subschemas(schema: Keywords, keyword: str) -> list[Schema]:
    """Read a keyword that holds a list of schemas; absent is empty."""
    return [_schema(value, keyword) for value in values(schema, keyword)]


def named_subschemas(schema: Keywords, keyword: str) -> dict[str, Schema]:
    """Read a keyword that holds schemas by name; absent is empty."""
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise _malformed(keyword)
    return {name: _schema(value[name], keyword) for name in value}


def _is_whole(value: JSON) -> bool:
    return is_number(value) and (isinstance(value, int) or value.is_integer())


IS_TYPE: Final[dict[str, Callable[[JSON], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "integer": _is_whole,
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
"""How to tell each type of JSON Schema, in the order in which an untyped schema is tried."""
