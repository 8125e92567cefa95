"""What clients see of MCP: the list, the health, and the gateway as a server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.mcp_servers import PythonServer
from inference_gateway.types import ListToolsResponse, MCPHealth

Start = Callable[..., FakeGateway]
POST = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


@pytest.fixture
def server() -> Iterator[PythonServer]:
    """A server with tools."""
    started = PythonServer()
    yield started
    started.close()


@pytest.fixture
def tools(server: PythonServer, start_gateway: Start) -> FakeGateway:
    """A gateway that offers and exposes the server's tools."""
    gateway = start_gateway(
        MCP_ENABLED="true", MCP_EXPOSE="true", MCP_SERVERS=server.url, MCP_EXCLUDE_TOOLS="fail"
    )
    eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
    return gateway


def call(gateway: FakeGateway, tool: str, headers: dict[str, str] | None = None, **arguments: Any) -> Any:
    body = {**CALL, "params": {"name": tool, "arguments": arguments}}
    return gateway.request("POST", "/mcp", body, {**POST, **(headers or {})})


def test_the_list_has_both_spellings(tools: FakeGateway, server: PythonServer) -> None:
    listed = tools.request("GET", "/v1/mcp/tools").json()
    assert listed["object"] == "list"
    assert listed["data"] == listed["tools"]
    first = listed["data"][0]
    assert first["name"] == "mcp_echo"
    assert first["description"] == "Say it again."
    assert first["server"] == server.url
    assert first["input_schema"] == first["inputSchema"]
    assert first["input_schema"]["required"] == ["text"]
    assert first["changed"] is False
    read = ListToolsResponse.model_validate(listed)
    assert [tool.name for tool in read.data][1] == "mcp_add"


def test_the_health_names_each_server(tools: FakeGateway) -> None:
    found = tools.request("GET", "/v1/mcp/health")
    health = MCPHealth.model_validate(found.json())
    assert health.status == "ok"
    assert health.servers[0].name == "python"
    assert health.servers[0].tools == 5


def test_without_mcp_there_is_nothing_to_see(gateway: FakeGateway) -> None:
    listed = gateway.request("GET", "/v1/mcp/tools")
    assert listed.status == 403
    assert listed.json() == {"error": "mcp tools endpoint is not exposed"}
    assert gateway.request("POST", "/mcp", {}).status == 403
    assert gateway.request("GET", "/v1/mcp/health").json() == {"status": "disabled", "servers": []}


def test_what_is_not_exposed_is_for_models_only(server: PythonServer, start_gateway: Start) -> None:
    gateway = start_gateway(MCP_ENABLED="true", MCP_SERVERS=server.url)
    assert gateway.request("GET", "/v1/mcp/tools").status == 403
    assert call(gateway, "mcp_echo", text="x").status == 403


def test_exposing_nothing_is_an_empty_list(start_gateway: Start) -> None:
    gateway = start_gateway(MCP_EXPOSE="true")
    assert gateway.request("GET", "/v1/mcp/tools").json() == {"object": "list", "data": [], "tools": []}
    assert gateway.request("POST", "/mcp", {}).status == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_lists_and_runs_tools(tools: FakeGateway, mode: str) -> None:
    async def use() -> None:
        async with Client(f"{tools.url}/mcp", mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["mcp_echo", "mcp_add", "mcp_picture", "mcp_wait", "mcp_learn"]
            told = await client.call_tool("mcp_echo", {"text": "through"})
            assert told.content[0].model_dump()["text"] == "through"
            added = await client.call_tool("mcp_python_add", {"a": 1, "b": 2})
            assert added.structured_content == {"sum": 3}
            shown = await client.call_tool("mcp_picture")
            assert shown.content[0].type == "image"
            refused = await client.call_tool("mcp_fail")
            assert refused.is_error

    asyncio.run(asyncio.wait_for(use(), PATIENCE))


def test_any_client_may_call_without_a_session(tools: FakeGateway) -> None:
    found = call(tools, "mcp_echo", text="plain")
    assert found.status == 200
    assert found.headers["x-request-id"]
    assert found.json()["result"]["content"][0]["text"] == "plain"


def test_a_client_that_leaves_cancels_the_call(tools: FakeGateway, server: PythonServer) -> None:
    body = json.dumps({**CALL, "params": {"name": "mcp_wait", "arguments": {}}}).encode()
    with tools.connect() as client:
        head = "".join(f"{name}: {value}\r\n" for name, value in POST.items())
        client.sendall(f"POST /mcp HTTP/1.1\r\nhost: x\r\n{head}content-length: {len(body)}\r\n\r\n".encode())
        client.sendall(body)
        assert server.waiting.wait(PATIENCE)
    assert server.cancelled.wait(PATIENCE)
    assert call(tools, "mcp_echo", text="on").status == 200


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_web_pages_of_unknown_origins_are_turned_away_whatever_the_host(
    tools: FakeGateway, host: str
) -> None:
    found = call(tools, "mcp_echo", {"origin": f"http://{host}", "host": host}, text="x")
    assert found.status == 403
    assert "SERVER_CORS_ORIGINS" in found.json()["error"]


def test_web_pages_of_known_origins_may_use_the_tools(server: PythonServer, start_gateway: Start) -> None:
    gateway = start_gateway(
        MCP_ENABLED="true",
        MCP_EXPOSE="true",
        MCP_SERVERS=server.url,
        SERVER_CORS_ORIGINS="https://app.example.com",
    )
    eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
    assert call(gateway, "mcp_echo", {"origin": "https://app.example.com"}, text="x").status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'{"jsonrpc":"1.0"}', b"\xff" * 10])
def test_what_is_no_message_is_refused(tools: FakeGateway, body: bytes) -> None:
    assert tools.request("POST", "/mcp", body, POST).status == 400


def test_there_is_no_stream_of_the_servers_own(tools: FakeGateway) -> None:
    found = tools.request("GET", "/mcp", headers=POST)
    assert found.status == 405
    assert found.headers["allow"] == "POST"


@pytest.mark.own_server(reason="about a process of its own")
def test_a_start_without_mcp_imports_nothing_of_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from inference_gateway.server import cli\n"
        "from inference_gateway.server.configuration import load\n"
        "from inference_gateway.server.serve import Server\n"
        "Server(load(environ={}, dotenv=None).settings)\n"
        "found = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not found & {'mcp', 'mcp_types', 'anyio', 'starlette', 'httpx2', 'pydantic'}, found\n"
        "assert not [name for name in sys.modules if name.startswith('inference_gateway.server.mcp')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=PATIENCE)


@pytest.mark.own_server(reason="about a process of its own")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_missing_package_is_named_at_the_start(tmp_path: Path, workers: str) -> None:
    code = "import sys; sys.modules['mcp'] = None\nfrom inference_gateway.server.__main__ import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "serve", "--workers", workers],
        env={"MCP_ENABLED": "true", "SERVER_PORT": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 2
    assert "install the extra [mcp]" in ran.stderr
    assert "Traceback" not in ran.stderr
