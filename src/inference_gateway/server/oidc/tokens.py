"""Tokens, checked once each: what is found is remembered by the hash of the whole token until it expires."""

import contextlib
from collections import OrderedDict
from time import time

from inference_gateway.server.errors import IdentityUnavailable, Unauthorized
from inference_gateway.server.oidc.issuer import Issuer
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.oidc.verification import UnknownKey, Verified, fitting_keys, header_of, verify
from inference_gateway.server.principal import Principal

MOST = 10_000
"""Tokens that are remembered; the one that was not used for longest gives way. Only good ones are."""


class Tokens:
    """Finds who a token belongs to."""

    def __init__(self, policy: Policy, issuer: Issuer) -> None:
        self._policy = policy
        self._issuer = issuer
        self._known: OrderedDict[bytes, Verified] = OrderedDict()
        issuer.changed = self._known.clear

    def start(self) -> None:
        """Begin to keep the issuer's keys fresh. Idempotent."""
        self._issuer.start()

    async def trouble(self) -> str:
        """Ask the issuer for its keys; return why they do not come, or nothing."""
        with contextlib.suppress(IdentityUnavailable):
            await self._issuer.ready()
            return ""
        return self._issuer.trouble or "it does not answer in time"

    def find(self, digest: bytes) -> Principal | None:
        """Return whose token has this SHA-256, None where it was not checked yet or is not good any more."""
        found = self._known.get(digest)
        if found is None:
            return None
        if time() >= found.expires:
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return found.principal

    async def check(self, token: bytes, digest: bytes) -> Principal:
        """Check a token, and remember a good one.

        :raises Unauthorized: it is not good.
        :raises InsufficientScope: it is, and does not grant what it must.
        :raises IdentityUnavailable: there are no keys to check it with yet.
        """
        header = header_of(token)
        await self._issuer.ready()
        try:
            keys = fitting_keys(header, self._issuer.keys, self._issuer.algorithms)
        except UnknownKey:
            if not await self._issuer.renew():
                raise
            keys = fitting_keys(header, self._issuer.keys, self._issuer.algorithms)
        verified = verify(token, header, keys, self._policy)
        if time() >= verified.expires:
            raise Unauthorized("the token has expired")
        self._known[digest] = verified
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return verified.principal
