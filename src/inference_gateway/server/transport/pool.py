"""Kept-alive connections to providers: caps, reuse, and asking again on a stale one."""

import asyncio
from collections import deque

import msgspec

from inference_gateway.server.errors import Overloaded
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.connector import Connector, refused_credentials, within
from inference_gateway.server.transport.limits import PoolLimits
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxy
from inference_gateway.server.transport.upstream import Answer, ConnectionWentStale, UpstreamConnection


class _Shelf:
    """The connections of one origin."""

    __slots__ = ("forwarder", "idle", "open", "waiting")

    def __init__(self, forwarder: Proxy | None) -> None:
        self.forwarder = forwarder
        """The proxy at the other end, where it forwards requests."""
        self.idle: list[UpstreamConnection] = []
        self.open = 0
        self.waiting: deque[asyncio.Event] = deque()
        """Calls that stand in line. Each leaves by itself, so that none loses its place to a newcomer."""

    def wake_first(self) -> None:
        if self.waiting:
            self.waiting[0].set()


class Pool:
    """Sends calls, over an idle connection where there is one."""

    def __init__(self, limits: PoolLimits, connector: Connector) -> None:
        self._limits = limits
        self._connector = connector
        self._shelves: dict[Origin, _Shelf] = {}
        self._connections: set[UpstreamConnection] = set()
        self._idle = 0
        self._closed = False
        self.resent = 0
        """Calls that were sent again, ever."""

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def idle(self) -> int:
        """How many of them wait for a call."""
        return self._idle

    async def send(self, call: Call) -> Answer:
        """Send a call and wait for the head of its answer.

        A call whose connection turns out stale is sent again, on a new connection at the latest: not a
        byte of an answer had come. A body that cannot be sent twice goes over a new connection at once.

        :raises UpstreamError: no answer.
        :raises UpstreamTimeout: no answer in time.
        :raises Overloaded: no connection became free in time.
        """
        shelf = self._shelves.get(call.origin) or self._new_shelf(call.origin)
        proxy = shelf.forwarder
        if proxy is not None:
            call = msgspec.structs.replace(call, head=proxy.forwarded_head(call.head, call.origin))
        replayable = call.repeatable and (call.body is None or isinstance(call.body, bytes))
        while True:
            # Most often there is an idle connection, and nobody who came first.
            connection = self._take_idle(shelf) if replayable and not shelf.waiting else None
            if connection is None:
                connection = await self._acquire(call, shelf, reuse=replayable)
            answer = connection.send(call)
            try:
                await answer.head()
            except ConnectionWentStale:
                self.resent += 1
                continue
            except asyncio.CancelledError:
                answer.close()
                raise
            if proxy is not None and answer.status == 407:
                answer.close()
                raise refused_credentials(proxy)
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

    def _new_shelf(self, origin: Origin) -> _Shelf:
        shelf = self._shelves[origin] = _Shelf(self._connector.forwarder(origin))
        return shelf

    async def _acquire(self, call: Call, shelf: _Shelf, *, reuse: bool) -> UpstreamConnection:
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
            async with within(self._connect_timeout(call), call.expires_at):
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
        connection = UpstreamConnection(call.origin, self, asyncio.get_running_loop())
        shelf.open += 1
        self._connections.add(connection)
        try:
            await self._connector.open(
                connection,
                connect_timeout=self._connect_timeout(call),
                tls_handshake_timeout=self._limits.tls_handshake_timeout,
                expires_at=call.expires_at,
            )
        except BaseException:
            self.discard(connection)
            raise
        return connection

    def _connect_timeout(self, call: Call) -> float:
        return self._limits.connect_timeout if call.connect_timeout is None else call.connect_timeout
