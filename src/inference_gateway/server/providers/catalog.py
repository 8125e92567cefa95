"""The models of every configured provider, asked for at once and remembered for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from math import inf
from time import monotonic
from typing import TypeVar

import msgspec

from inference_gateway.server.errors import GatewayError, UpstreamTimeout
from inference_gateway.server.providers.backend import Backend
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.tasks import Background

T = TypeVar("T")

logger = logging.getLogger("inference_gateway.catalog")

_FAILURE_TTL = 5.0
"""Seconds for which a provider that did not list its models is not asked again."""


class Listing(msgspec.Struct, frozen=True):
    """What is known of a provider's list without waiting for it."""

    models: int | None
    """How many it named; None where there never was a list."""
    error: str | None
    """Why it was not to be had when it was asked for last."""


class Shelf:
    """One provider's list: the last one known, and the question under way."""

    __slots__ = ("asked", "error", "expires", "models", "names")

    def __init__(self) -> None:
        self.models: tuple[Model, ...] = ()
        self.names: frozenset[str] = frozenset()
        self.error: GatewayError | None = None
        self.expires = -inf
        self.asked: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Whether there ever was a list."""
        return bool(self.models) or (self.expires > -inf and self.error is None)


class Catalog:
    """Lists of models by provider, in the order of configuration.

    :param ttl: seconds for which a list is reused.
    """

    def __init__(self, backends: Mapping[str, Backend], background: Background, *, ttl: float) -> None:
        self._backends = backends
        self._background = background
        self._ttl = ttl
        self._shelves = {provider_id: Shelf() for provider_id in backends}

    async def all(self) -> list[Model]:
        """Return the models of all providers; one that does not answer is logged and left out."""
        await asyncio.gather(*[self._refresh(provider_id) for provider_id in self._shelves])
        return [m for shelf in self._shelves.values() if shelf.error is None for m in shelf.models]

    async def of(self, provider_id: str) -> tuple[Model, ...]:
        """Return the models of one provider.

        :raises GatewayError: it does not answer.
        """
        await self._refresh(provider_id)
        shelf = self._shelves[provider_id]
        if shelf.error is not None:
            raise shelf.error
        return shelf.models

    def look(self, provider_id: str) -> Listing:
        """Tell what is known of a provider's list; an old one is asked for anew meanwhile."""
        shelf = self._shelves[provider_id]
        self._start(provider_id, shelf)
        error = shelf.error.message if shelf.error is not None else None
        return Listing(len(shelf.models) if shelf.known else None, error)

    async def names(self, provider_id: str) -> frozenset[str]:
        """Return what a provider calls its models; nothing where it does not say."""
        shelf = self._shelves[provider_id]
        await self._known(provider_id, shelf)
        return shelf.names

    async def providers_of(self, name: str) -> list[str]:
        """Return the providers that list a model of exactly this name."""
        await asyncio.gather(*[self._known(*item) for item in self._shelves.items()])
        return [provider_id for provider_id, shelf in self._shelves.items() if name in shelf.names]

    async def _known(self, provider_id: str, shelf: Shelf) -> None:
        """Wait for a list only where there is none: an old one serves while a new one is fetched."""
        refreshing = self._start(provider_id, shelf)
        if refreshing is not None and not shelf.known:
            await asyncio.shield(refreshing)

    async def _refresh(self, provider_id: str) -> None:
        refreshing = self._start(provider_id, self._shelves[provider_id])
        if refreshing is not None:
            # Whoever asked first may go away; the others still wait for the same answer.
            await asyncio.shield(refreshing)

    def _start(self, provider_id: str, shelf: Shelf) -> asyncio.Task[None] | None:
        if shelf.asked is None and monotonic() >= shelf.expires:
            shelf.asked = self._background.start(
                self._ask(provider_id, shelf), name=f"listing models of {provider_id}"
            )
        return shelf.asked

    async def _ask(self, provider_id: str, shelf: Shelf) -> None:
        try:
            models = await self._backends[provider_id].models()
        except GatewayError as error:
            logger.warning("%s does not list its models: %s", provider_id, error.message)
            shelf.error = error
            shelf.expires = monotonic() + min(self._ttl, _FAILURE_TTL)
        else:
            shelf.models, shelf.names, shelf.error = models, frozenset(m.name for m in models), None
            shelf.expires = monotonic() + self._ttl
        finally:
            shelf.asked = None


async def in_time(question: Awaitable[T], expires_at: float) -> T:
    """Wait for a list of models no longer than a call may take.

    :param expires_at: time of the loop's clock, in seconds; `inf` is no bound.
    :raises UpstreamTimeout: it took longer.
    """
    try:
        async with asyncio.timeout_at(None if expires_at == inf else expires_at):
            return await question
    except TimeoutError:
        raise UpstreamTimeout("the models were not listed in the time that this call has") from None
