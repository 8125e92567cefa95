"""Lists of models."""

from urllib.parse import unquote

from inference_gateway.server.api.answers import json_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.inference import expiry
from inference_gateway.server.api.query import parameter
from inference_gateway.server.errors import BadRequest, GatewayError, NotFound, UpstreamError, UpstreamTimeout
from inference_gateway.server.providers.catalog import in_time
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.transport.messages import Request, Response

_INCLUDES = ("context_window", "pricing", "modalities")


async def list_models(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /v1/models`: of all configured providers, or of the one asked for."""
    _check_include(parameter(request.query, "include"))
    expires_at = expiry(request)
    provider_id = parameter(request.query, "provider")
    if not provider_id:
        listed = await in_time(gateway.catalog.all(), expires_at)
        return json_response({"object": "list", "data": _served(gateway, request, listed)})
    gateway.registry.require(provider_id)
    try:
        models = await in_time(gateway.catalog.of(provider_id), expires_at)
    except GatewayError as error:
        kind = UpstreamTimeout if isinstance(error, UpstreamTimeout) else UpstreamError
        raise kind(f"failed to list the models of {provider_id!r}: {error.message}") from error
    return json_response(
        {"object": "list", "provider": provider_id, "data": _served(gateway, request, models)}
    )


async def get_model(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /v1/models/{id}`; the id may be written with `/` or `%2F`."""
    _check_include(parameter(request.query, "include"))
    expires_at = expiry(request)
    wanted = unquote(request.params["id"].decode("latin-1"))
    provider_id, separator, _ = wanted.partition("/")
    if separator and provider_id in gateway.registry.known:
        gateway.registry.require(provider_id)
        listed = await in_time(gateway.catalog.of(provider_id), expires_at)
        found = [m for m in listed if m.id == wanted]
    else:
        found = [m for m in await in_time(gateway.catalog.all(), expires_at) if m.name == wanted]
    served = _served(gateway, request, found)
    if len(served) > 1:
        raise BadRequest(f"several providers list {wanted!r}: ask for {' or '.join(m.id for m in served)}")
    if not served:
        raise NotFound(f"no model {wanted!r} is listed here")
    return json_response(served[0])


def _served(gateway: Gateway, request: Request, models: list[Model] | tuple[Model, ...]) -> list[Model]:
    """What of these models the operator serves, and this caller may use."""
    rules, caller = gateway.rules, request.principal
    served = [m for m in models if rules.permits(m.served_by, m.name)]
    if caller is None or not caller.allowed_models:
        return served
    return [m for m in served if rules.is_among(caller.allowed_models, m.served_by, m.name)]


def _check_include(include: str) -> None:
    for key in filter(None, (part.strip() for part in include.split(","))):
        if key not in _INCLUDES:
            raise BadRequest(f'unknown include value "{key}"')
        raise BadRequest(f'include value "{key}" is not available yet')
