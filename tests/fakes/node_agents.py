"""Real agents in another language: the npm package @a2a-js/sdk, in a process of its own."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from fakes.loops import PATIENCE

HERE = Path(__file__).resolve().parents[1] / "node" / "a2a"

needs_node_agents = pytest.mark.skipif(
    not shutil.which("node") or not (HERE / "node_modules" / "@a2a-js" / "sdk").is_dir(),
    reason="install Node.js, and the agents' packages by `npm ci --prefix tests/node/a2a`",
)


class NodeAgents:
    """The process that has them, until it is closed: see `tests/node/a2a/agents.mjs`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "agents.mjs")], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        assert said[:1] == ["ready"], said
        self.url = said[1]

    def waiting(self) -> list[str]:
        """Ids of the tasks that wait to be cancelled, or did."""
        return self._listed("waiting")

    def cancelled(self) -> list[str]:
        """Ids of the tasks that were cancelled."""
        return self._listed("cancelled")

    def _listed(self, what: str) -> list[str]:
        with urllib.request.urlopen(f"{self.url}/{what}", timeout=PATIENCE) as answer:
            listed: list[str] = json.load(answer)
        return listed

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE)
