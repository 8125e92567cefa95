"""How far a tool is, as clients of `/mcp` hear of it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp import Client

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.mcp_servers import PythonServer

Start = Callable[..., FakeGateway]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
FIELDS = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"


@pytest.fixture(params=[False, True], ids=["modern", "legacy"])
def server(request: pytest.FixtureRequest) -> Iterator[PythonServer]:
    """A server with a tool that tells how far it is."""
    started = PythonServer(steps=True, legacy=request.param)
    yield started
    started.close()


@pytest.fixture
def tools(server: PythonServer, start_gateway: Start) -> FakeGateway:
    """A gateway that exposes the server's tools."""
    gateway = start_gateway(MCP_ENABLED="true", MCP_EXPOSE="true", MCP_SERVERS=server.url)
    eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
    return gateway


def asking(tool: str) -> bytes:
    params = {"name": tool, "arguments": {}, "_meta": {"progressToken": "p"}}
    body = json.dumps({**CALL, "params": params}).encode()
    return f"POST /mcp HTTP/1.1\r\nhost: x\r\n{FIELDS}content-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_each_step_is_told_while_the_tool_runs(tools: FakeGateway, server: PythonServer, mode: str) -> None:
    heard: list[Any] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))
        server.let_climb()

    async def use() -> None:
        async with Client(f"{tools.url}/mcp", mode=mode) as client:
            told = await client.call_tool("mcp_climb", progress_callback=hear)
            assert told.content[0].model_dump()["text"] == "up"

    asyncio.run(asyncio.wait_for(use(), PATIENCE))
    assert heard == [(1, 2, "step 1"), (2, 2, "step 2")]


def test_a_client_that_leaves_a_stream_cancels_the_call(tools: FakeGateway, server: PythonServer) -> None:
    before = tools.tasks()
    with tools.connect() as client:
        client.sendall(asking("mcp_wait"))
        assert server.waiting.wait(PATIENCE)
    assert server.cancelled.wait(PATIENCE)
    eventually(lambda: tools.tasks() <= before + 2)


def test_many_streams_at_once_hear_of_their_own(tools: FakeGateway, server: PythonServer) -> None:
    heard: dict[int, list[float]] = {n: [] for n in range(8)}

    async def one(client: Client, number: int) -> None:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard[number].append(progress)
            server.let_climb()

        await client.call_tool("mcp_climb", progress_callback=hear)

    async def use() -> None:
        async with Client(f"{tools.url}/mcp") as client:
            await asyncio.gather(*(one(client, number) for number in heard))

    asyncio.run(asyncio.wait_for(use(), PATIENCE))
    assert set(map(tuple, heard.values())) == {(1.0, 2.0)}
