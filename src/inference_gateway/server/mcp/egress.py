"""The way out to MCP servers over HTTP: to the configured origin and nowhere else, and within bounds.

The official client brings its own HTTP library, so the rules of our own way out are held here once more: no
proxies of the surroundings but those of the settings, no redirect to elsewhere, no answer without end.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType

import httpx2
import msgspec

from inference_gateway.server.settings import Secret

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of one message of a server."""
_MOST_CONNECTIONS = 256
_MOST_REDIRECTS = 3
_NO_QUERY: Mapping[str, str] = MappingProxyType({})


Refused = Callable[[int, bool], None]
"""Told the status of an answer that is a refusal, and whether the request was part of a session."""


class WayOut(msgspec.Struct, frozen=True):
    """How servers are reached. Times in seconds; None is no bound."""

    context: ssl.SSLContext
    proxy_for: Callable[[str], Secret | None]
    """From a server's URL to the URL of the proxy before it."""
    dial_timeout: float | None
    header_timeout: float | None


def http_client(
    url: str,
    headers: dict[str, str],
    way_out: WayOut,
    refused: Refused,
    *,
    query: Mapping[str, str] = _NO_QUERY,
) -> httpx2.AsyncClient:
    """Open no connection yet, to one server.

    :param refused: told of each refusal.
    :param query: parameters added to the URL of each request.
    """
    inner = httpx2.AsyncHTTPTransport(
        verify=way_out.context,
        trust_env=False,
        proxy=_proxy(url, way_out),
        limits=httpx2.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=8),
    )
    return httpx2.AsyncClient(
        transport=_Guarded(inner, httpx2.URL(url), way_out.header_timeout, refused, query=query),
        headers=headers,
        # A call has its own bound, and between calls a stream may be silent.
        timeout=httpx2.Timeout(None, connect=way_out.dial_timeout),
        trust_env=False,
        # The official client follows those within the origin itself: many servers send /mcp to /mcp/.
        follow_redirects=False,
        max_redirects=_MOST_REDIRECTS,
    )


def _proxy(url: str, way_out: WayOut) -> httpx2.Proxy | None:
    proxy = way_out.proxy_for(url)
    if proxy is None:
        return None
    encrypted = proxy.reveal().startswith("https:")
    return httpx2.Proxy(proxy.reveal(), ssl_context=way_out.context if encrypted else None)


class _Guarded(httpx2.AsyncBaseTransport):
    """Lets out what is for one origin, and lets in what is within bounds."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        url: httpx2.URL,
        header_timeout: float | None,
        refused: Refused,
        *,
        query: Mapping[str, str],
    ) -> None:
        self._query = query
        self._inner = inner
        self._origin = _origin(url)
        self._header_timeout = header_timeout
        self._refused = refused

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != self._origin:
            raise httpx2.UnsupportedProtocol("an MCP server may only be spoken to at its own origin")
        # What would be decoded is not bounded by what was counted.
        request.headers["accept-encoding"] = "identity"
        try:
            async with asyncio.timeout(self._header_timeout):
                response = await self._inner.handle_async_request(self._asking(request))
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the server's answer did not begin in time") from error
        if response.status_code >= 400:
            self._refused(response.status_code, "mcp-session-id" in request.headers)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream)
        return response

    def _asking(self, request: httpx2.Request) -> httpx2.Request:
        """Add the parameters to what goes out; what the client says in errors does not have them."""
        if not self._query:
            return request
        return httpx2.Request(
            request.method,
            request.url.copy_merge_params(self._query),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body that is not read for ever. Events are bounded one by one by the client itself."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise httpx2.StreamError("the server's answer is too large")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
