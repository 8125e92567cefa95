"""Agents as tools of a model: three that know and ask all of them, or one for each of their skills."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, NamedTuple

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.a2a.asking import (
    CARD,
    QUERY,
    SUBMIT,
    Asking,
    BadCall,
    Order,
    Question,
    Whom,
    arguments_of,
)
from inference_gateway.server.a2a.delegation import Delegations
from inference_gateway.server.a2a.registry import Agents
from inference_gateway.server.a2a.skills import SkillTool, skill_tools
from inference_gateway.server.tool_results import written
from inference_gateway.server.toolbox import Toolbox, ToolResult

FAMILY: Final = "a2a"


class AgentTools(NamedTuple):
    """Agents as tools, and the work that they are at."""

    toolbox: Toolbox
    delegations: Delegations


_OWN: Final = frozenset({CARD, SUBMIT, QUERY})

_ORDER: Final[Mapping[str, object]] = {
    "message": {
        "type": "string",
        "description": "What the agent is to do, with all that it has to know: it sees nothing of this chat.",
    },
    "task_id": {
        "type": "string",
        "description": "Task that the message is an answer to, where an agent waits for one.",
    },
    "context_id": {
        "type": "string",
        "description": "Conversation that a new task belongs to, as an earlier answer of the agent has it.",
    },
}


_View = tuple[tuple[str, int], ...]


def _view(agents: Sequence[Agent]) -> _View:
    """Return what changes when the tools are to be told anew."""
    return tuple([(agent.id, agent.changes) for agent in agents])


class SelectorToolbox:
    """Offers three tools, whatever agents there are."""

    family: Final = FAMILY

    def __init__(self, agents: Agents, asking: Asking) -> None:
        self._agents = agents
        self._asking = asking
        self._seen: _View = ()
        """State of the agents that the definitions are made of."""
        self._definitions: tuple[bytes, ...] = ()

    def definitions(self) -> tuple[bytes, ...]:
        """Return the three, or nothing where no agent can be reached."""
        usable = self._agents.usable()
        if self._seen != (seen := _view(usable)):
            self._seen = seen
            ids = [agent.id for agent in usable]
            self._definitions = (_card(ids), _submit(ids), _query(ids)) if ids else ()
        return self._definitions

    def runs(self, name: str) -> bool:
        """Tell whether this is one of the three."""
        return name in _OWN

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Run one of the three."""
        try:
            if name == CARD:
                return self._asking.describe(arguments_of(name, arguments, Whom))
            if name == QUERY:
                return await self._asking.query(arguments_of(name, arguments, Question), tool=SUBMIT)
            order = arguments_of(name, arguments, Order)
            return await self._asking.submit(self._asking.find(order.agent), order, tool=name)
        except BadCall as error:
            return self._asking.failed(str(error))


class DirectToolbox:
    """Offers each skill of each agent as a tool, and one more that asks after tasks which take long."""

    family: Final = FAMILY

    def __init__(self, agents: Agents, asking: Asking) -> None:
        self._agents = agents
        self._asking = asking
        self._seen: _View = ()
        """State of the agents that the rest is made of."""
        self._definitions: tuple[bytes, ...] = ()
        self._tools: dict[str, SkillTool] = {}

    def definitions(self) -> tuple[bytes, ...]:
        """Return the skills of the agents that can be reached."""
        self._refresh()
        return self._definitions

    def runs(self, name: str) -> bool:
        """Tell whether there is such a skill, be its agent reachable or not."""
        self._refresh()
        return name == QUERY or name in self._tools

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Have an agent work, or ask after its work."""
        try:
            return await self._run(name, arguments)
        except BadCall as error:
            return self._asking.failed(str(error))

    def _run(self, name: str, arguments: str) -> Awaitable[ToolResult]:
        if name == QUERY:
            question = arguments_of(name, arguments, Question)
            return self._asking.query(question, tool="one of the agent's tools")
        self._refresh()
        if name not in self._tools:
            raise BadCall(f"there is no tool {name[:100]!r} any more")
        tool = self._tools[name]
        order = arguments_of(name, arguments, Order)
        return self._asking.submit(tool.agent, order, tool=name, skill=tool.skill)

    def _refresh(self) -> None:
        usable = self._agents.usable()
        if self._seen == (seen := _view(usable)):
            return
        self._seen = seen
        # Names are given to the skills of all agents, so that they do not depend on who is down.
        tools = skill_tools(self._agents.listed(), reserved=_OWN)
        self._tools = {tool.name: tool for tool in tools}
        offered = [tool for tool in tools if tool.agent in usable]
        ids = list(dict.fromkeys(tool.agent.id for tool in offered))
        skills = [_function(tool.name, tool.description, _ORDER, "message") for tool in offered]
        self._definitions = (*skills, _query(ids)) if ids else ()


def _card(ids: Sequence[str]) -> bytes:
    says = "Find out which agents there are; of one agent, what it can do and what it takes."
    return _function(CARD, says, {"agent": _agent(ids)})


def _submit(ids: Sequence[str]) -> bytes:
    says = (
        "Have an agent work on something, and wait for what comes of it. Answers with what it says and "
        "makes, with what it wants to know before it goes on, or with a task_id if the task takes longer."
    )
    return _function(SUBMIT, says, {"agent": _agent(ids), **_ORDER}, "agent", "message")


def _query(ids: Sequence[str]) -> bytes:
    says = "Wait on for a task that an agent was still working on."
    task = {"type": "string", "description": "The task, as an earlier answer of the agent has it."}
    return _function(QUERY, says, {"agent": _agent(ids), "task_id": task}, "agent", "task_id")


def _agent(ids: Sequence[str]) -> dict[str, object]:
    return {"type": "string", "enum": ids, "description": "The agent."}


def _function(name: str, description: str, properties: Mapping[str, object], *required: str) -> bytes:
    parameters: dict[str, object] = {"type": "object", "properties": properties}
    if required:
        parameters["required"] = required
    function = {"name": name, "description": description, "parameters": parameters}
    return written({"type": "function", "function": function}).encode()
