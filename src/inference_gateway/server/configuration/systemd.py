"""What a service manager says in the environment: sockets that it opened, and where to report to.

https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import os
from collections.abc import Mapping

import msgspec

from inference_gateway.server.configuration.report import SettingsError


class ServiceManager(msgspec.Struct, frozen=True):
    """What it gave to this process; nothing where there is none."""

    sockets: int = 0
    """How many listening sockets it passed on, from file descriptor 3 on."""
    report_to: str = ""
    """Address of the datagram socket that wants to know how the service does."""


def process_service_manager() -> ServiceManager:
    """Read this process's environment.

    :raises SettingsError: it is not what the protocol says.
    """
    return service_manager(os.environ, process=os.getpid())


def service_manager(environ: Mapping[str, str], *, process: int) -> ServiceManager:
    """Read variables; sockets that are for another process than this are not ours.

    :param process: id of this process.
    :raises SettingsError: they are not what the protocol says.
    """
    sockets = 0
    if environ.get("LISTEN_PID") == str(process):
        sockets = _count(environ.get("LISTEN_FDS", ""))
    report_to = environ.get("NOTIFY_SOCKET", "")
    if report_to and report_to[0] not in "/@":
        raise SettingsError((f"environment: NOTIFY_SOCKET: {report_to!r} is not the address of a socket",))
    return ServiceManager(sockets, report_to)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise SettingsError((f"environment: LISTEN_FDS: {text!r} is not a number of sockets",))
    return int(text)
