"""Variables, from the environment and from a `.env` file: names to what they say."""

import io
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

from inference_gateway.server.configuration.catalogue import VARIABLES
from inference_gateway.server.configuration.report import Given, Report, nearest
from inference_gateway.server.configuration.values import same
from inference_gateway.server.settings import DEPRECATED, OTHER_SPELLINGS
from inference_gateway.server.settings_tracing import SHARED_PREFIX

Variables = dict[str, Given]

FILE_LIMIT: Final = 1_048_576
"""Bytes of the largest file that is read for settings."""

_LIKENESS: Final = 0.85
_CURRENT: Final = VARIABLES - DEPRECATED.keys()
# OpenTelemetry has many variables, most of them like one of ours and meant for other programs.
_PREFIXES: Final = frozenset(name.partition("_")[0] for name in VARIABLES) - {SHARED_PREFIX.rstrip("_")}


def from_environment(environ: Mapping[str, str], report: Report) -> Variables:
    """Take what the environment says; a blank variable counts as unset."""
    named = environ.items()
    if environ.get("REQUEST_METHOD") and environ.get("HTTP_PROXY"):
        # https://httpoxy.org
        report.warn("environment", "HTTP_PROXY is ignored: under CGI it may be a client's Proxy header")
        named = {name: text for name, text in named if name != "HTTP_PROXY"}.items()
    return _named(((name, text, "environment") for name, text in named), report)


def from_dotenv(path: str, report: Report) -> Variables:
    """Take what a `.env` file says; there need not be one, and its last word counts."""
    text = read_file(path, report, required=False)
    bindings = list(parse_stream(io.StringIO(text or "")))
    for binding in bindings:
        if binding.error:
            report.problem(f"{path}:{_line(binding)}", "not a line of the form NAME=value")
    named = ((b.key, b.value or "", f"{path}:{_line(b)}") for b in bindings if b.key and not b.error)
    return _named(named, report)


def read_file(path: str, report: Report, *, required: bool) -> str | None:
    """Return the text of a file of settings, or None and a problem (none for a missing `.env`)."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            report.problem(path, f"larger than {FILE_LIMIT} bytes")
            return None
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        if required:
            report.problem(path, "no such file")
    except OSError as error:
        report.problem(path, f"cannot be read: {error.strerror}")
    except ValueError:
        report.problem(path, "not UTF-8 text, or not a path")
    return None


def _line(binding: Binding) -> int:
    # The parser counts from the blank lines before a binding.
    original = binding.original.string
    blank = original[: len(original) - len(original.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))


def _named(found: Iterable[tuple[str, str, str]], report: Report) -> Variables:
    given = {name: Given(text.strip(), where, name) for name, text, where in found if text.strip()}
    for old, new in DEPRECATED.items():
        if old in given:
            report.warn(given[old].where, f"{old} is an old name of {new}; use the new one")
            _unite(given, old, new, report)
    for other, usual in OTHER_SPELLINGS.items():
        if other in given:
            _unite(given, other, usual, report)
    return given


def _unite(given: Variables, name: str, usual: str, report: Report) -> None:
    """Read one name as another; both must not say different things."""
    one, other = given[name], given.get(usual)
    if other is None:
        given[usual] = one
    elif not same(str(one.text), str(other.text)):
        report.problem(
            one.where, f"{name} and {other.name} are two names of one setting and differ; keep {usual}"
        )


def first(sources: Iterable[Mapping[str, Given]], name: str) -> Given | None:
    """Return what the first source that knows a name says of it."""
    return next((source[name] for source in sources if name in source), None)


def suggest_names(variables: Variables, meant: Container[str], report: Report) -> None:
    """Warn of each variable that looks like a misspelt one of ours and is not `meant`."""
    for name, one in variables.items():
        if name in VARIABLES or name in meant or name.partition("_")[0] not in _PREFIXES:
            continue
        likely = nearest(name, _CURRENT, likeness=_LIKENESS)
        if likely:
            report.warn(one.where, f"{name} is not a setting; did you mean {likely}?")
