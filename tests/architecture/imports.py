"""Who may import whom: floors, families, strangers, circles. Imports for typing only count."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from architecture.sources import PACKAGE, Source, dotted

# Where a module stands, by the longest prefix. Imports go down or sideways, never up.
FLOORS = {
    "": 6,  # the SDK's public names: nothing inside imports them, or everything would hang on everything
    "_version": 0,
    "sse": 1,
    "types": 1,
    "models": 1,
    "client": 2,
    "server": 0,  # an empty package
    "server.setting_kinds": 1,
    "server.settings": 1,
    "server.settings_mcp": 1,
    "server.settings_tracing": 1,
    "server.settings_a2a": 1,
    "server.settings_ui": 1,
    "server.settings_reference": 1,
    "server.configuration": 1,
    "server.errors": 1,
    "server.extras": 1,
    "server.codec": 1,
    "server.encodings": 1,
    "server.chat_shapes": 1,
    "server.chat_stream": 1,
    "server.tasks": 1,
    "server.principal": 1,
    "server.inference": 1,
    "server.outcome": 1,
    "server.complaints": 1,
    "server.trace_context": 1,
    "server.spans": 1,
    "server.usage": 1,
    "server.logs": 1,
    "server.access_log": 5,
    "server.allocator": 1,
    "server.toolbox": 1,
    "server.tool_names": 1,
    "server.tool_results": 1,
    "server.transport.messages": 1,  # the seam's pure types, known to every floor above
    "server.transport": 2,
    "server.providers": 2,
    "server.keys": 2,
    "server.oidc": 2,
    "server.mcp": 2,
    "server.a2a": 2,
    "server.telemetry": 2,
    "server.tracing": 2,
    "server.pipeline": 3,
    "server.ui": 3,
    "server.api": 4,
    "server.app": 5,
    "server.asgi": 5,
    "server.serve": 5,
    "server.launch": 5,
    "server.supervisor": 5,
    "server.listening": 5,
    "server.metrics_port": 5,
    "server.watching": 5,
    "server.processors": 5,
    "server.systemd": 5,
    "server.lab": 5,
    "server.cli": 5,
    "server.keys_cli": 5,
    "server.health_cli": 5,
    "server.__main__": 5,
}
OUTSIDE_WORLD = 2
# The families of the outside world do not know each other, but for who is spoken to by wire.
MAY_KNOW = {
    ("server.providers", "server.transport"),
    ("server.oidc", "server.transport"),
    ("server.tracing", "server.transport"),
    ("server.a2a", "server.transport"),
}
# The left never imports the right: a client installs without the server, a server starts without
# the client, and what both share hangs on neither.
STRANGERS = (
    ("client", "server"),
    ("server", "client"),
    ("types", "server"),
    ("types", "client"),
    ("sse", "server"),
    ("sse", "client"),
    ("sse", "types"),
)
# pydantic's own types are extended with what pydantic_core offers, and come with it; so does urllib3, whose
# answers are read piece by piece, with requests.
SDK_DEPENDENCIES = frozenset(
    {"httpx2", "pydantic", "pydantic_core", "requests", "typing_extensions", "urllib3"}
)

# Files that may import inside a function, each with its reason.
LATE_IMPORTS = {
    "__init__.py": "the public names are imported on first use",
    "client/agents.py": "programs that speak to no agent do not wait for what speaks to them",
    "client/transport.py": "imports the HTTP library that carries the calls, and not the other one",
    "server/oidc/__init__.py": "imports what checks signatures where there is an issuer to check for",
    "server/api/push_opening.py": "imports the types of OTLP only where metrics may be pushed",
    "server/api/agents.py": "imports what speaks to agents only where the feature is on",
    "server/api/tool_servers.py": "imports the MCP package only where the feature is on",
    "server/api/tracing.py": "imports what writes spans only where requests are traced",
    "server/__main__.py": "says in one line what to install where the server's extra is missing",
}


@dataclass(frozen=True)
class Import:
    source: Source
    line: int
    target: str
    """Dotted name below the package, or `!name` for a module of somebody else."""


def imports_of(source: Source, known: set[str]) -> Iterator[Import]:
    """Every import statement, those for type checking and those in functions too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, node.lineno, _below(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield Import(source, node.lineno, _below(whole if _below(whole) in known else base))


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = [PACKAGE, *source.path.split("/")[:-1]]
    parts = here[: len(here) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _below(name: str) -> str:
    if name == PACKAGE:
        return ""
    if name.startswith(f"{PACKAGE}."):
        return name.removeprefix(f"{PACKAGE}.")
    return "!" + name


def all_imports(sources: list[Source]) -> list[Import]:
    known = {source.module for source in sources}
    return [found for source in sources for found in imports_of(source, known)]


def inner_imports(sources: list[Source]) -> list[Import]:
    return [found for found in all_imports(sources) if not found.target.startswith("!")]


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def placed(module: str) -> str | None:
    """The row of FLOORS that a module falls under; only the package itself falls under "".."""
    rows = [row for row in FLOORS if row and within(module, row)]
    row = max(rows, key=len, default=None)
    if module == "":
        return ""
    return None if row == "server" and module != "server" else row


def unplaced_modules(sources: list[Source]) -> list[str]:
    return [
        source.complaint(1, "stands on no floor: give it a row in FLOORS")
        for source in sources
        if placed(source.module) is None
    ]


def upward_imports(sources: list[Source]) -> list[str]:
    found = []
    for each in inner_imports(sources):
        here, there = placed(each.source.module), placed(each.target)
        if here is not None and there is not None and FLOORS[there] > FLOORS[here]:
            found.append(
                each.source.complaint(each.line, f"imports {each.target!r}, which stands a floor above")
            )
    return found


def imports_between_families(sources: list[Source]) -> list[str]:
    found = []
    for each in inner_imports(sources):
        here, there = placed(each.source.module), placed(each.target)
        if here is None or there is None or here == there or (here, there) in MAY_KNOW:
            continue
        if FLOORS[here] == FLOORS[there] == OUTSIDE_WORLD:
            found.append(each.source.complaint(each.line, f"{here} and {there} must not know each other"))
    return found


def imports_between_strangers(sources: list[Source]) -> list[str]:
    return [
        each.source.complaint(each.line, f"{here} must not import {there}")
        for each in inner_imports(sources)
        for here, there in STRANGERS
        if within(each.source.module, here) and within(each.target, there)
    ]


def import_cycles(sources: list[Source]) -> list[str]:
    graph: dict[str, set[str]] = {}
    for each in inner_imports(sources):
        graph.setdefault(each.source.module, set()).add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        paths = {source.module: source for source in sources}
        ring: list[str] = error.args[1]
        return [paths[ring[0]].complaint(1, "imports in a circle: " + " <- ".join(ring))]
    return []


def server_dependencies_in_the_sdk(sources: list[Source]) -> list[str]:
    allowed = SDK_DEPENDENCIES | sys.stdlib_module_names
    return [
        each.source.complaint(each.line, f"the SDK does not depend on {each.target[1:]!r}")
        for each in all_imports([source for source in sources if not within(source.module, "server")])
        if each.target.startswith("!") and each.target[1:].partition(".")[0] not in allowed
    ]


def late_imports(sources: list[Source]) -> list[str]:
    found = set()
    for source in sources:
        for function in source.functions():
            for node in ast.walk(function):
                if source.path not in LATE_IMPORTS and _imports(node):
                    found.add(source.complaint(node, "imports inside a function"))
    return sorted(found)


def _imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func) in {"import_module", "importlib.import_module", "__import__"}
    return isinstance(node, ast.Import | ast.ImportFrom)
