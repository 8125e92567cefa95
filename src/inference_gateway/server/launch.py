"""From settings to processes: one that serves, or a supervisor with workers."""

import contextlib
import logging
import resource
import socket
from collections.abc import Callable, Sequence

import msgspec

from inference_gateway._version import __version__
from inference_gateway.server.configuration import ServiceManager, SettingsError
from inference_gateway.server.listening import (
    CannotServe,
    Listeners,
    address_of,
    open_listeners,
    passed_listeners,
    passed_reach_others,
    reach_others,
)
from inference_gateway.server.metrics_port import Metering, metering
from inference_gateway.server.processors import usable_processors
from inference_gateway.server.providers.registry import registry
from inference_gateway.server.serve import Surroundings, certificates, open_gateway, run
from inference_gateway.server.settings import MOCK_PROVIDER, ServerSettings, Settings
from inference_gateway.server.supervisor import Observer, Plan, Supervisor
from inference_gateway.server.systemd import Reports

logger = logging.getLogger("inference_gateway")

_FILES_BESIDE_CONNECTIONS = 256


def launch(load: Callable[[], Settings], manager: ServiceManager) -> int:
    """Serve until told to stop.

    :param load: reads the settings, now and for each reload.
    :returns: exit code.
    :raises SettingsError: the settings cannot be used.
    :raises CannotServe: it could not begin for another reason.
    """
    settings = load()
    _allow_open_files(settings.server.max_connections)
    workers = settings.server.workers
    count = usable_processors() if workers == "auto" else workers
    reports = Reports(manager.report_to)
    # What cannot be read is told before the port is opened.
    _check(settings, manager)
    with contextlib.ExitStack() as stack:
        listeners = _listeners(settings.server, manager, count)
        for each in listeners:
            for listener in each:
                stack.enter_context(listener)
        counting = metering(settings)
        if counting is not None:
            stack.callback(counting.close)
        if count > 1:
            return _Workers(settings, load, manager, listeners, counting).serve()
        _serve_alone(settings, listeners[0], reports, counting)
    return 0


def _serve_alone(
    settings: Settings, listeners: Listeners, reports: Reports, counting: Metering | None
) -> None:
    def started() -> None:
        _announce(settings, listeners, counting)
        reports.ready()

    run(settings, listeners, Surroundings(started=started, stopping=reports.stopping, metering=counting))


class _Workers:
    """Several processes that serve, from settings that may be read anew."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        manager: ServiceManager,
        listeners: Sequence[Listeners],
        counting: Metering | None,
    ) -> None:
        self._counting = counting
        self._settings = settings
        self._load = load
        self._manager = manager
        self._listeners = listeners
        self._reports = Reports(manager.report_to)
        self._has_served = False

    def serve(self) -> int:
        observer = Observer(
            ready=self._ready, reloading=self._reports.reloading, stopping=self._reports.stopping
        )
        plan = _plan(self._settings, self._counting)
        return Supervisor(self._listeners, plan, self._reload, observer).run()

    def _reload(self) -> Plan:
        try:
            settings = self._load()
        except SettingsError as error:
            raise CannotServe(str(error)) from error
        _check(settings, self._manager)
        old, new = self._settings.server, settings.server
        if (old.host, old.port, old.workers) != (new.host, new.port, new.workers):
            logger.warning("reload: another host, port or number of workers takes a restart")
        shared = {"telemetry": self._settings.telemetry, "ui": self._settings.ui}
        if (settings.telemetry, settings.ui) != (shared["telemetry"], shared["ui"]):
            logger.warning("reload: other settings of telemetry and the status page take a restart")
            settings = msgspec.structs.replace(settings, **shared)
        return _plan(settings, self._counting)

    def _ready(self) -> None:
        if not self._has_served:
            self._has_served = True
            logger.info("%d workers serve", len(self._listeners))
            _announce(self._settings, self._listeners[0], self._counting)
        self._reports.ready()


def _plan(settings: Settings, counting: Metering | None) -> Plan:
    def work(listeners: Listeners, supervisor: int, serves: Callable[[], None]) -> int:
        surroundings = Surroundings(
            started=serves, stopping=_say_nothing, metering=counting, supervisor=supervisor
        )
        try:
            run(settings, listeners, surroundings)
        except CannotServe as error:
            logger.error("%s", error)
            return error.exit_code
        return 0

    return Plan(work, settings.server.drain_timeout)


def _say_nothing() -> None:
    """Leave the reports to the supervisor."""


def _allow_open_files(connections: int) -> None:
    """Ask for the open files that the connections need, a provider's for each client's, as far as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _FILES_BESIDE_CONNECTIONS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check(settings: Settings, manager: ServiceManager) -> None:
    """Find what nothing could, or should, start with.

    :raises CannotServe: certificates or keys cannot be used, or everybody could call.
    """
    _check_exposure(settings, manager)
    certificates(settings.server)
    open_gateway(settings).pool.close()


def _check_exposure(settings: Settings, manager: ServiceManager) -> None:
    server = settings.server
    # Whoever has to show a certificate has said who it is.
    if settings.auth.active or server.allow_unauthenticated or server.tls_client_ca_path:
        return
    if manager.sockets:
        where, is_exposed = "the socket passed on", passed_reach_others(manager.sockets)
    else:
        where, is_exposed = f"SERVER_HOST {server.host}", reach_others(server.host, server.port)
    if is_exposed:
        raise CannotServe(
            f"{where} can be reached from other machines, and nobody would have to say who they are: "
            "switch authentication on by AUTH_OIDC_ISSUER, AUTH_API_KEYS or AUTH_API_KEYS_FILE, "
            "or let everybody in by SERVER_ALLOW_UNAUTHENTICATED=true",
            exit_code=2,
        )


def _listeners(server: ServerSettings, manager: ServiceManager, count: int) -> list[Listeners]:
    if manager.sockets:
        return [passed_listeners(manager.sockets)] * count
    return open_listeners(server.host, server.port, workers=count)


def _announce(settings: Settings, listeners: Listeners, counting: Metering | None) -> None:
    scheme = "https" if settings.server.tls_cert_path else "http"
    for listener in listeners:
        where = address_of(listener, scheme=scheme)
        logger.info("inference-gateway %s listens on %s", __version__, where)
        if settings.ui.enabled and listener.family != socket.AF_UNIX:
            logger.info("the status page is at %s/ui", where)
    for listener in counting.listeners if counting is not None else ():
        logger.info("metrics are at %s/metrics", address_of(listener, scheme="http"))
    providers = tuple(registry(settings).configured)
    logger.info("providers: %s", ", ".join(providers) or "none")
    if providers == (MOCK_PROVIDER,):
        logger.info("no provider is configured: the built-in one answers to the model 'mock/echo'")
