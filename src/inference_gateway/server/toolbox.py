"""Tools that the gateway runs itself: what the tool loop asks of whoever brings them."""

from collections.abc import Callable
from typing import Protocol

import msgspec


class ToolResult(msgspec.Struct, frozen=True):
    """What came of a call, as far as a chat can say it."""

    text: str
    """For the model."""
    images: tuple[str, ...] = ()
    """Pictures as `data:` URLs."""
    is_error: bool = False
    """Whether the tool says, or we say for it, that it failed."""
    tool: str = ""
    """The tool that was run, where the name of the call does not say."""


Ran = Callable[[str, float, str], None]
"""Told of each tool that was run: its name, the seconds it took, the kind of error or nothing."""


class ToolServer(msgspec.Struct, frozen=True):
    """How a server with tools, or an agent, is at the moment."""

    kind: str
    """By which protocol it is spoken to: `mcp`, `a2a`."""
    name: str
    is_up: bool
    reconnects: int
    """How often it was connected to anew."""


class Toolbox(Protocol):
    """A set of tools under names of their own."""

    @property
    def family(self) -> str:
        """What callers who want none of them call them, such as `mcp`."""

    def definitions(self) -> tuple[bytes, ...]:
        """Members of a request's `tools`, each encoded, in an order that does not change by itself."""

    def runs(self, name: str) -> bool:
        """Whether a call of this name is for us."""

    async def run(self, name: str, arguments: str) -> ToolResult:
        """Run a call and return what came of it, failures included. Cancelling it stops the work.

        :param arguments: JSON as the model wrote it, which may be none.
        """
