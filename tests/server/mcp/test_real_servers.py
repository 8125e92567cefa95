"""Servers as they are published: everything and filesystem (Node), time (Python)."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.http_server import eventually
from fakes.loops import PATIENCE
from server.mcp.conftest import Tools

NODE = Path(__file__).parents[2] / "node" / "mcp"
PROGRAMS = NODE / "node_modules" / ".bin"
Open = Callable[..., Tools]

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PROGRAMS / "mcp-server-everything").exists(),
    reason="install Node.js, and the servers by `npm ci --prefix tests/node/mcp`",
)


class Everything:
    """The reference server over streamable HTTP, on a port of its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/mcp"
        self.start()

    def start(self) -> None:
        """Start it, again perhaps."""
        node = Path(shutil.which("node") or "/").parent
        self._process = subprocess.Popen(
            [PROGRAMS / "mcp-server-everything", "streamableHttp"],
            env={"PATH": f"/usr/bin:/bin:{node}", "PORT": str(self._port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(PATIENCE)


@pytest.fixture
def everything() -> Iterator[Everything]:
    """The reference server, running."""
    server = Everything()
    yield server
    server.close()


@needs_node
def test_a_restart_of_everything_is_healed_by_the_next_call(everything: Everything, open_tools: Open) -> None:
    tools = open_tools(everything.url, MCP_RECONNECT_INTERVAL="50ms", MCP_POLLING_ENABLED="false")
    everything.close()
    everything.start()
    eventually(lambda: tools.call("mcp_echo", message="again").text == "Echo: again")


@needs_node
def test_everything_over_streamable_http(everything: Everything, open_tools: Open) -> None:
    tools = open_tools({"name": "everything", "url": everything.url}, MCP_RECONNECT_INTERVAL="50ms")
    assert tools.health()[0]["transport"] == "streamable-http"
    assert tools.call("mcp_echo", message="hello").text == "Echo: hello"
    assert tools.call("mcp_everything_get-sum", a=2, b=3).text == "The sum of 2 and 3 is 5."
    assert tools.call("mcp_get-tiny-image").images[0].startswith("data:image/png;base64,")
    weather = json.loads(tools.call("mcp_get-structured-content", location="Chicago").text)
    assert "temperature" in weather
    resource = tools.call("mcp_get-resource-reference", resourceType="Text", resourceId=1)
    assert not resource.is_error
    assert tools.call("mcp_get-sum", a="x").is_error


@needs_node
def test_filesystem_over_stdio(tmp_path: Path, open_tools: Open) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "note.txt").write_text("remember the milk")
    server = {"name": "files", "command": str(PROGRAMS / "mcp-server-filesystem"), "args": [str(folder)]}
    tools = open_tools(server, MCP_REQUEST_TIMEOUT="15s")
    assert "remember the milk" in tools.call("mcp_read_text_file", path=str(folder / "note.txt")).text
    assert tools.call("mcp_read_text_file", path="/etc/hostname").is_error
    assert tools.listed()["mcp_read_text_file"]["server"].startswith("stdio:")


def test_time_over_stdio_also_after_its_end(open_tools: Open) -> None:
    program = str(Path(sys.executable).parent / "mcp-server-time")
    server = {"name": "time", "command": program, "env": {"TZ": "UTC"}}
    tools = open_tools(server, MCP_REQUEST_TIMEOUT="15s", MCP_POLLING_INTERVAL="100ms")
    asked = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    converted = json.loads(tools.call("mcp_convert_time", **asked).text)
    assert converted["target"]["datetime"].endswith("T21:00:00+09:00")
    [server_pid] = [pid for pid in _children() if program in _command(pid)]
    os.kill(server_pid, signal.SIGKILL)
    eventually(lambda: not tools.call("mcp_get_current_time", timezone="UTC").is_error)


def _children() -> list[int]:
    """Ids of the processes that any thread of this one started."""
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for each in lists for pid in each.read_text().split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
