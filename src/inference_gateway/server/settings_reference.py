"""The settings as pages to read: docs/configuration.md and .env.example. Derived, never edited.

`python -m inference_gateway.server.settings_reference ROOT` writes both below the directory ROOT.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from inference_gateway.server.configuration import Loaded, effective
from inference_gateway.server.configuration.catalogue import (
    A2A_AGENT_FIELDS,
    GROUPS,
    MCP_SERVER_FIELDS,
    PROVIDER_FIELDS,
    Field,
    Group,
    Setting,
    provider_variable,
    variable_fields,
)
from inference_gateway.server.configuration.values import write
from inference_gateway.server.settings import (
    BUILT_IN_PROVIDERS,
    CONFIG_PATH_VARIABLE,
    DEPRECATED,
    MISSING_FEATURES,
    WITHOUT_EFFECT,
)

DOCUMENT: Final = "docs/configuration.md"
EXAMPLE: Final = ".env.example"

_INTRODUCTION: Final = f"""\
# Configuration

<!-- Written by `python -m inference_gateway.server.settings_reference .`; change settings.py instead. -->

Every setting has a default; with none given, the gateway starts with its built-in `mock` provider.
`inference-gateway check` reads all sources, says what is wrong with them, and shows what is in effect and
from where.

## Sources

The first source that names a setting wins:

1. the environment;
2. a file `.env` in the working directory (see [.env.example](../.env.example));
3. a YAML file: the one that `--config` names, else the one that `{CONFIG_PATH_VARIABLE}` names;
4. the default.

An empty variable counts as unset. Everything that is wrong is reported at once, each with its place, and the
gateway does not start: an unknown or repeated key in the YAML file is an error, a variable that looks like a
misspelt setting is a warning. Files larger than 1 MiB are refused.

Proxies, certificate authorities and client certificates have [a page of their own](networking.md).

## Values

| kind | examples |
|---|---|
| truth value | `true`, `false`, and `1`, `0`, `t`, `f`, `T`, `F`, `True`, `False`, `TRUE`, `FALSE` |
| whole number | `8080`, `0x1F90` |
| duration | `30s`, `1m30s`, `1.5h`, `250ms`, or seconds without a unit: `30`, `2.5`; never negative |
| list | `a,b,c`; in YAML also `[a, b, c]` |

## A YAML file

```yaml
log_level: warning
allowed_models: [openai/gpt-4o-mini, together/llama-3.3-70b]
server:
  port: 8080
  read_timeout: 30s
providers:
  openai:
    api_key_env: OPENAI_API_KEY      # the variable that holds the key
  together:                          # any other id is a provider of your own that speaks OpenAI's API
    name: Together
    url: https://api.together.xyz/v1
    api_key_env: TOGETHER_API_KEY
    headers:
      X-Team: search
```
"""

_PROVIDERS: Final = """\
## Providers

Each has a URL of its own and is configured by its key; one that asks for no key, by its URL.

| id | URL | key | further |
|---|---|---|---|
"""

_PROVIDER_KEYS: Final = """\
In a YAML file, `providers.<id>` takes the keys below. For a built-in id they override what the gateway
knows; any other id (a-z, 0-9, `_` and `-`) is a provider of your own that speaks OpenAI's API. A provider
whose `api_key_env` names a variable that is not set is not configured. `api_key` and `api_key_env` together
are an error, and a built-in provider's own variable, such as `OPENAI_API_KEY`, comes before both.

| key | takes | meaning |
|---|---|---|
"""

_SERVER_KEYS: Final = """\
## MCP servers

An entry of `mcp.servers` in a YAML file is a URL, or takes the keys below. A program is started only
from such an entry, never from `MCP_SERVERS`. [docs/mcp.md](mcp.md) says more.

| key | takes | meaning |
|---|---|---|
"""

_AGENT_KEYS: Final = """\
## Agents

An entry of `a2a.agents` in a YAML file is a URL, or takes the keys below. [docs/a2a.md](a2a.md) says more.

| key | takes | meaning |
|---|---|---|
"""

_MISSING: Final = """\
## Features that this version lacks

Their settings are taken while the feature is off; switching it on is an error at start.

| feature | switch | off | its other settings |
|---|---|---|---|
"""

_WITHOUT_EFFECT: Final = """\
## Variables without effect

They are taken, as variables only, and do nothing.

| variable | why |
|---|---|
"""

_DEPRECATED: Final = """\
## Old names

They work, with a warning. Two names of one variable with different values in one source are an error.

