"""Processes under measurement: started, ended, and their CPU time and memory read from /proc.

Linux only.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

START_SECONDS = 40
STOP_SECONDS = 5
_TICK = os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """A process ended or stayed silent instead of listening; the message carries the end of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tree(pid: int) -> set[int]:
    """Return this process and all that descend from it."""
    found = {pid}
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in listing.read_text().split():
                found |= tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, of user and system, that this process and its descendants have used."""
    return sum(_ticks(each) for each in tree(pid)) / _TICK


def _ticks(pid: int) -> int:
    try:
        # The command's name, in brackets, may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def memory_bytes(pid: int) -> int:
    """Return the memory of this process and its descendants; what they share is counted once (PSS)."""
    return sum(_proportional_bytes(each) for each in tree(pid))


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Server(msgspec.Struct, frozen=True):
    """A process that listens."""

    pid: int
    port: int
    start_seconds: float
    """How long it took until it listened."""


@contextlib.contextmanager
def serving(
    command: Sequence[str], port: int, log: Path, *, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a command that serves on `port`; end it and its descendants afterwards.

    :raises DidNotStart: nothing listens in time.
    """
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Server(process.pid, port, time.monotonic() - began)
    finally:
        _end(process)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.005)
            raise DidNotStart(f"{process.args!r} ended with {code}: {_last_lines(log)}")
    raise DidNotStart(f"{process.args!r} does not listen on {port}: {_last_lines(log)}")


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _end(process: "subprocess.Popen[bytes]") -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
