"""Tools without a server: what a test says they do, in this process."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from inference_gateway.server.toolbox import ToolResult

Act = Callable[[str, Any], Awaitable[ToolResult]]


async def say(name: str, arguments: Any) -> ToolResult:
    """Say what was called."""
    return ToolResult(f"{name}: {json.dumps(arguments)}")


class FakeToolbox:
    """Tools of these names; `runs` also takes those in `hidden`."""

    def __init__(
        self, *names: str, act: Act = say, hidden: tuple[str, ...] = (), family: str = "mcp"
    ) -> None:
        self.names = names
        self.family = family
        self.act = act
        self.calls: list[tuple[str, Any]] = []
        self.cancelled = 0
        self.running = 0
        self.most_running = 0
        self._hidden = hidden

    def definitions(self) -> tuple[bytes, ...]:
        """One function tool per name."""
        return tuple(
            json.dumps(
                {"type": "function", "function": {"name": n, "parameters": {"type": "object"}}}
            ).encode()
            for n in self.names
        )

    def runs(self, name: str) -> bool:
        """Whether it is one of these."""
        return name in self.names or name in self._hidden

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Do as told, and remember it."""
        read = json.loads(arguments or "{}")
        self.calls.append((name, read))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self.act(name, read)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
