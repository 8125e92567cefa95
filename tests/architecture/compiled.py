"""What a module that is compiled must not have: there it would mean something else, or nothing."""

import ast
import tomllib

from architecture.sources import PACKAGE, ROOT, Source, dotted


def compiled_modules() -> list[str]:
    """Paths below the package, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
    return [path.removeprefix(f"{PACKAGE}/") for path in listed]


def structs_in_compiled_modules(sources: list[Source]) -> list[str]:
    """A compiled class loses its keywords and most annotations, and a Struct is nothing without."""
    listed = compiled_modules()
    return [
        source.complaint(node, "is compiled, and a Struct does not survive that: let another module have it")
        for source in sources
        if source.path in listed
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and any(dotted(base).endswith("Struct") for base in node.bases)
    ]


def copies_in_compiled_modules(sources: list[Source]) -> list[str]:
    """Objects of a compiled class cannot be copied by the `copy` module."""
    return [
        source.complaint(node, "copies: objects of a compiled class have no such copies")
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "copy"
        if source.path.startswith("server/")
    ]


def subclasses_of_compiled_classes(sources: list[Source]) -> list[str]:
    """A class of Python's own cannot have a base that is compiled."""
    listed = compiled_modules()
    found = []
    for source in sources:
        if source.path in listed:
            continue
        taken = {
            alias.asname or alias.name
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ImportFrom) and _path(node.module) in listed
            for alias in node.names
        }
        found += [
            source.complaint(node, f"{node.name} has a base in a compiled module, and is not compiled")
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ClassDef)
            and any(dotted(base) in taken for base in node.bases)
            and not any(dotted(base) == "Protocol" for base in node.bases)
        ]
    return found


def _path(module: str | None) -> str:
    return (module or "").removeprefix(f"{PACKAGE}.").replace(".", "/") + ".py"
