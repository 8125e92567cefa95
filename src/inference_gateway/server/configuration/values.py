"""Text to value: what each kind of setting takes. Pure; no text of a secret gets into a message."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from inference_gateway.server.configuration.addresses import (
    Refused,
    base_url,
    collector,
    endpoint,
    issuer,
    origin,
    proxy,
)
from inference_gateway.server.configuration.catalogue import Field
from inference_gateway.server.configuration.header_names import (
    CONNECTION_HEADER_PREFIXES,
    CONNECTION_HEADERS,
    CREDENTIAL_HEADERS,
)
from inference_gateway.server.configuration.otel import milliseconds, pairs, propagators, ratio
from inference_gateway.server.settings import (
    MOST_WORKERS,
    SHORTEST_KEY,
    A2AAgentSettings,
    MCPServerSettings,
    Secret,
)

Raw = str | tuple[str, ...]
"""What a source says: one text, or the items of a list."""

_SWITCH: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_SECONDS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the Greek letter
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER: Final = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART: Final = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"\+?(?:{_PART.pattern})+")
_PLAIN: Final = re.compile(rf"\+?{_NUMBER}")
_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)")
_HOST: Final = re.compile(r"[0-9A-Za-z._:%-]+")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE: Final = re.compile(r"[!-~]+")
_PRINTABLE: Final = re.compile(r"[ -~]*")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
# https://www.rfc-editor.org/rfc/rfc6749#section-3.3
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_LETTER: Final = re.compile(r"[a-zA-Z0-9]")
_ACCOUNT: Final = re.compile(r"[0-9A-Za-z_-]+")


def switch(text: str) -> bool:
    """Read a truth value.

    :raises Refused: it is none of the twelve spellings.
    """
    if text not in _SWITCH:
        raise Refused(f"{_shown(text)} is not true or false")
    return _SWITCH[text]


def same(one: str, other: str) -> bool:
    """Tell whether two texts mean one thing: they are equal, or the same truth value."""
    return one == other or _SWITCH.get(one, one) == _SWITCH.get(other, other)


def integer(text: str) -> int:
    """Read a whole number, decimal or with the prefix 0x, 0o or 0b.

    :raises Refused: it is no such number.
    """
    if len(text) > 100 or not _INTEGER.fullmatch(text):
        raise Refused(f"{_shown(text)} is not a whole number")
    return int(text, 0)


def workers(text: str) -> int | Literal["auto"]:
    """Read a number of processes, or `auto`.

    :raises Refused: it is neither, or out of bounds.
    """
    if text.lower() == "auto":
        return "auto"
    number = integer(text)
    if not 1 <= number <= MOST_WORKERS:
        raise Refused(f"{_shown(text)} is out of bounds; give 1 to {MOST_WORKERS}, or auto")
    return number


def duration(text: str) -> float:
    """Read a duration such as `1m30s`, `250ms` or `2.5` (seconds) as seconds.

    :raises Refused: it is no duration, or a negative one.
    """
    if _PLAIN.fullmatch(text):
        return float(text)
    if _DURATION.fullmatch(text):
        return math.fsum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if text.startswith("-"):
        raise Refused(f"{_shown(text)} is negative; give a duration from 0 on, such as 30s")
    raise Refused(f"{_shown(text)} is not a duration; give one such as 30s, 1m30s or 250ms, or seconds")


def format_duration(seconds: float) -> str:
    """Write seconds so that `duration` reads them back."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _line(text: str) -> str:
    if not text.isprintable():
        raise Refused("not one line of text")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise Refused(f"{_shown(text)} is not an address or a host name; give one such as 0.0.0.0 or ::1")
    return text


def _key(text: str) -> Secret:
    if not _VISIBLE.fullmatch(text):
        raise Refused("the key has white space, a control character or a letter outside ASCII in it")
    return Secret(text)


def _file(text: str) -> str:
    try:
        with Path(text).open("rb"):
            return text
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise Refused(f"cannot read {_shown(text)}: {reason}") from error


def _path(text: str) -> str:
    if not text.startswith("/") or not _VISIBLE.fullmatch(text) or "#" in text:
        raise Refused(f"{_shown(text)} is not a path; give one such as /chat/completions")
    return text


