"""What a token must say. Pure."""

from collections.abc import Mapping

import msgspec

from inference_gateway.server.errors import InsufficientScope


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's terms."""

    issuer: str
    audiences: frozenset[str]
    """A token must be meant for one of these."""
    leeway: float = 30.0
    """Seconds that the issuer's clock may differ from ours."""
    scopes: tuple[str, ...] = ()
    """What a token must grant, all of it."""
    claims: tuple[str, ...] = ()
    """`claim=value`, or `claim` alone."""

    def check_grants(self, claims: Mapping[str, object]) -> None:
        """Hold a token that is genuine to what it must grant.

        :raises InsufficientScope: it lacks a scope or a claim; the message names what.
        """
        granted = _granted(claims)
        missing = [scope for scope in self.scopes if scope not in granted]
        if missing:
            raise InsufficientScope(
                f"the token does not grant {', '.join(map(repr, missing))}", scopes=self.scopes
            )
        for wanted in self.claims:
            name, equals, value = wanted.partition("=")
            found = claims.get(name)
            if found is None or (equals and value not in _values(found)):
                raise InsufficientScope(f"the token lacks what is asked of its claim {name!r}")


def _granted(claims: Mapping[str, object]) -> set[str]:
    """Scopes, as `scope` (RFC 9068) or `scp` says them: one text with blanks between, or a list."""
    granted: set[str] = set()
    for name in ("scope", "scp"):
        found = claims.get(name)
        granted.update(found.split(" ") if isinstance(found, str) else _values(found))
    return granted


def _values(found: object) -> list[str]:
    """One value or a list of them, as they are written in a setting."""
    each = found if isinstance(found, list) else [found]
    return [_written(value) for value in each if isinstance(value, str | int | float)]


def _written(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
