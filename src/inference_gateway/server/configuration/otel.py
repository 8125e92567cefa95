"""The kinds of value that OpenTelemetry's variables have. Pure; no text of a secret gets into a message.

https://opentelemetry.io/docs/specs/otel/configuration/common/
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from inference_gateway.server.configuration.addresses import Refused

_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_RATIO: Final = re.compile(r"[0-9]*\.?[0-9]+(?:[eE]-[0-9]{1,3})?")
_PROPAGATORS: Final = ("tracecontext", "baggage", "none")


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read `name=value,name=value`, values percent-encoded.

    https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable

    :raises Refused: one of them is no such pair.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    return tuple(_pair(item, number) for number, item in enumerate(items, 1))


def _pair(item: str, number: int) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in item.partition("="))
    try:
        decoded = unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        decoded = "\0"
    if not name or not equals or not name.isprintable() or not decoded.isprintable():
        raise Refused(f"item {number} is not `name=value` on one line, its value percent-encoded")
    return name, decoded


def milliseconds(text: str) -> float:
    """Read a whole number of milliseconds as seconds.

    :raises Refused: it is none.
    """
    if not _WHOLE.fullmatch(text):
        raise Refused("not a whole number of milliseconds, such as 10000")
    return int(text) / 1000


def ratio(text: str) -> float:
    """Read a number from 0 to 1.

    :raises Refused: it is none.
    """
    if not _RATIO.fullmatch(text) or not 0 <= float(text) <= 1:
        raise Refused("not a number from 0 to 1, such as 0.25")
    return float(text)


def propagators(items: list[str]) -> tuple[str, ...]:
    """Check names of ways to pass a trace on.

    :raises Refused: one of them is not part of this version, or `none` is not alone.
    """
    named = tuple(dict.fromkeys(item.lower() for item in items))
    for name in named:
        if name not in _PROPAGATORS:
            raise Refused(f"{name[:60]!r} is not one of {', '.join(_PROPAGATORS)}")
    if "none" in named and len(named) > 1:
        raise Refused("`none` stands alone")
    return named
