"""All MCP servers together: what they offer, how they are, and their tools run."""

import asyncio
import logging

import msgspec
from mcp.shared.dispatcher import ProgressFnT

from inference_gateway.server.mcp import results
from inference_gateway.server.mcp.catalogue import Catalogue, Entry, Rules, Tool
from inference_gateway.server.mcp.egress import WayOut
from inference_gateway.server.mcp.hosting import Hosting
from inference_gateway.server.mcp.links import CallFailed, Link
from inference_gateway.server.mcp.toolboxes import DirectToolbox, SelectorToolbox
from inference_gateway.server.settings import MCPSettings
from inference_gateway.server.tasks import Background
from inference_gateway.server.tool_results import failure
from inference_gateway.server.toolbox import Ran, Toolbox, ToolResult, ToolServer

_HEAD_START = 1.0
"""Seconds that later servers wait for earlier ones, so that names do not depend on who is faster."""

logger = logging.getLogger("inference_gateway.mcp")


class ListedTool(msgspec.Struct, frozen=True):
    """A tool as the list of tools shows it, in both spellings that readers know."""

    name: str
    description: str
    server: str
    input_schema: dict[str, object]
    inputSchema: dict[str, object]  # noqa: N815 - a spelling of the wire
    changed: bool


class ServerHealth(msgspec.Struct, frozen=True):
    """How a server is."""

    name: str
    status: str
    transport: str
    protocol_version: str
    tools: int
    left_out: int
    error: str | None


class MCP:
    """The gateway's part in the Model Context Protocol."""

    def __init__(
        self, settings: MCPSettings, way_out: WayOut, background: Background, *, ran: Ran | None = None
    ) -> None:
        quiet_library()
        servers = settings.servers
        self._settings = settings
        self._background = background
        self._started = False
        self._catalogue = Catalogue(
            Rules.of(settings.include_tools, settings.exclude_tools),
            [Rules.of(server.include, server.exclude) for server in servers],
        )
        self._links = [
            Link(number, server, settings=settings, way_out=way_out, listener=self)
            for number, server in enumerate(servers)
        ]
        kind = DirectToolbox if settings.tool_mode == "direct" else SelectorToolbox
        self.toolbox: Toolbox = kind(self._catalogue, self._run, limit=settings.max_result_size)
        self.hosting = Hosting(self._catalogue, self._call, background, ran=ran)

    def start(self) -> None:
        """Begin to connect, without waiting for anybody. Idempotent."""
        if not self._started:
            self._started = True
            for link in self._links:
                self._background.start(link.keep(), name=f"the link to MCP server {link.address}")
            self._background.start(self._settle(), name="the head start of MCP servers")

    def end(self) -> None:
        """Connect no more; whoever owns the background work ends it next."""
        for link in self._links:
            link.end()

    def tools(self) -> list[ListedTool]:
        """List the tools that may be used, those of unavailable servers too."""
        return [self._shown(entry) for entry in self._catalogue.listed()]

    def health(self) -> list[ServerHealth]:
        """Tell how each server is, in the order of the configuration."""
        offered = self._catalogue.offered()
        return [
            ServerHealth(
                name=link.server.name or self._catalogue.slug(number) or f"server-{number + 1}",
                status=link.state,
                transport=link.transport,
                protocol_version=link.protocol,
                tools=sum(entry.server == number for entry in offered),
                left_out=link.left_out,
                error=link.problem or None,
            )
            for number, link in enumerate(self._links)
        ]

    def servers(self) -> list[ToolServer]:
        """Tell of each server how it is, under a name that stays what it is."""
        return [
            ToolServer(
                "mcp",
                link.server.name or f"server-{number}",
                link.state == "available",
                max(0, link.sessions - 1),
            )
            for number, link in enumerate(self._links, 1)
        ]

    def offers(self) -> list[tuple[ServerHealth, str, list[ListedTool]]]:
        """Tell how each server is, where it is, and which tools of it may be used."""
        listed = self._catalogue.listed()
        return [
            (
                health,
                self._links[number].address,
                [self._shown(entry) for entry in listed if entry.server == number],
            )
            for number, health in enumerate(self.health())
        ]

    def listed(self, number: int, title: str, tools: tuple[Tool, ...]) -> None:
        """Take a server's list of tools."""
        for name in self._catalogue.update(number, title, tools):
            logger.warning(
                "MCP server %s has changed the definition of its tool %.100r since it was first seen",
                self._links[number].address,
                name,
            )

    def failed(self, number: int) -> None:
        """Have the servers behind this one wait for it no longer."""
        self._catalogue.settle(number)

    def lost(self, number: int) -> None:
        """Offer the tools of a server that is held unavailable no longer."""
        self._catalogue.withdraw(number)

    async def _settle(self) -> None:
        """Let servers that are slow to start keep no other from being used."""
        await asyncio.sleep(_HEAD_START)
        for number in range(len(self._links)):
            self._catalogue.settle(number)

    def _shown(self, entry: Entry) -> ListedTool:
        return ListedTool(
            name=entry.name,
            description=entry.tool.description,
            server=self._links[entry.server].address,
            input_schema=entry.tool.input_schema,
            inputSchema=entry.tool.input_schema,
            changed=entry.changed,
        )

    async def _call(
        self, entry: Entry, arguments: dict[str, object], *, progress: ProgressFnT | None = None
    ) -> dict[str, object]:
        return await self._links[entry.server].call(entry.tool.name, arguments, progress=progress)

    async def _run(self, entry: Entry, arguments: dict[str, object]) -> ToolResult:
        limit = self._settings.max_result_size
        try:
            return results.read(await self._call(entry, arguments), limit=limit)
        except CallFailed as error:
            return failure(str(error), limit=limit)


def quiet_library() -> None:
    """Keep the libraries' own records out of the log: messages, headers and ids of sessions stand in them."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    logging.getLogger("client").addFilter(_is_not_the_librarys)
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _is_not_the_librarys(record: logging.LogRecord) -> bool:
    """Tell records of the official client's sessions from those of whoever else calls a logger `client`."""
    return not record.pathname.endswith("/mcp/client/session.py")
