"""Fixed documents: the contract of this API."""

from importlib.resources import files

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.transport.messages import Request, Response

_OPENAPI = files("inference_gateway.server.api").joinpath("openapi.json").read_bytes()


async def openapi(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /openapi.json`."""
    return Response(200, [(b"content-type", b"application/json")], _OPENAPI)
