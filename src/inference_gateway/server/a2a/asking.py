"""A model's calls to agents: read, run, and answered in words for the model, whatever comes of them."""

import uuid
from collections.abc import Awaitable
from typing import Final, TypeVar

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.a2a import reports
from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.a2a.delegation import Delegations
from inference_gateway.server.a2a.jsonrpc import AgentRefused, Json
from inference_gateway.server.a2a.portraits import portrait, sketch
from inference_gateway.server.a2a.progress import Progress
from inference_gateway.server.a2a.registry import Agents
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.tool_results import cut, failure, written
from inference_gateway.server.toolbox import ToolResult

A = TypeVar("A", bound=msgspec.Struct)

CARD: Final = "a2a_query_agent_card"
SUBMIT: Final = "a2a_submit_task"
QUERY: Final = "a2a_query_task"


class BadCall(Exception):
    """A call that cannot be run; the message says what would be right."""


class Whom(msgspec.Struct, frozen=True):
    """Arguments of `a2a_query_agent_card`."""

    agent: str | None = None


class Order(msgspec.Struct, frozen=True):
    """Arguments of `a2a_submit_task`, or but for the agent of a skill."""

    message: str = ""
    agent: str = ""
    task_id: str | None = None
    context_id: str | None = None


class Question(msgspec.Struct, frozen=True):
    """Arguments of `a2a_query_task`."""

    agent: str = ""
    task_id: str = ""


def arguments_of(name: str, arguments: str, kind: type[A]) -> A:
    """Read the arguments of a call.

    :raises BadCall: they are none.
    """
    try:
        return msgspec.json.decode(arguments or "{}", type=kind)
    except codec.UNREADABLE as error:
        raise BadCall(f"the arguments of {name} cannot be read: {error}") from None


class Asking:
    """Asks agents on a model's behalf.

    :param limit: most characters of what an agent says that a model is told.
    """

    def __init__(self, agents: Agents, delegations: Delegations, *, limit: int) -> None:
        self._agents = agents
        self._delegations = delegations
        self._limit = limit

    def describe(self, whom: Whom) -> ToolResult:
        """Tell what an agent can do; all of them in short where none is named.

        :raises BadCall: there is no such agent.
        """
        found = portrait(self.find(whom.agent)) if whom.agent else list(map(sketch, self._agents.listed()))
        return ToolResult(cut(written(found), limit=self._limit))

    async def submit(self, agent: Agent, order: Order, *, tool: str, skill: str = "") -> ToolResult:
        """Give an agent work, or an answer to what it asked.

        :param tool: what the model has called.
        :param skill: what the work is for, if that is said; agents may use it or not.
        :raises BadCall: there is nothing to be done.
        """
        if not order.message.strip():
            raise BadCall(f"{tool} requires a 'message'")
        message: Json = {
            "messageId": str(uuid.uuid4()),
            "role": "ROLE_USER",
            "parts": [{"text": order.message}],
        }
        if order.task_id:
            message["taskId"] = order.task_id
        if order.context_id:
            message["contextId"] = order.context_id
        if skill:
            message["metadata"] = {"skillId": skill}
        return await self._told(agent, self._delegations.submit(agent, message), tool)

    async def query(self, question: Question, *, tool: str) -> ToolResult:
        """Wait for a task that an agent was given before.

        :param tool: by which the task is answered if it waits for input.
        :raises BadCall: there is no such agent, or no task is named.
        """
        if not question.task_id:
            raise BadCall(f"{QUERY} requires a 'task_id'")
        agent = self.find(question.agent)
        return await self._told(agent, self._delegations.follow(agent, question.task_id), tool)

    def find(self, name: str) -> Agent:
        """Return the agent of this id, or of a name or URL that a model has read somewhere.

        :raises BadCall: there is none.
        """
        wanted = name.strip()
        agents = self._agents.listed()
        for agent in agents:
            if wanted and wanted in {agent.id, agent.name, agent.url}:
                return agent
        ids = ", ".join(agent.id for agent in agents)
        raise BadCall(f"there is no agent {wanted[:100]!r}; there are: {ids}")

    def failed(self, message: str) -> ToolResult:
        """Tell a model what went wrong."""
        return failure(message, limit=self._limit)

    async def _told(self, agent: Agent, answer: Awaitable[Progress], tool: str) -> ToolResult:
        try:
            progress = await answer
        except AgentRefused as error:
            said = error.message or "no reason given"
            return self.failed(f"the agent {agent.id!r} refused: {said} (code {error.code})")
        except GatewayError as error:
            return self.failed(f"the agent {agent.id!r} cannot be used: {error.message}")
        return reports.write(progress, agent=agent.id, note=_note(progress, tool), limit=self._limit)


def _note(progress: Progress, tool: str) -> str:
    """Say what a model can do about a task that has not ended."""
    if not progress.is_task:
        return ""
    if progress.state == "input-required":
        return f"The agent waits for an answer: call {tool} with this task_id, and the answer as message."
    if progress.state == "auth-required":
        return "The agent waits for somebody to sign in with it, which cannot be done here: tell the user."
    if progress.trouble:
        return f"What became of the task is not known: {progress.trouble}. {QUERY} asks again."
    return f"The agent is still at work: {QUERY} waits on." if progress.goes_on else ""
