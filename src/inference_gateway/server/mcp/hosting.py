"""The gateway as an MCP server: the catalogue, for any MCP client, over streamable HTTP.

The official server's session manager is hosted in this process and spoken to as the ASGI application it is:
every version of the protocol, its framing and its negotiation are the library's, and stay so when it is
brought up to date. Driving its low-level server by hand would save a few calls per request and copy the rest.
It keeps no sessions, so that any worker can answer any request, and answers in JSON where nobody asks for
progress.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
"""

import asyncio
import sys
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Protocol

import msgspec
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

from inference_gateway._version import __version__
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.mcp.catalogue import Catalogue, Entry
from inference_gateway.server.mcp.links import CallFailed
from inference_gateway.server.spans import Tracing, tool_span
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import Ran
from inference_gateway.server.transport.messages import Sink, Source

Headers = list[tuple[bytes, bytes]]

_PROGRESS = b'"progressToken"'


class Call(Protocol):
    """Runs a tool."""

    async def __call__(
        self, entry: Entry, arguments: dict[str, object], *, progress: ProgressFnT | None
    ) -> dict[str, object]:
        """Return its result; `progress` is told how far it is.

        :raises CallFailed: there is none.
        """


_asking: ContextVar[Tracing | None] = ContextVar("asking", default=None)
"""The trace of the request that the task answers."""


class Reply(msgspec.Struct, frozen=True):
    """What to answer an MCP client."""

    status: int
    headers: Headers
    body: bytes | Source


class Hosting:
    """Answers MCP clients from the catalogue."""

    def __init__(
        self, catalogue: Catalogue, call: Call, background: Background, *, ran: Ran | None = None
    ) -> None:
        self._ran = ran
        self._catalogue = catalogue
        self._call = call
        self._background = background
        self._managers: dict[bool, asyncio.Future[StreamableHTTPSessionManager]] = {}

    async def answer(self, headers: Headers, body: bytes, *, trace: Tracing | None = None) -> Reply:
        """Answer the POST of a client: at once and whole, or as a stream where it may hear of progress.

        :param trace: where calls of tools are noted, where the request is traced.
        """
        # Every task of this request begins here, and sees it.
        _asking.set(trace)
        hears = dict(headers).get(b"accept", b"")
        if _PROGRESS not in body or b"text/event-stream" not in hears:
            exchange = _Exchange(body)
            await self._handle(exchange, headers, streams=False)
            return Reply(exchange.status, exchange.headers, b"".join(exchange.pieces))
        stream = _Stream(body)
        stream.work = self._background.start(
            self._handle(stream, headers, streams=True), name="a stream to an MCP client"
        )
        try:
            await asyncio.wait({stream.work, stream.began}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            stream.close()
            raise
        return Reply(stream.status, stream.headers, stream)

    async def _handle(self, exchange: "_Exchange", headers: Headers, *, streams: bool) -> None:
        manager = await self._running(streams=streams)
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
        await manager.handle_request(scope, exchange.receive, exchange.send)

    async def _running(self, *, streams: bool) -> StreamableHTTPSessionManager:
        """Return a session manager; its first client starts it."""
        manager = self._managers.get(streams)
        if manager is None:
            manager = self._managers[streams] = asyncio.get_running_loop().create_future()
            self._background.start(self._live(manager, streams=streams), name="the MCP server")
        return await asyncio.shield(manager)

    async def _live(self, ready: "asyncio.Future[StreamableHTTPSessionManager]", *, streams: bool) -> None:
        server = Server(
            "inference-gateway", version=__version__, on_list_tools=self._list, on_call_tool=self._run
        )
        manager = StreamableHTTPSessionManager(
            server,
            json_response=not streams,
            stateless=True,
            # The body is here, and was bounded on its way.
            max_request_body_size=sys.maxsize,
        )
        async with manager.run():
            ready.set_result(manager)
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
        hears = context.meta is not None and "progress_token" in context.meta
        progress = _Progress(context.session.report_progress) if hears else None
        began, error = perf_counter(), "cancelled"
        try:
            with tool_span(_asking.get(), entry.name) as span:
                result = await self._result(entry, params.arguments or {}, progress)
                error = "tool_error" if result.is_error else ""
                if span is not None and error:
                    span.fail(error)
            return result
        finally:
            if self._ran is not None:
                self._ran(entry.name, perf_counter() - began, error)

    async def _result(
        self, entry: Entry, arguments: dict[str, object], progress: ProgressFnT | None
    ) -> CallToolResult:
        try:
            result = await self._call(entry, arguments, progress=progress)
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


class _Stream(_Exchange):
    """One request and its answer, passed on as it comes: the source of a response's body."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.work: asyncio.Task[None] | None = None
        self._flows = asyncio.Event()
        self._sink: Sink | None = None

    async def send(self, message: Any) -> None:
        """Take a part of the answer, and pass it on once the client takes it."""
        await super().send(message)
        if not self.began.done():
            self.began.set_result(None)
        await self._flows.wait()
        pieces, self.pieces = b"".join(self.pieces), []
        if pieces and self._sink is not None:
            self._sink.write(pieces)

    def start(self, sink: Sink) -> None:
        """Begin to pass on what comes."""
        assert self.work is not None
        self._sink = sink
        self._flows.set()
        self.work.add_done_callback(self._ended)

    def pause(self) -> None:
        """Hold what comes."""
        self._flows.clear()

    def resume(self) -> None:
        """Let it flow."""
        self._flows.set()

    def close(self) -> None:
        """Hang up: the client is gone, and with it the reason to run its call."""
        self._sink = None
        if self.work is not None:
            self.work.cancel()

    def _ended(self, work: "asyncio.Task[None]") -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if work.cancelled() or work.exception() is not None:
            sink.abort(GatewayError("the gateway failed on this request"))
        else:
            sink.finish()


class _Progress:
    """Passes on how far a call is: the latest word, as fast as the client takes it."""

    def __init__(self, report: ProgressFnT) -> None:
        self._report = report
        self._latest: tuple[float, float | None, str | None] | None = None
        self._reports = False

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self._latest = (progress, total, message)
        if self._reports:
            return
        self._reports = True
        try:
            while self._latest is not None:
                latest, self._latest = self._latest, None
                await self._report(*latest)
        finally:
            self._reports = False


def _failure(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=f"Error: {message}")], is_error=True)
