"""What it costs to offer tools that no model calls: the pipeline with and without the tool loop, in memory.

`python -m benchmarks.tool_loop` prints microseconds of CPU per request, the best of several rounds.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from inference_gateway.server.api.operations import CHAT
from inference_gateway.server.codec import Document
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler, Stage, compose
from inference_gateway.server.pipeline.tool_runner import ToolRunner
from inference_gateway.server.pipeline.tools import Bounds, ToolLoop
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import ToolResult
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.messages import Response

ROUNDS = 7
REQUESTS = 2000
EVENTS = 50


class TwoTools:
    """Two tools that nobody calls, as the selector mode of MCP offers them."""

    _TOOLS = tuple(
        json.dumps(
            {"type": "function", "function": {"name": name, "description": "d" * 150, "parameters": {}}}
        ).encode()
        for name in ("mcp_tools_get", "mcp_tools_execute")
    )

    def definitions(self) -> tuple[bytes, ...]:
        """Return both."""
        return self._TOOLS

    def runs(self, name: str) -> bool:
        """Take neither of them for called."""
        return name.startswith("mcp_")

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Return the arguments."""
        return ToolResult(arguments)


class Nowhere:
    """A client that takes a body and forgets it."""

    def write(self, data: bytes) -> None:
        """Take a piece."""

    def finish(self) -> None:
        """Take the end."""

    def abort(self, error: Exception) -> None:
        """Raise what broke."""
        raise error


def _answers(*, stream: bool) -> Callable[[], Response]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "x" * 500}, "finish_reason": "stop"}
    whole = json.dumps({"id": "x", "choices": [choice], "usage": {"total_tokens": 1}}).encode()
    delta = {"id": "x", "choices": [{"index": 0, "delta": {"content": "token"}, "finish_reason": None}]}
    events = [b"data: %b\n\n" % json.dumps(delta).encode()] * EVENTS + [b"data: [DONE]\n\n"]
    if stream:
        return lambda: Response(200, [], IterableSource(events))
    return lambda: Response(200, [], whole)


def _upstream(answer: Callable[[], Response]) -> Handler:
    async def ask(request: InferenceRequest) -> Response:
        request.body()
        return answer()

    return ask


def _request(size: int, tools: int) -> bytes:
    offered = [{"type": "function", "function": {"name": f"t{n}", "parameters": {}}} for n in range(tools)]
    messages = [{"role": "user", "content": "x" * size}]
    return json.dumps({"model": "openai/m", "messages": messages, "tools": offered}).encode()


async def _cost(stages: list[Stage], body: bytes, *, stream: bool) -> float:
    """Measure microseconds of CPU per request."""
    infer = compose(stages, _upstream(_answers(stream=stream)))
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(REQUESTS):
            await _one(infer, body)
        best = min(best, time.process_time() - begun)
    return best / REQUESTS * 1e6


def _one(infer: Handler, body: bytes) -> Awaitable[None]:
    async def ask() -> None:
        request = InferenceRequest(CHAT, Document(body), headers=[])
        request.changes["model"] = b'"m"'
        response = await infer(request)
        if not isinstance(response.body, bytes):
            response.body.start(Nowhere())

    return ask()


async def _measure() -> None:
    bounds = Bounds(turns=10, size=1 << 26)
    loop: list[Stage] = [ToolLoop(ToolRunner([TwoTools()], parallel=8), Background(), bounds)]
    print(f"{'request':34}{'without':>9}{'with':>9}{'more':>9}   µs of CPU per request")
    for size, tools, stream in ((800, 0, False), (25_000, 0, False), (25_000, 10, False), (800, 0, True)):
        body = _request(size, tools)
        without = await _cost([], body, stream=stream)
        offered = await _cost(loop, body, stream=stream)
        name = f"{size} B, {tools} own tools, " + (f"{EVENTS} events" if stream else "whole")
        print(f"{name:34}{without:9.1f}{offered:9.1f}{offered - without:9.1f}")


if __name__ == "__main__":
    asyncio.run(_measure())
