"""What the clients need of an HTTP library, and which library that is.

A library is imported when a client is made that uses it: two of them cost what one of them need not.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from inference_gateway.client.errors import wrong
from inference_gateway.client.request import Call

if TYPE_CHECKING:
    import httpx2
    import requests

    from inference_gateway.client.httpx_transport import AsyncHttpxTransport, HttpxTransport
    from inference_gateway.client.requests_transport import RequestsTransport


class Reply(Protocol):
    """An answer whose headers are here. Whoever gets one reads it to its end, or closes it."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, by name in any case."""

    def pieces(self) -> Iterator[bytes]:
        """Read the body as it arrives.

        :raises InferenceGatewayTimeoutError: nothing came for too long.
        :raises InferenceGatewayConnectionError: the connection was lost before the end.
        """

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on, wait this long for the next piece, if the library can still be told."""

    def interrupt(self) -> None:
        """Break the connection under a thread that waits for the next piece."""

    def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""


class Transport(Protocol):
    """Sends one attempt of a call."""

    def send(self, call: Call, headers: Mapping[str, str]) -> Reply:
        """Send, and wait for the headers of the answer.

        :raises InferenceGatewayTimeoutError: they did not come in time.
        :raises InferenceGatewayConnectionError: there is no connection, or it was lost.
        :raises InferenceGatewayError: the client is closed.
        """

    def close(self) -> None:
        """Close the connections, if they are not somebody else's."""


class AsyncReply(Protocol):
    """The same as `Reply`, awaited."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, by name in any case."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Read the body as it arrives; errors are those of `Reply.pieces`."""

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on, wait this long for the next piece."""

    async def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""


class AsyncTransport(Protocol):
    """The same as `Transport`, awaited."""

    async def send(self, call: Call, headers: Mapping[str, str]) -> AsyncReply:
        """Send, and wait for the headers of the answer; errors are those of `Transport.send`."""

    async def close(self) -> None:
        """Close the connections, if they are not somebody else's."""


def sync_transport(
    http_client: "requests.Session | httpx2.Client | None", *, use_httpx: bool, token: str | None
) -> "RequestsTransport | HttpxTransport":
    """Choose the library: that of the client that is given, else the one that is named.

    :raises InferenceGatewayValidationError: the client is of no library that is known here.
    """
    if use_httpx or hasattr(http_client, "build_request"):
        from inference_gateway.client.httpx_transport import HttpxTransport, is_client  # noqa: PLC0415

        if http_client is None:
            return HttpxTransport.own(token)
        if is_client(http_client):
            return HttpxTransport(http_client)
    else:
        from inference_gateway.client.requests_transport import (  # noqa: PLC0415
            RequestsTransport,
            is_session,
        )

        if http_client is None:
            return RequestsTransport.own(token)
        if is_session(http_client):
            return RequestsTransport(http_client)
    expected = "an httpx2.Client" if use_httpx else "a requests.Session or an httpx2.Client"
    raise wrong("http_client", f"must be {expected}, not {type(http_client).__name__}")


def async_transport(http_client: "httpx2.AsyncClient | None", *, token: str | None) -> "AsyncHttpxTransport":
    """Make the transport of an async client.

    :raises InferenceGatewayValidationError: the client is not an `httpx2.AsyncClient`.
    """
    from inference_gateway.client.httpx_transport import (  # noqa: PLC0415
        AsyncHttpxTransport,
        is_async_client,
    )

    if http_client is None:
        return AsyncHttpxTransport.own(token)
    if not is_async_client(http_client):
        raise wrong("http_client", f"must be an httpx2.AsyncClient, not {type(http_client).__name__}")
    return AsyncHttpxTransport(http_client)
