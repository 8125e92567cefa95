"""Which tools there are, what they are called, and which of them may be used. Pure; asks no server.

The order is that of the configuration, then the server's own. A server's tools wait until the servers before
it have connected or failed to, so that a start gives the same names as the one before; a name once given is
kept while the process lives.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import takewhile
from typing import Final

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.mcp import names
from inference_gateway.server.tool_names import clean, marked

RESERVED: Final = frozenset({"mcp_tools_get", "mcp_tools_execute"})
"""Names of the selector's own tools."""

MOST_NAMES: Final = 10_000
"""Tools of one server whose names are remembered; one that invents ever new ones gets no more."""

_Key = tuple[int, str]


class Tool(msgspec.Struct, frozen=True):
    """A tool as its server lists it."""

    name: str
    description: str
    input_schema: dict[str, object]
    """JSON Schema of an object."""

    def digest(self) -> bytes:
        """Return what changes when the definition does."""
        return sha256(codec.encode([self.description, self.input_schema])).digest()


class Entry(msgspec.Struct, frozen=True):
    """A tool under its name."""

    name: str
    qualified: str
    slug: str
    """The server's."""
    server: int
    """The server's place in the configuration."""
    tool: Tool
    changed: bool
    """Whether the definition is not the one that was first seen."""


class Rules(msgspec.Struct, frozen=True):
    """The only tools there are, or those there are not; without an entry, nothing is held back."""

    include: frozenset[str]
    exclude: frozenset[str]

    @classmethod
    def of(cls, include: Iterable[str], exclude: Iterable[str]) -> "Rules":
        """Rules from names as an operator writes them: with or without `mcp_`, in any case."""
        return cls(frozenset(map(names.key, include)), frozenset(map(names.key, exclude)))

    def permit(self, spellings: frozenset[str]) -> bool:
        """Tell whether a tool with these names may be used."""
        if self.include:
            return not self.include.isdisjoint(spellings)
        return self.exclude.isdisjoint(spellings)


