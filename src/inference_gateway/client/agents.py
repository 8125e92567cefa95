"""The door to agents, whose modules are imported when somebody first speaks to one."""

from typing import TYPE_CHECKING

from inference_gateway.client.exchange import AsyncExchange, Exchange
from inference_gateway.client.options import ClientOptions

if TYPE_CHECKING:
    from inference_gateway.client.a2a import A2AClient
    from inference_gateway.client.a2a_async import AsyncA2AClient


def agents(exchange: Exchange, options: ClientOptions) -> "A2AClient":
    """Make the part of a blocking client that speaks to agents."""
    from inference_gateway.client.a2a import A2AClient  # noqa: PLC0415

    return A2AClient(exchange, options)


def async_agents(exchange: AsyncExchange, options: ClientOptions) -> "AsyncA2AClient":
    """Make the part of an async client that speaks to agents."""
    from inference_gateway.client.a2a_async import AsyncA2AClient  # noqa: PLC0415

    return AsyncA2AClient(exchange, options)
