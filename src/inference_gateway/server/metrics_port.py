"""The port that metrics are scraped from: the gateway's own HTTP server around one page.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import asyncio
from collections.abc import Callable
from math import inf

import msgspec

from inference_gateway.server.api.answers import error_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import GatewayError, MethodNotAllowed, NotFound
from inference_gateway.server.listening import BACKLOG, Listeners, open_listeners
from inference_gateway.server.logs import Outlet
from inference_gateway.server.settings import Settings
from inference_gateway.server.telemetry.exposition import CONTENT_TYPE, Page
from inference_gateway.server.telemetry.instruments import (
    BYTES_IN_FLIGHT,
    CLIENT_CONNECTIONS,
    LOG_DROPPED,
    POOL_CONNECTIONS,
    RESENT,
    SERIES_LOST,
    SERVER_RECONNECTS,
    SERVER_UP,
    SPANS_LOST,
    Number,
)
from inference_gateway.server.telemetry.totals import Region, Totals
from inference_gateway.server.toolbox import ToolServer
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response
from inference_gateway.server.transport.server import ServerConnection

_SAMPLE_EVERY = 1.0
"""Seconds between two looks at what is open, for a scrape that another process answers."""
_TURN = 200
"""Series that are read before others have their turn."""
_LIMITS = Limits(max_body_size=0, max_connections=100, read_timeout=10.0, idle_timeout=inf)


class Metering(msgspec.Struct):
    """What all processes of a gateway share to count together. Made before they are forked."""

    totals: Totals
    listeners: Listeners
    """Where metrics are scraped from; none where telemetry is off, and only the status page tells."""

    @property
    def port(self) -> int | None:
        """The port that it is, None without."""
        if not self.listeners:
            return None
        port: int = self.listeners[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Give both up."""
        for listener in self.listeners:
            listener.close()
        self.totals.close()


def metering(settings: Settings) -> Metering | None:
    """Open the port that metrics are scraped from; None where telemetry and the status page are off.

    :raises CannotServe: the address cannot be listened on.
    """
    telemetry = settings.telemetry
    if not telemetry.enabled:
        return Metering(Totals(), ()) if settings.ui.enabled else None
    [listeners] = open_listeners(telemetry.metrics_host, telemetry.metrics_port)
    return Metering(Totals(), listeners)


class Gauges:
    """What this process has open, looked at rather than counted."""

    def __init__(
        self, region: Region, connections: Connections, gateway: Gateway, outlet: Outlet | None
    ) -> None:
        self._spans = Number(region, SPANS_LOST)
        self._spans_before = 0
        self._gateway = gateway
        self._connections = connections
        self._pool = gateway.pool
        self._region = region
        self._reconnects: dict[tuple[str, str], int] = {}
        self._clients = Number(region, CLIENT_CONNECTIONS)
        self._in_flight = Number(region, BYTES_IN_FLIGHT)
        self._busy = Number(region, POOL_CONNECTIONS, state="busy")
        self._idle = Number(region, POOL_CONNECTIONS, state="idle")
        self._resent = Number(region, RESENT)
        self._resent_before = 0
        self._outlet = outlet
        self._dropped = Number(region, LOG_DROPPED)
        self._lost = Number(region, SERIES_LOST)
        self._dropped_before = 0

    def sample(self) -> None:
        """Write down how things are."""
        connections = self._connections.open
        self._clients.set(len(connections))
        self._in_flight.set(sum(connection.unsent() for connection in connections))
        self._busy.set(self._pool.open - self._pool.idle)
        self._idle.set(self._pool.idle)
        self._resent.add(self._pool.resent - self._resent_before)
        self._resent_before = self._pool.resent
        self._lost.set(self._region.lost)
        lost = self._gateway.lost_spans()
        self._spans.add(lost - self._spans_before)
        self._spans_before = lost
        if self._outlet is not None:
            self._dropped.add(self._outlet.dropped - self._dropped_before)
            self._dropped_before = self._outlet.dropped
        for server in self._gateway.tool_servers():
            self._tell(server)

    def _tell(self, server: ToolServer) -> None:
        Number(self._region, SERVER_UP, kind=server.kind, server=server.name).set(server.is_up)
        before = self._reconnects.get((server.kind, server.name), 0)
        self._reconnects[server.kind, server.name] = server.reconnects
        reconnects = Number(self._region, SERVER_RECONNECTS, kind=server.kind, server=server.name)
        reconnects.add(server.reconnects - before)


class MetricsPort:
    """Answers `GET /metrics`, from whichever process takes the connection, for all of them."""

    def __init__(self, metering: Metering, sample: Callable[[], None]) -> None:
        self._metering = metering
        self._sample = sample
        self._connections = Connections(self._answer, error_response, _LIMITS)
        self._accepting: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        for listener in self._metering.listeners:
            accepting = await loop.create_server(
                lambda: ServerConnection(self._connections, loop), sock=listener, backlog=BACKLOG
            )
            self._accepting.append(accepting)
        self._look()

    def stop(self) -> None:
        """Close."""
        if self._timer is not None:
            self._timer.cancel()
        for accepting in self._accepting:
            accepting.close()
        for connection in list(self._connections.open):
            connection.abort()

    def _look(self) -> None:
        self._sample()
        self._timer = asyncio.get_running_loop().call_later(_SAMPLE_EVERY, self._look)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._page(request)
        except GatewayError as error:
            return error_response(error)

    async def _page(self, request: Request) -> Response:
        if request.path != b"/metrics":
            raise NotFound("there is nothing at this path: metrics are at /metrics")
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("this path takes GET, HEAD", allow=("GET", "HEAD"))
        self._sample()
        page = Page()
        for number, (key, numbers, lives) in enumerate(self._metering.totals.read(), 1):
            page.add(key, numbers, lives=lives)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return Response(200, [(b"content-type", CONTENT_TYPE)], IterableSource(page.pieces()))
