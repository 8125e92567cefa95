"""Names of tools, as a chat may carry them. Pure.

A name has 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`: what every provider takes.
"""

import re
from hashlib import sha256
from typing import Final

LONGEST: Final = 64
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]+")
_MARK: Final = 9
"""Characters of what tells two names apart: `_` and eight digits."""


def clean(name: str) -> str:
    """Write a tool's name with what may be in one."""
    return _OTHER.sub("_", name) or "tool"


def marked(name: str, origin: str) -> str:
    """Bound a name, and tell it apart from others by what it was made from."""
    digest = sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: LONGEST - _MARK]}_{digest[: _MARK - 1]}"


def bounded(name: str) -> str:
    """Bound a name where it is too long."""
    return name if len(name) <= LONGEST else marked(name, name)
