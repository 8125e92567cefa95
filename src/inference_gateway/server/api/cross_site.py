"""Web pages that reach for a gateway which asks nobody who they are.

A page of any site can send a browser's request to loopback, JSON labelled as text, without asking first
(https://fetch.spec.whatwg.org/#cors-safelisted-request-header). It cannot read the answer, but it can
spend. Browsers say where such a request is from, and no page can make them say otherwise.
"""

from inference_gateway.server.errors import CrossSite
from inference_gateway.server.settings import ServerSettings
from inference_gateway.server.transport.messages import Request

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_STANDARD_PORTS = {"http": 80, "https": 443}


class SiteRule:
    """Turn pages away that are neither ours nor allowed. `Host` is not asked: pages can choose it.

    :param allowed: origins, or `*` for every one.
    """

    def __init__(self, allowed: frozenset[bytes]) -> None:
        self._allowed = allowed

    def check(self, request: Request) -> None:
        """Hold a request that may change something, or cost, to where it is from.

        :raises CrossSite: it is from a page that may not.
        """
        if request.method in _SAFE:
            return
        for name, value in request.headers:
            if name == b"origin" and value not in self._allowed and b"*" not in self._allowed:
                raise CrossSite(
                    "a web page of this origin may not call the gateway: add its origin to "
                    "SERVER_CORS_ORIGINS, or switch authentication on"
                )


def site_rule(server: ServerSettings) -> SiteRule:
    """Allow the origins that the settings name, and the gateway's own, on loopback and by its address."""
    scheme = "https" if server.tls_cert_path else "http"
    port = "" if server.port == _STANDARD_PORTS[scheme] else f":{server.port}"
    host = f"[{server.host}]" if ":" in server.host else server.host.lower()
    own = {f"{scheme}://{name}{port}" for name in (*_LOOPBACK, host)}
    return SiteRule(frozenset(origin.encode("ascii") for origin in {*own, *server.cors_origins}))
