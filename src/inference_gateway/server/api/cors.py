"""Leave for web pages of other origins to call the gateway.

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import re
from collections.abc import Iterable

from inference_gateway.server.transport.messages import Header, Request, Response

_NAMES = re.compile(rb"[A-Za-z0-9\-_, ]{0,1024}")
_METHODS = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
_MAX_AGE = (b"access-control-max-age", b"600")
_EXPOSED = (
    b"access-control-expose-headers",
    b"x-request-id, x-upstream-request-id, www-authenticate, retry-after, retry-after-ms, "
    b"x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
    b"x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, "
    b"x-ratelimit-reset-requests, x-ratelimit-reset-tokens",
)
_VARY = (b"vary", b"origin")


class CORS:
    """Allow these origins, or every one (`*`). No credentials of the browser's own are ever allowed."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in origins)
        self._any = b"*" in self._origins

    def preflight(self, request: Request) -> Response | None:
        """Answer a browser's question before its request; None for anything else."""
        if request.method != "OPTIONS" or request.header(b"access-control-request-method") is None:
            return None
        names = request.header(b"access-control-request-headers") or b""
        if not self._allows(request) or not _NAMES.fullmatch(names):
            return Response(204, [])
        return Response(204, [_METHODS, (b"access-control-allow-headers", names), _MAX_AGE])

    def fields(self, request: Request) -> list[Header]:
        """Fields that every answer gets, preflight or not."""
        if not self._allows(request):
            return [_VARY]
        origin = b"*" if self._any else request.header(b"origin") or b""
        return [(b"access-control-allow-origin", origin), _EXPOSED, _VARY]

    def _allows(self, request: Request) -> bool:
        origin = request.header(b"origin")
        return origin is not None and (self._any or origin in self._origins)
