"""Numbers and texts to try for a JSON Schema, the plainest first. Whoever asks checks them.

https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Final

from inference_gateway.server.providers.mock.pattern import MAX_TEXT, PatternError
from inference_gateway.server.providers.mock.schema_document import (
    Document,
    KeywordError,
    Keywords,
    count,
    limit,
    text,
)
from inference_gateway.server.providers.mock.schema_merge import common_multiple

VARIANTS: Final = 128
"""How many values of a kind are tried, and so how many distinct ones an array can hold."""

_MAX_INTEGER: Final = 2**63

_FORMATS: Final[dict[str, Callable[[int], str]]] = {
    "date": lambda turn: f"2024-01-{turn % 28 + 1:02}",
    "time": lambda turn: f"12:{turn % 60:02}:00Z",
    "date-time": lambda turn: f"2024-01-01T12:{turn % 60:02}:00Z",
    "duration": lambda turn: f"PT{turn + 1}M",
    "email": lambda turn: f"user{turn or ''}@example.com",
    "idn-email": lambda turn: f"user{turn or ''}@example.com",
    "hostname": lambda turn: f"host{turn or ''}.example.com",
    "idn-hostname": lambda turn: f"host{turn or ''}.example.com",
    "ipv4": lambda turn: f"192.0.2.{turn % 254 + 1}",
    "ipv6": lambda turn: f"2001:db8::{turn + 1:x}",
    "uri": lambda turn: f"https://example.com/{turn or ''}",
    "uri-reference": lambda turn: f"https://example.com/{turn or ''}",
    "iri": lambda turn: f"https://example.com/{turn or ''}",
    "iri-reference": lambda turn: f"https://example.com/{turn or ''}",
    "uuid": lambda turn: f"00000000-0000-4000-8000-{turn:012x}",
}


def strings(document: Document, schema: Keywords) -> Iterator[str]:
    """Texts for `format`, else for `pattern`, else of the right length.

    :raises KeywordError: the pattern is not read here, or the text would be too long.
    """
    make = _FORMATS.get(text(schema, "format") or "")
    if make is not None:
        yield from map(make, range(VARIANTS))
    if "pattern" in schema:
        yield from _matching(document, schema)
    elif make is None:
        yield from _filled(document, schema)


def _matching(document: Document, schema: Keywords) -> Iterator[str]:
    try:
        pattern = document.pattern(text(schema, "pattern") or "")
    except PatternError:
        raise KeywordError("pattern") from None
    least = min(count(schema, "minLength") or 0, MAX_TEXT)
    samples = pattern.samples([*range(VARIANTS), max(least - 1, 0), least], document.spend)
    plainest = next(samples, None)
    if plainest is None:
        raise KeywordError("pattern")
    yield plainest
    yield from samples


def _filled(document: Document, schema: Keywords) -> Iterator[str]:
    least, most = count(schema, "minLength") or 0, count(schema, "maxLength")
    if least > MAX_TEXT:
        raise KeywordError("minLength")
    document.spend(least)
    for turn in range(VARIANTS):
        # What tells two of them apart comes first, or a short `maxLength` would cut it off.
        word = "string" if turn == 0 else f"{turn}string"
        yield word.ljust(least, ".")[:most]


def numbers(schema: Keywords, *, whole: bool) -> Iterator[int | float]:
    """Numbers near zero and the bounds; `whole` ones, or multiples where the schema asks for them."""
    low = _highest(limit(schema, "minimum"), limit(schema, "exclusiveMinimum"))
    high = _lowest(limit(schema, "maximum"), limit(schema, "exclusiveMaximum"))
    step = limit(schema, "multipleOf")
    if step is not None and step <= 0:
        raise KeywordError("multipleOf")
    if whole:
        step = Fraction(1) if step is None else common_multiple(Fraction(1), step)
    found = _between(low, high) if step is None else _multiples(step, low, high)
    yield from map(_shortest, found)


def _highest(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return max((bound for bound in (one, other) if bound is not None), default=None)


def _lowest(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return min((bound for bound in (one, other) if bound is not None), default=None)


def _multiples(step: Fraction, low: Fraction | None, high: Fraction | None) -> Iterator[Fraction]:
    factor = 0
    if low is not None and low > 0:
        factor = ceil(low / step)
    elif high is not None and high < 0:
        factor = floor(high / step)
    for turn in range(VARIANTS):
        yield (factor + turn) * step
        yield (factor - turn) * step


def _between(low: Fraction | None, high: Fraction | None) -> Iterator[Fraction]:
    yield Fraction(0)
    if low is not None and high is not None:
        yield from (low + (high - low) * turn / VARIANTS for turn in range(VARIANTS + 1))
        return
    start = low if low is not None else high if high is not None else Fraction(0)
    for turn in range(VARIANTS):
        yield start + turn
        yield start - turn


def _shortest(number: Fraction) -> int | float:
    if number.denominator == 1 and abs(number) < _MAX_INTEGER:
        return number.numerator
    try:
        return float(number)
    except OverflowError:
        raise KeywordError("minimum") from None
