"""The ways in which a JSON Schema can be met, each as one flat set of keywords.

References are followed, `allOf` is merged and every branch of `anyOf`, `oneOf` and `if` is one way.
What a merge cannot express (`not`, exactly one of `oneOf`) is left to the check of the made instance.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import zip_longest
from math import gcd, lcm
from typing import Final, TypeAlias

from inference_gateway.server.providers.mock.schema_check import canonical
from inference_gateway.server.providers.mock.schema_document import (
    JSON,
    Document,
    KeywordError,
    Keywords,
    Schema,
    limit,
    named_subschemas,
    names,
    subschema,
    subschemas,
    text,
    types,
    values,
)

_COMBINING: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"})

Trail: TypeAlias = frozenset[str]
"""The references that led here. None is followed twice, or a recursive schema would never end."""


def alternatives(document: Document, schema: Schema, trail: Trail) -> Iterator[tuple[Keywords, Trail]]:
    """Flatten a schema: each result meets it alone, with the trail that its parts go on from.

    :raises KeywordError: there is no way; after the last result never.
    """
    document.spend(4)
    if isinstance(schema, bool):
        if not schema:
            raise KeywordError("false")
        yield {}, trail
        return
    plain = {keyword: schema[keyword] for keyword in schema if keyword not in _COMBINING}
    groups, longer = _groups(document, schema, trail)
    yield from _combinations(document, plain, groups, longer)


def _groups(document: Document, schema: Keywords, trail: Trail) -> tuple[list[list[Schema]], Trail]:
    """List what must be met besides the plain keywords: one schema of every group."""
    groups: list[list[Schema]] = [[part] for part in subschemas(schema, "allOf")]
    groups += [subschemas(schema, keyword) for keyword in ("anyOf", "oneOf") if keyword in schema]
    if "if" in schema:
        both: Keywords = {"allOf": [subschema(schema, "if"), subschema(schema, "then")]}
        groups.append([both, subschema(schema, "else")])
    reference = text(schema, "$ref")
    if reference is None:
        return groups, trail
    if reference in trail:
        raise KeywordError("$ref")
    # Beside other keywords, so that two of them may name the same target.
    return [[document.resolve(reference)], *groups], trail | {reference}


def _combinations(
    document: Document, merged: Keywords, groups: list[list[Schema]], trail: Trail
) -> Iterator[tuple[Keywords, Trail]]:
    if not groups:
        yield merged, trail
        return
    found, unmet = False, KeywordError("anyOf")
    for way in _ways(document, merged, groups[0], trail):
        if isinstance(way, KeywordError):
            unmet = way
            continue
        both, longer = way
        try:
            for whole, longest in _combinations(document, both, groups[1:], trail):
                found = True
                yield whole, longer | longest
        except KeywordError as error:
            unmet = error
    if not found:
        raise unmet


def _ways(
    document: Document, merged: Keywords, options: list[Schema], trail: Trail
) -> Iterator[tuple[Keywords, Trail] | KeywordError]:
    """Merge each way of each option, or tell why it does not go; one that fails never hides the next."""
    for option in options:
        try:
            for keywords, longer in alternatives(document, option, trail):
                yield _attempt(merged, keywords, longer)
        except KeywordError as error:
            yield error


def _attempt(merged: Keywords, keywords: Keywords, trail: Trail) -> tuple[Keywords, Trail] | KeywordError:
    try:
        return merge(merged, keywords), trail
    except KeywordError as error:
        return error


def merge(left: Keywords, right: Keywords) -> Keywords:
    """Merge two flat sets of keywords into one that meets both, as far as one can.

    :raises KeywordError: they contradict each other.
    """
    merged = dict(left)
    for keyword in right:
        if keyword not in left:
            merged[keyword] = right[keyword]
        elif keyword in _MERGERS:
            merged[keyword] = _MERGERS[keyword](left, right, keyword)
    return merged


def _number(value: Fraction) -> JSON:
    return value.numerator if value.denominator == 1 else float(value)


def _larger(left: Keywords, right: Keywords, keyword: str) -> JSON:
    low, high = limit(left, keyword), limit(right, keyword)
    return left[keyword] if high is None or (low is not None and low >= high) else right[keyword]


def _smaller(left: Keywords, right: Keywords, keyword: str) -> JSON:
    low, high = limit(left, keyword), limit(right, keyword)
    return left[keyword] if high is None or (low is not None and low <= high) else right[keyword]


def _common_multiple(left: Keywords, right: Keywords, keyword: str) -> JSON:
    one, other = limit(left, keyword), limit(right, keyword)
    if not one or not other:
        return left[keyword]
    return _number(common_multiple(one, other))


def common_multiple(one: Fraction, other: Fraction) -> Fraction:
    """Find the smallest number that is a multiple of both."""
    return Fraction(lcm(one.numerator, other.numerator), gcd(one.denominator, other.denominator))


def _common_types(left: Keywords, right: Keywords, _keyword: str) -> JSON:
    one, other = types(left) or [], types(right) or []
    common: list[JSON] = [name for name in one if name in other or (name == "integer" and "number" in other)]
    common += [name for name in other if name == "integer" and "number" in one and name not in common]
    if not common:
        raise KeywordError("type")
    return common


def _common_values(left: Keywords, right: Keywords, keyword: str) -> JSON:
    allowed = set(map(canonical, values(right, keyword)))
    common = [value for value in values(left, keyword) if canonical(value) in allowed]
    if not common:
        raise KeywordError("enum")
    return common


def _same(left: Keywords, right: Keywords, keyword: str) -> JSON:
    if canonical(left[keyword]) != canonical(right[keyword]):
        raise KeywordError(keyword)
    return left[keyword]


def _all_names(left: Keywords, right: Keywords, keyword: str) -> JSON:
    return list(dict.fromkeys([*names(left, keyword), *names(right, keyword)]))


def _either(left: Keywords, right: Keywords, keyword: str) -> JSON:
    return left[keyword] is True or right[keyword] is True


def _both(left: Keywords, right: Keywords, keyword: str) -> JSON:
    return _all_of(subschema(left, keyword), subschema(right, keyword))


def _all_of(one: Schema, other: Schema) -> Schema:
    return one if other is True else {"allOf": [one, other]}


def _both_by_name(left: Keywords, right: Keywords, keyword: str) -> JSON:
    one, other = named_subschemas(left, keyword), named_subschemas(right, keyword)
    shared: Keywords = {name: _all_of(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _both_by_place(left: Keywords, right: Keywords, keyword: str) -> JSON:
    pairs = zip_longest(subschemas(left, keyword), subschemas(right, keyword), fillvalue=True)
    return [_all_of(one, other) for one, other in pairs]


_MERGERS: Final[dict[str, Callable[[Keywords, Keywords, str], JSON]]] = {
    "type": _common_types,
    "enum": _common_values,
    "const": _same,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _larger),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _smaller),
    "multipleOf": _common_multiple,
    "required": _all_names,
    "uniqueItems": _either,
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _both),
    **dict.fromkeys(("properties", "patternProperties"), _both_by_name),
    "prefixItems": _both_by_place,
}
"""How two values of a keyword become one; of any other keyword the outer value stays."""
