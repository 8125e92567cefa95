"""Listen, serve, and end in order."""

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
from collections.abc import Callable
from math import inf
from pathlib import Path

import uvloop

from inference_gateway.server.api.cors import CORS
from inference_gateway.server.api.gateway import Gateway, build
from inference_gateway.server.app import Application
from inference_gateway.server.errors import Overloaded
from inference_gateway.server.settings import ServerSettings, Settings
from inference_gateway.server.transport.pool import Pool, PoolLimits
from inference_gateway.server.transport.server import Connections, Limits, ServerConnection
from inference_gateway.server.transport.tls import client_context

logger = logging.getLogger("inference_gateway.serve")

_BACKLOG = 4096
_LAST_WORDS = 1.0
"""Seconds that the last bytes of interrupted answers have to leave."""


class CannotServe(Exception):
    """Start-up failed for a reason that the operator can mend; the message says which."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Server:
    """One gateway on one port.

    :raises CannotServe: the certificates to trust cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway: Gateway = build(settings, open_pool(settings))
        cors = CORS(settings.server.cors_origins) if settings.server.cors_origins else None
        application = Application(self._gateway, cors)
        self._connections = Connections(application, application.reject, _limits(settings.server))
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def providers(self) -> tuple[str, ...]:
        """Ids of the providers that can be asked."""
        return tuple(self._gateway.registry.configured)

    async def start(self) -> None:
        """Listen.

        :raises CannotServe: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        host, port = self._settings.server.host, self._settings.server.port
        try:
            self._listener = await loop.create_server(
                lambda: ServerConnection(self._connections, loop), host, port, backlog=_BACKLOG
            )
        except OSError as error:
            raise CannotServe(f"cannot listen on {host} port {port}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Take no more requests, let those under way end until the deadline, then end them with an error."""
        self._gateway.ready = False
        self._connections.draining = True
        if self._listener is not None:
            self._listener.close()
        try:
            await self._drain()
        finally:
            for connection in list(self._connections.open):
                connection.abort()
            await self._gateway.close()

    async def _drain(self) -> None:
        for connection in list(self._connections.open):
            connection.drain()
        if not await self._all_closed(self._settings.server.drain_timeout):
            error = Overloaded("the gateway is shutting down", retry_after=1)
            logger.warning("%d connections are still busy: ending them", len(self._connections.open))
            for connection in list(self._connections.open):
                connection.end(error)
            await self._all_closed(_LAST_WORDS)

    async def _all_closed(self, seconds: float) -> bool:
        if not self._connections.open:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._connections.none_open.wait()
        return not self._connections.open


def run(settings: Settings, started: Callable[[Server], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends it at once.

    :param started: called once the port is open.
    :raises CannotServe: it could not begin.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, started))


async def _serve(settings: Settings, started: Callable[[Server], None]) -> None:
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set() and this is not None:
            this.cancel()  # asked twice: no more patience
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    server = Server(settings)
    await server.start()
    started(server)
    # What lives as long as the process need not be looked at by every collection.
    gc.collect()
    gc.freeze()
    await stopping.wait()
    logger.info("shutting down")
    with contextlib.suppress(asyncio.CancelledError):
        await server.stop()


def open_pool(settings: Settings) -> Pool:
    """Pool of connections to providers. Opens none.

    :raises CannotServe: the certificates to trust cannot be read.
    """
    client = settings.client
    try:
        tls = client_context(
            ca_file=Path(client.ca_file) if client.ca_file else None, minimum=client.tls_min_version
        )
    except (OSError, ssl.SSLError) as error:
        problem = f"SSL_CERT_FILE: {client.ca_file} cannot be read as PEM certificates: {error}"
        raise CannotServe(problem, exit_code=2) from error
    limits = PoolLimits(
        connect_timeout=client.connect_timeout or inf,
        tls_handshake_timeout=client.tls_handshake_timeout or inf,
        idle_timeout=client.idle_conn_timeout or inf,
        max_idle=client.max_idle_conns,
        max_idle_per_origin=client.max_idle_conns_per_host,
        max_per_origin=client.max_conns_per_host,
    )
    return Pool(limits, tls)


def _limits(server: ServerSettings) -> Limits:
    return Limits(
        max_header_size=server.max_header_size,
        max_url_size=server.max_url_size,
        max_body_size=server.max_request_body_size,
        max_connections=server.max_connections,
        read_timeout=server.read_timeout or inf,
        write_timeout=server.write_timeout or inf,
        idle_timeout=server.idle_timeout or inf,
    )
