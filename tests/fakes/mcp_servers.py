"""MCP servers to connect to: the official Python server, and one that does whatever a test wants."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from uvicorn.config import Config
from uvicorn.server import ServerState

from fakes.loops import LoopThread

Application = Callable[[Any, Any, Any], Awaitable[None]]
PIXEL = bytes.fromhex("89504e470d0a1a0a")


class Listening:
    """An ASGI application on a loopback port, for as long as a test wants."""

    def __init__(
        self,
        app: Application,
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.thread = LoopThread()
        self._closed = False
        self._config = Config(app, log_config=None, access_log=False, lifespan="off", interface="asgi3")
        self._config.load()
        self._state = ServerState()
        self._over = asyncio.Event()
        self._lifespan = lifespan
        self.port = self.thread.call(self._start(port))

    async def _start(self, port: int) -> int:
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._living = asyncio.get_running_loop().create_task(self._live(port, started))
        return await started

    async def _live(self, port: int, started: "asyncio.Future[int]") -> None:
        async with self._lifespan():
            listener = await asyncio.get_running_loop().create_server(
                self._connection, "127.0.0.1", port, ssl=self._tls
            )
            started.set_result(listener.sockets[0].getsockname()[1])
            await self._over.wait()
            listener.close()
            for connection in list(self._state.connections):
                connection.transport.abort()
            for task in list(self._state.tasks):
                task.cancel()

    def _connection(self) -> asyncio.Protocol:
        return self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )

    def close(self) -> None:
        """Drop every connection, and end. Idempotent."""
        if self._closed:
            return
        self._closed = True

        async def end() -> None:
            self._over.set()
            await asyncio.gather(self._living, return_exceptions=True)

        self.thread.call(end())
        self.thread.close()


class PythonServer:
    """The official server with a few tools.

    :param transport: `streamable-http` or `sse`.
    :param legacy: whether it knows only the versions that begin with a handshake.
    :param steps: whether it has a tool that tells how far it is.
    """

    def __init__(
        self,
        *,
        transport: str = "streamable-http",
        legacy: bool = False,
        port: int = 0,
        name: str = "python",
        steps: bool = False,
    ) -> None:
        self.steps = asyncio.Queue[None]()
        self.heard: list[dict[str, str]] = []
        """Headers of each request, and its `query`."""
        self.waiting = threading.Event()
        self.cancelled = threading.Event()
        self._legacy = legacy
        app = MCPServer(name)
        for tool in (echo, add, picture, fail, self.wait, self.learn, *((self.climb,) if steps else ())):
            app.add_tool(tool)
        self._app = app
        self._web = app.streamable_http_app() if transport == "streamable-http" else app.sse_app()
        self._listening = Listening(self._serve, self._lifespan, port=port)
        self.port = self._listening.port
        self.url = f"http://127.0.0.1:{self.port}/{'mcp' if transport == 'streamable-http' else 'sse'}"

    async def wait(self) -> str:
        """Wait until the call is cancelled."""
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "never"

    async def climb(self, context: Context) -> str:
        """Go up two steps, each when a test lets it."""
        for step in (1, 2):
            await context.report_progress(step, 2, f"step {step}")
            await self.steps.get()
        return "up"

    def let_climb(self) -> None:
        """Let it go on."""
        self._listening.thread.loop.call_soon_threadsafe(self.steps.put_nowait, None)

    async def learn(self, name: str, context: Context) -> str:
        """Have one tool more, or that tool described anew."""
        known = {tool.name for tool in await self._app.list_tools()}
        if name in known:
            self._app.remove_tool(name)

        def learnt() -> str:
            return f"I am {name}"

        self._app.add_tool(learnt, name=name, description=f"Version {2 if name in known else 1}.")
        await context.notify_tools_changed()
        if self._legacy:
            await context.session.send_tool_list_changed()
        return "learnt"

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        async with self._web.router.lifespan_context(self._web):
            yield

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.heard.append({**headers, "query": scope["query_string"].decode()})
        if self._legacy and headers.get("mcp-protocol-version", "").startswith("2026"):
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"no such version"})
        else:
            await self._web(scope, receive, send)

    def close(self) -> None:
        """End."""
        self._listening.close()


def echo(text: str) -> str:
    """Say it again."""
    return text


def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


def picture() -> Image:
    """Show a picture."""
    return Image(data=PIXEL, format="png")


def fail() -> str:
    """Go wrong."""
    raise ValueError("this tool always fails")


Answer = Callable[[dict[str, Any]], Any]
"""From a request's params to its result; bytes are sent as they are but for `ID`, a number from 400 on is a
status, None is never answered, and an awaitable when it is done."""

ONE_TOOL = {"tools": [{"name": "act", "description": "Act.", "inputSchema": {"type": "object"}}]}


class ScriptedServer:
    """A server that answers what a test says, over streamable HTTP without events or sessions.

    :param answers: by method; `tools/list` has one tool, `act`, unless it is scripted.
    :param session: id of the session that it claims to have.
    :param redirect: where it sends everybody who is not there.
    :param tls: what it shows of itself where it speaks TLS.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        port: int = 0,
        redirect: str = "",
        session: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._session = session
        self._redirect = redirect
        self.redirected = 0
        self.asked: list[str] = []
        self._answers = {
            "initialize": lambda params: {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "scripted", "version": "1"},
            },
            "tools/list": lambda params: ONE_TOOL,
            **answers,
        }
        self._listening = Listening(self._serve, self._lifespan, port=port, tls=tls)
        self.port = self._listening.port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/mcp"

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        yield

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"] if scope["method"] == "POST" else b""
        asked = json.loads(body or b"{}")
        method = asked.get("method", "")
        self.asked.append(method)
        if self._redirect and scope["path"] != self._redirect:
            self.redirected += 1
            await self._answer(send, 307, b"")
            return
        if "id" not in asked or method not in self._answers:
            await self._answer(send, 405 if not body else 202 if "id" not in asked else 404, b"")
            return
        result = self._answers[method](asked.get("params", {}))
        if result is None:
            await asyncio.Event().wait()
        if isinstance(result, Awaitable):
            result = await result
        if isinstance(result, int) and result >= 400:
            await self._answer(send, result, b"")
            return
        whole = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        raw = result.replace(b"ID", str(asked["id"]).encode()) if isinstance(result, bytes) else b""
        await self._answer(send, 200, raw if isinstance(result, bytes) else json.dumps(whole).encode())

    async def _answer(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-type", b"application/json")]
        if self._session:
            headers.append((b"mcp-session-id", self._session.encode()))
        if self._redirect:
            headers.append((b"location", self._redirect.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def close(self) -> None:
        """End."""
        self._listening.close()
