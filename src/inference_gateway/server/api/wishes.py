"""What a caller wishes of the way of its request, said in header fields."""

from inference_gateway.server.errors import Forbidden
from inference_gateway.server.inference import NO_WISHES, Wishes
from inference_gateway.server.transport.messages import Request

_DIRECT, _BYPASS, _SHOWN = b"x-direct-provider", b"x-mcp-bypass", b"x-mcp-stream-tool-calls"
_FIELDS = frozenset({_DIRECT, _BYPASS, _SHOWN})
_NO = frozenset({b"", b"false", b"0", b"no", b"off"})


def wishes(request: Request, *, bypass_allowed: bool) -> Wishes:
    """Read them. What is no refusal is a yes, as clients of old expect.

    :raises Forbidden: to bypass anything is not allowed here.
    """
    for name, _ in request.headers:
        if name in _FIELDS:
            break
    else:
        return NO_WISHES
    shown = request.header(_SHOWN)
    wished = Wishes(
        direct=_is_yes(request.header(_DIRECT)),
        bypasses_tools=_is_yes(request.header(_BYPASS)),
        shows_tool_calls=None if shown is None else _is_yes(shown),
    )
    if not bypass_allowed and (wished.direct or wished.bypasses_tools):
        raise Forbidden(f"{'X-Direct-Provider' if wished.direct else 'X-MCP-Bypass'} is not allowed here")
    return wished


def _is_yes(value: bytes | None) -> bool:
    return value is not None and value.strip().lower() not in _NO
