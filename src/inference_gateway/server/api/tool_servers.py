"""Whether there are MCP servers, and how they are reached. The one file that imports them, if they are."""

from pathlib import Path
from typing import TYPE_CHECKING

from inference_gateway.server.extras import needed
from inference_gateway.server.settings import ClientSettings, Secret, Settings
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import Ran
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxies
from inference_gateway.server.transport.tls import client_context

if TYPE_CHECKING:
    from inference_gateway.server.mcp.service import MCP

_NEEDED = frozenset({"anyio", "httpx2", "mcp", "mcp_types", "pydantic"})


def open_mcp(settings: Settings, background: Background, *, ran: Ran | None = None) -> "MCP | None":
    """Make ready what speaks to MCP servers, None where the feature is off. Connects to nobody.

    :param ran: told of each tool that MCP clients have run.
    :raises MissingExtra: the extra [mcp] is not installed.
    """
    if not settings.mcp.enabled:
        return None
    with needed("MCP_ENABLED", "mcp", _NEEDED):
        from inference_gateway.server.mcp.egress import WayOut
        from inference_gateway.server.mcp.service import MCP
    client = settings.client
    way_out = WayOut(
        context=client_context(
            ca_file=Path(client.ca_file) if client.ca_file else None, minimum=client.tls_min_version
        ),
        proxy_for=_ProxyChoice(client),
        dial_timeout=settings.mcp.dial_timeout,
        header_timeout=settings.mcp.response_header_timeout,
    )
    return MCP(settings.mcp, way_out, background, ran=ran)


class _ProxyChoice:
    """Tells the URL of the proxy before a server, by the rules that hold for providers."""

    def __init__(self, client: ClientSettings) -> None:
        self._http = client.http_proxy or client.all_proxy
        self._https = client.https_proxy or client.all_proxy
        self._proxies = Proxies.of(client)

    def __call__(self, url: str) -> Secret | None:
        origin = Origin.of(url)
        if self._proxies.proxy_for(origin) is None:
            return None
        return self._https if origin.tls else self._http
