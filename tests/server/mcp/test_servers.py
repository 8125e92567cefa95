"""Sessions with official servers: connected, listed, lost and found again."""

import asyncio
import json
from collections.abc import Callable

import pytest

from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.mcp_servers import PythonServer
from server.mcp.conftest import Tools

Start = Callable[..., PythonServer]
Open = Callable[..., Tools]

FAST = {"MCP_POLLING_INTERVAL": "50ms", "MCP_RETRY_INTERVAL": "50ms", "MCP_RECONNECT_INTERVAL": "50ms"}


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
@pytest.mark.parametrize("legacy", [True, False])
def test_a_server_is_found_by_whichever_transport_and_version_it_speaks(
    start_server: Start, open_tools: Open, transport: str, legacy: bool
) -> None:
    server = start_server(transport=transport, legacy=legacy)
    tools = open_tools(server.url)
    assert tools.health()[0]["transport"] == transport
    assert tools.call("mcp_echo", text="hello").text == "hello"
    assert json.loads(tools.call("mcp_add", a=1, b=2).text) == {"sum": 3}


def test_an_sse_server_is_found_beside_the_path_of_streamable_http(
    start_server: Start, open_tools: Open
) -> None:
    server = start_server(transport="sse")
    tools = open_tools(server.url.replace("/sse", "/mcp"))
    assert tools.health()[0]["transport"] == "sse"


def test_pictures_and_failures_reach_the_model(start_server: Start, open_tools: Open) -> None:
    tools = open_tools(start_server().url)
    assert tools.call("mcp_picture").images == ("data:image/png;base64,iVBORw0KGgo=",)
    failed = tools.call("mcp_fail")
    assert failed.is_error
    assert failed.text == "Error executing tool fail"
    assert tools.call("mcp_echo", text=3).is_error, "the server holds arguments to its schema"


def test_tokens_and_headers_are_sent_and_never_shown(start_server: Start, open_tools: Open) -> None:
    server = start_server()
    entry = {"url": server.url, "token": "t0ps3cret", "headers": {"X-Team": "s3archteam"}}
    tools = open_tools(entry)
    assert server.heard[-1]["authorization"] == "Bearer t0ps3cret"
    assert server.heard[-1]["x-team"] == "s3archteam"
    shown = json.dumps([tools.health(), tools.listed()]) + repr(tools.gateway.server._gateway.mcp)
    assert "s3" not in shown.replace("t0ps3", "s3")


def test_a_server_that_is_down_at_first_is_used_once_it_is_there(
    start_server: Start, open_tools: Open
) -> None:
    first = start_server()
    port = first.port
    first.close()
    tools = open_tools(first.url, wait=0, MCP_MAX_RETRIES="1", **FAST)
    assert tools.gateway.request("GET", "/health").status == 200
    eventually(lambda: tools.states() == ["unavailable"])
    assert tools.health()[0]["error"] == "it cannot be reached"
    assert tools.listed() == {}
    start_server(port=port)
    assert tools.wait().call("mcp_echo", text="late").text == "late"


@pytest.mark.parametrize("legacy", [True, False])
def test_a_session_that_a_restart_lost_is_replaced_within_the_call(
    start_server: Start, open_tools: Open, legacy: bool
) -> None:
    first = start_server(legacy=legacy)
    tools = open_tools(first.url, **FAST, MCP_POLLING_ENABLED="false")
    assert tools.call("mcp_echo", text="before").text == "before"
    first.close()
    start_server(legacy=legacy, port=first.port)
    eventually(lambda: tools.call("mcp_echo", text="after").text == "after")


def test_tools_of_a_lost_server_are_offered_no_more_and_stay_listed(
    start_server: Start, open_tools: Open
) -> None:
    server = start_server()
    tools = open_tools(server.url, MCP_MAX_RETRIES="0", **FAST)
    mcp = tools.gateway.server._gateway.mcp
    assert mcp is not None
    assert mcp.toolbox.definitions()
    server.close()
    eventually(lambda: tools.states() == ["unavailable"])
    assert mcp.toolbox.definitions() == ()
    assert "mcp_echo" in tools.listed()
    failed = tools.call("mcp_echo", text="x")
    assert failed.is_error
    assert "not available at the moment" in failed.text


