"""MCP servers that are started and stopped again, and a gateway's view of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer, ScriptedServer


@pytest.fixture
def start_server() -> Iterator[Callable[..., PythonServer]]:
    """Start official servers; each runs until the test ends."""
    started: list[PythonServer] = []

    def start(**options: Any) -> PythonServer:
        started.append(PythonServer(**options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def start_script() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers, from methods to what they answer; each runs until the test ends."""
    started: list[ScriptedServer] = []

    def start(answers: Mapping[str, Any] | None = None, **options: Any) -> ScriptedServer:
        started.append(ScriptedServer(answers or {}, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


class Tools:
    """A gateway whose tools are looked at and run, as its clients and its models see them."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def health(self) -> list[dict[str, Any]]:
        """How the servers are."""
        servers: list[dict[str, Any]] = self.gateway.request("GET", "/v1/mcp/health").json()["servers"]
        return servers

    def states(self) -> list[str]:
        """The state of each server."""
        return [server["status"] for server in self.health()]

    def listed(self) -> dict[str, dict[str, Any]]:
        """The list of tools, by name."""
        listed = self.gateway.request("GET", "/v1/mcp/tools").json()["data"]
        return {tool["name"]: tool for tool in listed}

    def call(self, tool: str, /, **arguments: Any) -> Any:
        """Run a tool as a model does."""
        mcp = self.gateway.server._gateway.mcp
        assert mcp is not None
        return self.gateway.thread.call(mcp.toolbox.run(tool, json.dumps(arguments)))

    def wait(self, count: int = 1) -> "Tools":
        """Wait until so many servers are available."""
        eventually(lambda: self.states().count("available") >= count)
        return self


@pytest.fixture
def open_tools(start_gateway: Callable[..., FakeGateway], tmp_path: Path) -> Callable[..., Tools]:
    """Start a gateway with these MCP servers: URLs, or entries as in YAML, and settings as keywords."""

    def start(*servers: object, wait: int | None = None, **environ: str) -> Tools:
        config = tmp_path / "gateway.yaml"
        config.write_text(json.dumps({"mcp": {"servers": servers}}))
        settings = {"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_INITIAL_BACKOFF": "10ms", **environ}
        tools = Tools(start_gateway(config=str(config), **settings))
        return tools.wait(len(servers) if wait is None else wait)

    return start
