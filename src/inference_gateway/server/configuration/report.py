"""What sources say, and what is wrong with it, each with its place."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

import msgspec

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Given(msgspec.Struct, frozen=True):
    """What one source says of one setting."""

    text: str | tuple[str, ...]
    """One text, or the items of a list. May be a secret."""
    where: str
    """`environment`, `.env:3` or `gateway.yaml:7`."""
    name: str
    """The name it goes by there."""

    def __repr__(self) -> str:
        return f"Given(name={self.name!r}, where={self.where!r})"


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one line for each reason."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Report:
    """Problems and warnings, in the order found."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def problem(self, where: str, text: str) -> None:
        """Note what makes the settings unusable."""
        self.problems.append(f"{where}: {text}")

    def refuse(self, given: Given, reason: object) -> None:
        """Note that what a source says of a setting cannot be used."""
        self.problem(given.where, f"{given.name}: {reason}")

    def warn(self, where: str, text: str) -> None:
        """Note what the operator should know."""
        self.warnings.append(f"{where}: {text}")


def shown(name: str) -> str:
    """Write a name that nobody checked; one that might hold a value is not shown."""
    return repr(name) if _PLAIN.fullmatch(name) else "a key"


def nearest(name: str, names: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the name that most resembles this one, if any is at least so like it (0 to 1)."""
    found = difflib.get_close_matches(name, sorted(names), n=1, cutoff=likeness)
    return found[0] if found else None
