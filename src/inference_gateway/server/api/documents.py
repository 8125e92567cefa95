"""Fixed documents: the contract of this API, and what is not offered."""

from importlib.resources import files

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import Forbidden
from inference_gateway.server.transport.messages import Request, Response

_OPENAPI = files("inference_gateway.server.api").joinpath("openapi.json").read_bytes()


async def openapi(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /openapi.json`."""
    return Response(200, [(b"content-type", b"application/json")], _OPENAPI)


async def list_tools(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /v1/mcp/tools`.

    :raises Forbidden: always; the gateway is not connected to any MCP server.
    """
    raise Forbidden("mcp tools endpoint is not exposed")
