"""Docstrings taken apart: what a function does, and what its parameters mean. Reads text, runs nothing.

Google: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
NumPy: https://numpydoc.readthedocs.io/en/latest/format.html
Sphinx: https://www.sphinx-doc.org/en/master/usage/domains/python.html#info-field-lists
"""

import inspect
import re
from itertools import pairwise
from typing import Literal

_PARAMETERS = {
    "args",
    "arguments",
    "parameters",
    "params",
    "keyword args",
    "keyword arguments",
    "other parameters",
}
_NOT_FOR_MODELS = {"returns", "return", "yields", "yield", "raises", "warns", "see also"}
_FIELD = re.compile(r":(?P<kind>\w+)(?P<names>[^:]*):\s*(?P<text>.*)")
_ITEM = re.compile(r"\*{0,2}(?P<name>\w+)\s*(\(.*?\))?\s*:\s*(?P<text>.*)")
_NUMPY_ITEM = re.compile(r"(?P<names>\*{0,2}\w+(\s*,\s*\*{0,2}\w+)*)\s*(:.*)?")
_UNDERLINE = re.compile(r"-{3,}\s*")


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into what the function does and what its parameters mean.

    Returns the text without its sections on parameters, results and errors, and a description per
    parameter. Reads Google, NumPy and Sphinx style.
    """
    return _Docstring().read(inspect.cleandoc(docstring))


class _Docstring:
    """Reads a docstring line by line; `_section` is where it is: in the text, or in what style of section."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._parameters: dict[str, list[str]] = {}
        self._section: Literal["text", "google", "numpy", "sphinx"] = "text"
        self._open: list[list[str]] = []
        self._wanted = False
        self._indent = 0

    def read(self, docstring: str) -> tuple[str, dict[str, str]]:
        for line, after in pairwise([*docstring.split("\n"), ""]):
            self._line(line, after)
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(self._text)).strip()
        return text, {name: " ".join(words) for name, words in self._parameters.items() if words}

    def _line(self, line: str, after: str) -> None:
        words = line.strip()
        if _UNDERLINE.fullmatch(line) and self._section == "numpy":
            return
        if not line[:1].isspace() and words and self._begins_section(words, after):
            return
        if self._section == "text":
            self._text.append(line)
        elif self._wanted and words:
            self._parameter_line(line, words)

    def _begins_section(self, words: str, after: str) -> bool:
        """Look at a line that is not indented: it may begin a section, or end one."""
        if _UNDERLINE.fullmatch(after):
            return self._enter("numpy", words.lower() in _PARAMETERS)
        if self._section == "numpy":
            return False
        title = words[:-1].lower() if words.endswith(":") else ""
        if title in _PARAMETERS or title in _NOT_FOR_MODELS:
            return self._enter("google", title in _PARAMETERS)
        if field := _FIELD.fullmatch(words):
            return self._sphinx_field(field)
        self._section = "text"
        return False

    def _enter(self, section: Literal["google", "numpy", "sphinx"], wanted: bool) -> bool:
        self._section, self._wanted, self._open, self._indent = section, wanted, [], 0
        return True

    def _sphinx_field(self, field: re.Match[str]) -> bool:
        names = field["names"].split()
        self._enter("sphinx", field["kind"] in {"param", "parameter", "arg", "argument", "key", "keyword"})
        if self._wanted and names:
            # The last word is the name; a type may stand before it.
            self._begin([names[-1]], field["text"])
        return True

    def _parameter_line(self, line: str, words: str) -> None:
        indent = len(line) - len(line.lstrip())
        if self._section == "google":
            self._indent = self._indent or indent
            item = _ITEM.fullmatch(words) if indent <= self._indent else None
            if item:
                self._begin([item["name"]], item["text"])
                return
        elif self._section == "numpy" and not indent:
            numpy_item = _NUMPY_ITEM.fullmatch(words)
            names = numpy_item["names"].split(",") if numpy_item else []
            self._begin([name.strip() for name in names], "")
            return
        for each in self._open:
            each.append(words)

    def _begin(self, names: list[str], text: str) -> None:
        self._open = [self._parameters.setdefault(name.lstrip("*"), []) for name in names]
        for each in self._open:
            if text:
                each.append(text)
