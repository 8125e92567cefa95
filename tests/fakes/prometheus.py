"""A real Prometheus that scrapes a gateway often, with the rules it is given."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes.http_server import eventually
from fakes.loops import PATIENCE

INTERVAL = "250ms"
"""Time between two scrapes, and between two looks at the rules."""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Prometheus:
    """One that runs on this port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def answers(self) -> bool:
        """Whether it is there already."""
        try:
            return bool(self.ask("status/buildinfo"))
        except OSError:
            return False

    def ask(self, path: str, **parameters: str) -> Any:
        """Call its API: `data` of the answer."""
        asked = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Every series that an expression has now: its labels and its value."""
        found = self.ask("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]


@contextmanager
def scraping(
    metrics_port: int, home: Path, *, job: str = "gateway", rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """Run Prometheus for the length of a block.

    :param metrics_port: of the gateway that it scrapes.
    :param home: a folder for its configuration and its data.
    :param job: what it calls the gateway.
    """
    targets = [{"targets": [f"127.0.0.1:{metrics_port}"]}]
    config = {
        "global": {
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "evaluation_interval": INTERVAL,
        },
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": job, "static_configs": targets}],
    }
    (home / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = ["prometheus", f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data"]
    with (home / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    try:
        prometheus = Prometheus(port)
        eventually(prometheus.answers)
        yield prometheus
    finally:
        process.terminate()
        process.wait(PATIENCE)
