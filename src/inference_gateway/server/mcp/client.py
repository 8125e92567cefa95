"""Opening a session with one MCP server, by whichever transport it speaks. Wraps the official client.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#backwards-compatibility
"""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Self

import httpx2
import msgspec
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.session import MessageHandlerFnT
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import Implementation, JSONRPCResponse

from inference_gateway._version import __version__
from inference_gateway.server.mcp.egress import LARGEST_ANSWER, Refused, WayOut, http_client
from inference_gateway.server.mcp.mending import LeftOut, mended
from inference_gateway.server.settings import MCPServerSettings


class Way(msgspec.Struct, frozen=True):
    """One manner of reaching a server."""

    transport: Literal["streamable-http", "sse", "stdio"]
    mode: Literal["auto", "legacy"]
    """Whether to ask first if the server needs no handshake; some old ones never answer that."""
    url: str = ""


class Doors(msgspec.Struct, frozen=True):
    """What a session needs of its surroundings."""

    way_out: WayOut
    refused: Refused
    heard: MessageHandlerFnT
    """Told what the server says unasked."""
    left_out: LeftOut
    """Told of tools that cannot be offered."""


def ways(server: MCPServerSettings) -> tuple[Way, ...]:
    """Return the manners of reaching a server, the likeliest first."""
    if server.url is None:
        return Way("stdio", "auto"), Way("stdio", "legacy")
    url = server.url
    bare = url.rstrip("/")
    places = dict.fromkeys((url, url if bare.endswith("/sse") else bare.removesuffix("/mcp") + "/sse"))
    return (
        Way("streamable-http", "auto", url),
        Way("streamable-http", "legacy", url),
        *(Way("sse", "legacy", place) for place in places),
    )


@asynccontextmanager
async def session(server: MCPServerSettings, way: Way, doors: Doors) -> AsyncIterator[Client]:
    """Hold a session with a server: initialized, and over when the context is left."""
    client = Client(
        _mending(_transport(server, way, doors), doors.left_out),
        mode=way.mode,
        cache=None,
        message_handler=doors.heard,
        client_info=Implementation(name="inference-gateway", version=__version__),
    )
    async with client:
        yield client


def causes(error: BaseException) -> Iterator[BaseException]:
    """Take groups of exceptions apart."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from causes(each)
    else:
        yield error


def roots(error: BaseException) -> Iterator[BaseException]:
    """Follow an exception to what it was made from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def may_speak_otherwise(error: BaseException) -> bool:
    """Tell whether a server is there, and does not speak the way that it was spoken to."""
    kinds = [type(each) for each in causes(error)]
    if any(issubclass(kind, httpx2.TransportError) for kind in kinds):
        return False
    return any(issubclass(kind, MCPError | TimeoutError | httpx2.HTTPStatusError) for kind in kinds)


@asynccontextmanager
async def _mending(
    transport: AbstractAsyncContextManager[tuple[Any, Any]], left_out: LeftOut
) -> AsyncIterator[tuple[Any, Any]]:
    async with transport as (answers, requests):
        yield _Mended(answers, left_out), requests


class _Mended:
    """A stream of what a server says, made to fit before the client looks at it."""

    def __init__(self, answers: Any, left_out: LeftOut) -> None:
        self._answers = answers
        self._left_out = left_out

    @property
    def last_context(self) -> Any:
        """The context of whoever sent the last message, where the transport tells."""
        return getattr(self._answers, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return what comes next."""
        return self._mended(await self._answers.receive())

    async def aclose(self) -> None:
        """Want no more."""
        await self._answers.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._mended(await self._answers.__anext__())

    async def __aenter__(self) -> Self:
        await self._answers.__aenter__()
        return self

    async def __aexit__(self, *failure: Any) -> bool | None:
        ended: bool | None = await self._answers.__aexit__(*failure)
        return ended

    def _mended(self, said: SessionMessage | Exception) -> SessionMessage | Exception:
        if isinstance(said, SessionMessage) and isinstance(said.message, JSONRPCResponse):
            said.message.result = mended(said.message.result, self._left_out)
        return said


def _transport(
    server: MCPServerSettings, way: Way, doors: Doors
) -> AbstractAsyncContextManager[tuple[Any, Any]]:
    match way.transport:
        case "stdio":
            return stdio_client(_program(server), errlog=sys.__stderr__ or sys.stderr)
        case "sse":
            return sse_client(way.url, httpx_client_factory=_factory(server, way, doors))
        case "streamable-http":
            return _streamable(server, way, doors)


@asynccontextmanager
async def _streamable(server: MCPServerSettings, way: Way, doors: Doors) -> AsyncIterator[tuple[Any, Any]]:
    async with (
        _http(server, way, doors) as http,
        streamable_http_client(way.url, http_client=http, max_sse_event_size=LARGEST_ANSWER) as streams,
    ):
        yield streams


def _factory(server: MCPServerSettings, way: Way, doors: Doors) -> Callable[..., httpx2.AsyncClient]:
    def create(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        return _http(server, way, doors)

    return create


def _http(server: MCPServerSettings, way: Way, doors: Doors) -> httpx2.AsyncClient:
    headers = {name: value.reveal() for name, value in server.headers.items()}
    if server.token is not None:
        headers["authorization"] = f"Bearer {server.token.reveal()}"
    query = {name: value.reveal() for name, value in server.query.items()}
    return http_client(way.url, headers, doors.way_out, doors.refused, query=query)


def _program(server: MCPServerSettings) -> StdioServerParameters:
    return StdioServerParameters(
        command=server.command or "",
        args=list(server.args),
        env={name: value.reveal() for name, value in server.env.items()},
    )
