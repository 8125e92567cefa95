"""The YAML file: its places to what they say. Knows which places there are, not what they take."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import yaml

from inference_gateway.server.configuration.catalogue import (
    GROUPS,
    LISTED,
    PROVIDER_FIELDS,
    SETTINGS,
    Field,
    yaml_path,
)
from inference_gateway.server.configuration.report import Given, Report, nearest, shown
from inference_gateway.server.configuration.variables import read_file
from inference_gateway.server.settings import (
    BUILT_IN_PROVIDERS,
    FEATURE_SECTIONS,
    MISSING_FEATURES,
    MOCK_PROVIDER,
    PROVIDERS_WITH_ACCOUNT,
)

_PATHS: Final = frozenset(
    {
        *(setting.path for setting in SETTINGS),
        *(yaml_path(name) for feature in MISSING_FEATURES for name in feature.switches),
    }
)
_PLACES: Final = {setting.variable: setting.path for setting in SETTINGS}
_UNREAD: Final = frozenset(yaml_path(name) for feature in MISSING_FEATURES for name in feature.settings)
_SECTIONS: Final = (*(group.name for group in GROUPS if group.name), *FEATURE_SECTIONS)
_TAGS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "timestamp"))
_PROVIDER_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NULL: Final = "tag:yaml.org,2002:null"

_MAPS: Final = frozenset({"headers", "query", "env"})

# What a parser's message quotes may be part of a value; the names of tokens are `<…>`.
_QUOTED: Final = re.compile(r"""(['"])(?!<)(?:(?!\1).){2,}\1""", re.DOTALL)

# Aliases make a small file say much.
_MOST_ENTRIES: Final = 10_000


class ProviderSection(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of one provider."""

    id: str
    where: str
    values: dict[str, Given]
    headers: dict[str, Given]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of one MCP server, or of one agent."""

    place: str
    """Such as `mcp.servers.1`, counted from 1."""
    where: str
    values: dict[str, Given]
    maps: dict[str, dict[str, Given]]
    """By key, such as `headers`."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says, nulls and blanks left out."""

    values: dict[str, Given]
    """By place, such as `server.port`."""
    providers: dict[str, ProviderSection]
    entries: dict[str, tuple[Entry, ...]]
    """By the place of their list, such as `mcp.servers`."""

    def key_variables(self) -> frozenset[str]:
        """Return the names of the variables that the file says hold a key."""
        named = [section.values.get("api_key_env") for section in self.providers.values()]
        named += [entry.values.get("token_env") for listed in self.entries.values() for entry in listed]
        return frozenset(one.text for one in named if one and isinstance(one.text, str))


def read_document(path: str | None, report: Report) -> Document:
    """Take what a YAML file says; an empty document without a path."""
    reader = _Reader(path or "", report)
    text = read_file(path, report, required=True) if path else None
    if text is not None:
        reader.read(text)
    entries = {place: tuple(listed) for place, listed in reader.entries.items()}
    return Document(values=reader.values, providers=reader.providers, entries=entries)


class _Reader:
    """Walks the nodes of one file, as deep as there are places and no deeper."""

    def __init__(self, path: str, report: Report) -> None:
        self.values: dict[str, Given] = {}
        self.providers: dict[str, ProviderSection] = {}
        self.entries: dict[str, list[Entry]] = {place: [] for place in LISTED}
        self._path = path
        self._report = report
        self._entries_left = _MOST_ENTRIES

    def read(self, text: str) -> None:
        for key, line, node in self._entries(self._compose(text), ""):
            if key == "providers":
                self._read_providers(node)
            elif key in _SECTIONS:
                self._read_section(key, node)
            elif key in _PATHS:
                self._keep(self.values, key, key, line=line, node=node)
            else:
                self._unknown(key, line, {"providers", *_SECTIONS, *_below("")})

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            reason = _QUOTED.sub("'…'", error.problem or "")
            self._problem(mark.line + 1 if mark else 1, f"not YAML: {reason or 'cannot be read'}")
        except RecursionError:
            self._problem(1, "nested too deeply")
        except (yaml.YAMLError, ValueError, OverflowError):
            self._problem(1, "not YAML: it has a character or a number that YAML does not allow")
        return None

    def _read_section(self, section: str, node: yaml.Node) -> None:
        known = _below(section)
        for key, line, value in self._entries(node, section):
            path = f"{section}.{key}"
            if path in LISTED and isinstance(value, yaml.SequenceNode):
                self._read_list(path, value)
            elif path in _PATHS:
                self._keep(self.values, path, path, line=line, node=value)
            elif section not in FEATURE_SECTIONS or _may_be_switch(path, key, known):
                self._unknown(key, line, known, within=section)

    def _read_providers(self, node: yaml.Node) -> None:
        for id, line, value in self._entries(node, "providers"):
            if not self._is_provider(id, line):
                continue
            section = ProviderSection(id=id, where=self._where(line), values={}, headers={})
            self.providers[id] = section
            self._read_provider(section, value)

    def _is_provider(self, id: str, line: int) -> bool:
        if id == MOCK_PROVIDER:
            self._problem(line, f"providers: {id!r} is the built-in mock; it is set by mock.enabled")
            return False
        if _PROVIDER_ID.fullmatch(id):
            return True
        likely = nearest(id.lower(), BUILT_IN_PROVIDERS) if len(id) <= 100 else None
        hint = f"; did you mean {likely}?" if likely else "; give one such as together or my-vllm"
        self._problem(line, f"providers: {shown(id)} is not an id of a-z, 0-9, _ and -{hint}")
        return False

    def _read_provider(self, section: ProviderSection, node: yaml.Node) -> None:
        within = f"providers.{section.id}"
        known = PROVIDER_FIELDS.keys() - (
            {"account_id"} if section.id not in PROVIDERS_WITH_ACCOUNT else set()
        )
        for key, line, value in self._entries(node, within):
            if key == "headers":
                self._read_map(section.headers, value, f"{within}.headers")
            elif key in known:
                self._keep(section.values, key, f"{within}.{key}", line=line, node=value)
            else:
                self._unknown(key, line, known, within=within)

    def _read_list(self, within: str, node: yaml.SequenceNode) -> None:
        if not self._may_take(len(node.value), node.start_mark.line + 1):
            return
        for number, item in enumerate(node.value, 1):
            place, line = f"{within}.{number}", item.start_mark.line + 1
            entry = Entry(place=place, where=self._where(line), values={}, maps={})
            if isinstance(item, yaml.ScalarNode):
                self._keep(entry.values, "url", place, line=line, node=item)
            else:
                self._read_entry(entry, item, LISTED[within])
            self.entries[within].append(entry)

    def _read_entry(self, entry: Entry, node: yaml.Node, fields: Mapping[str, Field]) -> None:
        for key, line, value in self._entries(node, entry.place):
            if key in _MAPS and key in fields:
                self._read_map(entry.maps.setdefault(key, {}), value, f"{entry.place}.{key}")
            elif key in fields:
                self._keep(entry.values, key, f"{entry.place}.{key}", line=line, node=value)
            else:
                self._unknown(key, line, fields.keys(), within=entry.place)

    def _read_map(self, kept: dict[str, Given], node: yaml.Node, within: str) -> None:
        for name, line, value in self._entries(node, within):
            self._keep(kept, name, f"{within}.{shown(name)}", line=line, node=value)

    def _entries(self, node: yaml.Node | None, name: str) -> Iterator[tuple[str, int, yaml.Node]]:
        if node is None or node.tag == _NULL:
            return
        if not isinstance(node, yaml.MappingNode):
            self._problem(
                node.start_mark.line + 1, f"{name or 'the file'}: not a section; give `name: value` lines"
            )
            return
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._problem(line, f"{name or 'the file'}: a key must be a name")
            elif key.value in lines:
                twice = f"{shown(key.value)} stands here and in line {lines[key.value]}"
                self._problem(line, f"{name or 'the file'}: {twice}; keep one")
            elif self._may_take(1, line):
                lines[key.value] = line
                yield key.value, line, value

    def _keep(self, kept: dict[str, Given], key: str, name: str, *, line: int, node: yaml.Node) -> None:
        text = self._list(node, name) if isinstance(node, yaml.SequenceNode) else self._text(node, name)
        if text:
            kept[key] = Given(text, self._where(line), name)

    def _list(self, node: yaml.SequenceNode, name: str) -> tuple[str, ...]:
        if not self._may_take(len(node.value), node.start_mark.line + 1):
            return ()
        return tuple(filter(None, (self._text(item, name) for item in node.value)))

    def _text(self, node: yaml.Node, name: str) -> str | None:
        if node.tag == _NULL:
            return None
        if isinstance(node, yaml.ScalarNode) and node.tag in _TAGS:
            return str(node.value).strip()
        self._problem(node.start_mark.line + 1, f"{name}: not plain text, a number or true or false")
        return None

    def _may_take(self, count: int, line: int) -> bool:
        had_room = self._entries_left >= 0
        self._entries_left -= count
        if had_room and self._entries_left < 0:
            self._problem(line, f"more than {_MOST_ENTRIES} entries, those behind aliases counted each time")
        return self._entries_left >= 0

    def _unknown(self, key: str, line: int, known: Iterable[str], *, within: str = "") -> None:
        likely = _PLACES.get(key) or (nearest(key, known) if len(key) <= 100 else None)
        hint = f"; did you mean {likely}?" if likely else f"; there are {', '.join(sorted(known))}"
        where = f"{within}: " if within else ""
        self._problem(line, f"{where}{shown(key)} is not a setting{hint}")

    def _where(self, line: int) -> str:
        return f"{self._path}:{line}"

    def _problem(self, line: int, text: str) -> None:
        self._report.problem(self._where(line), text)


def _may_be_switch(path: str, key: str, switches: Iterable[str]) -> bool:
    # What belongs to a missing feature is not read, but a misspelt switch must not pass for it.
    return path not in _UNREAD and len(key) <= 100 and nearest(key, switches, likeness=0.8) is not None


def _below(section: str) -> set[str]:
    pairs = (path.rpartition(".") for path in _PATHS)
    return {key for parent, _, key in pairs if parent == section}