def _variable(text: str) -> str:
    # Whoever mistakes this setting puts the key itself here: it is not shown, and no key is all capitals.
    if not _VARIABLE.fullmatch(text):
        raise Refused("not the name of a variable in capitals; give one such as TOGETHER_API_KEY")
    return text


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise Refused("not an account id; only letters, digits, - and _ may be in it")
    return text


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise Refused(f"{_shown(text)} is not a name of up to 24 of a-z, 0-9 and -, such as files")
    return text


def _agent_name(text: str) -> str:
    if not text.isprintable() or not _LETTER.search(text):
        raise Refused(f"{_shown(text)} is not a name with a letter of a-z or a digit, such as weather")
    if text.lower() == "agents":
        raise Refused("'agents' is the path of the list of agents; give another name")
    return text


def program_variable(name: str, value: Raw) -> Secret:
    """Check a variable of a program that is started.

    :raises Refused: it cannot be one.
    """
    if not name or "=" in name or not isinstance(value, str) or "\0" in name + value:
        raise Refused("not a variable: give `NAME: value`")
    return Secret(value)


def url_parameter(name: str, value: Raw) -> Secret:
    """Check a parameter that is added to a URL.

    :raises Refused: it cannot be one.
    """
    if not name or not isinstance(value, str):
        raise Refused("not a parameter: give `name: value`")
    return Secret(value)


def _header_token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise Refused("not a header's name; only letters, digits and !#$%&'*+-.^_`|~ may be in it")
    return text.lower()


def _is_of_connection(name: str) -> bool:
    return name in CONNECTION_HEADERS or name.startswith(CONNECTION_HEADER_PREFIXES)


def provider_header(name: str, value: Raw) -> tuple[str, Secret]:
    """Check a header that is added to a provider's requests; the name comes back in lower case.

    :raises Refused: it is no header, or one that the connection needs for itself.
    """
    name = _header_token(name)
    if _is_of_connection(name):
        raise Refused("this header belongs to the connection and cannot be set")
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise Refused("the value is not one line of ASCII")
    return name, Secret(value)


def _forwarded_header(text: str) -> str:
    name = _header_token(text)
    if name in CREDENTIAL_HEADERS or _is_of_connection(name):
        raise Refused(f"{name!r} is never passed on to a provider; take it out")
    return name


def _model_name(text: str) -> str:
    if not text.isprintable():
        raise Refused(f"{_shown(text)} is not the name of a model")
    return text.lower()


def _items(raw: Raw) -> list[str]:
    parts = raw.split(",") if isinstance(raw, str) else raw
    return [part.strip() for part in parts if part.strip()]


def _names(raw: Raw) -> frozenset[str]:
    return frozenset(_model_name(item) for item in _items(raw))


def _headers(raw: Raw) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_forwarded_header(item) for item in _items(raw)))


def _tools(raw: Raw) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_line(item).lower() for item in _items(raw)))


def _arguments(raw: Raw) -> tuple[str, ...]:
    return (raw,) if isinstance(raw, str) else raw


def _servers(raw: Raw) -> tuple[MCPServerSettings, ...]:
    return tuple(MCPServerSettings(url=url) for url in dict.fromkeys(endpoint(item) for item in _items(raw)))


def _agents(raw: Raw) -> tuple[A2AAgentSettings, ...]:
    return tuple(A2AAgentSettings(url=url) for url in dict.fromkeys(base_url(item) for item in _items(raw)))


def _origins(raw: Raw) -> tuple[str, ...]:
    items = _items(raw)
    if "*" in items:
        if len(set(items)) > 1:
            raise Refused("`*` allows every origin already; give it alone, or origins without it")
        return ("*",)
    return tuple(dict.fromkeys(origin(item) for item in items))


def _exceptions(raw: Raw) -> tuple[str, ...]:
    # Lists for other programs may have blanks between their items, commas or not.
    items = [item for part in _items(raw) for item in part.split()]
    return tuple(dict.fromkeys(_line(item) for item in items))


def _propagators(raw: Raw) -> tuple[str, ...]:
    return propagators(_items(raw))


def _words(raw: Raw) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_line(item) for item in _items(raw)))


def _scopes(raw: Raw) -> tuple[str, ...]:
    items = _items(raw)
    for item in items:
        if not _SCOPE.fullmatch(item):
            raise Refused(f"{_shown(item)} is not a scope: it has a blank, a quote or a letter outside ASCII")
    return tuple(dict.fromkeys(items))


