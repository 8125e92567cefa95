"""The one place where a caller is let in: by an API key or by an issuer's token, both as bearer.

https://www.rfc-editor.org/rfc/rfc6750#section-2.1
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from inference_gateway.server.errors import Unauthorized
from inference_gateway.server.keys.ring import KeyRing
from inference_gateway.server.oidc import open_tokens
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.principal import Principal
from inference_gateway.server.settings import AuthSettings
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.messages import Request
from inference_gateway.server.transport.pool import Pool

if TYPE_CHECKING:
    from inference_gateway.server.oidc.tokens import Tokens

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)")


class Guard:
    """Finds out who asks. At least one of the two ways in is there."""

    def __init__(self, keys: KeyRing | None, tokens: "Tokens | None") -> None:
        self._keys = keys
        self._tokens = tokens

    def start(self) -> None:
        """Begin to fetch what tokens are checked with. Idempotent."""
        if self._tokens is not None:
            self._tokens.start()

    async def trouble(self) -> str | None:
        """Ask the issuer for its keys; return why they do not come, or nothing. None without an issuer."""
        return await self._tokens.trouble() if self._tokens is not None else None

    def reload(self) -> bool:
        """Read the file of keys anew; return whether there are keys at all."""
        if self._keys is None:
            return False
        self._keys.reload()
        return True

    def recall(self, request: Request) -> Principal | None:
        """Return who asks, where that is known at once; None says nothing yet."""
        given = [value for name, value in request.headers if name == b"authorization"]
        if len(given) != 1:
            return None
        found = _BEARER.fullmatch(given[0])
        return self._find(sha256(found[1]).digest()) if found is not None else None

    async def admit(self, request: Request) -> Principal:
        """Find out who asks.

        :raises Unauthorized: nobody that is known.
        :raises InsufficientScope: somebody whose token does not grant what it must.
        :raises IdentityUnavailable: tokens cannot be checked at the moment.
        """
        token = _token(request)
        digest = sha256(token).digest()
        principal = self._find(digest)
        if principal is not None:
            return principal
        if self._tokens is None:
            raise Unauthorized("the API key is not known here, or not good any more")
        return await self._tokens.check(token, digest)

    def _find(self, digest: bytes) -> Principal | None:
        # Both look a hash up in a table: how long that takes says nothing of what would have been right.
        principal = self._tokens.find(digest) if self._tokens is not None else None
        if principal is None and self._keys is not None:
            principal = self._keys.find(digest)
        return principal


def _token(request: Request) -> bytes:
    given = [value for name, value in request.headers if name == b"authorization"]
    if not given:
        raise Unauthorized
    if len(given) > 1:
        raise Unauthorized("Authorization is given more than once")
    found = _BEARER.fullmatch(given[0])
    if found is None:
        raise Unauthorized("Authorization must be Bearer and one token")
    return found[1]


def open_guard(auth: AuthSettings, pool: Pool, background: Background) -> Guard | None:
    """Make the guard that the settings ask for; None where nobody must say who they are.

    :raises UnusableKeys: the file of keys cannot be used.
    :raises MissingExtra: a package that checking tokens needs is not installed.
    """
    if not auth.active:
        return None
    keys = tokens = None
    if auth.api_keys or auth.api_keys_file:
        path = Path(auth.api_keys_file) if auth.api_keys_file else None
        keys = KeyRing([key.reveal() for key in auth.api_keys], path)
    if auth.oidc_issuer:
        own = [auth.oidc_client_id] if auth.oidc_client_id else []
        policy = Policy(
            issuer=auth.oidc_issuer,
            audiences=frozenset([*own, *auth.oidc_audiences]),
            leeway=auth.oidc_leeway,
            scopes=auth.required_scopes,
            claims=auth.required_claims,
        )
        tokens = open_tokens(policy, pool, background)
    return Guard(keys, tokens)