| old | now |
|---|---|
"""

_TAKES: Final = {
    "text": "text",
    "switch": "truth value",
    "duration": "duration",
    "url": "http or https URL without user, query or fragment",
    "endpoint": "http or https URL without user, query or fragment",
    "key": "text without white space",
    "variable": "name of a variable, in capitals",
    "account": "letters, digits, `-`, `_`",
    "path": "path that begins with `/`",
    "file": "name of a file",
    "map": "`name: value` lines",
    "agent_name": "text with a letter or a digit",
    "slug": "up to 24 of a-z, 0-9 and `-`",
    "timeout": "duration",
    "arguments": "list",
    "tools": "list of names",
}


def markdown() -> str:
    """Return docs/configuration.md."""
    return "\n".join(
        [
            _INTRODUCTION,
            *(_group(group) for group in GROUPS),
            _PROVIDERS + _rows(_provider_rows()),
            _PROVIDER_KEYS
            + _rows((f"`{key}`", _takes(f), f.description) for key, f in PROVIDER_FIELDS.items()),
            _SERVER_KEYS
            + _rows((f"`{key}`", _takes(f), f.description) for key, f in MCP_SERVER_FIELDS.items()),
            _AGENT_KEYS
            + _rows((f"`{key}`", _takes(f), f.description) for key, f in A2A_AGENT_FIELDS.items()),
            _MISSING + _rows(_missing_rows()),
            _WITHOUT_EFFECT + _rows((f"`{name}`", why) for name, why in WITHOUT_EFFECT.items()),
            _DEPRECATED + _rows((f"`{old}`", f"`{new}`") for old, new in DEPRECATED.items()),
        ]
    )


def env_example() -> str:
    """Return .env.example: every variable with its default, commented out."""
    lines = [
        "# Copy to .env and take the # off what you set. docs/configuration.md says more.",
        "",
        "# --- The YAML file, where --config does not name one ---",
        f"# {CONFIG_PATH_VARIABLE}=gateway.yaml",
    ]
    for group in GROUPS:
        lines += ["", f"# --- {group.title} ---"]
        for setting in group.settings:
            lines += [f"# {_plain(setting.field)}", f"# {setting.variable}={_default(setting)}"]
    lines += ["", "# --- Providers: each needs its key; the URL has a default ---"]
    for id in BUILT_IN_PROVIDERS:
        lines += [f"# {provider_variable(id, field)}=" for field in variable_fields(id)]
    return "\n".join(lines) + "\n"


def table(loaded: Loaded) -> str:
    """Return what is in effect as aligned text, one setting a line; secrets are masked."""
    rows = [
        ("NAME", "VALUE", "SOURCE"),
        *((row.name, row.value or "-", row.source) for row in effective(loaded)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}\n" for name, value, source in rows)


def write_files(root: Path) -> None:
    """Write both files below a directory."""
    (root / DOCUMENT).write_text(markdown(), encoding="utf-8")
    (root / EXAMPLE).write_text(env_example(), encoding="utf-8")


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _group(group: Group) -> str:
    heading = f"## {group.title}\n\n| variable | in YAML | default | meaning |\n|---|---|---|---|\n"
    return heading + _rows(
        (
            f"`{setting.variable}`",
            f"`{setting.path}`",
            f"`{_default(setting)}`" if _default(setting) else "unset",
            _meaning(setting.field),
        )
        for setting in group.settings
    )


def _default(setting: Setting) -> str:
    return write(setting.field, setting.field.default)


def _meaning(field: Field) -> str:
    if field.choices:
        return f"{' or '.join(f'`{choice}`' for choice in field.choices)}. {field.description}"
    return f"{field.description} Takes {field.bounds}." if field.bounds else field.description


def _plain(field: Field) -> str:
    return _meaning(field).replace("`", "")


def _takes(field: Field) -> str:
    return ", ".join(f"`{choice}`" for choice in field.choices) or _TAKES[field.kind]


def _provider_rows() -> Iterator[tuple[str, ...]]:
    for id in BUILT_IN_PROVIDERS:
        url, key, *others = (f"`{provider_variable(id, field)}`" for field in variable_fields(id))
        yield f"`{id}`", url, key, " ".join(others)


def _missing_rows() -> Iterator[tuple[str, ...]]:
    for feature in MISSING_FEATURES:
        switches = " ".join(f"`{name}`" for name in feature.switches)
        others = " ".join(f"`{name}`" for name in feature.settings)
        yield feature.title, switches, f"`{feature.off}`" if feature.off else "empty", others


if __name__ == "__main__":
    write_files(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
