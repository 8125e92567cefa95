"""A link to one MCP server: kept up for ever, its tools asked for again and again, its calls run.

One task owns the session; calls come from the tasks of requests. A session that breaks is
replaced by a new one.
"""

import asyncio
import logging
import ssl
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any, Literal, Protocol, cast

import anyio
import msgspec
from mcp import Client, MCPError
from mcp.client.session import IncomingMessage
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    PaginatedRequestParams,
    RequestParamsMeta,
    ToolListChangedNotification,
)
from mcp.types import Tool as ListedTool
from pydantic import TypeAdapter, ValidationError

from inference_gateway.server.mcp.catalogue import Tool
from inference_gateway.server.mcp.client import Doors, Way, causes, may_speak_otherwise, roots, session, ways
from inference_gateway.server.mcp.egress import WayOut
from inference_gateway.server.mcp.mending import MOST_TOOLS
from inference_gateway.server.settings import MASK, MCPServerSettings, MCPSettings
from inference_gateway.server.spans import LONGEST_NAME, along, note

logger = logging.getLogger("inference_gateway.mcp")

State = Literal["connecting", "available", "unavailable"]

_MOST_PAGES = 100
_SHORTEST_PAUSE = 1.0
"""Seconds between two lists, however often a server says that its list has changed."""
_LONGEST_REASON = 300
_LONGEST_NAME = 100

_answer: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)


class CallFailed(Exception):
    """A call came to nothing; the message is for the model."""


class Broken(Exception):
    """The session is of no use any more."""


_PROBLEMS = (
    (Broken, "it lost the session"),
    (MCPError | ValidationError, "its answers are not what they should be"),
    (FileNotFoundError | PermissionError, "its program cannot be started"),
)


class _Attempt(msgspec.Struct):
    """One attempt at a call."""

    was_refused: bool = False
    """Whether the server refused the session before it looked at the call."""


_attempt: ContextVar[_Attempt | None] = ContextVar("attempt", default=None)


class Listener(Protocol):
    """Told what becomes of a link."""

    def listed(self, number: int, title: str, tools: tuple[Tool, ...]) -> None:
        """The server has these tools."""

    def failed(self, number: int) -> None:
        """There is no session with the server at the moment."""

    def lost(self, number: int) -> None:
        """The server is held unavailable."""


