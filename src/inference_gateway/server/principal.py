"""Who asks: what authentication found out about a caller. Checks nothing itself."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A caller that proved who it is. Shows as its subject alone: claims are personal data."""

    kind: Literal["api_key", "oidc"]
    subject: str
    """What stays the same for one caller: the name of its key, or `sub` of its token. One line of text."""
    name: str
    """What people call it."""
    claims: Mapping[str, object] = {}
    """What its token says; nothing for a key."""
    allowed_models: frozenset[str] = frozenset()
    """The only models it may use, `id` or `provider/id` in lower case; empty means every one."""

    def __repr__(self) -> str:
        return f"Principal({self.kind}, {self.subject!r})"
