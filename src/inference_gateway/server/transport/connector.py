"""How a connection to an origin is opened: name, addresses, TCP, proxy, TLS. Keeps none.

Through a proxy, an https origin is reached by a tunnel (CONNECT) with TLS inside. Requests for an http
origin are forwarded, written in absolute form: common proxies refuse tunnels to ports other than 443.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import cast

from inference_gateway.server.errors import UpstreamError, UpstreamTimeout, UpstreamUnreachable
from inference_gateway.server.transport import happy_eyeballs
from inference_gateway.server.transport.happy_eyeballs import Resolve
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxies, Proxy, status_of
from inference_gateway.server.transport.upstream import UpstreamConnection

_LONGEST_ANSWER = 32 * 1024
"""Bytes of the head of a proxy's answer."""
_NOT_OURS = 86_400.0
"""Seconds that the loop may take for a handshake: our own timer is the one that counts."""


def within(seconds: float, expires_at: float) -> asyncio.Timeout:
    """Bound a block by a duration and by a time of the loop's clock; `inf` is no bound."""
    deadline = min(asyncio.get_running_loop().time() + seconds, expires_at)
    return asyncio.timeout_at(None if deadline == inf else deadline)


class Connector:
    """Opens connections, the same way each time.

    :param contexts: TLS contexts by the identity of an origin; "" is the common one, for proxies too.
    """

    def __init__(
        self,
        contexts: Mapping[str, ssl.SSLContext],
        *,
        proxies: Proxies | None = None,
        resolve: Resolve = happy_eyeballs.resolve,
    ) -> None:
        self._contexts = contexts
        self._proxies = proxies or Proxies()
        self._resolve = resolve

    def forwarder(self, origin: Origin) -> Proxy | None:
        """Return the proxy that requests for this origin must be written to, None where there is none."""
        return None if origin.tls else self._proxies.proxy_for(origin)

    async def open(
        self,
        connection: UpstreamConnection,
        *,
        connect_timeout: float,
        tls_handshake_timeout: float,
        expires_at: float,
    ) -> None:
        """Connect a connection to its origin. Times are seconds; `inf` is no bound.

        :param connect_timeout: for name, TCP and proxy together.
        :param tls_handshake_timeout: for the TLS handshake with the origin.
        :param expires_at: time of the loop's clock at which it is given up.
        :raises UpstreamError: it cannot be connected.
        :raises UpstreamTimeout: not in time.
        """
        origin = connection.origin
        proxy = self._proxies.proxy_for(origin)
        hop = whole_way = origin.authority
        if proxy is not None:
            hop = f"the proxy {proxy.address}"
            whole_way = f"{origin.authority} through {hop}"
        with _explained(hop, whole_way):
            async with within(connect_timeout, expires_at):
                transport = await self._reach(connection, proxy)
        if origin.tls:
            with _explained(whole_way, whole_way):
                async with within(tls_handshake_timeout, expires_at):
                    connection.secure(await self._start_tls(transport, connection, origin))

    async def _reach(self, connection: UpstreamConnection, proxy: Proxy | None) -> asyncio.Transport:
        """Get a transport whose bytes go to the origin, or to the proxy that forwards requests."""
        if proxy is None:
            return await self._dial(connection.origin, connection)
        if connection.origin.tls:
            return await self._tunnel(connection, proxy)
        transport = await self._dial(proxy.origin, connection)
        if proxy.origin.tls:
            transport = await self._start_tls(transport, connection, proxy.origin)
            connection.secure(transport)
        return transport

    async def _dial(self, origin: Origin, protocol: asyncio.Protocol) -> asyncio.Transport:
        addresses = await self._resolve(origin.host, origin.port)
        connected = await happy_eyeballs.connect(happy_eyeballs.interleaved(addresses))
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: protocol, sock=connected)
        except BaseException:
            connected.close()
            raise
        return transport

    async def _tunnel(self, connection: UpstreamConnection, proxy: Proxy) -> asyncio.Transport:
        """Have the proxy connect to the origin; the connection takes over once it has."""
        tunnel = _Tunnel()
        raw = await self._dial(proxy.origin, tunnel)
        try:
            way = await self._start_tls(raw, tunnel, proxy.origin) if proxy.origin.tls else raw
            way.write(proxy.connect_request(connection.origin))
            _check_tunnel(await tunnel.answer, proxy, connection.origin)
        except BaseException:
            raw.abort()
            raise
        connection.connection_made(raw)
        return way

    async def _start_tls(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, origin: Origin
    ) -> asyncio.Transport:
        if transport.is_closing():  # uvloop would wait for a handshake that cannot come
            raise ConnectionResetError
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                protocol,
                self._contexts[origin.identity],
                server_hostname=origin.host,
                ssl_handshake_timeout=_NOT_OURS,
            )
        except BaseException:
            transport.abort()
            raise
        return cast("asyncio.Transport", secured)  # a transport of uvloop's own kind


class _Tunnel(asyncio.Protocol):
    """Our end of a connection to a proxy, until it has answered."""

    def __init__(self) -> None:
        self._received = bytearray()
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        """What the proxy sent, up to the end of a head where there is one."""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received or len(self._received) > _LONGEST_ANSWER:
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell()

    def _tell(self) -> None:
        if not self.answer.done():
            self.answer.set_result(bytes(self._received))


def _check_tunnel(answer: bytes, proxy: Proxy, origin: Origin) -> None:
    """Hold what a proxy answered to what a tunnel begins with.

    :raises UpstreamError: it refuses, or does not speak HTTP/1.
    :raises UpstreamTimeout: it says that the origin does not answer.
    """
    _, end, rest = answer.partition(b"\r\n\r\n")
    status = status_of(answer) if end else None
    if not answer:
        raise UpstreamError(f"the proxy {proxy.address} closed the connection without an answer")
    # In TLS the client speaks first: bytes behind the head are not the origin's.
    if status is None or (status < 300 and rest):
        raise UpstreamError(f"the proxy {proxy.address} does not answer as an HTTP proxy does")
    if status == 407:
        raise refused_credentials(proxy)
    if status >= 300:
        said = f"the proxy {proxy.address} does not connect to {origin.authority} (status {status})"
        raise UpstreamTimeout(said) if status == 504 else UpstreamError(said)


def refused_credentials(proxy: Proxy) -> UpstreamError:
    """Error for a proxy's 407, which is about us and none of the client's business."""
    wants = "does not accept its user and password" if proxy.credentials else "wants a user and a password"
    return UpstreamError(f"the proxy {proxy.address} {wants} (status 407)")


@contextmanager
def _explained(hop: str, whole_way: str) -> Iterator[None]:
    """Turn what the system says into errors for the caller."""
    try:
        yield
    except TimeoutError:
        raise UpstreamTimeout(f"cannot connect to {whole_way} in time") from None
    except OSError as error:
        raise UpstreamUnreachable(f"cannot connect to {hop}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    """What went wrong, in the system's words and without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason}"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if error.errno is not None:
        return os.strerror(error.errno).lower()
    if isinstance(error, ConnectionError):  # without a number it is the loop's own
        return "the connection was closed during the TLS handshake"
    return "none of its addresses can be reached"
