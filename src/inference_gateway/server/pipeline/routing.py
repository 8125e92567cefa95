"""Which provider a request is for, and what that provider calls the model."""

from collections.abc import Awaitable

from inference_gateway.server import codec
from inference_gateway.server.errors import BadRequest
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.catalog import Catalog, in_time
from inference_gateway.server.providers.registry import Registry
from inference_gateway.server.transport.messages import Response


class Routing:
    """Resolve `?provider=`, else a known prefix, else the one provider that lists the name."""

    def __init__(self, registry: Registry, catalog: Catalog) -> None:
        self._registry = registry
        self._catalog = catalog

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Set the provider, and the model's name in its words."""
        if request.provider_hint or not self._by_prefix(request):
            return self._looked_up(request, call_next)
        request.changes["model"] = codec.encode(request.upstream_model)
        return call_next(request)

    async def _looked_up(self, request: InferenceRequest, call_next: Handler) -> Response:
        """Resolve what may need a provider's list of models."""
        if request.provider_hint:
            await self._by_hint(request, request.provider_hint)
        else:
            await self._by_name(request)
        if request.upstream_model != request.model:
            request.changes["model"] = codec.encode(request.upstream_model)
        return await call_next(request)

    async def _by_hint(self, request: InferenceRequest, provider_id: str) -> None:
        self._registry.require(provider_id)
        request.provider_id = provider_id
        request.upstream_model = request.model
        prefix, _, name = request.model.partition("/")
        if prefix.lower() != provider_id or not name:
            return
        # A provider may have models of its own name's making: `nvidia/nemotron` is NVIDIA's whole name.
        listed = await in_time(self._catalog.names(provider_id), request.expires_at)
        if request.model not in listed:
            request.upstream_model = name

    def _by_prefix(self, request: InferenceRequest) -> bool:
        prefix, separator, name = request.model.partition("/")
        provider_id = prefix.lower()
        if not separator or provider_id not in self._registry.known:
            return False
        self._registry.require(provider_id)
        if not name:
            raise BadRequest(f"'model' {request.model!r} names a provider and no model")
        request.provider_id = provider_id
        request.upstream_model = name
        return True

    async def _by_name(self, request: InferenceRequest) -> None:
        listing = await in_time(self._catalog.providers_of(request.model), request.expires_at)
        if len(listing) == 1:
            request.provider_id = listing[0]
            request.upstream_model = request.model
            return
        if listing:
            names = " or ".join(repr(f"{provider}/{request.model}") for provider in listing)
            raise BadRequest(f"'model' {request.model!r} is served by several providers: write {names}")
        raise BadRequest(
            f"unable to determine the provider of 'model' {request.model!r}: write 'provider/model', such as "
            "'openai/gpt-4o', or add ?provider= to the URL"
        )
