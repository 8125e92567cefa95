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


def bases_on_the_other_side(sources: list[Source]) -> list[str]:
    """Python's own classes have no base that is compiled, and compiled ones with slots none that is not."""
    listed = compiled_modules()
    return [
        source.complaint(node, f"{node.name} is compiled and its base is not, or the other way round")
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and (_has_slots(node) or source.path not in listed)
        if not any(dotted(base) == "Protocol" for base in node.bases)
        for base in node.bases
        if (home := _home(source, dotted(base))) is not None and (home in listed) != (source.path in listed)
    ]


def _has_slots(node: ast.ClassDef) -> bool:
    return any(isinstance(each, ast.Assign) and dotted(each.targets[0]) == "__slots__" for each in node.body)


def _home(source: Source, name: str) -> str | None:
    """The file of ours that a name is imported from, None where it is from elsewhere."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            below = (node.module or "").partition(f"{PACKAGE}.")[2]
            return below.replace(".", "/") + ".py" if below else None
    return None
