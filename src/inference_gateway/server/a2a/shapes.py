"""What both directions of translation ask of JSON: objects, lists and words where they belong. Pure."""

from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.jsonrpc import Json

WRAPPED: Final = "data_part_compat"
"""In a part's metadata: its data is no object and stands in one, as `value`. Official SDKs write it so."""


class Misshapen(ValueError):
    """Something is not what the protocol has there; the message names the place."""


def object_at(value: JsonValue, place: str) -> Json:
    """Take an object, without what is null in it.

    :raises Misshapen: it is none.
    """
    if not isinstance(value, dict):
        raise Misshapen(f"{place!r} must be an object")
    return {name: one for name, one in value.items() if one is not None}


def list_at(value: JsonValue, place: str) -> list[JsonValue]:
    """Take a list; null is an empty one.

    :raises Misshapen: it is none.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise Misshapen(f"{place!r} must be a list")
    return value


def each_at(value: JsonValue, place: str, write: Callable[[JsonValue, str], Json]) -> list[JsonValue]:
    """Write each item of a list anew.

    :raises Misshapen: it is no list, or `write` says so of an item.
    """
    return [write(item, place) for item in list_at(value, place)]


def text_at(value: JsonValue, place: str) -> str:
    """Take a text.

    :raises Misshapen: it is none.
    """
    if not isinstance(value, str):
        raise Misshapen(f"{place!r} must be a string")
    return value


def without(value: Json, *names: str) -> Json:
    """Copy an object but for some members."""
    return {name: one for name, one in value.items() if name not in names}


def filled(value: Json, *names: str) -> Json:
    """Copy an object without those of these members that are empty: protocol buffers may write them all."""
    return {name: one for name, one in value.items() if name not in names or one not in ("", [])}


def renamed(value: Json, names: dict[str, str]) -> Json:
    """Copy an object with other names for some of its members."""
    return {names.get(name, name): one for name, one in value.items()}
