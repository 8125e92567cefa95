"""What a caller wishes of the way of its request, said in header fields."""

from inference_gateway.server.errors import Forbidden
from inference_gateway.server.inference import NO_WISHES, Wishes
from inference_gateway.server.transport.messages import Request

_DIRECT, _SHOWN = b"x-direct-provider", b"x-mcp-stream-tool-calls"
_BYPASSES = ((b"x-mcp-bypass", "mcp"), (b"x-a2a-bypass", "a2a"))
_FIELDS = frozenset({_DIRECT, _SHOWN, *(name for name, _ in _BYPASSES)})
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
        bypassed=frozenset(family for name, family in _BYPASSES if _is_yes(request.header(name))),
        shows_tool_calls=None if shown is None else _is_yes(shown),
    )
    if not bypass_allowed and (wished.direct or wished.bypassed):
        asked = "Direct-Provider" if wished.direct else f"{min(wished.bypassed).upper()}-Bypass"
        raise Forbidden(f"X-{asked} is not allowed here")
    return wished


def _is_yes(value: bytes | None) -> bool:
    return value is not None and value.strip().lower() not in _NO
