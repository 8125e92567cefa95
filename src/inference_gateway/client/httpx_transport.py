"""Calls carried by httpx2, blocking and async: its clients, its pools, its environment."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeGuard

import httpx2

from inference_gateway.client.errors import (
    InferenceGatewayConnectionError,
    InferenceGatewayTimeoutError,
    wrong,
)
from inference_gateway.client.request import Call


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
        return cls(httpx2.Client(headers=_shown(token)), owned=True)

    def send(self, call: Call, headers: Mapping[str, str]) -> "HttpxReply":
        """Send one attempt; see `Transport`."""
        with _translated():
            request = _request(self.client, call, headers, owned=self._owned)
            return HttpxReply(self.client.send(request, stream=True, follow_redirects=True))

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

    def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""
        self._response.close()


class AsyncHttpxTransport:
    """Sends calls over an async client, which its maker closes."""

    def __init__(self, client: httpx2.AsyncClient, *, owned: bool = False) -> None:
        self.client = client
        self._owned = owned

    @classmethod
    def own(cls, token: str | None) -> "AsyncHttpxTransport":
        """Make a client, which is closed with its transport."""
        return cls(httpx2.AsyncClient(headers=_shown(token)), owned=True)

    async def send(self, call: Call, headers: Mapping[str, str]) -> "AsyncHttpxReply":
        """Send one attempt; see `Transport`."""
        with _translated():
            request = _request(self.client, call, headers, owned=self._owned)
            return AsyncHttpxReply(await self.client.send(request, stream=True, follow_redirects=True))

    async def close(self) -> None:
        """Close the client, if it is not somebody else's."""
        if self._owned:
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
        await self._response.aclose()


def _shown(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _request(
    client: httpx2.Client | httpx2.AsyncClient, call: Call, headers: Mapping[str, str], *, owned: bool
) -> httpx2.Request:
    wait, connect = call.timeout.longest_wait, call.timeout.connect
    request = client.build_request(
        call.method,
        call.url,
        headers=dict(headers),
        content=call.content,
        timeout=httpx2.Timeout(connect=connect, read=wait, write=wait, pool=connect),
    )
    if owned and not any(name.lower() == "authorization" for name in headers):
        # The client shows its maker's token; one derived from it may have another, or none.
        request.headers.pop("authorization", None)
    return request


def _wait_at_most(response: httpx2.Response, seconds: float | None) -> None:
    # The library reads this when it begins to read the body, and each time it waits for more.
    response.request.extensions["timeout"]["read"] = seconds


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx2.TimeoutException as error:
        raise InferenceGatewayTimeoutError(f"Request failed: timed out: {_words(error)}") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise wrong("base_url", f"is not usable: {error}") from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise InferenceGatewayConnectionError(f"Request failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
