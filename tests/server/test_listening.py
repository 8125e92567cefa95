"""Sockets to listen on: shared by workers, and by nobody else."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from inference_gateway.server.configuration import SettingsError
from inference_gateway.server.configuration.systemd import ServiceManager, service_manager
from inference_gateway.server.listening import CannotServe, Listeners, address_of, open_listeners


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, host: str, port: int, workers: int) -> list[Listeners]:
    listeners = open_listeners(host, port, workers=workers)
    for each in listeners:
        for listener in each:
            stack.enter_context(listener)
    return listeners


def test_all_workers_have_one_port_on_all_addresses(stack: ExitStack) -> None:
    listeners = opened(stack, "localhost", 0, 3)
    assert len(listeners) == 3
    assert len({listener.getsockname()[1] for each in listeners for listener in each}) == 1


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_port_has_one_owner(stack: ExitStack, first: int, second: int) -> None:
    port = opened(stack, "127.0.0.1", 0, first)[0][0].getsockname()[1]
    with pytest.raises(CannotServe, match=f"cannot listen on 127.0.0.1 port {port}: ") as caught:
        open_listeners("127.0.0.1", port, workers=second)
    assert caught.value.exit_code == 1


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(CannotServe, match=r"^cannot listen on 192\.0\.2\.1 port 0: "):
        open_listeners("192.0.2.1", 0)


def test_addresses_are_written_as_clients_write_them(stack: ExitStack) -> None:
    [[four]] = opened(stack, "127.0.0.1", 0, 1)
    assert address_of(four, scheme="https") == f"https://127.0.0.1:{four.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="Python was built without IPv6")
def test_an_ipv6_address_is_written_in_brackets(stack: ExitStack) -> None:
    try:
        [[six]] = opened(stack, "::1", 0, 1)
    except CannotServe:
        pytest.skip("this machine has no IPv6")
    assert address_of(six, scheme="http") == f"http://[::1]:{six.getsockname()[1]}"


# ---- what a service manager says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "understood"),
    [
        ({}, ServiceManager()),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, ServiceManager(sockets=2)),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, ServiceManager()),
        ({"LISTEN_FDS": "2"}, ServiceManager()),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "nonsense"}, ServiceManager()),
        ({"NOTIFY_SOCKET": ""}, ServiceManager()),
        ({"NOTIFY_SOCKET": "@x"}, ServiceManager(report_to="@x")),
        ({"NOTIFY_SOCKET": "/run/x"}, ServiceManager(report_to="/run/x")),
    ],
)
def test_what_is_for_this_process_is_taken(environ: dict[str, str], understood: ServiceManager) -> None:
    assert service_manager(environ, process=7) == understood


@pytest.mark.parametrize(
    "environ",
    [
        {"LISTEN_PID": "7"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "-1"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "two"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "²"},
        {"NOTIFY_SOCKET": "vsock:2:1"},
    ],
)
def test_what_makes_no_sense_is_a_wrong_setting(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^environment: [A-Z_]+: "):
        service_manager(environ, process=7)
