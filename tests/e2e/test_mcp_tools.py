"""Models and real MCP servers: the mock follows a script, the gateway runs the official server's tools."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer

Start = Callable[..., FakeGateway]


@pytest.fixture
def servers() -> Iterator[list[PythonServer]]:
    """Two servers with the same tools."""
    started = [PythonServer(name="one"), PythonServer(name="two", transport="sse")]
    yield started
    for server in started:
        server.close()


@pytest.fixture
def start(start_gateway: Start, servers: list[PythonServer]) -> Start:
    """Start gateways that know both servers."""

    def start(**environ: str) -> FakeGateway:
        urls = ",".join(server.url for server in servers)
        gateway = start_gateway(MCP_ENABLED="true", MCP_SERVERS=urls, MOCK_ENABLED="true", **environ)
        eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
        return gateway

    return start


def following(*turns: Any, **members: Any) -> bytes:
    return body("mock/tools", messages=[{"role": "user", "content": json.dumps(turns)}], **members)


def execute(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": "mcp_tools_execute", "arguments": {"name": name, "arguments": arguments}}


def test_a_model_finds_a_tool_and_runs_it(start: Start) -> None:
    found = [{"name": "mcp_tools_get", "arguments": {"query": "again"}}]
    reply = start().chat(following(found, [execute("mcp_echo", text="hello")]))
    assert "hello" in reply.json()["choices"][0]["message"]["content"]


def test_tools_are_called_by_name_in_direct_mode_in_streams_too(start: Start) -> None:
    gateway = start(MCP_TOOL_MODE="direct")
    calls = [
        {"name": "mcp_echo", "arguments": {"text": "hi"}},
        {"name": "mcp_add", "arguments": {"a": 1, "b": 2}},
    ]
    streamed = stream(gateway, following(calls, stream=True))
    assert streamed.whole
    said = "".join(
        choice["delta"].get("content") or ""
        for event in streamed.events.removesuffix(b"\n\ndata: [DONE]\n\n").split(b"\n\n")
        for choice in json.loads(event[6:])["choices"]
    )
    assert "hi" in said
    assert "3" in said


@pytest.mark.parametrize("mode", ["selector", "direct"])
@pytest.mark.parametrize("name", ["mcp_add", "mcp_one_add"])
def test_a_model_that_calls_an_excluded_tool_is_told_that_there_is_none(
    start: Start, mode: str, name: str
) -> None:
    gateway = start(MCP_TOOL_MODE=mode, MCP_EXCLUDE_TOOLS="add")
    reply = gateway.chat(following([{"name": name, "arguments": {"a": 1, "b": 2}}], "sorry"))
    [choice] = reply.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("sorry", "stop")
    repeated = gateway.chat(following([{"name": name, "arguments": {"a": 1, "b": 2}}]))
    assert repeated.json()["choices"][0]["message"]["content"] == f"Error: there is no tool '{name}'"


def test_a_server_that_is_down_costs_its_tools_and_nothing_else(start_gateway: Start) -> None:
    gateway = start_gateway(MCP_ENABLED="true", MCP_SERVERS="http://127.0.0.1:9/mcp", MOCK_ENABLED="true")
    reply = gateway.chat(body("mock/echo"))
    assert reply.status == 200
    assert reply.json()["choices"][0]["message"]["content"] == "hi"


def test_many_requests_at_once_get_the_results_of_their_own_calls(start: Start) -> None:
    gateway = start()

    def ask(number: int) -> str:
        reply = gateway.chat(
            following([execute("mcp_echo", text=f"n{number}.")], [execute("mcp_echo", text=f"m{number}.")])
        )
        return str(reply.json()["choices"][0]["message"]["content"])

    with ThreadPoolExecutor(40) as crowd:
        told = list(crowd.map(ask, range(80)))
    assert all(f"m{number}." in text and "n" not in text for number, text in enumerate(told))
