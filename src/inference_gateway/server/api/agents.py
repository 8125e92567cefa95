"""Whether there are agents, and how they are reached. The one file that imports what speaks to them."""

import ipaddress
import logging
from typing import TYPE_CHECKING

from inference_gateway.server.settings import A2AAgentSettings, ServerSettings, Settings
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.pool import Pool

if TYPE_CHECKING:
    from inference_gateway.server.a2a.hosting import Hosting
    from inference_gateway.server.a2a.line import Line
    from inference_gateway.server.a2a.registry import Agents
    from inference_gateway.server.a2a.toolboxes import AgentTools

logger = logging.getLogger("inference_gateway.a2a")


def open_a2a(settings: Settings, pool: Pool, background: Background) -> "Agents | None":
    """Make ready what speaks to agents, None where the feature is off. Connects to nobody."""
    if not settings.a2a.enabled:
        return None
    from inference_gateway.server.a2a.line import Line, patience
    from inference_gateway.server.a2a.registry import Agents

    def line(agent: A2AAgentSettings) -> "Line":
        bounds = patience(
            agent.timeout or settings.a2a.client_timeout,
            between_pieces=settings.client.stream_idle_timeout,
            largest_answer=settings.client.max_response_body_size,
        )
        return Line(agent, pool, bounds)

    return Agents(settings.a2a, background, line)


def open_agent_tools(settings: Settings, agents: "Agents", background: Background) -> "AgentTools":
    """Make the agents tools of models."""
    from inference_gateway.server.a2a.asking import Asking
    from inference_gateway.server.a2a.delegation import Delegations
    from inference_gateway.server.a2a.toolboxes import AgentTools, DirectToolbox, SelectorToolbox

    delegations = Delegations(settings.a2a, background)
    asking = Asking(agents, delegations, limit=settings.a2a.max_result_size)
    kind = DirectToolbox if settings.a2a.tool_mode == "direct" else SelectorToolbox
    return AgentTools(kind(agents, asking), delegations)


def open_host(settings: Settings, agents: "Agents | None") -> "Hosting | None":
    """Make ready what shows agents to clients, None where nobody is to see them."""
    if agents is None or not settings.a2a.expose:
        return None
    from inference_gateway.server.a2a.hosting import Hosting

    server = settings.server
    if server.public_url is None and _is_everywhere(server.host):
        logger.warning("SERVER_PUBLIC_URL is not set: the cards of agents lead clients to localhost")
    host = Hosting(agents, asks_who=settings.auth.active)
    host.public_url = public_url(server, server.port)
    return host


def public_url(server: ServerSettings, port: int) -> str:
    """Say by which URL clients reach the gateway: never by the word of a client.

    :param port: that it listens on.
    """
    if server.public_url is not None:
        return server.public_url
    scheme, usual = ("https", 443) if server.tls_cert_path else ("http", 80)
    host = f"[{server.host}]" if ":" in server.host else server.host
    if _is_everywhere(server.host):
        host = "localhost"
    return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
