"""The gateway as an MCP server: the catalogue, for any MCP client, over streamable HTTP.

The official server's session manager is hosted in this process and spoken to as the ASGI application it is:
every version of the protocol, its framing and its negotiation are the library's, and stay so when it is
brought up to date. Driving its low-level server by hand would save a few calls per request and copy the rest.
It keeps no sessions and answers in JSON, so that any worker can answer any request.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

from inference_gateway._version import __version__
from inference_gateway.server.mcp.catalogue import Catalogue, Entry
from inference_gateway.server.mcp.links import CallFailed
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import Ran

Call = Callable[[Entry, dict[str, object]], Awaitable[dict[str, object]]]
Headers = list[tuple[bytes, bytes]]


class Reply(msgspec.Struct, frozen=True):
    """What to answer an MCP client."""

    status: int
    headers: Headers
    body: bytes


class Hosting:
    """Answers MCP clients from the catalogue."""

    def __init__(
        self, catalogue: Catalogue, call: Call, background: Background, *, ran: Ran | None = None
    ) -> None:
        self._ran = ran
        self._catalogue = catalogue
        self._call = call
        self._background = background
        self._manager: StreamableHTTPSessionManager | None = None
        self._ready = asyncio.Event()

    async def answer(self, headers: Headers, body: bytes) -> Reply:
        """Answer the POST of a client."""
        manager = await self._running()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": None,
            "server": None,
        }
        exchange = _Exchange(body)
        await manager.handle_request(scope, exchange.receive, exchange.send)
        return Reply(exchange.status, exchange.headers, b"".join(exchange.pieces))

    async def _running(self) -> StreamableHTTPSessionManager:
        """Return the session manager; the first client starts it."""
        if self._manager is None:
            server = Server(
                "inference-gateway", version=__version__, on_list_tools=self._list, on_call_tool=self._run
            )
            self._manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
            self._background.start(self._live(self._manager), name="the MCP server")
        await self._ready.wait()
        return self._manager

    async def _live(self, manager: StreamableHTTPSessionManager) -> None:
        async with manager.run():
            self._ready.set()
            await asyncio.Event().wait()

    async def _list(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=entry.name,
                    description=entry.tool.description,
                    input_schema=entry.tool.input_schema,
                )
                for entry in self._catalogue.offered()
            ]
        )

    async def _run(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        entry = self._catalogue.find(params.name)
        if entry is None:
            return _failure(f"there is no tool {params.name[:100]!r}")
        began, error = perf_counter(), "cancelled"
        try:
            result = await self._result(entry, params.arguments or {})
            error = "tool_error" if result.is_error else ""
            return result
        finally:
            if self._ran is not None:
                self._ran(entry.name, perf_counter() - began, error)

    async def _result(self, entry: Entry, arguments: dict[str, object]) -> CallToolResult:
        try:
            result = await self._call(entry, arguments)
            # What a server says of itself is not ours to say.
            return CallToolResult.model_validate({**result, "_meta": None})
        except CallFailed as error:
            return _failure(str(error))


class _Exchange:
    """One request and its answer, as an ASGI application sees them."""

    def __init__(self, body: bytes) -> None:
        self.status = 500
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self._body: bytes | None = body

    async def receive(self) -> dict[str, Any]:
        """Give the body; after it, the client is there until the request is cancelled."""
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", [])]
        else:
            self.pieces.append(bytes(message.get("body", b"")))


def _failure(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=f"Error: {message}")], is_error=True)
