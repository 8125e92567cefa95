"""The gateway as its users run it: a process of its own, with its log and its signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fakes.loops import PATIENCE


class Process:
    """A program and its log.

    :param command: the program with its arguments; by default the gateway on a free port.
    """

    def __init__(
        self,
        *options: str,
        command: Sequence[str] = (),
        home: Path,
        pass_fds: Sequence[int] = (),
        **environ: str,
    ) -> None:
        gateway = (sys.executable, "-m", "inference_gateway.server", "serve", *options)
        self._process = subprocess.Popen(
            command or gateway,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "SERVER_PORT": "0", "LOG_FORMAT": "console", **environ},
            cwd=home,
            pass_fds=pass_fds,
        )
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._seen = 0
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as log:
            for line in log:
                with self._news:
                    self.lines.append(line.decode())
                    self._news.notify_all()

    def logged(self, text: str) -> str:
        """Wait for a further line of the log with this text, and return it."""
        limit = time.monotonic() + PATIENCE
        with self._news:
            while True:
                while self._seen < len(self.lines):
                    self._seen += 1
                    if text in self.lines[self._seen - 1]:
                        return self.lines[self._seen - 1]
                assert self._news.wait(limit - time.monotonic()), f"never logged {text!r}: {self.lines}"

    def port(self) -> int:
        """Wait until it listens; return where."""
        return int(self.logged("listens on").rpartition(":")[2])

    def children(self) -> list[int]:
        """Ids of the processes that it started and that are still there."""
        return children_of(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for its end, and that of its children, who write to the same log."""
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "somebody still has the log open"
        return code

    def close(self) -> None:
        """Kill it and all that it started."""
        for pid in [*self.children(), self.pid]:
            if self._process.poll() is None:
                os.kill(pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)


def children_of(pid: int) -> list[int]:
    """Ids of a process's children; none where it is gone."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def running(*options: str, **arguments: object) -> Iterator[Process]:
    """Run one for the length of a block."""
    process = Process(*options, **arguments)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        process.close()
