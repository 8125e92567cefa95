"""What clients see of MCP servers: their tools, how they are, and the gateway as one of them."""

from inference_gateway.server.api.answers import json_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import Forbidden, NotFound, UnsupportedMediaType
from inference_gateway.server.transport.messages import Request, Response

_FRAMING = (b"content-length", b"connection")
_NOT_EXPOSED = "mcp tools endpoint is not exposed"


async def list_tools(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /v1/mcp/tools`.

    :raises Forbidden: MCP_EXPOSE is not set.
    """
    if not gateway.exposes_tools:
        raise Forbidden(_NOT_EXPOSED)
    tools = gateway.mcp.tools() if gateway.mcp is not None else []
    return json_response({"object": "list", "data": tools, "tools": tools})


async def health(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /v1/mcp/health`."""
    if gateway.mcp is None:
        return json_response({"status": "disabled", "servers": []})
    servers = gateway.mcp.health()
    well = [server.status == "available" for server in servers]
    status = "ok" if all(well) else "degraded" if any(well) else "unavailable"
    return json_response({"status": status, "servers": servers})


async def serve(gateway: Gateway, request: Request) -> Response:
    """Answer `POST /mcp`: the tools of all servers, for an MCP client.

    :raises Forbidden: MCP_EXPOSE is not set, or a web page of an origin that is not allowed asks.
    :raises NotFound: MCP is off.
    :raises UnsupportedMediaType: the body is compressed.
    """
    if not gateway.exposes_tools:
        raise Forbidden(_NOT_EXPOSED)
    if gateway.mcp is None:
        raise NotFound("MCP is off here")
    _check_origin(gateway, request)
    if request.header(b"content-encoding") not in {None, b"identity"}:
        raise UnsupportedMediaType("the request body must not be compressed")
    reply = await gateway.mcp.hosting.answer(request.headers, await request.body.read(), trace=request.trace)
    return Response(reply.status, [each for each in reply.headers if each[0] not in _FRAMING], reply.body)


def _check_origin(gateway: Gateway, request: Request) -> None:
    """Turn web pages away that the operator does not know.

    A page may give its own name our address, so that `Host` is what it says; `Origin` is the browser's word.
    https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning
    """
    origin = request.header(b"origin")
    allowed = gateway.known_origins
    if origin is not None and "*" not in allowed and origin.decode("latin-1") not in allowed:
        raise Forbidden(
            "web pages of this origin may not use the tools; SERVER_CORS_ORIGINS lists those that may"
        )
