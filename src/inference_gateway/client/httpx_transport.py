"""Calls carried by httpx2, blocking and async: its clients, its pools, its environment."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypedDict, TypeGuard

import httpx2

from inference_gateway.client.errors import (
    InferenceGatewayConnectionError,
    InferenceGatewayTimeoutError,
    client_closed,
    wrong,
)
from inference_gateway.client.request import Call
from inference_gateway.client.sockets import break_connection

# The library lets through errors of what it is built on, over redirects that lead nowhere, and over
# connections of an event loop that has ended.
_LOST = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    ExceptionGroup,
)


def is_client(value: object) -> TypeGuard[httpx2.Client]:
    """Whether this is a blocking client of this library."""
    return isinstance(value, httpx2.Client)


def is_async_client(value: object) -> TypeGuard[httpx2.AsyncClient]:
    """Whether this is an async client of this library."""
    return isinstance(value, httpx2.AsyncClient)


class HttpxTransport:
    """Sends calls over a client, which its maker closes."""

    def __init__(self, client: httpx2.Client, *, owned: bool = False) -> None:
        self.client = client
        self._owned = owned

    @classmethod
    def own(cls, token: str | None) -> "HttpxTransport":
        """Make a client, which is closed with its transport."""
        with _configured():
            return cls(httpx2.Client(headers=_shown(token)), owned=True)

    def send(self, call: Call, headers: Mapping[str, str]) -> "HttpxReply":
        """Send one attempt; see `Transport`."""
        if self.client.is_closed:
            raise client_closed()
        with _translated():
            request = _request(self.client, call, headers, owned=self._owned)
            return HttpxReply(self.client.send(request, stream=True, **_sending(call)))

    def close(self) -> None:
        """Close the client, if it is not somebody else's."""
        if self._owned:
            self.client.close()


class HttpxReply:
    """An answer that is read as it comes; see `Reply`."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def pieces(self) -> Iterator[bytes]:
        """Read the body as it arrives."""
        with _translated():
            yield from self._response.iter_bytes()

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on, wait this long for the next piece."""
        _wait_at_most(self._response, seconds)

    def interrupt(self) -> None:
        """Break the connection under a thread that waits for the next piece."""
        break_connection(self._response.extensions["network_stream"].get_extra_info("socket"))

    def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""
        with _translated():
            self._response.close()


class AsyncHttpxTransport:
    """Sends calls over an async client, which its maker closes."""

    def __init__(self, client: httpx2.AsyncClient, *, owned: bool = False) -> None:
        self.client = client
        self._owned = owned

    @classmethod
    def own(cls, token: str | None) -> "AsyncHttpxTransport":
        """Make a client, which is closed with its transport."""
        with _configured():
            return cls(httpx2.AsyncClient(headers=_shown(token)), owned=True)

    async def send(self, call: Call, headers: Mapping[str, str]) -> "AsyncHttpxReply":
        """Send one attempt; see `Transport`."""
        if self.client.is_closed:
            raise client_closed()
        with _translated():
            request = _request(self.client, call, headers, owned=self._owned)
            return AsyncHttpxReply(await self.client.send(request, stream=True, **_sending(call)))

    async def close(self) -> None:
        """Close the client, if it is not somebody else's."""
        if self._owned:
            # Connections of an event loop that has ended are gone with it.
            with suppress(RuntimeError):
                await self.client.aclose()


class AsyncHttpxReply:
    """An answer that is read as it comes; see `Reply`."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """Read the body as it arrives."""
        with _translated():
            async for piece in self._response.aiter_bytes():
                yield piece

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on, wait this long for the next piece."""
        _wait_at_most(self._response, seconds)

    async def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""
        with _translated():
            await self._response.aclose()


def _shown(token: str | None) -> list[tuple[bytes, bytes]]:
    return [] if token is None else _encoded({"Authorization": f"Bearer {token}"})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    # Left to itself, the library takes ASCII only.
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _request(
    client: httpx2.Client | httpx2.AsyncClient, call: Call, headers: Mapping[str, str], *, owned: bool
) -> httpx2.Request:
    wait, connect = call.timeout.longest_wait, call.timeout.connect
    timeout = httpx2.Timeout(connect=connect, read=wait, write=wait, pool=connect)
    if call.foreign:
        # Made without the client, and so without its headers, its query and its cookies.
        extensions = {"timeout": timeout.as_dict()}
        return httpx2.Request(
            call.method, call.url, headers=_encoded(headers), content=call.content, extensions=extensions
        )
    request = client.build_request(
        call.method, call.url, headers=_encoded(headers), content=call.content, timeout=timeout
    )
    if owned and not any(name.lower() == "authorization" for name in headers):
        # The client shows its maker's token; one derived from it may have another, or none.
        request.headers.pop("authorization", None)
    return request


class _Sending(TypedDict, total=False):
    follow_redirects: bool
    auth: None


def _sending(call: Call) -> _Sending:
    if call.foreign:
        return _Sending(follow_redirects=call.follows_redirects, auth=None)
    return _Sending(follow_redirects=call.follows_redirects)


def _wait_at_most(response: httpx2.Response, seconds: float | None) -> None:
    # The library looks at this once, when it begins to read the body.
    response.request.extensions["timeout"]["read"] = seconds


@contextmanager
def _configured() -> Iterator[None]:
    """The library reads proxies and certificates from the environment, and fails there in many ways."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        raise wrong("http_client", f"none can be made by the environment's settings: {error}") from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx2.TimeoutException as error:
        raise InferenceGatewayTimeoutError(f"Request failed: timed out: {_words(error)}") from error
    except _LOST as error:
        raise InferenceGatewayConnectionError(f"Request failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
