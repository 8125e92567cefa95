"""What the checks read: Python files, parsed once."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "inference_gateway"


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the package (or to the checkout, outside it)."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def module(self) -> str:
        """Dotted name below the package, "" for the package itself."""
        name = self.path.removesuffix(".py").replace("/", ".")
        return "" if name == "__init__" else name.removesuffix(".__init__")

    def complaint(self, node: ast.AST | int, rule: str) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {rule}"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


Check = Callable[[list[Source]], list[str]]
"""From parsed files to complaints, each `path:line: rule`."""


def read(*folders: str) -> list[Source]:
    """Every Python file below these folders of the checkout."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(str(path.relative_to(ROOT)), path.read_text()) for path in found]


def package_sources() -> list[Source]:
    prefix = f"src/{PACKAGE}/"
    return [Source(source.path.removeprefix(prefix), source.text) for source in read("src")]


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` of a name or an attribute; of a call, the name of what is called; "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return dotted(node.func) if isinstance(node, ast.Call) else ""
