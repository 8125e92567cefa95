"""How faults are written: `cut_after_events=40,tokens=60`, in a model's name or in a header. No I/O."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock.faults import Faults

PREFIX: Final = "lab:"
"""What comes before the faults in a model's name."""

SCENARIOS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fault-01": "status=429,retry_after=2,fail_first=1",
        "fault-02": "status=429",
        "fault-03": "status=500,fail_first=1",
        "fault-04": "status=503",
        "fault-05": "reset,fail_first=1",
        "fault-06": "hang",
        "fault-07": "tokens=60,first_token=20",
        "fault-08": "tokens=60,cut_after_events=41",
        "fault-09": "tokens=60,stall_after_events=21,stall=30",
        "fault-10": "tokens=60,garbage=10",
        "fault-11": "tokens=60,no_done,usage_at_end",
        "fault-12": "status=400,code=context_length_exceeded",
        "fault-13": "status=400,code=content_policy_violation",
        "fault-14": "tokens=60,cut_after_events=41,no_prefill",
        "fault-15": "status=503,down_for=60",
        "fault-16": "status=503",
    }
)
"""Lists with a name, by that name: the faults that a gateway should survive."""

_LONGEST_LIST: Final = 1024
_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_BREAKS: Final = (
    "refuse",
    "reset",
    "hang",
    "headers_only",
    "cut_after_events",
    "cut_after_bytes",
    "reset_after_events",
    "end_after_events",
    "stall_after_events",
    "error_event",
)
"""Ends of an answer: it has one."""
_PASSING: Final = frozenset({"fail_first", "down_for"})
_HARMLESS: Final = frozenset({"tokens", "retry_after", "code", "key", "restart"})
"""Faults that break nothing: with these alone, what passes is a 503."""


class Fault(msgspec.Struct, frozen=True):
    """One row of the table of faults, for whoever writes a list."""

    name: str
    value: str
    """What may stand behind `=`; empty where nothing may."""
    meaning: str
    bare: float | None
    """What the name alone stands for, where a value may be left out."""
    numeric: bool


class FaultList(msgspec.Struct, frozen=True):
    """A list of faults, and the name under which its calls are counted."""

    faults: Faults
    key: str


def names_faults(model: str) -> bool:
    """Whether this model's name asks for faults."""
    return model.startswith(PREFIX) or model in SCENARIOS


def parse(text: str) -> FaultList:
    """Read a list of faults.

    :raises BadRequest: an unknown fault or a bad value; the text names it and what would be right.
    """
    if len(text) > _LONGEST_LIST:
        raise BadRequest(f"faults: the list is longer than {_LONGEST_LIST} characters")
    given: dict[str, object] = {}
    keys: list[str] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word in SCENARIOS:
            _add(given, dict(map(_read, SCENARIOS[word].split(","))))
            keys.append(word)
        else:
            _add(given, dict([_read(word)]))
            if not word.startswith(("key=", "restart")):
                keys.append(word)
    _check_together(given)
    if given.keys() & _PASSING and given.keys() <= _PASSING | _HARMLESS:
        given["status"] = 503
    faults = msgspec.convert(given, Faults)
    return FaultList(faults, faults.key or ",".join(keys))


def _add(given: dict[str, object], more: Mapping[str, object]) -> None:
    for name, value in more.items():
        if name in given:
            raise BadRequest(f"faults: {name!r} is given twice")
        given[name] = value


def _read(word: str) -> tuple[str, object]:
    name, separator, text = word.partition("=")
    fault = TABLE.get(name)
    if fault is None:
        raise BadRequest(f"faults: unknown fault {name!r}; there are {', '.join(TABLE)}; or {_scenarios()}")
    value: object = text
    if not separator:
        value = fault.bare if fault.bare is not None else True
    elif fault.numeric and _NUMBER.fullmatch(text):
        value = float(text) if "." in text else int(text)
    try:
        msgspec.convert({name: value}, Faults)
    except msgspec.ValidationError as error:
        raise BadRequest(f"faults: {word!r}: write {_example(fault)}; {_others(name)}") from error
    return name, value


def _others(name: str) -> str:
    return f"the other faults are {', '.join(other for other in TABLE if other != name)}"


def _example(fault: Fault) -> str:
    if not fault.value:
        return f"'{fault.name}' alone"
    example = f"'{fault.name}=' and {fault.value}"
    return f"{example}, or '{fault.name}' alone" if fault.bare is not None else example


def _scenarios() -> str:
    return f"{min(SCENARIOS)} to {max(SCENARIOS)}"


def _check_together(given: Mapping[str, object]) -> None:
    for rivals in (_BREAKS, ("fail_first", "down_for"), ("split", "trickle")):
        if len(both := [name for name in rivals if name in given]) > 1:
            raise BadRequest(f"faults: {' and '.join(both)} exclude each other: give one of them")


def _row(field: msgspec.inspect.Field) -> Fault:
    kind = field.type
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next(each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
    assert isinstance(kind, msgspec.inspect.Metadata)
    return Fault(
        name=field.name,
        value=_value(kind.type),
        meaning=str((kind.extra_json_schema or {})["description"]),
        bare=(kind.extra or {}).get("bare"),
        numeric=isinstance(kind.type, msgspec.inspect.IntType | msgspec.inspect.FloatType),
    )


def _value(kind: msgspec.inspect.Type) -> str:
    if isinstance(kind, msgspec.inspect.IntType):
        return f"a whole number from {kind.ge} to {kind.le}"
    if isinstance(kind, msgspec.inspect.FloatType):
        return f"a number from {kind.ge:g} to {kind.le:g}"
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(map(str, kind.values))
    if isinstance(kind, msgspec.inspect.StrType):
        return f"a word of the form {(kind.pattern or '').strip('^$')}"
    return ""


def _rows() -> dict[str, Fault]:
    described = msgspec.inspect.type_info(Faults)
    assert isinstance(described, msgspec.inspect.StructType)
    return {field.name: _row(field) for field in described.fields}


TABLE: Final[Mapping[str, Fault]] = MappingProxyType(_rows())
"""All faults by name."""


def markdown() -> str:
    """Write the table of faults for the documents."""
    lines = ["| fault | value | what the mock does |", "|---|---|---|"]
    for fault in TABLE.values():
        value = fault.value
        if fault.bare is not None:
            value += f"; alone {fault.bare:g}" if fault.bare < 1e6 else f"; alone {int(fault.bare)}"
        lines.append(f"| `{fault.name}` | {value} | {fault.meaning} |")
    lines += ["", "| model | its faults |", "|---|---|"]
    lines += [f"| `mock/{name}` | `{faults}` |" for name, faults in SCENARIOS.items()]
    return "\n".join(lines) + "\n"