class Link:
    """The link to one server.

    :param number: the server's place in the configuration.
    """

    def __init__(
        self,
        number: int,
        server: MCPServerSettings,
        *,
        settings: MCPSettings,
        way_out: WayOut,
        listener: Listener,
    ) -> None:
        self.server = server
        self.state: State = "connecting"
        self.problem = ""
        """In our own words, why the server is not available."""
        self.transport = ""
        self.protocol = ""
        self.sessions = 0
        """Sessions that there have been."""
        self.left_out = 0
        """Tools that it lists and that no model could be offered."""
        self._number = number
        self._settings = settings
        self._listener = listener
        self._doors = Doors(way_out, self._refused, self._hear, self._leave_out)
        self._ways = ways(server)
        # Per session.
        self._client: Client | None = None
        self._news = asyncio.Event()
        self._up = asyncio.Event()
        self._is_broken = False
        self._was_up = False
        self._status = 0
        """Of its last refusal, where what is asked of it failed."""
        self._calls = 0
        """That are under way."""
        # Per list of tools.
        self._unfit = 0
        # For good.
        self._told_of: set[str] = set()
        self._over = asyncio.Event()

    @property
    def address(self) -> str:
        """Where the server is: its URL, or the program that is started."""
        return self.server.url or f"stdio:{self.server.command}"

    async def keep(self) -> None:
        """Connect, and connect again whenever the session is lost; end where that is not wanted."""
        attempt = 0
        loop = asyncio.get_running_loop()
        while not self._over.is_set():
            began = loop.time()
            try:
                await self._hold_session()
            except Exception as error:  # noqa: BLE001 - whatever a server does, it is tried again
                self._note(error)
            if self._over.is_set():
                return
            self._listener.failed(self._number)
            was_up, self._was_up = self._was_up, False
            if was_up and loop.time() - began > self._settings.initial_backoff:
                attempt = 0
            attempt += 1
            if attempt > self._settings.max_retries:
                self._give_up()
                if not self._settings.enable_reconnect:
                    return
            # The first try to replace a session that was of use is made at once.
            await asyncio.sleep(0 if was_up and attempt == 1 else self._pause(attempt))

    def end(self) -> None:
        """Connect no more: on its way, the cancellation of `keep` may be taken for another error."""
        self._over.set()

    async def call(
        self, tool: str, arguments: dict[str, object], *, progress: ProgressFnT | None = None
    ) -> dict[str, Any]:
        """Run a tool; return its result as decoded JSON.

        :param progress: told how far it is, where somebody wants to know.
        :raises CallFailed: there is no result.
        """
        attempt = _Attempt()
        token = _attempt.set(attempt)
        try:
            return await self._call(tool, arguments, progress)
        except CallFailed:
            if not attempt.was_refused:
                raise
        finally:
            _attempt.reset(token)
        # The server refused the session, not the call: it has not run.
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                await self._up.wait()
        except TimeoutError as error:
            raise CallFailed("the tool's server is not available at the moment") from error
        return await self._call(tool, arguments, progress)

    async def _hold_session(self) -> None:
        async with AsyncExitStack() as stack:
            client, way = await self._connect(stack)
            self._is_broken = False
            self._news.clear()
            self.transport, self.protocol = way.transport, client.protocol_version
            await self._refresh(client)
            self._client = client
            self._was_up = True
            self.sessions += 1
            self._up.set()
            self.state, self.problem = "available", ""
            logger.info("MCP server %s is available over %s", self.address, way.transport)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._listen, client)
                    await self._watch(client)
            finally:
                self._client = None
                self._up.clear()
                self._is_broken = True
                self.state = "connecting"

    async def _connect(self, stack: AsyncExitStack) -> tuple[Client, Way]:
        """Try each way; the one that works is tried first the next time."""
        first: Exception | None = None
        status = 0
        for way in self._ways:
            self._status = 0
            try:
                async with asyncio.timeout(self._settings.request_timeout):
                    client = await stack.enter_async_context(session(self.server, way, self._doors))
            except Exception as error:  # noqa: BLE001 - raised below where no other way works
                if first is None:
                    first, status = error, self._status
                self._status = status
                if self._over.is_set() or not may_speak_otherwise(error):
                    raise first  # noqa: B904 - what the likeliest way met with is the reason
            else:
                self._ways = (way, *(other for other in self._ways if other is not way))
                return client, way
        assert first is not None
        raise first

    async def _watch(self, client: Client) -> None:
        """Ask for the tools whenever they changed, and after each interval.

        :raises Broken: the session is lost.
        """
        polling = self._settings.polling_interval if self._settings.polling_enabled else None
        while True:
            await asyncio.sleep(_SHORTEST_PAUSE if self._news.is_set() and not self._is_broken else 0)
            try:
                async with asyncio.timeout(polling):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            if self._is_broken:
                raise Broken("the server does not know the session any more")
            if not await self._is_well(client):
                continue
            self._up.set()
            if not self._settings.disable_healthcheck_logs:
                logger.info("MCP server %s is well", self.address)

    async def _is_well(self, client: Client) -> bool:
        """Ask for the tools; a server that is at work on calls may be too busy to answer.

        :raises TimeoutError: it does not answer, and has nothing else to do.
        """
        try:
            await self._refresh(client)
        except TimeoutError:
            # Many servers do one thing at a time. A call has a bound of its own.
            if not self._calls:
                raise
            return False
        return True

    async def _listen(self, client: Client) -> None:
        """Hear of changes where servers only tell those who ask for it."""
        tools = client.server_capabilities.tools
        if client.session.discover_result is None or tools is None or not tools.list_changed:
            return
        try:
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._news.set()
        except (MCPError, TimeoutError, ValueError) as error:
            logger.debug("MCP server %s tells no changes: %r", self.address, type(error))

    async def _refresh(self, client: Client) -> None:
        self._unfit = self._status = 0
        async with asyncio.timeout(self._settings.polling_timeout):
            listed = await self._list(client)
        self.left_out = self._unfit
        tools = tuple(Tool(each.name, each.description or "", each.input_schema) for each in listed)
        self._listener.listed(self._number, self._title(client), tools)

    async def _list(self, client: Client) -> list[ListedTool]:
        tools: list[ListedTool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            try:
                page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            except MCPError as error:
                # Whoever says that it has none need not know the question; some that do not say it have some.
                if error.code == METHOD_NOT_FOUND and client.server_capabilities.tools is None:
                    return []
                raise
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or len(tools) >= MOST_TOOLS:
                break
        if len(tools) > MOST_TOOLS:
            logger.warning("MCP server %s lists more than %d tools", self.address, MOST_TOOLS)
        return tools[:MOST_TOOLS]

    def _title(self, client: Client) -> str:
        """Return the configured name, else the server's own, else its host and port."""
        if self.server.name is not None:
            return self.server.name
        info = client.server_info
        return (info.name if info is not None else "") or self.address.partition("://")[2].partition("/")[0]

    async def _call(
        self, tool: str, arguments: dict[str, object], progress: ProgressFnT | None
    ) -> dict[str, Any]:
        client = self._client
        if client is None or self._is_broken:
            raise CallFailed("the tool's server is not available at the moment")
        self._calls += 1
        try:
            return await self._send(client, tool, arguments, progress)
        finally:
            self._calls -= 1

    async def _send(
        self, client: Client, tool: str, arguments: dict[str, object], progress: ProgressFnT | None
    ) -> dict[str, Any]:
        timeout = self.server.timeout or self._settings.client_timeout
        request = CallToolRequest(
            params=CallToolRequestParams(name=tool, arguments=arguments, _meta=self._traced(tool))
        )
        try:
            # Not `call_tool`: it would run the patterns of a stranger's schema on this loop.
            result = await client.session.send_request(request, _answer, timeout, progress_callback=progress)
        except MCPError as error:
            raise CallFailed(self._explain(error, timeout)) from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise CallFailed(f"the server's answer is malformed: {where}: {first['msg']}") from error
        except Exception as error:
            logger.warning("a call of MCP server %s failed: %r", self.address, type(error))
            self._break()
            raise CallFailed("the connection to the tool's server broke") from error
        if isinstance(result, InputRequiredResult):
            raise CallFailed("the tool asks a person for input, which is not offered here")
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    def _traced(self, tool: str) -> RequestParamsMeta | None:
        """Tell the span of the call what is called; return what makes the server's work a part of its trace.

        https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/
        """
        note(
            {
                "mcp.method.name": "tools/call",
                "mcp.protocol.version": self.protocol,
                "mcp.server.url": self.address,
                "network.transport": "tcp" if self.server.url else "pipe",
                "gen_ai.tool.name": tool[:LONGEST_NAME],
            }
        )
        fields = {name.decode(): value.decode("ascii") for name, value in along()}
        return cast("RequestParamsMeta", fields) if fields else None  # an open map, which its type cannot say

    def _explain(self, error: MCPError, timeout: float | None) -> str:
        if error.code == REQUEST_TIMEOUT and timeout is not None:
            return f"the tool did not answer within {timeout:g} seconds"
        if error.code == CONNECTION_CLOSED:
            self._break()
            return "the connection to the tool's server broke"
        # What the official client says of it is for whoever programs with it.
        return "the server's answer is not JSON" if error.code == PARSE_ERROR else error.message

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._news.set()

    def _leave_out(self, name: str, reason: str) -> None:
        """Take note of a tool that cannot be offered, and say so once."""
        self._unfit += 1
        name = name[:_LONGEST_NAME]
        if name not in self._told_of and len(self._told_of) < MOST_TOOLS:
            self._told_of.add(name)
            logger.warning(
                "MCP server %s has a tool that cannot be offered: %r: %.300s", self.address, name, reason
            )

    def _refused(self, status: int, in_session: bool) -> None:
        self._status = status
        if in_session and status in {400, 404}:
            self._session_refused(status)

    def _session_refused(self, status: int) -> None:
        logger.debug("MCP server %s refused its session with status %d", self.address, status)
        # The client sends in the context of whoever asks it to.
        attempt = _attempt.get()
        if attempt is not None:
            attempt.was_refused = True
        if status == 404:
            self._break()
            return
        # It may have been the request that was bad: the next list of tools will tell.
        self._up.clear()
        self._news.set()

    def _break(self) -> None:
        """Have the session replaced."""
        self._is_broken = True
        self._up.clear()
        self._news.set()

    def _pause(self, attempt: int) -> float:
        if attempt > self._settings.max_retries:
            return self._settings.reconnect_interval
        backoff: float = self._settings.initial_backoff * 2 ** min(attempt - 1, 30)
        return min(backoff, self._settings.retry_interval)

    def _give_up(self) -> None:
        if self.state != "unavailable":
            logger.warning("MCP server %s is unavailable: %s", self.address, self.problem)
        self.state = "unavailable"
        self._listener.lost(self._number)

    def _note(self, error: Exception) -> None:
        self.problem = _in_our_words(error, self._status)
        reason = "; ".join(f"{type(each).__name__}: {each}" for each in causes(error))
        for secret in self._secrets():
            reason = reason.replace(secret, MASK)
        is_news = self.state != "unavailable" or not self._settings.disable_healthcheck_logs
        level = logging.INFO if is_news else logging.DEBUG
        logger.log(level, "MCP server %s: %s (%.*r)", self.address, self.problem, _LONGEST_REASON, reason)

    def _secrets(self) -> list[str]:
        server = self.server
        kept = [*server.headers.values(), *server.env.values(), *server.query.values()]
        if server.token is not None:
            kept.append(server.token)
        return [secret.reveal() for secret in kept if secret.reveal()]


def _in_our_words(error: Exception, status: int) -> str:
    """Say what is wrong with a server, to whoever runs the gateway.

    :param status: of its last refusal; 0 where it did not refuse.
    """
    found = list(causes(error))
    if any(isinstance(each, TimeoutError) for each in found):
        return "it does not answer in time"
    if status in {401, 403}:
        return f"it does not accept the credentials: status {status}"
    if status:
        return f"it answers with status {status}"
    if any(isinstance(root, ssl.SSLError) for each in found for root in roots(each)):
        return "its certificate or its TLS is not accepted"
    for kind, words in _PROBLEMS:
        if any(isinstance(each, kind) for each in found):
            return words
    return "it cannot be reached"
