"""Real agents beside a test: see `agent`, which is never imported here, for all that hangs on it."""

import os
import subprocess
import sys
from pathlib import Path

from fakes.loops import PATIENCE


class Agents:
    """The process that has them, until it is closed."""

    def __init__(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [sys.executable, "-m", "fakes.agent"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the agents did not start"

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE)
