"""Names of request headers that settings must not touch. Facts, nothing else."""

from typing import Final

CREDENTIAL_HEADERS: Final = frozenset({"authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"})
"""Request headers that say who the client is: they are for the gateway."""

CONNECTION_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Request headers that hold for one connection only."""

CONNECTION_HEADER_PREFIXES: Final = ("proxy-", "x-forwarded-")
"""The same, by how a name begins."""
