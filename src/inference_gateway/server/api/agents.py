"""Whether there are agents, and how they are reached. The one file that imports what speaks to them."""

from typing import TYPE_CHECKING

from inference_gateway.server.settings import A2AAgentSettings, Settings
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.pool import Pool

if TYPE_CHECKING:
    from inference_gateway.server.a2a.line import Line
    from inference_gateway.server.a2a.registry import Agents


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
