"""Processes: workers on one port, started, restarted, reloaded and ended, as their users see them."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from fakes.http_server import Client, eventually
from fakes.loops import PATIENCE
from fakes.process import Process, children_of, running
from fakes.provider import STREAM, FakeProvider
from server.transport.test_server_shutdown import STREAMED, HeldProvider, chat

GET = b"GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start gateways, by default with two workers; each runs until the test ends."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, **environ: str) -> Process:
            environ = {"SERVER_WORKERS": "2", "SERVER_DRAIN_TIMEOUT": "1h", **environ}
            return stack.enter_context(running(*options, home=tmp_path, **environ))

        yield start


@pytest.fixture
def held(start_provider: Callable[..., FakeProvider]) -> HeldProvider:
    return HeldProvider(start_provider)


def asking(provider: HeldProvider | FakeProvider) -> dict[str, str]:
    return {"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url}


def status(port: int) -> int:
    with Client(port) as client:
        client.send(GET)
        return client.answer().status


def is_refused(port: int) -> bool:
    try:
        Client(port).socket.close()
    except ConnectionRefusedError:
        return True
    return False


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


# ---- start and end -------------------------------------------------------------------------------------


def test_as_many_workers_as_asked_for_serve_one_port(start: Start) -> None:
    process = start("--workers", "3", SERVER_WORKERS="2")
    port = process.port()
    assert len(process.children()) == 3
    assert [status(port) for _ in range(20)] == [200] * 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_well_when_told_to(start: Start, number: signal.Signals) -> None:
    process = start()
    port, workers = process.port(), process.children()
    process.signal(number)
    assert process.exit_code() == 0
    assert all(map(is_gone, workers))
    assert is_refused(port)


def test_a_terminal_that_interrupts_the_whole_group_ends_it_gently(start: Start, held: HeldProvider) -> None:
    process = start(**asking(held))
    with Client(process.port()) as client:
        client.send(chat(STREAMED))
        assert held.asked.wait(PATIENCE)
        for pid in (*process.children(), process.pid):
            os.kill(pid, signal.SIGINT)
        process.logged("shutting down all workers")
        held.release()
        assert client.answer().body == b"".join(STREAM)
        assert process.exit_code() == 0


def test_streams_may_end_before_the_workers_do(start: Start, held: HeldProvider) -> None:
    process = start(**asking(held))
    port = process.port()
    with Client(port) as client:
        client.send(chat(STREAMED))
        assert held.asked.wait(PATIENCE)
        process.signal(signal.SIGTERM)
        process.logged("shutting down all workers")
        eventually(lambda: is_refused(port))
        held.release()
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"".join(STREAM), False)
        assert process.exit_code() == 0


def test_told_twice_they_end_at_once(start: Start, held: HeldProvider) -> None:
    process = start(**asking(held))
    with Client(process.port()) as client:
        client.send(chat(STREAMED))
        client.receive_until(STREAM[0] + b"\r\n")
        process.signal(signal.SIGTERM)
        process.logged("inference_gateway.serve: shutting down")
        process.logged("inference_gateway.serve: shutting down")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        with pytest.raises(ConnectionResetError):
            client.rest()


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "2")])
def test_a_second_gateway_on_the_port_fails_and_says_so(start: Start, options: tuple[str, ...]) -> None:
    port = start().port()
    second = start(*options, SERVER_PORT=str(port))
    assert second.exit_code() == 1
    [line] = second.lines
    assert line.startswith(f"inference-gateway: cannot listen on 127.0.0.1 port {port}: ")
    third = start("--workers", "1")
    fourth = start(*options, SERVER_PORT=str(third.port()))
    assert fourth.exit_code() == 1


@pytest.mark.parametrize("number", ["0", "-1", "many", "1025", "1.5"])
def test_a_number_of_workers_that_is_none_is_a_wrong_call(start: Start, number: str) -> None:
    process = start("--workers", number)
    assert process.exit_code() == 2
    process.logged("--workers")
    by_setting = start(SERVER_WORKERS=number)
    assert by_setting.exit_code() == 2
    by_setting.logged("SERVER_WORKERS")


def test_workers_do_not_outlive_their_supervisor(start: Start) -> None:
    process = start()
    port = process.port()
    process.signal(signal.SIGKILL)
    # It waits for the end of everybody who could write to the log.
    assert process.exit_code() == -signal.SIGKILL
    process.logged("the supervisor is gone")
    assert is_refused(port)


# ---- restart -------------------------------------------------------------------------------------------


def test_a_worker_that_crashes_is_replaced_and_no_connection_is_lost(start: Start) -> None:
    process = start()
    port, workers = process.port(), process.children()
    os.kill(workers[0], signal.SIGKILL)
    process.logged(f"worker {workers[0]} was killed by SIGKILL; starting another in 0.5 s")
    # Half of these wait for the new worker, in the socket that the supervisor kept.
    assert [status(port) for _ in range(20)] == [200] * 20
    process.logged("started worker")
    [successor] = set(process.children()) - set(workers)
    os.kill(successor, signal.SIGSEGV)
    process.logged(f"worker {successor} was killed by SIGSEGV; starting another in 1 s")
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0


def supervise(work: str) -> tuple[str, ...]:
    """A program with a supervisor whose two workers run these lines."""
    lines = "\n    ".join(["", *work.splitlines()])
    program = f"""
