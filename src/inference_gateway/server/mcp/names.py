"""What tools of MCP servers are called in a chat. Pure."""

import re
from typing import Final

from inference_gateway.server.tool_names import bounded

PREFIX: Final = "mcp_"
LONGEST_SLUG: Final = 24
_OTHER_IN_SLUG: Final = re.compile(r"[^a-z0-9]+")


def plain(tool: str) -> str:
    """Name of a tool that no other server has."""
    return bounded(PREFIX + tool)


def qualified(slug: str, tool: str) -> str:
    """Name of a tool that says whose it is."""
    return bounded(f"{PREFIX}{slug}_{tool}")


def slug(text: str) -> str:
    """Make a server's name part of a tool's: no `_`, so that it can be told where it ends."""
    return _OTHER_IN_SLUG.sub("-", text.lower())[:LONGEST_SLUG].strip("-") or "server"


def key(name: str) -> str:
    """Write a name as lists of tools to include or exclude are compared."""
    return name.strip().lower().removeprefix(PREFIX)