def _attribute_pairs(text: str) -> str:
    pairs(text)
    return text


def _header_pairs(text: str) -> Secret:
    for name, value in pairs(text):
        if not name.isascii() or not value.isascii():
            raise Refused("a header has a letter outside ASCII in it")
        provider_header(name, value)
    return Secret(text)


def _claims(raw: Raw) -> tuple[str, ...]:
    items = _words(raw)
    for item in items:
        if item.startswith("="):
            raise Refused(f"{_shown(item)} names no claim; give claim=value, such as groups=llm-users")
    return items


def _keys(raw: Raw) -> tuple[Secret, ...]:
    parts = [part.strip() for part in (raw.split(",") if isinstance(raw, str) else raw)]
    if "" in parts:
        raise Refused("one of the keys is blank")
    if any(len(part) < SHORTEST_KEY for part in parts):
        raise Refused(
            f"a key has fewer than {SHORTEST_KEY} characters and could be guessed; "
            "make one with `inference-gateway keys create`, or by `openssl rand -hex 32`"
        )
    if len(set(parts)) < len(parts):
        raise Refused("a key is given twice")
    return tuple(_key(part) for part in parts)


_TEXTS: Final[Mapping[str, Callable[[str], object]]] = {
    "text": _line,
    "switch": switch,
    "integer": integer,
    "size": integer,
    "workers": workers,
    "duration": duration,
    "timeout": lambda text: duration(text) or None,
    "host": _host,
    "key": _key,
    "file": _file,
    "path": _path,
    "url": base_url,
    "endpoint": endpoint,
    "proxy": lambda text: Secret(proxy(text)),
    "variable": _variable,
    "account": _account,
    "issuer": issuer,
    "slug": _slug,
    "collector": collector,
    "milliseconds": milliseconds,
    "ratio": ratio,
    "attribute_pairs": _attribute_pairs,
    "header_pairs": _header_pairs,
    "agent_name": _agent_name,
}
_LISTS: Final[Mapping[str, Callable[[Raw], object]]] = {
    "names": _names,
    "headers": _headers,
    "origins": _origins,
    "exceptions": _exceptions,
    "words": _words,
    "scopes": _scopes,
    "claims": _claims,
    "keys": _keys,
    "tools": _tools,
    "arguments": _arguments,
    "servers": _servers,
    "propagators": _propagators,
    "agents": _agents,
}


def _choice(field: Field, text: str) -> str:
    plain = text.replace("-", "") if field.kind == "auth" else text
    for choice in field.choices:
        if choice.lower() == plain.lower():
            return choice
    raise Refused(f"{_shown(text)} is not one of {', '.join(field.choices)}")


def _text(field: Field, text: str) -> object:
    if field.choices:
        return _choice(field, text)
    value = _TEXTS[field.kind](text)
    if field.kind == "size" and isinstance(value, int) and value <= 0:
        return field.default
    return value


def read(field: Field, raw: Raw) -> object:
    """Turn what a source says into a value of the field's type, within its bounds.

    :raises Refused: it is not one; the message says what would be.
    """
    if field.kind in _LISTS:
        return _LISTS[field.kind](raw)
    if not isinstance(raw, str):
        raise Refused("a list; give one value")
    value = _text(field, raw)
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        expected = field.bounds or "at most a hundred years"
        raise Refused(f"{_shown(raw)} is out of bounds; give {expected}") from error


def _item(value: object) -> str:
    if isinstance(value, MCPServerSettings):
        return value.url or value.command or ""
    if isinstance(value, A2AAgentSettings):
        return value.url
    return str(value)


def write(field: Field, value: object) -> str:
    """Write a value so that `read` takes it back; secrets are masked, None is empty."""
    match value:
        case None:
            return "0" if field.kind == "timeout" else ""
        case bool():
            return "true" if value else "false"
        case float() if field.kind == "milliseconds":
            return f"{value * 1000:.0f}"
        case float() if field.kind == "ratio":
            return f"{value:g}"
        case float():
            return format_duration(value)
        case frozenset():
            return ",".join(sorted(value))
        case tuple():
            return ",".join(map(_item, value))
        case _:
            return str(value)
