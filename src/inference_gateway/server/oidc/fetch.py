"""Documents of the issuer, over the gateway's own connections: bounded in time and size, no redirects."""

import asyncio
from math import inf
from urllib.parse import quote, urlsplit

from inference_gateway._version import __version__
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.upstream import Call

PATIENCE = 10.0
"""Seconds that one document may take."""
LIMIT = 512 * 1024
"""Bytes of the largest document."""

_FIELDS = (
    "accept: application/json\r\naccept-encoding: identity\r\n"
    f"user-agent: inference-gateway/{__version__}\r\n"
)


async def fetch(pool: Pool, url: str) -> bytes:
    """Get a document from a checked http or https URL.

    :raises UpstreamError: it did not come; a redirect is not followed.
    :raises UpstreamTimeout: not in time.
    """
    expires_at = asyncio.get_running_loop().time() + PATIENCE
    call = Call(Origin.of(url), _head(url), None, idle_timeout=inf, expires_at=expires_at)
    answer = await pool.send(call)
    if answer.status != 200:
        answer.close()
        raise UpstreamError(f"{url} was answered with status {answer.status}")
    return await answer.read(LIMIT)


def _head(url: str) -> bytes:
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    target = f"{path}?{query}" if query else path
    return f"GET {target} HTTP/1.1\r\nhost: {Origin.of(url).authority}\r\n{_FIELDS}".encode("ascii")
