"""The sockets that clients connect to: opened here, or passed on by a service manager."""

import contextlib
import os
import socket
from collections.abc import Sequence

from inference_gateway.server.configuration.addresses import is_loopback

Listeners = Sequence[socket.socket]
"""What one worker listens on: a socket for each address."""

_Address = tuple[object, ...]

BACKLOG = 4096
"""Connections that wait to be accepted."""
_FIRST_PASSED = 3
"""File descriptor of the first socket that a service manager passes on."""


class CannotServe(Exception):
    """Start-up failed for a reason that the operator can mend; the message says which."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def open_listeners(host: str, port: int, *, workers: int = 1) -> list[Listeners]:
    """Listen on every address of a host, with sockets of its own for each worker.

    :param port: 0 takes a free one.
    :raises CannotServe: an address cannot be listened on, for example because somebody else does.
    """
    opened: list[list[socket.socket]] = [[] for _ in range(workers)]
    with contextlib.ExitStack() as on_failure:
        try:
            for family, address in _addresses(host, port):
                own = _listen(family, (address[0], port, *address[2:]), workers, on_failure)
                port = own[0].getsockname()[1]  # where any would do, all addresses get the same
                for worker, listener in zip(opened, own, strict=True):
                    worker.append(listener)
        except OSError as error:
            problem = f"cannot listen on {host} port {port}: {error.strerror or error}"
            raise CannotServe(problem) from error
        on_failure.pop_all()
    return list(opened)


def reach_others(host: str, port: int) -> bool:
    """Tell whether somebody beyond this machine could connect to what a host names.

    :raises CannotServe: it names no address.
    """
    try:
        found = [str(address[0]) for _, address in _addresses(host, port)]
    except OSError as error:
        raise CannotServe(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return not all(is_loopback(address) for address in found)


def passed_reach_others(count: int) -> bool:
    """Tell the same of the sockets passed on; who may connect to a Unix socket is a matter of its file."""
    for number in range(_FIRST_PASSED, _FIRST_PASSED + count):
        # What is no socket is complained about when it is taken.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as passed:
            is_listening = bool(passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
            is_remote = passed.family != socket.AF_UNIX and not is_loopback(str(passed.getsockname()[0]))
            if is_listening and is_remote:
                return True
    return False


def passed_listeners(count: int) -> Listeners:
    """Take the sockets that a service manager opened for this process.

    :raises CannotServe: what it passed on is no listening stream socket.
    """
    return [_passed(number) for number in range(_FIRST_PASSED, _FIRST_PASSED + count)]


def address_of(listener: socket.socket, *, scheme: str) -> str:
    """Return where clients find it: a URL, or the path of a Unix socket."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _addresses(host: str, port: int) -> list[tuple[int, _Address]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listen(
    family: int, address: _Address, workers: int, on_failure: contextlib.ExitStack
) -> list[socket.socket]:
    sockets = [on_failure.enter_context(_socket(family)) for _ in range(workers)]
    first = sockets[0]
    # Bound without SO_REUSEPORT, the first fails where another process has the port. Made shareable
    # after that, it lets the others in.
    first.bind(address)
    if workers > 1:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for each in sockets[1:]:
            each.bind(first.getsockname())
    for each in sockets:
        each.listen(BACKLOG)
    return sockets


def _socket(family: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.setblocking(False)
    return opened


def _passed(number: int) -> socket.socket:
    try:
        passed = socket.socket(fileno=number)
        is_listening = passed.type == socket.SOCK_STREAM and bool(
            passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
    except OSError as error:
        problem = f"LISTEN_FDS: file descriptor {number} is no socket: {error.strerror}"
        raise CannotServe(problem) from error
    if not is_listening:
        raise CannotServe(f"LISTEN_FDS: file descriptor {number} is no listening stream socket")
    passed.set_inheritable(False)
    passed.setblocking(False)
    return passed