import ctypes, logging, os, signal, sys
from inference_gateway.server.listening import CannotServe, open_listeners
from inference_gateway.server.supervisor import Observer, Plan, Supervisor

logging.basicConfig(level="INFO")
say = logging.info
def work(listeners, supervisor, serves):{lines}
    return 0
def renew():
    raise CannotServe("no")
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
observer = Observer(
    ready=lambda: say("all serve"), reloading=lambda: say("reloads"), stopping=lambda: say("stops")
)
sockets = open_listeners("127.0.0.1", 0, workers=2)
sys.exit(Supervisor(sockets, Plan(work, 0.0), renew, observer).run())
"""
    return sys.executable, "-c", program


@pytest.mark.parametrize(
    ("work", "code"),
    [("return 3", 3), ("raise ValueError('so')", 1), ("os.kill(os.getpid(), signal.SIGKILL)", 1), ("", 1)],
    ids=["code", "exception", "signal", "well"],
)
def test_a_worker_that_cannot_start_ends_everything_with_its_code(
    tmp_path: Path, work: str, code: int
) -> None:
    with running(command=supervise(work), home=tmp_path) as process:
        assert process.exit_code() == code
        process.logged("cannot start")


def test_a_worker_that_never_ends_is_killed(tmp_path: Path) -> None:
    program = supervise("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserves()\nwhile True: signal.pause()")
    command = (
        *program[:2],
        "import inference_gateway.server.supervisor as s; s._OVERDUE = 0.1\n" + program[2],
    )
    with running(command=command, home=tmp_path) as process:
        process.logged("all serve")
        process.signal(signal.SIGTERM)
        process.logged("does not end: killing it")
        assert process.exit_code() == 0


def test_children_of_others_are_reaped(tmp_path: Path) -> None:
    orphan = (
        "if os.fork() == 0:\n    if os.fork(): os._exit(0)\n"
        "    say('orphan %d', os.getpid())\n    os._exit(0)"
    )
    work = f"{orphan}\nserves()\nwhile True: signal.pause()"
    with running(command=supervise(work), home=tmp_path) as process:
        pid = int(process.logged("orphan").split()[-1])
        eventually(lambda: is_gone(pid))
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


# ---- reload --------------------------------------------------------------------------------------------


class Caller:
    """Asks again and again, over a new connection each time and over one that is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.answers: list[int] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._call_anew), threading.Thread(target=self._call_on)]
        for thread in self._threads:
            thread.start()

    def _call_anew(self) -> None:
        while not self._over.is_set():
            try:
                self.answers.append(status(self._port))
            except OSError as error:
                self.failures.append(f"anew: {error!r}")

    def _call_on(self) -> None:
        while not self._over.is_set():
            try:
                with Client(self._port) as client:
                    is_open = True
                    while is_open and not self._over.is_set():
                        client.send(b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n")
                        answer = client.answer()
                        self.answers.append(answer.status)
                        is_open = b"connection" not in answer.headers
            except OSError as error:
                self.failures.append(f"on: {error!r}")

    def go_on(self) -> None:
        """Wait for ten more answers."""
        enough = len(self.answers) + 10
        eventually(lambda: len(self.answers) >= enough)

    def result(self) -> tuple[set[int], list[str]]:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        return set(self.answers), self.failures


def test_a_reload_drops_no_connection(start: Start, held: HeldProvider) -> None:
    process = start(**asking(held), SERVER_DRAIN_TIMEOUT="0")
    port = process.port()
    caller = Caller(port)
    with Client(port) as streaming, Client(port) as fresh:
        streaming.send(chat(STREAMED))
        streaming.receive_until(STREAM[0] + b"\r\n")
        for _ in range(3):
            old = set(process.children())
            process.signal(signal.SIGHUP)
            process.logged("new workers took over")
            assert len(set(process.children()) - old) == 2
            caller.go_on()
            if fresh.socket.fileno() >= 0:
                fresh.send(GET)
                assert fresh.answer().status == 200
                fresh.socket.close()
        held.release()
        rest = streaming.rest()
        assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert caller.result() == ({200}, [])
    eventually(lambda: len(process.children()) == 2)
    process.signal(signal.SIGTERM)
    assert process.exit_code() == 0


def allowed_origin(port: int) -> bytes | None:
    with Client(port) as client:
        client.send(
            b"GET /health HTTP/1.1\r\nhost: h\r\norigin: https://a.example\r\nconnection: close\r\n\r\n"
        )
        return client.answer().headers.get(b"access-control-allow-origin")


def test_a_reload_brings_new_settings(start: Start, tmp_path: Path) -> None:
    process = start()
    port = process.port()
    assert allowed_origin(port) is None
    (tmp_path / ".env").write_text("SERVER_CORS_ORIGINS=https://a.example\nSERVER_HOST=::1\n")
    process.signal(signal.SIGHUP)
    process.logged("another host, port or number of workers takes a restart")
    process.logged("new workers took over")
    # An old worker may have taken the first of these before it heard the news.
    eventually(lambda: allowed_origin(port) == b"https://a.example")


def test_a_reload_with_bad_settings_changes_nothing(start: Start, tmp_path: Path) -> None:
    process = start()
    port, workers = process.port(), process.children()
    for bad in "SERVER_IDLE_TIMEOUT=nine", "SSL_CERT_FILE=.env":
        (tmp_path / ".env").write_text(bad)
        process.signal(signal.SIGHUP)
        assert bad.partition("=")[0] in process.logged(
            "the settings cannot be used, the old ones stay in use"
        )
    assert process.children() == workers
    assert status(port) == 200
    (tmp_path / ".env").write_text("SERVER_CORS_ORIGINS=https://a.example")
    process.signal(signal.SIGHUP)
    process.logged("new workers took over")


def test_a_reload_whose_workers_cannot_start_is_given_up(tmp_path: Path) -> None:
    program = supervise("serves()\nwhile True: signal.pause()")
    fails = "    return Plan(lambda *_: 4, 0.0)"
    command = (*program[:2], program[2].replace('    raise CannotServe("no")', fails))
    with running(command=command, home=tmp_path) as process:
        process.logged("all serve")
        workers = process.children()
        process.signal(signal.SIGHUP)
        process.logged("reloads")
        process.logged("ended with code 4; the old ones go on")
        process.logged("all serve")
        eventually(lambda: process.children() == workers)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


def test_an_old_worker_ends_with_the_rest(start: Start, held: HeldProvider) -> None:
    process = start(**asking(held))
    with Client(process.port()) as client:
        client.send(chat(STREAMED))
        client.receive_until(STREAM[0] + b"\r\n")
        process.signal(signal.SIGHUP)
        process.logged("new workers took over")
        process.signal(signal.SIGTERM)
        process.logged("shutting down all workers")
        held.release()
        assert client.rest().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert process.exit_code() == 0


def test_of_one_process_a_reload_reads_the_tls_files_and_keys_only(start: Start) -> None:
    process = start("--workers", "1")
    port = process.port()
    process.signal(signal.SIGHUP)
    process.logged("nothing to reload: of one process, only the TLS files and API keys are read anew")
    assert status(port) == 200
    process.signal(signal.SIGINT)
    assert process.exit_code() == 0


def test_a_certificate_that_cannot_be_used_stops_a_reload_and_no_worker(start: Start, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(both))
    process = start(SERVER_TLS_CERT_PATH=str(both), SERVER_TLS_KEY_PATH=str(both))
    process.logged("listens on https://")
    workers = process.children()
    both.write_text("")
    process.signal(signal.SIGHUP)
    assert "SERVER_TLS_CERT_PATH" in process.logged("the settings cannot be used")
    assert process.children() == workers


# ---- service managers ----------------------------------------------------------------------------------


class Manager:
    """Hears what a service reports."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._socket.bind(address)

    def heard(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_service_manager_hears_how_it_goes(start: Start, tmp_path: Path, workers: str, kind: str) -> None:
    name = f"{tmp_path}/notify" if kind == "path" else f"@gateway-{os.getpid()}-{workers}"
    manager = Manager("\0" + name[1:] if kind == "abstract" else name)
    with contextlib.closing(manager):
        process = start(SERVER_WORKERS=workers, NOTIFY_SOCKET=name)
        assert manager.heard() == "READY=1"
        assert status(process.port()) == 200
        if workers == "2":
            process.signal(signal.SIGHUP)
            reloading, _, usec = manager.heard().partition("\n")
            assert (reloading, usec.rstrip("0123456789")) == ("RELOADING=1", "MONOTONIC_USEC=")
            assert manager.heard() == "READY=1"
        process.signal(signal.SIGTERM)
        assert manager.heard() == "STOPPING=1"
        assert process.exit_code() == 0


def test_a_manager_that_does_not_listen_is_no_reason_to_fail(start: Start, tmp_path: Path) -> None:
    process = start("--workers", "1", NOTIFY_SOCKET=f"{tmp_path}/nobody")
    assert status(process.port()) == 200


def activated(passed: list[int]) -> tuple[str, ...]:
    """The gateway as a service manager starts it: sockets from descriptor 3 on, and its own id."""
    # First away from the low numbers, then to their places.
    program = (
        "import os, sys; fds = [os.dup2(int(fd), 50 + n) for n, fd in enumerate(sys.argv[1:])]\n"
        "for n, fd in enumerate(fds): os.dup2(fd, 3 + n)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'inference_gateway.server', 'serve'])"
    )
    return sys.executable, "-c", program, *map(str, passed)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_passed_sockets_are_served(tmp_path: Path, workers: str) -> None:
    with socket.socket() as inet, socket.socket(socket.AF_UNIX) as unix:
        inet.bind(("127.0.0.1", 0))
        inet.listen()
        unix.bind(f"{tmp_path}/s")
        unix.listen()
        port, passed = inet.getsockname()[1], [inet.fileno(), unix.fileno()]
        # One that came before the service is there is served, too.
        with (
            Client(port) as early,
            running(
                command=activated(passed),
                home=tmp_path,
                pass_fds=passed,
                SERVER_WORKERS=workers,
                SERVER_PORT="1",
            ) as process,
        ):
            early.send(GET)
            assert early.answer().status == 200
            process.logged(f"listens on http://127.0.0.1:{port}")
            process.logged(f"listens on unix:{tmp_path}/s")
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(f"{tmp_path}/s")
                client.sendall(GET)
                assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            if workers == "2":
                process.signal(signal.SIGHUP)
                process.logged("new workers took over")
            assert status(port) == 200
            process.signal(signal.SIGTERM)
            assert process.exit_code() == 0


def test_something_else_than_a_listening_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket() as silent, open(tmp_path / "file", "w") as file:
        for fd, problem in (silent.fileno(), "no listening stream socket"), (file.fileno(), "is no socket"):
            with running(command=activated([fd]), home=tmp_path, pass_fds=[fd]) as process:
                assert process.exit_code() == 1
                process.logged(problem)


def test_sockets_for_another_process_are_not_taken(start: Start) -> None:
    process = start("--workers", "1", LISTEN_PID="1", LISTEN_FDS="1")
    assert status(process.port()) == 200
    assert children_of(process.pid) == []
