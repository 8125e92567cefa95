"""Listen, serve, and end in order."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import msgspec
import uvloop

from inference_gateway.server import logs
from inference_gateway.server.access_log import access_log
from inference_gateway.server.allocator import keep_freed_memory
from inference_gateway.server.api.agents import public_url
from inference_gateway.server.api.cors import CORS
from inference_gateway.server.api.gateway import Gateway, build
from inference_gateway.server.api.routes import ALWAYS_ANSWERED
from inference_gateway.server.api.tracing import UnusableFile
from inference_gateway.server.app import Application
from inference_gateway.server.errors import ShuttingDown
from inference_gateway.server.extras import MissingExtra
from inference_gateway.server.keys.file import UnusableKeys
from inference_gateway.server.listening import BACKLOG, CannotServe, Listeners, open_listeners
from inference_gateway.server.metrics_port import Gauges, Metering, MetricsPort, metering
from inference_gateway.server.settings import ClientSettings, ProviderSettings, ServerSettings, Settings
from inference_gateway.server.telemetry.totals import Totals
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.inbound_tls import (
    Certificates,
    TLSConnection,
    TLSFiles,
    UnusableAuthorities,
    UnusableCertificate,
)
from inference_gateway.server.transport.limits import Limits, PoolLimits
from inference_gateway.server.transport.load import Load
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.proxies import Proxies
from inference_gateway.server.transport.server import ServerConnection
from inference_gateway.server.transport.tls import ClientCertificate, client_context, identify, trust
from inference_gateway.server.watching import Watching

logger = logging.getLogger("inference_gateway.serve")

_LAST_WORDS = 1.0
"""Seconds that the last bytes of interrupted answers have to leave."""
_RENEWAL_CHECK = 30.0
"""Seconds between two looks at whether the TLS files were renewed."""


class Server:
    """One gateway on one port.

    :param listeners: what it listens on; without any, it opens what the settings say.
    :param outlet: what writes the log of this process without being waited for, if anything does.
    :param shared: what it shares with other processes to count together; None where it is alone.
    :raises CannotServe: certificates or API keys cannot be used, a package is missing, or metrics cannot be
        offered.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners = (),
        shared: Metering | None = None,
        outlet: logs.Outlet | None = None,
    ) -> None:
        self._settings = settings
        self._metering = shared or metering(settings)
        self._is_alone = shared is None
        totals = self._metering.totals if self._metering is not None else None
        self._gateway: Gateway = open_gateway(settings, totals)
        cors = CORS(settings.server.cors_origins) if settings.server.cors_origins else None
        application = Application(self._gateway, cors, access_log(settings))
        self._connections = Connections(
            application,
            application.reject,
            _limits(settings.server),
            load=open_load(settings.server),
            ended=application.ended,
        )
        self._certificates = certificates(settings.server)
        self._renewal: asyncio.TimerHandle | None = None
        self._listeners = listeners
        self._accepting: list[asyncio.Server] = []
        self._metrics: MetricsPort | None = None
        self._watching: Watching | None = None
        recorder, board = self._gateway.recorder, self._gateway.board
        if self._metering is not None and recorder is not None and board is not None:
            gauges = Gauges(recorder.region, self._connections, self._gateway, outlet)
            if self._metering.listeners:
                self._metrics = MetricsPort(self._metering, gauges.sample)
            self._watching = Watching(self._gateway, self._metering.totals.watch, board, gauges.sample)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listeners[0].getsockname()[1]
        return port

    @property
    def metrics_port(self) -> int | None:
        """The port that its metrics are scraped from, None where they are not."""
        return self._metering.port if self._metering is not None else None

    async def start(self) -> None:
        """Listen.

        :raises CannotServe: the address cannot be listened on.
        """
        server = self._settings.server
        if not self._listeners:
            [self._listeners] = open_listeners(server.host, server.port)
        for listener in self._listeners:
            self._accepting.append(await self._accept(listener))
        host = self._gateway.agent_host
        if host is not None and self._listeners[0].family != socket.AF_UNIX:
            host.public_url = public_url(server, self.port)
        self._gateway.start()
        if self._metrics is not None:
            await self._metrics.start()
        if self._watching is not None:
            self._watching.start()
        self._watch_certificates()

    def reload(self) -> None:
        """Read the TLS files anew, for connections to come, and the file of API keys."""
        has_keys = self._gateway.guard is not None and self._gateway.guard.reload()
        if self._certificates is not None:
            self._certificates.reload()
        elif not has_keys:
            logger.warning("nothing to reload: of one process, only the TLS files and API keys are read anew")

    async def retire(self) -> None:
        """Take no more connections, and wait until those there are have closed, however long that is."""
        await self._turn_away()
        for connection in list(self._connections.open):
            connection.drain_gently()
        if self._connections.open:
            await self._connections.none_open.wait()

    async def stop(self) -> None:
        """Take no more requests, let those under way end until the deadline, then end them with an error."""
        self._gateway.ready = False
        await self._turn_away()
        try:
            await self._drain()
        finally:
            for connection in list(self._connections.open):
                connection.abort()
            if self._metrics is not None:
                self._metrics.stop()
            if self._watching is not None:
                self._watching.stop()
            await self._gateway.close()
            if self._metering is not None and self._is_alone:
                self._metering.close()

    async def _accept(self, listener: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            return await loop.create_unix_server(self._connect, sock=listener)
        return await loop.create_server(self._connect, sock=listener, backlog=BACKLOG)

    def _connect(self) -> asyncio.Protocol:
        loop = asyncio.get_running_loop()
        if self._certificates is None:
            return ServerConnection(self._connections, loop)
        return TLSConnection(
            self._connections,
            lambda: ServerConnection(self._connections, loop),
            loop,
            context=self._certificates.context,
            patience=self._settings.server.tls_handshake_timeout,
        )

    def _watch_certificates(self) -> None:
        if self._certificates is not None:
            self._certificates.refresh()
            self._renewal = asyncio.get_running_loop().call_later(_RENEWAL_CHECK, self._watch_certificates)

    async def _turn_away(self) -> None:
        self._connections.draining = True
        if self._renewal is not None:
            self._renewal.cancel()
        for accepting in self._accepting:
            accepting.close()
        # What was accepted last is counted when the loop comes round to it: it is not to be lost.
        await asyncio.sleep(0)

    async def _drain(self) -> None:
        for connection in list(self._connections.open):
            connection.drain()
        if not await self._all_closed(self._settings.server.drain_timeout):
            error = ShuttingDown("the gateway is shutting down", retry_after=1)
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


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that serves tells others, and whom it depends on."""

    started: Callable[[], None]
    """Called once the port is open."""
    stopping: Callable[[], None]
    """Called when the end begins."""
    metering: Metering | None = None
    """What the process shares with others to count together, where metrics are on."""
    supervisor: int | None = None
    """File descriptor that ends with the process that supervises this one, if one does."""


def run(settings: Settings, listeners: Listeners, surroundings: Surroundings) -> None:
    """Serve until told to stop.

    SIGTERM lets requests under way end until the deadline, a second one ends them at once. Alone, SIGINT
    does the same, and SIGHUP reads the TLS files and API keys anew. Under a supervisor, those two are the
    supervisor's, and SIGQUIT lets requests take as long as they need.

    :raises CannotServe: it could not begin.
    """
    if os.getpid() == 1 and surroundings.supervisor is None:
        # Whoever loses its parent in a container becomes a child of process 1: leave no zombies.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    keep_freed_memory()
    with logs.unblocked() as outlet, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listeners, surroundings, outlet))


class _Orders:
    """What signals, and the end of the supervisor, ask of this process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.given = asyncio.Event()
        self.terminated = False
        self._loop = loop
        self._task = asyncio.current_task()
        self._patience = asyncio.timeout(None)
        self._is_retiring = False

    def heed(self, server: "Server", supervisor: int | None) -> None:
        """Listen to them."""
        self._loop.add_signal_handler(signal.SIGTERM, self._terminate)
        if supervisor is None:
            self._loop.add_signal_handler(signal.SIGINT, self._terminate)
            self._loop.add_signal_handler(signal.SIGHUP, server.reload)
        else:
            self._loop.add_signal_handler(signal.SIGQUIT, self.given.set)
            self._loop.add_reader(supervisor, self._lose, supervisor)

    async def retire(self, server: "Server") -> None:
        """Serve what is under way to its end, or until told to terminate."""
        self._is_retiring = True
        with contextlib.suppress(TimeoutError):
            async with self._patience:
                await server.retire()
        self._is_retiring = False

    def _terminate(self) -> None:
        if self.terminated and self._task is not None:
            self._task.cancel()  # asked twice: no more patience
        self.terminated = True
        self.given.set()
        if self._is_retiring:
            self._patience.reschedule(self._loop.time())

    def _lose(self, supervisor: int) -> None:
        self._loop.remove_reader(supervisor)
        logger.error("the supervisor is gone")
        self._terminate()


async def _serve(
    settings: Settings, listeners: Listeners, surroundings: Surroundings, outlet: logs.Outlet | None
) -> None:
    orders = _Orders(asyncio.get_running_loop())
    server = Server(settings, listeners, surroundings.metering, outlet)
    orders.heed(server, surroundings.supervisor)
    await server.start()
    surroundings.started()
    # What lives as long as the process need not be looked at by every collection.
    gc.collect()
    gc.freeze()
    await orders.given.wait()
    with contextlib.suppress(asyncio.CancelledError):
        if not orders.terminated:
            await orders.retire(server)
        logger.info("shutting down")
        surroundings.stopping()
        await server.stop()


def certificates(server: ServerSettings) -> Certificates | None:
    """Read the certificate to show to clients; None where they are to speak plain HTTP.

    :raises CannotServe: the TLS files cannot be used.
    """
    if server.tls_cert_path is None or server.tls_key_path is None:
        return None
    authorities = server.tls_client_ca_path
    files = TLSFiles(
        certificate=Path(server.tls_cert_path),
        key=Path(server.tls_key_path),
        client_authorities=Path(authorities) if authorities else None,
        minimum=server.tls_min_version,
    )
    try:
        return Certificates(files)
    except UnusableCertificate as error:
        raise CannotServe(f"SERVER_TLS_CERT_PATH, SERVER_TLS_KEY_PATH: {error}", exit_code=2) from error
    except UnusableAuthorities as error:
        raise CannotServe(f"SERVER_TLS_CLIENT_CA_PATH: {error}", exit_code=2) from error


def open_gateway(settings: Settings, totals: Totals | None = None) -> Gateway:
    """Put a gateway together. Opens no connection.

    :param totals: where it is to count what happens, if it is.
    :raises CannotServe: certificates or API keys cannot be used, or a package is missing.
    """
    try:
        return build(settings, open_pool(settings), totals)
    except UnusableKeys as error:
        raise CannotServe(f"AUTH_API_KEYS_FILE: {error}", exit_code=2) from error
    except (MissingExtra, UnusableFile) as error:
        raise CannotServe(str(error), exit_code=2) from error


def open_pool(settings: Settings) -> Pool:
    """Pool of connections to providers. Opens none.

    :raises CannotServe: certificates or keys cannot be used.
    """
    client = settings.client
    limits = PoolLimits(
        connect_timeout=client.connect_timeout or inf,
        tls_handshake_timeout=client.tls_handshake_timeout or inf,
        idle_timeout=client.idle_conn_timeout or inf,
        max_idle=client.max_idle_conns,
        max_idle_per_origin=client.max_idle_conns_per_host,
        max_per_origin=client.max_conns_per_host,
    )
    contexts = {"": _common_context(client)}
    for provider in settings.providers.values():
        if provider.has_own_tls:
            contexts[provider.id] = _own_context(client, provider)
    return Pool(limits, Connector(contexts, proxies=_proxies(client)))


def open_load(server: ServerSettings) -> Load:
    """Caps on what this process has under way."""
    return Load(
        max_requests=server.max_concurrent_requests,
        max_bytes=server.max_inflight_bytes,
        exempt=ALWAYS_ANSWERED,
    )


def _common_context(client: ClientSettings) -> ssl.SSLContext:
    with _usable("SSL_CERT_FILE", client.ca_file):
        return client_context(
            ca_file=Path(client.ca_file) if client.ca_file else None, minimum=client.tls_min_version
        )


def _own_context(client: ClientSettings, provider: ProviderSettings) -> ssl.SSLContext:
    context, place = _common_context(client), f"providers.{provider.id}"
    certificate, key = provider.client_cert_path, provider.client_key_path
    if provider.ca_path is not None:
        with _usable(f"{place}.ca_path", provider.ca_path):
            trust(context, Path(provider.ca_path))
    if certificate is not None:
        with _usable(f"{place}.client_cert_path", certificate):
            identify(context, ClientCertificate(Path(certificate), Path(key) if key else None))
    elif key is not None:
        raise CannotServe(f"{place}.client_key_path: there is no client_cert_path beside it", exit_code=2)
    return context


@contextlib.contextmanager
def _usable(setting: str, path: str | None) -> Iterator[None]:
    """Name the setting whose file is not what it should be."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CannotServe(f"{setting}: {path} cannot be used: {error}", exit_code=2) from error


def _proxies(client: ClientSettings) -> Proxies:
    proxies = Proxies.of(client)
    if client.http_proxy or client.https_proxy or client.all_proxy:
        for entry in proxies.unread:
            logger.warning("NO_PROXY: %r is no host, domain, address or network: ignored", entry)
    return proxies


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
