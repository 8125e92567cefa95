"""All agents: what they are called, and their cards read again and again.

An agent's id is made of its name. One whose name only its card says goes by its URL until that card was
read, and keeps what it is called then for as long as the process lives.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.a2a.card import UnusableCard
from inference_gateway.server.a2a.line import Line
from inference_gateway.server.errors import GatewayError, UpstreamTimeout
from inference_gateway.server.settings import A2AAgentSettings, A2ASettings
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import ToolServer

logger = logging.getLogger("inference_gateway.a2a")

_HEAD_START: Final = 1.0
"""Seconds that later agents wait for earlier ones, so that ids do not depend on who is faster."""
_SHORTEST_PAUSE: Final = 0.1
"""Seconds between two readings of one card, whatever the settings say."""
_RESERVED: Final = frozenset({"agents"})
"""Paths below `/a2a/` that are not agents."""
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_ID: Final = 48
_MARK: Final = 7
"""Characters of what tells two ids apart: `-` and six digits."""


def slug(text: str) -> str:
    """Write a name, or what of a URL is like one, as an id."""
    return _OTHER.sub("-", text.lower()).strip("-")[:_LONGEST_ID].rstrip("-") or "agent"


def marked(id: str, url: str) -> str:
    """Tell an id apart from another by the agent's URL."""
    return f"{id[: _LONGEST_ID - _MARK]}-{sha256(url.encode()).hexdigest()[: _MARK - 1]}"


def _first_id(agent: Agent) -> str:
    """Make what an agent is called before its card was read."""
    return slug(agent.settings.name or agent.url.partition("://")[2].removesuffix(".json"))


class Agents:
    """The agents of the settings, in their order.

    :param line: makes the way to call one agent.
    """

    def __init__(
        self, settings: A2ASettings, background: Background, line: Callable[[A2AAgentSettings], Line]
    ) -> None:
        self._settings = settings
        self._background = background
        self._ids: dict[str, Agent] = {}
        self._agents = [Agent(each, line(each), id="") for each in settings.agents]
        # A name that the operator chose is not made to give way to what a URL is like.
        for agent in sorted(self._agents, key=lambda each: each.settings.name is None):
            self._name(agent, _first_id(agent))
        self._first_ids = {agent: agent.id for agent in self._agents}
        self._unsettled = [agent for agent in self._agents if agent.settings.name is None]
        """Those that go by their URLs, in the order in which they are to get their names."""
        self._tried: set[Agent] = set()
        self._settled = asyncio.Event()
        self._is_started = False

    def start(self) -> None:
        """Begin to read cards, without waiting for anybody. Idempotent."""
        if self._is_started:
            return
        self._is_started = True
        for agent in self._agents:
            self._background.start(self._keep(agent), name=f"the card of agent {agent.url}")
        self._background.start(self._end_head_start(), name="the head start of agents")
        self._settle()

    def listed(self) -> tuple[Agent, ...]:
        """Return all agents, whatever their state."""
        return tuple(self._agents)

    def servers(self) -> list[ToolServer]:
        """Tell of each agent how it is, under a name that stays what it is."""
        return [
            ToolServer("a2a", id, agent.state == "available", agent.reconnects)
            for agent, id in self._first_ids.items()
        ]

    def usable(self) -> tuple[Agent, ...]:
        """Return the agents that can be spoken to, as soon as they are called what they will be."""
        return tuple(
            agent for agent in self._agents if agent.state == "available" and agent not in self._unsettled
        )

    def find(self, id: str) -> Agent | None:
        """Return the agent that goes by an id; an id of old, made of a URL, is still good."""
        return self._ids.get(id)

    async def settled(self) -> None:
        """Wait until ids are what they will be: a moment after the start, and never later."""
        if self._is_started and not self._settled.is_set():
            await self._settled.wait()

    def _name(self, agent: Agent, id: str) -> None:
        if id in _RESERVED or self._ids.get(id, agent) is not agent:
            id = marked(id, agent.url)
        # Twice the same URL and name: nothing could tell them apart but their places.
        while self._ids.get(id, agent) is not agent:
            id = marked(id, f"{id} {agent.url}")
        agent.id = id
        self._ids[id] = agent

    async def _keep(self, agent: Agent) -> None:
        """Read an agent's card, and read it again, for ever."""
        failures = 0
        while True:
            problem = await self._refresh(agent)
            if problem is None:
                failures = 0
                await asyncio.sleep(max(self._settings.refresh_interval, _SHORTEST_PAUSE))
                continue
            failures += 1
            is_lost = failures > self._settings.max_retries
            self._miss(agent, problem, is_lost=is_lost)
            if is_lost and not self._settings.enable_reconnect:
                return
            await asyncio.sleep(self._pause(failures))

    async def _refresh(self, agent: Agent) -> str | None:
        """Read a card; return why it could not be, in our own words."""
        problem = None
        try:
            card = await agent.line.card()
        except UpstreamTimeout as error:
            problem = self._note(agent, error, "it does not answer in time")
        except GatewayError as error:
            problem = self._note(agent, error, "its card cannot be fetched")
        except UnusableCard as error:
            problem = self._note(agent, error, str(error))
        else:
            before = agent.state
            agent.know(card)
            if agent.state != before:
                problem_told = card.problem and f": {card.problem}"
                logger.info("agent %s is %s%s", agent.url, agent.state, problem_told)
        self._tried.add(agent)
        self._settle()
        return problem

    def _note(self, agent: Agent, error: Exception, problem: str) -> str:
        is_news = agent.state != "unavailable" or not self._settings.disable_healthcheck_logs
        logger.log(logging.INFO if is_news else logging.DEBUG, "agent %s: %s (%s)", agent.url, problem, error)
        return problem

    def _miss(self, agent: Agent, problem: str, *, is_lost: bool) -> None:
        if is_lost and agent.state != "unavailable":
            logger.warning("agent %s is unavailable: %s", agent.url, problem)
        agent.miss(problem, is_lost=is_lost)

    def _pause(self, failures: int) -> float:
        settings = self._settings
        if failures > settings.max_retries:
            return max(settings.reconnect_interval, _SHORTEST_PAUSE)
        backoff: float = settings.initial_backoff * 2 ** min(failures - 1, 30)
        return max(min(backoff, settings.retry_interval), _SHORTEST_PAUSE)

    def _settle(self) -> None:
        """Give names to the agents whose turn it is: each once its card was read."""
        waits = False
        for agent in list(self._unsettled):
            if agent.card is not None and not waits:
                self._name(agent, slug(agent.name))
                self._unsettled.remove(agent)
            waits = waits or (agent not in self._tried and not self._settled.is_set())
        if all(agent in self._tried for agent in self._agents):
            self._settled.set()

    async def _end_head_start(self) -> None:
        """Let agents that are slow to answer keep no other from its name."""
        await asyncio.sleep(_HEAD_START)
        self._settled.set()
        self._settle()
