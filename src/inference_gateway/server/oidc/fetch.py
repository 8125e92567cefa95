"""Documents of the issuer, over the gateway's own connections: bounded in time and size, no redirects."""

import asyncio
from math import inf

from inference_gateway._version import __version__
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.origin import Origin, target
from inference_gateway.server.transport.pool import Pool

PATIENCE = 10.0
"""Seconds that one document may take."""
LIMIT = 512 * 1024
"""Bytes of the largest document."""

_FIELDS = (
    b"accept: application/json\r\naccept-encoding: identity\r\n"
    b"user-agent: inference-gateway/%b\r\n" % __version__.encode("ascii")
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
    authority = Origin.of(url).authority.encode("ascii")
    return b"GET %b HTTP/1.1\r\nhost: %b\r\n%b" % (target(url), authority, _FIELDS)