class _Shelf:
    """What is known of one server."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.title = ""
        self.slug = ""
        self.tools: tuple[Tool, ...] = ()
        self.offered = False
        self.settled = False
        self.first_seen: dict[str, bytes] = {}
        self.changed: set[str] = set()
        self.ids: dict[str, str] = {}
        self.taken: set[str] = set()


class Catalogue:
    """The tools of all servers.

    :param rules: what holds for every server.
    :param servers: what holds for each, in the order of the configuration.
    """

    def __init__(self, rules: Rules, servers: Sequence[Rules]) -> None:
        self._rules = rules
        self._shelves = [_Shelf(each) for each in servers]
        self._given: dict[_Key, str] = {}
        self._qualified: dict[_Key, str] = {}
        self._owners: dict[str, _Key] = {}
        self._entries: tuple[Entry, ...] | None = None
        self._offered: tuple[Entry, ...] = ()
        self._found: dict[str, Entry] = {}

    def update(self, server: int, title: str, tools: Iterable[Tool]) -> list[str]:
        """Take a server's list of tools and offer them.

        :param title: what names the server; what it is named when first read, it stays.
        :return: names of tools whose definition is not the one that was last seen.
        """
        shelf, tools = self._shelves[server], tuple(tools)
        if shelf.offered and tools == shelf.tools:
            return []
        known = {tool.name: tool for tool in shelf.tools}
        shelf.title = title
        shelf.tools = tuple(self._take(shelf, tools))
        shelf.offered = shelf.settled = True
        self._entries = None
        return [
            tool.name for tool in shelf.tools if tool.name in shelf.changed and known.get(tool.name) != tool
        ]

    def settle(self, server: int) -> None:
        """Let the servers behind this one wait for it no longer."""
        if not self._shelves[server].settled:
            self._shelves[server].settled = True
            self._entries = None

    def withdraw(self, server: int) -> None:
        """Offer the tools of a server no longer; they stay listed."""
        self._shelves[server].offered = False
        self._entries = None

    def listed(self) -> tuple[Entry, ...]:
        """Return all tools that may be used, those of unavailable servers too."""
        if self._entries is None:
            self._compose()
        assert self._entries is not None
        return self._entries

    def offered(self) -> tuple[Entry, ...]:
        """Return the tools that can be used now."""
        self.listed()
        return self._offered

    def find(self, name: str) -> Entry | None:
        """Return the tool that goes by this name, given or qualified."""
        self.listed()
        return self._found.get(name)

    def slug(self, server: int) -> str:
        """Return what a server is named in qualified names; empty before its tools are known."""
        self.listed()
        return self._shelves[server].slug

    def _take(self, shelf: _Shelf, tools: Iterable[Tool]) -> Iterator[Tool]:
        seen = set()
        for tool in tools:
            if tool.name in seen:
                continue
            if tool.name not in shelf.first_seen and len(shelf.first_seen) >= MOST_NAMES:
                continue
            seen.add(tool.name)
            digest = tool.digest()
            if shelf.first_seen.setdefault(tool.name, digest) == digest:
                shelf.changed.discard(tool.name)
            else:
                shelf.changed.add(tool.name)
            yield tool

    def _compose(self) -> None:
        settled = list(takewhile(lambda shelf: shelf.settled, self._shelves))
        for shelf in settled:
            if shelf.tools and not shelf.slug:
                shelf.slug = self._free_slug(names.slug(shelf.title))
        keys = [(server, tool) for server, shelf in enumerate(settled) for tool in self._permitted(shelf)]
        for server, tool in keys:
            self._qualify((server, tool.name))
        for server, tool in keys:
            self._name((server, tool.name))
        self._entries = tuple(self._entry(server, tool) for server, tool in keys)
        self._offered = tuple(each for each in self._entries if self._shelves[each.server].offered)
        self._found = {each.qualified: each for each in self._entries}
        self._found.update((each.name, each) for each in self._entries)

    def _permitted(self, shelf: _Shelf) -> Iterator[Tool]:
        for tool in shelf.tools:
            id = self._id(shelf, tool.name)
            spellings = frozenset(map(names.key, (tool.name, id, f"{shelf.slug}_{id}")))
            if self._rules.permit(spellings) and shelf.rules.permit(spellings):
                yield tool

    def _id(self, shelf: _Shelf, tool: str) -> str:
        """Write a tool's name as one that no other tool of the server has."""
        if tool not in shelf.ids:
            id = clean(tool)
            shelf.ids[tool] = marked(id, tool) if id in shelf.taken else id
            shelf.taken.add(shelf.ids[tool])
        return shelf.ids[tool]

    def _free_slug(self, wanted: str) -> str:
        taken = {shelf.slug for shelf in self._shelves}
        slug, number = wanted, 2
        while slug in taken:
            slug = f"{wanted[: names.LONGEST_SLUG - 4]}-{number}"
            number += 1
        return slug

    def _qualify(self, key: _Key) -> None:
        if key in self._qualified:
            return
        shelf = self._shelves[key[0]]
        name = names.qualified(shelf.slug, shelf.ids[key[1]])
        if name in RESERVED or name in self._owners:
            name = marked(name, f"{key[0]} {key[1]}")
        self._qualified[key] = name
        self._owners[name] = key

    def _name(self, key: _Key) -> None:
        if key in self._given:
            return
        name = names.plain(self._shelves[key[0]].ids[key[1]])
        if name in RESERVED or self._owners.get(name, key) != key:
            name = self._qualified[key]
        self._given[key] = name
        self._owners[name] = key

    def _entry(self, server: int, tool: Tool) -> Entry:
        shelf, key = self._shelves[server], (server, tool.name)
        return Entry(
            name=self._given[key],
            qualified=self._qualified[key],
            slug=shelf.slug,
            server=server,
            tool=tool,
            changed=tool.name in shelf.changed,
        )
