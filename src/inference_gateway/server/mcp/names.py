"""Names of tools, as a chat may carry them. Pure.

A name has 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`: what every provider takes.
"""

import re
from hashlib import sha256
from typing import Final

PREFIX: Final = "mcp_"
LONGEST: Final = 64
LONGEST_SLUG: Final = 24
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]+")
_OTHER_IN_SLUG: Final = re.compile(r"[^a-z0-9]+")
_MARK: Final = 9
"""Characters of what tells two names apart: `_` and eight digits."""


def clean(name: str) -> str:
    """Write a tool's name with what may be in one."""
    return _OTHER.sub("_", name) or "tool"


def marked(name: str, origin: str) -> str:
    """Bound a name, and tell it apart from others by what it was made from."""
    digest = sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: LONGEST - _MARK]}_{digest[: _MARK - 1]}"


def plain(tool: str) -> str:
    """Name of a tool that no other server has."""
    return _bounded(PREFIX + tool)


def qualified(slug: str, tool: str) -> str:
    """Name of a tool that says whose it is."""
    return _bounded(f"{PREFIX}{slug}_{tool}")


def slug(text: str) -> str:
    """Make a server's name part of a tool's: no `_`, so that it can be told where it ends."""
    return _OTHER_IN_SLUG.sub("-", text.lower())[:LONGEST_SLUG].strip("-") or "server"


def key(name: str) -> str:
    """Write a name as lists of tools to include or exclude are compared."""
    return name.strip().lower().removeprefix(PREFIX)


def _bounded(name: str) -> str:
    return name if len(name) <= LONGEST else marked(name, name)