@pytest.mark.parametrize("legacy", [True, False])
def test_new_tools_are_known_as_soon_as_the_server_says_so(
    start_server: Start, open_tools: Open, legacy: bool
) -> None:
    tools = open_tools(start_server(legacy=legacy).url, MCP_POLLING_ENABLED="false")

    def knows_it() -> bool:
        # The server may be told of before it is listened to.
        tools.call("mcp_learn", name="greeting")
        return "mcp_greeting" in tools.listed()

    eventually(knows_it)
    assert tools.call("mcp_greeting").text == "I am greeting"


def test_a_definition_that_changed_is_reported(
    start_server: Start, open_tools: Open, caplog: pytest.LogCaptureFixture
) -> None:
    tools = open_tools(start_server().url, **FAST)
    tools.call("mcp_learn", name="trick")
    eventually(lambda: "mcp_trick" in tools.listed())
    assert tools.listed()["mcp_trick"]["changed"] is False
    tools.call("mcp_learn", name="trick")
    eventually(lambda: tools.listed()["mcp_trick"]["changed"])
    assert "has changed the definition of its tool 'trick'" in caplog.text


@pytest.mark.parametrize("legacy", [True, False])
def test_cancelling_a_call_cancels_the_work_of_the_server(
    start_server: Start, open_tools: Open, legacy: bool
) -> None:
    server = start_server(legacy=legacy)
    tools = open_tools(server.url)
    mcp = tools.gateway.server._gateway.mcp
    assert mcp is not None
    calling = asyncio.run_coroutine_threadsafe(mcp.toolbox.run("mcp_wait", "{}"), tools.gateway.thread.loop)
    assert server.waiting.wait(PATIENCE)
    calling.cancel()
    assert server.cancelled.wait(PATIENCE)
    assert tools.call("mcp_echo", text="on").text == "on"


def test_a_call_is_bounded_by_the_servers_own_timeout(start_server: Start, open_tools: Open) -> None:
    server = start_server()
    tools = open_tools({"url": server.url, "timeout": "50ms"})
    failed = tools.call("mcp_wait")
    assert failed.is_error
    assert failed.text == "Error: the tool did not answer within 0.05 seconds"
    assert server.cancelled.wait(PATIENCE)


def test_two_servers_with_the_same_tools_are_told_apart(start_server: Start, open_tools: Open) -> None:
    tools = open_tools(start_server(name="One").url, {"name": "two", "url": start_server().url})
    names = list(tools.listed())
    assert names[:2] == ["mcp_echo", "mcp_add"]
    assert names[6:8] == ["mcp_two_echo", "mcp_two_add"]
    assert tools.call("mcp_one_echo", text="qualified").text == "qualified"


def test_excluded_tools_are_neither_listed_nor_offered_nor_run(start_server: Start, open_tools: Open) -> None:
    entry = {"name": "a", "url": start_server().url, "exclude": ["fail", "MCP_Add"]}
    tools = open_tools(entry, MCP_EXCLUDE_TOOLS="a_picture", MCP_TOOL_MODE="direct")
    assert list(tools.listed()) == ["mcp_echo", "mcp_wait", "mcp_learn"]
    mcp = tools.gateway.server._gateway.mcp
    assert mcp is not None
    assert len(mcp.toolbox.definitions()) == 3
    for name in ("mcp_fail", "mcp_a_fail", "mcp_add", "mcp_picture"):
        assert "there is no tool" in tools.call(name).text


def test_no_task_is_left_behind(start_server: Start, open_tools: Open) -> None:
    tools = open_tools(start_server().url, start_server(transport="sse").url)
    gateway = tools.gateway.server._gateway
    tools.gateway.thread.call(gateway.close())
    eventually(lambda: tools.gateway.tasks() == 0)
