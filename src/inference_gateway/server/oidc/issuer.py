"""An issuer's keys, fetched, kept, and fetched anew: now and then, and when a token names a new one."""

import asyncio
import logging
from collections.abc import Callable
from math import inf
from time import monotonic

from inference_gateway.server.complaints import Complaints
from inference_gateway.server.errors import GatewayError, IdentityUnavailable
from inference_gateway.server.oidc import discovery, key_set
from inference_gateway.server.oidc.fetch import fetch
from inference_gateway.server.oidc.key_set import Key
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.pool import Pool

logger = logging.getLogger("inference_gateway.oidc")

REFRESH = 600.0
"""Seconds after which keys are fetched anew in the background."""
COOL_DOWN = 10.0
"""Seconds between two fetches that unknown keys cause, whatever the flood of tokens that name them."""
RETRY = 5.0
"""Seconds between two tries while the issuer does not answer."""
PATIENCE = 5.0
"""Seconds that a request waits for keys."""
STALEST = 86_400.0
"""Seconds for which keys are trusted without the issuer confirming them."""


class Issuer:
    """The keys of one issuer. The last ones known serve while it does not answer, for a day at most.

    :param clock: seconds that only grow.
    """

    def __init__(
        self, name: str, pool: Pool, background: Background, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self.keys: tuple[Key, ...] = ()
        self.algorithms: frozenset[str] = frozenset()
        self.changed: Callable[[], None] = _nothing
        """Called when a key is no longer among them."""
        self._name = name
        self._pool = pool
        self._background = background
        self._clock = clock
        self._complaints = Complaints(logger, clock=clock)
        self._confirmed = -inf
        self._tried = -inf
        self.trouble = ""
        """Why the last try brought no keys; empty where it did."""
        self._trying: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the keys fresh. Idempotent."""
        if self._watching is None:
            self._watching = self._background.start(self._watch(), name="refreshing the issuer's keys")

    @property
    def _usable(self) -> bool:
        return self._clock() - self._confirmed < STALEST

    async def ready(self) -> None:
        """Return once there are keys.

        :raises IdentityUnavailable: the issuer does not answer.
        """
        self.start()
        if self._usable:
            return
        if self._trying is not None or self._clock() - self._tried >= RETRY:
            await asyncio.wait([self._try()], timeout=PATIENCE)
        if not self._usable:
            raise _unavailable()

    async def renew(self) -> bool:
        """Fetch the keys anew because of one that is not known; return whether that was done.

        :raises IdentityUnavailable: the issuer does not answer, so that the key may be a new one.
        """
        due = self._trying is not None or self._clock() - self._tried >= COOL_DOWN
        if due:
            await asyncio.wait([self._try()], timeout=PATIENCE)
        if self.trouble or (due and self._trying is not None):
            raise _unavailable()
        return due

    async def _watch(self) -> None:
        while True:
            if self._clock() - self._tried >= RETRY:
                await asyncio.wait([self._try()])
            fresh = self._clock() - self._confirmed < RETRY
            await asyncio.sleep(REFRESH if fresh else RETRY)

    def _try(self) -> asyncio.Task[None]:
        # Whoever asked first may go away; the others still wait for the same answer.
        if self._trying is None:
            self._trying = self._background.start(self._fetch(), name="fetching the issuer's keys")
        return self._trying

    async def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            metadata = discovery.parse(
                await fetch(self._pool, discovery.discovery_url(self._name)), self._name
            )
            keys = key_set.parse(await fetch(self._pool, metadata.jwks_uri))
        except GatewayError as error:
            self._complaints.trouble("the keys of the issuer %s did not come: %s", self._name, error.message)
            self.trouble = error.message
        else:
            self._keep(keys, metadata.algorithms)
        finally:
            self._trying = None

    def _keep(self, keys: tuple[Key, ...], algorithms: frozenset[str]) -> None:
        self._confirmed = self._clock()
        if {(key.id, key.members) for key in self.keys} - {(key.id, key.members) for key in keys}:
            self.changed()
        if not self.keys:
            logger.info("%d keys of the issuer %s are known", len(keys), self._name)
        self._complaints.well("the keys of the issuer %s come again", self._name)
        self.keys, self.algorithms, self.trouble = keys, algorithms, ""


def _unavailable() -> IdentityUnavailable:
    return IdentityUnavailable(
        "tokens cannot be checked: their issuer does not answer", retry_after=int(RETRY)
    )


def _nothing() -> None:
    """Nobody has asked to be told."""
