"""Work given to an agent and followed to its end: by its stream where it has one, else by asking again.

https://a2a-protocol.org/latest/specification/#3-a2a-protocol-operations
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, suppress
from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.a2a.jsonrpc import AgentRefused, Json
from inference_gateway.server.a2a.progress import Progress
from inference_gateway.server.errors import GatewayError, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from inference_gateway.server.settings_a2a import A2ASettings
from inference_gateway.server.tasks import Background
from inference_gateway.server.tool_results import short

_FIRST_WAIT: Final = 0.05
"""Seconds before an agent is asked how its task is; from then on each wait is twice the one before."""
_QUIET: Final = 1.0
"""Seconds of silence after which a stream that tells of a task that waits is taken for ended."""
_GRACE: Final = 5.0
"""Seconds that an agent has to name a task that nobody wants any more, and again to cancel it."""
_LAST_WORDS: Final = 1.0
"""Seconds that the end of the process waits for such agents."""
_NO_STREAMS: Final = frozenset({-32601, -32004})
"""Codes of agents that have no streams after all: method not found, unsupported operation."""


class Delegations:
    """Gives agents work, and waits for it.

    :param settings: how long agents are waited for, and how often they are asked.
    """

    def __init__(self, settings: A2ASettings, background: Background) -> None:
        self._settings = settings
        self._background = background
        self._abandoned: set[asyncio.Task[None]] = set()

    async def submit(self, agent: Agent, message: Json) -> Progress:
        """Send a message; wait until its task ends, wants something or has taken too long.

        If this is cancelled, so is the task.

        :raises AgentRefused: the agent does not take the message.
        :raises GatewayError: the agent cannot be reached, or what it answers is none.
        """
        work = _Work(agent, Progress(), self._settings, answered=str(message.get("taskId", "")))
        # In a task of its own: who cancels this must not lose the agent's name for what is to be cancelled.
        running = self._background.start(work.submit(message), name=f"a task of agent {agent.id}")
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            ending = self._background.start(work.abandon(running), name=f"the end of a task of {agent.id}")
            self._abandoned.add(ending)
            ending.add_done_callback(self._abandoned.discard)
            raise
        return work.outcome()

    async def follow(self, agent: Agent, task_id: str) -> Progress:
        """Wait for a task that an agent was given before; it goes on if this is cancelled.

        :raises AgentRefused: the agent does not know the task.
        :raises GatewayError: the agent cannot be reached, or what it answers is none.
        """
        work = _Work(agent, Progress(task_id), self._settings)
        await work.follow()
        return work.outcome()

    async def close(self) -> None:
        """Give agents a moment to hear of tasks that nobody waits for any more."""
        # Who was cancelled just now has not said so yet.
        await asyncio.sleep(0)
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=_LAST_WORDS)


class _Work:
    """One task, and one agent that is asked about it.

    :param answered: the task that a message goes on with, empty for a new one.
    """

    def __init__(
        self, agent: Agent, progress: Progress, settings: A2ASettings, *, answered: str = ""
    ) -> None:
        self._agent = agent
        self._progress = progress
        self._settings = settings
        self._answered = answered
        self._error: AgentRefused | GatewayError | None = None
        self._named = asyncio.Event()
        """Set when the task has a name, or will never have one."""
        if answered:
            self._named.set()

    def outcome(self) -> Progress:
        """Return how far the task is; what went wrong is part of that, if anything is known of the task.

        :raises AgentRefused: the agent refused.
        :raises GatewayError: the agent could not be spoken to.
        """
        error, progress = self._error, self._progress
        if error is not None and not progress.is_known:
            raise error
        if isinstance(error, AgentRefused):
            progress.trouble = f"the agent says {short(error.message)!r}"
        elif error is not None:
            progress.trouble = error.message
        return progress

    async def submit(self, message: Json) -> None:
        """Send a message and see to what comes of it; raises nothing."""
        try:
            await self._within_bounds(message)
        finally:
            self._named.set()

    async def follow(self) -> None:
        """See to what comes of a task; raises nothing."""
        await self._within_bounds(None)

    async def abandon(self, running: "asyncio.Task[None]") -> None:
        """Have the agent cancel the task, as soon as it has a name."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._named.wait()
        running.cancel()
        task_id = self._progress.task_id or self._answered
        if task_id and self._progress.goes_on:
            by = asyncio.get_running_loop().time() + _GRACE
            with suppress(AgentRefused, GatewayError):
                await self._agent.call("CancelTask", {"id": task_id}, expires_at=by)

    async def _within_bounds(self, message: Json | None) -> None:
        try:
            async with asyncio.timeout(self._settings.polling_timeout):
                if message is not None:
                    await self._send(message)
                else:
                    await self._ask()
                await self._poll()
        except TimeoutError:
            self._error = (
                UpstreamTimeout("it did not answer in time") if not self._progress.is_known else None
            )
        except (AgentRefused, GatewayError) as error:
            self._error = error

    async def _send(self, message: Json) -> None:
        """Send the message, and once more only where it surely did not arrive."""
        for wait in self._waits():
            try:
                await self._sent(message)
            except UpstreamUnreachable:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                break
        if not self._progress.is_known:
            raise UpstreamError("its answer is neither a task nor a message")

    async def _sent(self, message: Json) -> None:
        if self._agent.streams and await self._streamed(message):
            return
        params: Json = {"message": message}
        if self._settings.polling_enabled and not self._answered:
            # So that the task has a name early on, by which it can be cancelled. One that is answered has
            # one, and would be told at once as it was: waiting for that answer.
            params["configuration"] = {"returnImmediately": True}
        self._take(await self._agent.call("SendMessage", params))

    async def _streamed(self, message: Json) -> bool:
        """Follow a stream; tell whether the agent took the message, and may be asked for the rest."""
        try:
            await self._follow_stream({"message": message})
        except AgentRefused as error:
            if error.code not in _NO_STREAMS or self._progress.is_known:
                raise
            return False
        except GatewayError:
            # The task goes on without us.
            if not self._progress.is_task:
                raise
        return True

    async def _follow_stream(self, params: Json) -> None:
        loop = asyncio.get_running_loop()
        stream = self._agent.stream("SendStreamingMessage", params)
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as silence, aclosing(stream) as events:
                async for event in events:
                    self._take(event)
                    if self._progress.has_ended:
                        return
                    # A task that is answered may be told first as it was: waiting. Where it waits, most
                    # streams end, and some fall silent.
                    silence.reschedule(None if self._progress.goes_on else loop.time() + _QUIET)

    async def _poll(self) -> None:
        """Ask how the task is until it ends, wants something, or was asked for often enough."""
        settings, wait = self._settings, _FIRST_WAIT
        if not settings.polling_enabled:
            return
        for _ in range(settings.max_poll_attempts):
            if not self._progress.goes_on:
                return
            await asyncio.sleep(min(wait, settings.polling_interval))
            wait *= 2
            await self._ask()

    async def _ask(self) -> None:
        """Ask how the task is; asking twice does no harm."""
        for wait in self._waits():
            try:
                answer = await self._agent.call("GetTask", {"id": self._progress.task_id})
            except (UpstreamError, UpstreamTimeout):
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                self._progress.absorb_task(answer)
                return

    def _take(self, event: JsonValue) -> None:
        if not isinstance(event, dict):
            raise UpstreamError("its answer is no object")
        self._progress.absorb(event)
        if self._progress.task_id:
            self._named.set()

    def _waits(self) -> Iterator[float | None]:
        """Yield how long to wait behind each attempt that fails; None behind the last."""
        settings = self._settings
        for attempt in range(settings.max_retries):
            yield min(settings.initial_backoff * 2**attempt, settings.retry_interval)
        yield None
