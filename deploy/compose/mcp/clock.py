"""An MCP server with one tool, over streamable HTTP: an example to put your own beside."""

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from mcp.server import MCPServer

server = MCPServer("clock")


@server.tool()
def now(timezone: str = "UTC") -> str:
    """Say what time it is in a time zone, such as Europe/Paris."""
    return datetime.now(ZoneInfo(timezone)).isoformat(timespec="seconds")


if __name__ == "__main__":
    # Other containers reach it.
    server.run("streamable-http", host="0.0.0.0", port=int(os.environ.get("PORT", "3001")))  # noqa: S104
