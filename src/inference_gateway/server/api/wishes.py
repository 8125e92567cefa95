"""What a caller wishes of the way of its request, said in header fields."""

from inference_gateway.server.errors import Forbidden
from inference_gateway.server.inference import NO_WISHES, Wishes
from inference_gateway.server.transport.messages import Request

_NO = frozenset({b"", b"false", b"0", b"no", b"off"})


def wishes(request: Request, *, bypass_allowed: bool) -> Wishes:
    """Read them. What is no refusal is a yes, as clients of old expect.

    :raises Forbidden: to bypass anything is not allowed here.
    """
    direct = request.header(b"x-direct-provider")
    bypass = request.header(b"x-mcp-bypass")
    shown = request.header(b"x-mcp-stream-tool-calls")
    if direct is None and bypass is None and shown is None:
        return NO_WISHES
    wished = Wishes(
        direct=_is_yes(direct),
        bypasses_tools=_is_yes(bypass),
        shows_tool_calls=None if shown is None else _is_yes(shown),
    )
    if not bypass_allowed and (wished.direct or wished.bypasses_tools):
        name = "X-Direct-Provider" if wished.direct else "X-MCP-Bypass"
        raise Forbidden(f"{name} is not allowed here")
    return wished


def _is_yes(value: bytes | None) -> bool:
    return value is not None and value.strip().lower() not in _NO
