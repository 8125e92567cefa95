"""Agents as the gateway's clients see them: a list, their cards, and a place to speak to each."""

from pydantic import JsonValue

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.a2a.jsonrpc import Json, Unreadable
from inference_gateway.server.a2a.proxy import Proxy
from inference_gateway.server.a2a.registry import Agents
from inference_gateway.server.a2a.served_card import shown
from inference_gateway.server.errors import NotFound, UpstreamError
from inference_gateway.server.transport.messages import Header, Request, Response
from inference_gateway.types.a2a_interfaces import Version, dialect_of

_TOLD = ("description", "version", "capabilities", "defaultInputModes", "defaultOutputModes")
"""Of a card, what a list of agents says as well."""


class Hosting:
    """Shows agents, and passes requests to them.

    :param asks_who: whether the gateway's callers must say who they are.
    """

    def __init__(self, agents: Agents, *, asks_who: bool) -> None:
        self._agents = agents
        self._asks_who = asks_who
        self._proxy = Proxy(self._extended_card)
        self.public_url = ""
        """By which clients reach the gateway, without a slash at its end."""

    async def listed(self) -> list[Json]:
        """Describe all agents."""
        await self._agents.settled()
        return [self._described(agent) for agent in self._agents.listed()]

    async def described(self, id: str) -> Json:
        """Describe one agent, its card included.

        :raises NotFound: there is none.
        """
        agent = await self._found(id)
        return {**self._described(agent), "card": self._card(agent, None) if agent.document else None}

    async def card(self, id: str, version: bytes | None) -> Json:
        """Show an agent's card.

        :param version: as the request announces it, which decides on the writing.
        :raises NotFound: there is no such agent.
        :raises UpstreamError: its card is not known yet.
        """
        agent = await self._found(id)
        if not agent.document:
            # It may be on its way.
            await self._agents.settled()
        if not agent.document:
            raise UpstreamError(
                f"the agent {agent.id!r} has no card: {agent.last_error or 'it was not read yet'}"
            )
        return self._card(agent, dialect_of(version.decode("latin-1")) if version else None)

    async def answer(
        self, id: str, request: Request, *, headers: list[Header], expires_at: float
    ) -> Response:
        """Answer a JSON-RPC request to an agent.

        :param headers: of the caller, that may reach the agent.
        :raises NotFound: there is no such agent.
        :raises GatewayError: the request's body did not come whole.
        """
        agent = await self._found(id)
        return await self._proxy.answer(agent, request, headers=headers, expires_at=expires_at)

    async def _found(self, id: str) -> Agent:
        agent = self._agents.find(id)
        if agent is None:
            # It may be known under this id in a moment.
            await self._agents.settled()
            agent = self._agents.find(id)
        if agent is None:
            raise NotFound(f"there is no agent {id[:100]!r}; GET /a2a/agents lists those there are")
        return agent

    def _described(self, agent: Agent) -> Json:
        card = self._card(agent, None)
        return {
            "id": agent.id,
            "object": "agent",
            "name": agent.name or agent.id,
            "url": self._url(agent),
            **{name: card[name] for name in _TOLD if name in card},
            "skills": card["skills"],
            "state": agent.state,
            "dialects": list(agent.dialects),
            "last_error": agent.last_error or None,
        }

    def _url(self, agent: Agent) -> str:
        return f"{self.public_url}/a2a/{agent.id}"

    def _card(self, agent: Agent, wanted: Version | None) -> Json:
        url = self._url(agent)
        return shown(agent.document, url, own=agent.dialect, wanted=wanted, asks_who=self._asks_who)

    def _extended_card(self, agent: Agent, card: JsonValue, wanted: Version) -> Json:
        """Write a card that an agent answered with.

        :raises Unreadable: it is none.
        """
        if not isinstance(card, dict) or not isinstance(card.get("name"), str):
            raise Unreadable("the agent's extended card is not what a card should be")
        return shown(card, self._url(agent), own=agent.dialect, wanted=wanted, asks_who=self._asks_who)
