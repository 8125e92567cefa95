"""A provider behind HTTP."""

import asyncio
import logging
from collections.abc import Awaitable
from math import inf
from typing import NamedTuple

from inference_gateway.server import encodings
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.providers import model_list
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.providers.wire import Wire
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.messages import Header, Source
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.upstream import Answer

logger = logging.getLogger("inference_gateway.catalog")

_MOST_PAGES = 50


class Patience(NamedTuple):
    """How long a provider may take, in seconds; `inf` is no bound."""

    connect: float = 10.0
    first_byte: float = 600.0
    between_pieces: float = 300.0
    whole: float = inf
    listing: float = 10.0


class HTTPBackend:
    """Calls one provider over pooled connections.

    :param limit: most bytes of an answer that is read whole.
    """

    def __init__(self, provider: Provider, pool: Pool, *, patience: Patience, limit: int) -> None:
        self._provider = provider
        self._pool = pool
        self._patience = patience
        self._limit = limit
        self._wire = Wire(provider)

    @property
    def query_secrets(self) -> tuple[bytes, ...]:
        """The key in every writing that a query may give it; empty where it goes elsewhere."""
        return self._wire.query_secrets

    def infer(self, request: InferenceRequest) -> Awaitable[Answer]:
        """Send an inference request; return once the head of its answer is there."""
        path = getattr(self._provider, request.operation.endpoint)
        head = self._wire.inference_head(path, request.headers)
        return self._pool.send(self._call(head, request.body(), expires_at=request.expires_at))

    async def raw(
        self,
        method: str,
        path: bytes,
        *,
        query: bytes,
        headers: list[Header],
        body: bytes | Source | None,
        length: int | None,
        expires_at: float,
    ) -> Answer:
        """Send a raw request to a checked path below the provider's base; return its answer's head."""
        call = self._call(self._wire.raw_head(method, path, query, headers), body, expires_at=expires_at)
        call.length = length
        call.bodiless_answer = method == "HEAD"
        return await self._pool.send(call)

    async def models(self) -> tuple[Model, ...]:
        """Return all of its models, page after page.

        :raises UpstreamError: it answers with an error, or with what is no list.
        :raises UpstreamTimeout: it takes longer than a listing may.
        """
        expires_at = asyncio.get_running_loop().time() + self._patience.listing
        models: dict[str, Model] = {}
        following = ""
        for _ in range(_MOST_PAGES):
            page = await self._page(following, expires_at)
            for model in page.models:
                models.setdefault(model.id, model)
            if not page.following or page.following == following:
                break
            following = page.following
        else:
            logger.warning(
                "%s lists more pages than %d: the rest is left out", self._provider.id, _MOST_PAGES
            )
        return tuple(models.values())

    async def _page(self, following: str, expires_at: float) -> model_list.Page:
        target = self._provider.models_path
        for query in (self._provider.models_query, following):
            if query:
                target += ("&" if "?" in target else "?") + query
        call = self._call(self._wire.listing_head(target), None, expires_at=expires_at)
        answer = await self._pool.send(call)
        body = await answer.read(self._limit)
        if answer.status != 200:
            raise UpstreamError(f"the list of models was answered with status {answer.status}")
        decoder = encodings.decoder(answer.header(b"content-encoding"), limit=self._limit)
        return model_list.parse(decoder.feed(body) if decoder else body, self._provider)

    def _call(self, head: bytes, body: bytes | Source | None, *, expires_at: float) -> Call:
        patience = self._patience
        if patience.whole != inf:
            expires_at = min(expires_at, asyncio.get_running_loop().time() + patience.whole)
        return Call(
            self._wire.origin,
            head,
            body,
            connect_timeout=patience.connect,
            first_byte_timeout=patience.first_byte,
            idle_timeout=patience.between_pieces,
            expires_at=expires_at,
        )
