"""The tools that the gateway runs for models: which there are, whose a call is, and running it."""

import asyncio
from collections.abc import Sequence
from math import inf
from time import perf_counter

from inference_gateway.server.errors import GatewayError, UpstreamTimeout
from inference_gateway.server.pipeline.tool_request import names_of
from inference_gateway.server.pipeline.tool_turn import Call
from inference_gateway.server.spans import Span, Tracing, hold, tool_span
from inference_gateway.server.toolbox import Ran, Toolbox, ToolResult

_MOST_CALLS = 128
"""Calls of one turn that are run; a model that makes more is told so."""
_MOST_CONTENT = 65_536
"""Characters of arguments or of a result that a span holds, where it may hold any."""


class ToolRunner:
    """Several toolboxes as one. Where two have one name, the first has it.

    :param parallel: calls of one turn that run at one time.
    :param ran: told of each call that was run, if anybody wants to know.
    """

    def __init__(self, toolboxes: Sequence[Toolbox], *, parallel: int, ran: Ran | None = None) -> None:
        self._ran = ran
        self._toolboxes = tuple(toolboxes)
        self._parallel = parallel
        self._known: tuple[bytes, ...] = ()
        self._named: dict[str, bytes] = {}
        self._others: dict[frozenset[str], ToolRunner] = {}

    def without(self, families: frozenset[str]) -> "ToolRunner":
        """Return a runner of what is in none of these families."""
        other = self._others.get(families)
        if other is None:
            left = [each for each in self._toolboxes if each.family not in families]
            other = self._others[families] = ToolRunner(left, parallel=self._parallel, ran=self._ran)
        return other

    def definitions(self) -> dict[str, bytes]:
        """Return the tools on offer, encoded, by name."""
        known = tuple(tool for toolbox in self._toolboxes for tool in toolbox.definitions())
        if known != self._known:
            self._named = names_of(known)
            self._known = known
        return self._named

    def runs(self, name: str) -> bool:
        """Whether any toolbox takes calls of this name."""
        return any(toolbox.runs(name) for toolbox in self._toolboxes)

    async def run(
        self, calls: Sequence[Call], *, expires_at: float = inf, trace: Tracing | None = None
    ) -> list[ToolResult]:
        """Run calls side by side; return what came of each, in their order.

        :param expires_at: time of the loop's clock by which they must have ended, in seconds.
        :param trace: where each call is noted, where its request is traced.
        :raises UpstreamTimeout: they did not.
        """
        room = asyncio.Semaphore(self._parallel)
        try:
            async with asyncio.timeout_at(None if expires_at == inf else expires_at):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._run(call, room, trace)) for call in calls[:_MOST_CALLS]]
        except TimeoutError:
            raise UpstreamTimeout("the tools did not answer in the time that this call has") from None
        left = ToolResult(f"not run: a turn may make {_MOST_CALLS} calls", is_error=True)
        return [task.result() for task in tasks] + [left] * (len(calls) - len(tasks))

    async def _run(self, call: Call, room: asyncio.Semaphore, trace: Tracing | None) -> ToolResult:
        async with room:
            with tool_span(trace, call.name, id=call.id) as span:
                result = await self._carry_out(call)
                if span is not None:
                    _tell(span, call, result)
                return result

    async def _carry_out(self, call: Call) -> ToolResult:
        for toolbox in self._toolboxes:
            if toolbox.runs(call.name):
                return await self._timed(toolbox, call)
        return ToolResult(f"there is no tool {call.name!r} any more", is_error=True)

    async def _timed(self, toolbox: Toolbox, call: Call) -> ToolResult:
        if self._ran is None:
            return await _result(toolbox, call)
        began, name, error = perf_counter(), call.name, "cancelled"
        try:
            result = await _result(toolbox, call)
            name, error = result.tool or name, "tool_error" if result.is_error else ""
            return result
        finally:
            self._ran(name, perf_counter() - began, error)


async def _result(toolbox: Toolbox, call: Call) -> ToolResult:
    try:
        return await toolbox.run(call.name, call.arguments)
    except GatewayError as error:
        return ToolResult(error.message, is_error=True)


def _tell(span: Span, call: Call, result: ToolResult) -> None:
    if result.is_error:
        span.fail("tool_error")
    if span.trace.captures:
        hold(span, "gen_ai.tool.call.arguments", call.arguments[:_MOST_CONTENT])
        hold(span, "gen_ai.tool.call.result", result.text[:_MOST_CONTENT])
