"""Whether the gateway lives, and whether it wants work."""

from inference_gateway.server.api.answers import json_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import Overloaded
from inference_gateway.server.transport.messages import Request, Response


async def live(gateway: Gateway, request: Request) -> Response:
    """Answer that the process runs."""
    return json_response({"message": "OK"})


async def ready(gateway: Gateway, request: Request) -> Response:
    """Answer whether new requests are welcome.

    :raises Overloaded: the gateway is shutting down.
    """
    if not gateway.ready:
        raise Overloaded("the gateway is shutting down", retry_after=1)
    return json_response({"message": "OK"})
