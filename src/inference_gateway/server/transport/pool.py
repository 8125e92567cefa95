"""Kept-alive connections to providers: caps, reuse, and asking again on a stale one."""

import asyncio
import os
import socket
import ssl
from collections import deque
from math import inf
from typing import cast

import msgspec

from inference_gateway.server.errors import Overloaded, UpstreamError, UpstreamTimeout
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.upstream import Answer, Call, ConnectionWentStale, UpstreamConnection


class PoolLimits(msgspec.Struct, frozen=True):
    """Caps and patience. Times in seconds; `inf` is no bound."""

    connect_timeout: float = 10.0
    tls_handshake_timeout: float = 10.0
    idle_timeout: float = 30.0
    max_idle: int = 1024
    max_idle_per_origin: int = 256
    max_per_origin: int = 0
    """0 is no cap."""


class _Shelf:
    """The connections of one origin."""

    __slots__ = ("idle", "open", "waiting")

    def __init__(self) -> None:
        self.idle: list[UpstreamConnection] = []
        self.open = 0
        self.waiting: deque[asyncio.Event] = deque()
        """Calls that stand in line. Each leaves by itself, so that none loses its place to a newcomer."""

    def wake_first(self) -> None:
        if self.waiting:
            self.waiting[0].set()


class Pool:
    """Sends calls, over an idle connection where there is one."""

    def __init__(self, limits: PoolLimits, tls: ssl.SSLContext) -> None:
        self._limits = limits
        self._tls = tls
        self._shelves: dict[Origin, _Shelf] = {}
        self._connections: set[UpstreamConnection] = set()
        self._idle = 0
        self._closed = False

    async def send(self, call: Call) -> Answer:
        """Send a call and wait for the head of its answer.

        A call whose connection turns out stale is sent again, on a new connection at the latest: not a
        byte of an answer had come. A body that cannot be sent twice goes over a new connection at once.

        :raises UpstreamError: no answer.
        :raises UpstreamTimeout: no answer in time.
        :raises Overloaded: no connection became free in time.
        """
        replayable = call.body is None or isinstance(call.body, bytes)
        while True:
            connection = await self._acquire(call, reuse=replayable)
            answer = connection.send(call)
            try:
                await answer.head()
            except ConnectionWentStale:
                continue
            except asyncio.CancelledError:
                answer.close()
                raise
            return answer

    def release(self, connection: UpstreamConnection) -> None:
        """Take back a connection that can serve another call."""
        shelf = self._shelves[connection.origin]
        full = len(shelf.idle) >= self._limits.max_idle_per_origin or self._idle >= self._limits.max_idle
        if self._closed or full:
            connection.transport.close()
            return
        shelf.idle.append(connection)
        self._idle += 1
        connection.rest(self._limits.idle_timeout)
        shelf.wake_first()

    def discard(self, connection: UpstreamConnection) -> None:
        """Forget a connection that was lost."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        shelf = self._shelves[connection.origin]
        shelf.open -= 1
        if connection in shelf.idle:
            shelf.idle.remove(connection)
            self._idle -= 1
        shelf.wake_first()

    def close(self) -> None:
        """Close every connection, in use or not."""
        self._closed = True
        for connection in list(self._connections):
            if not connection.closed:
                connection.transport.abort()

    async def _acquire(self, call: Call, *, reuse: bool) -> UpstreamConnection:
        shelf = self._shelves.get(call.origin)
        if shelf is None:
            shelf = self._shelves[call.origin] = _Shelf()
        if shelf.waiting or not self._has_room(shelf, reuse=reuse):
            await self._wait_for_turn(call, shelf, reuse=reuse)
        idle = self._take_idle(shelf) if reuse else None
        return await self._connect(call, shelf) if idle is None else idle

    def _has_room(self, shelf: _Shelf, *, reuse: bool) -> bool:
        cap = self._limits.max_per_origin
        if not cap or shelf.open < cap:
            return True
        if reuse:
            return any(not connection.closed for connection in shelf.idle)
        if shelf.idle:
            # Make room: at the cap, an idle connection gives way to a new one.
            shelf.idle[0].transport.abort()
        return False

    def _take_idle(self, shelf: _Shelf) -> UpstreamConnection | None:
        while shelf.idle:
            # The newest is the least likely to have gone stale.
            connection = shelf.idle.pop()
            self._idle -= 1
            if not connection.closed:
                return connection
        return None

    async def _wait_for_turn(self, call: Call, shelf: _Shelf, *, reuse: bool) -> None:
        """Stand in line until this call is the first and there is room for it."""
        turn = asyncio.Event()
        shelf.waiting.append(turn)
        try:
            async with self._patience(call, self._limits.connect_timeout):
                while shelf.waiting[0] is not turn or not self._has_room(shelf, reuse=reuse):
                    turn.clear()
                    await turn.wait()
        except TimeoutError:
            raise Overloaded(
                "every connection to this provider is in use; try again soon", retry_after=1
            ) from None
        finally:
            shelf.waiting.remove(turn)
            shelf.wake_first()  # there may be room for the next one too

    async def _connect(self, call: Call, shelf: _Shelf) -> UpstreamConnection:
        origin = call.origin
        connection = UpstreamConnection(origin, self, asyncio.get_running_loop())
        shelf.open += 1
        self._connections.add(connection)
        try:
            await self._open(connection, call)
        except BaseException as error:
            self.discard(connection)
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout(f"cannot connect to {origin.authority} in time") from None
            if isinstance(error, OSError):
                raise UpstreamError(f"cannot connect to {origin.authority}: {_reason(error)}") from error
            raise
        return connection

    async def _open(self, connection: UpstreamConnection, call: Call) -> None:
        loop, origin = asyncio.get_running_loop(), connection.origin
        async with self._patience(call, self._limits.connect_timeout):
            await loop.create_connection(lambda: connection, origin.host, origin.port)
        if not origin.tls:
            return
        raw = connection.transport
        try:
            async with self._patience(call, self._limits.tls_handshake_timeout):
                secured = await loop.start_tls(raw, connection, self._tls, server_hostname=origin.host)
        except BaseException:
            raw.abort()
            raise
        connection.secure(cast("asyncio.Transport", secured))  # a transport of uvloop's own kind

    def _patience(self, call: Call, limit: float) -> asyncio.Timeout:
        deadline = min(asyncio.get_running_loop().time() + limit, call.expires_at)
        return asyncio.timeout_at(None if deadline == inf else deadline)


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
