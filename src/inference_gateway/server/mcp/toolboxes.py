"""The two ways of offering the catalogue to a model: a finder and a runner, or each tool by itself."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.mcp import names
from inference_gateway.server.mcp.catalogue import Catalogue, Entry
from inference_gateway.server.tool_results import cut, failure
from inference_gateway.server.toolbox import ToolResult

Run = Callable[[Entry, dict[str, object]], Awaitable[ToolResult]]
"""Runs a tool; raises nothing but cancellation."""

FAMILY: Final = "mcp"
GET: Final = "mcp_tools_get"
EXECUTE: Final = "mcp_tools_execute"

_NO_TOOL: Final = f"{names.PREFIX}unknown"
"""Stands for the tools that there are not."""

_META_TOOLS: Final = tuple(
    codec.encode({"type": "function", "function": function})
    for function in (
        {
            "name": GET,
            "description": "Find the tools that can be run with mcp_tools_execute. Without names, lists what "
            "there is, or what matches the query; with names, tells the arguments that these tools take.",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "description": "Part of a tool's name or description, in any case.",
                    },
                    "names": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Names of tools whose arguments are wanted.",
                    },
                },
            },
        },
        {
            "name": EXECUTE,
            "description": "Run a tool that mcp_tools_get lists, with the arguments it describes.",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Name of the tool."},
                    "arguments": {"type": "object", "description": "The tool's arguments."},
                },
                "required": ["name"],
            },
        },
    )
)


class _Query(msgspec.Struct, frozen=True):
    query: str | None = None
    names: tuple[str, ...] | None = None


class _Order(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: dict[str, object] | None = None


class DirectToolbox:
    """Offers every tool under its own name.

    :param limit: most characters of a result.
    """

    family: Final = FAMILY

    def __init__(self, catalogue: Catalogue, run: Run, *, limit: int) -> None:
        self._catalogue = catalogue
        self._run = run
        self._limit = limit
        self._entries: tuple[Entry, ...] = ()
        self._definitions: tuple[bytes, ...] = ()

    def definitions(self) -> tuple[bytes, ...]:
        """Return each tool that can be used now, as a chat request has it."""
        entries = self._catalogue.offered()
        if entries is not self._entries:
            self._entries, self._definitions = entries, tuple(map(_definition, entries))
        return self._definitions

    def runs(self, name: str) -> bool:
        """Tell whether a call is for these tools; one of a tool that is not there is, too, and told so."""
        return name.startswith(names.PREFIX)

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Run a tool by its given or qualified name."""
        entry = self._catalogue.find(name)
        if entry is None:
            return _unknown(name, limit=self._limit)
        try:
            given = msgspec.json.decode(arguments or "{}", type=dict[str, object] | None)
        except codec.UNREADABLE as error:
            return failure(f"the arguments are not a JSON object: {error}", limit=self._limit)
        return await self._run(entry, given or {})


class SelectorToolbox:
    """Offers two tools, whatever there are: one that finds the others, and one that runs them."""

    family: Final = FAMILY

    def __init__(self, catalogue: Catalogue, run: Run, *, limit: int) -> None:
        self._catalogue = catalogue
        self._direct = DirectToolbox(catalogue, run, limit=limit)
        self._run = run
        self._limit = limit

    def definitions(self) -> tuple[bytes, ...]:
        """Return the two, or nothing where there is nothing to be run."""
        return _META_TOOLS if self._catalogue.offered() else ()

    def runs(self, name: str) -> bool:
        """Tell whether this is one of the two, or a tool that the model has learnt of from them."""
        return self._direct.runs(name)

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Find tools, or run one."""
        try:
            if name == GET:
                return self._get(msgspec.json.decode(arguments or "{}", type=_Query | None) or _Query())
            if name == EXECUTE:
                return await self._execute(msgspec.json.decode(arguments or "{}", type=_Order | None))
        except codec.UNREADABLE as error:
            return failure(f"the arguments of {name} cannot be read: {error}", limit=self._limit)
        return await self._direct.run(name, arguments)

    def _get(self, query: _Query) -> ToolResult:
        entries = self._catalogue.offered()
        if query.names:
            wanted = frozenset(map(names.key, query.names))
            found = [_described(each, whole=True) for each in entries if not wanted.isdisjoint(_keys(each))]
        else:
            part = (query.query or "").strip().lower()
            found = [_described(each, whole=False) for each in entries if part in _text(each)]
        return ToolResult(cut(codec.encode(found).decode("utf-8"), limit=self._limit))

    async def _execute(self, order: _Order | None) -> ToolResult:
        if order is None or not order.name:
            return failure(f"{EXECUTE} requires a 'name'", limit=self._limit)
        entry = self._catalogue.find(order.name) or self._likely(order.name)
        if entry is None:
            return _unknown(order.name, limit=self._limit)
        result = await self._run(entry, order.arguments or {})
        return msgspec.structs.replace(result, tool=entry.name)

    def _likely(self, name: str) -> Entry | None:
        """Find a tool named as its server names it, or without the prefix."""
        wanted = names.key(name)
        return next((each for each in self._catalogue.offered() if wanted in _keys(each)), None)


def _unknown(name: str, *, limit: int) -> ToolResult:
    """Tell that there is no such tool; who counts tools need not remember what models make up."""
    failed = failure(f"there is no tool {name[:100]!r}", limit=limit)
    return msgspec.structs.replace(failed, tool=_NO_TOOL)


def _keys(entry: Entry) -> frozenset[str]:
    return frozenset(map(names.key, (entry.name, entry.qualified, entry.tool.name)))


def _text(entry: Entry) -> str:
    return f"{entry.name} {entry.tool.name} {entry.tool.description}".lower()


def _described(entry: Entry, *, whole: bool) -> dict[str, object]:
    about: dict[str, object] = {
        "name": entry.name,
        "description": entry.tool.description,
        "server": entry.slug,
    }
    return about | {"input_schema": entry.tool.input_schema} if whole else about


def _definition(entry: Entry) -> bytes:
    function = {
        "name": entry.name,
        "description": entry.tool.description,
        "parameters": entry.tool.input_schema,
    }
    return codec.encode({"type": "function", "function": function})
