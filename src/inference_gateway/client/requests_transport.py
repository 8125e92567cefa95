"""Calls carried by requests, the default: its session, its pool, its environment (proxies, CA bundle)."""

import socket
from collections.abc import Iterator, Mapping
from typing import TypeGuard

import requests
import urllib3
from requests import exceptions
from requests.adapters import HTTPAdapter

from inference_gateway.client.errors import (
    InferenceGatewayConnectionError,
    InferenceGatewayTimeoutError,
    client_closed,
)
from inference_gateway.client.request import Call
from inference_gateway.client.sockets import break_connection

_PIECE_BYTES = 65536
_CONNECTIONS = 100
"""Kept to each host: as many as httpx2 keeps. The library's 10 make a new connection for every call of
the eleventh thread."""

# The library's own errors are OSErrors. It lets through those of what it is built on, over redirects that
# lead nowhere, proxies and certificates of the environment.
_LOST = (OSError, ValueError, urllib3.exceptions.HTTPError)


def is_session(value: object) -> TypeGuard[requests.Session]:
    """Whether this is a client of this library."""
    return isinstance(value, requests.Session)


class RequestsTransport:
    """Sends calls over a session, which its maker closes."""

    def __init__(self, session: requests.Session, *, owned: bool = False) -> None:
        self.session = session
        self._owned = owned
        self._closed = False

    @classmethod
    def own(cls, token: str | None) -> "RequestsTransport":
        """Make a session, which is closed with its transport."""
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        return cls(session, owned=True)

    def send(self, call: Call, headers: Mapping[str, str]) -> "RequestsReply":
        """Send one attempt; see `Transport`."""
        if self._closed:
            raise client_closed()
        sent: dict[str, str | None] = dict(headers)
        if self._owned and not any(name.lower() == "authorization" for name in headers):
            # The session shows its maker's token; a client derived from it may have another, or none.
            sent["Authorization"] = None
        try:
            response = self._send_bare(call, headers) if call.foreign else self._send(call, sent)
        except exceptions.Timeout as error:
            raise InferenceGatewayTimeoutError(f"Request failed: timed out: {error}") from error
        except _LOST as error:
            raise InferenceGatewayConnectionError(f"Request failed: {_reason(error)}") from error
        return RequestsReply(response)

    def _send(self, call: Call, headers: Mapping[str, str | None]) -> requests.Response:
        return self.session.request(
            call.method,
            call.url,
            headers=headers,
            data=call.content,
            timeout=(call.timeout.connect, call.timeout.longest_wait),
            stream=True,
            allow_redirects=call.follows_redirects,
            # Without any, a password from ~/.netrc would take the place of the token.
            auth=None if self.session.auth else _as_it_is,
        )

    def _send_bare(self, call: Call, headers: Mapping[str, str]) -> requests.Response:
        """Send with nothing of the session's but its connections, proxies and trust."""
        request = requests.Request(call.method, call.url, headers=headers, data=call.content).prepare()
        settings = self.session.merge_environment_settings(call.url, {}, True, None, None)
        wait = (call.timeout.connect, call.timeout.longest_wait)
        return self.session.send(request, timeout=wait, allow_redirects=call.follows_redirects, **settings)

    def close(self) -> None:
        """Close the session, if it is not somebody else's."""
        if self._owned:
            self._closed = True
            self.session.close()


class RequestsReply:
    """An answer that is read as it comes; see `Reply`."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def pieces(self) -> Iterator[bytes]:
        """Read the body as it arrives."""
        # Not `iter_content`, which waits until a piece of its size is full.
        raw: urllib3.HTTPResponse = self._response.raw
        try:
            while piece := raw.read1(_PIECE_BYTES, decode_content=True):
                yield piece
        except urllib3.exceptions.ReadTimeoutError as error:
            raise InferenceGatewayTimeoutError("Request failed: timed out in the answer") from error
        except _LOST as error:
            raise InferenceGatewayConnectionError(f"Request failed: the answer broke off: {error}") from error

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on, wait this long for the next piece."""
        if (connection := _socket_below(self._response.raw)) is not None:
            connection.settimeout(seconds)

    def interrupt(self) -> None:
        """Break the connection under a thread that waits for the next piece."""
        break_connection(_socket_below(self._response.raw))

    def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""
        self._response.close()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: Exception) -> object:
    """Find the reason in an error that also quotes the URL, whose query may hold a secret."""
    retried = error.args[0] if error.args else None
    return getattr(retried, "reason", None) or error


def _socket_below(raw: urllib3.HTTPResponse) -> socket.socket | None:
    """Find the socket that an answer comes by. The library sets its timeout once, before the headers."""
    held = getattr(getattr(raw, "connection", None), "sock", None)
    if held is None:
        # Without keep-alive the connection has let go of it, and only the file on it is left.
        file = getattr(getattr(raw, "_fp", None), "fp", None)
        held = getattr(getattr(file, "raw", None), "_sock", None)
    return held if isinstance(held, socket.socket) else None
