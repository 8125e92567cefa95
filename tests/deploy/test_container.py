"""The gateway as containers run it: process 1, a user without rights, nothing that can be written to."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.manifests import environment_of_the_image
from fakes.process import Process, running
from fakes.prometheus import free_port

CONFINED = (
    *("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--die-with-parent"),
    *("--unshare-user", "--uid", "65532", "--gid", "65532", "--cap-drop", "ALL"),
    *("--unshare-ipc", "--unshare-pid", "--as-pid-1"),
)
GATEWAY = (sys.executable, "-m", "inference_gateway.server")


def can_confine() -> bool:
    if shutil.which("bwrap") is None:
        return False
    return subprocess.run([*CONFINED, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not can_confine(), reason="needs bubblewrap and user namespaces: apt-get install bubblewrap"
)


@pytest.fixture(params=["1", "2"], ids=["alone", "workers"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Those of the image, on free ports, with one process or several."""
    return {
        **environment_of_the_image(),
        "SERVER_PORT": str(free_port()),
        "SERVER_WORKERS": request.param,
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_METRICS_PORT": str(free_port()),
    }


@pytest.fixture
def container(settings: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    with running(command=[*CONFINED, *GATEWAY, "serve"], home=tmp_path, **settings) as confined:
        confined.logged("listens on")
        yield confined


def test_a_stream_ends_whole_before_process_1_does(container: Process, settings: dict[str, str]) -> None:
    (inside,) = container.children()
    assert f"NSpid:\t{inside}\t1\n" in Path(f"/proc/{inside}/status").read_text()
    # The network is this machine's, so that the command can ask from outside.
    health = subprocess.run([*GATEWAY, "health"], env={**os.environ, **settings}, check=False)
    assert health.returncode == 0
    model = "mock/lab:tokens=10,tokens_per_second=50"
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    url = f"http://127.0.0.1:{settings['SERVER_PORT']}/v1/chat/completions"
    with urllib.request.urlopen(url, json.dumps(asked).encode(), timeout=20) as answer:
        assert answer.readline().startswith(b"data: {")
        os.kill(inside, signal.SIGTERM)
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert container.exit_code() == 0
    assert not [line for line in container.lines if "error" in line.lower()]


def test_nothing_can_be_written_there_and_it_starts_all_the_same(container: Process, tmp_path: Path) -> None:
    command = [*CONFINED, "touch", str(tmp_path / "file")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Read-only file system" in ran.stderr
