"""Servers that break the protocol, or are out to harm: the model is told, and nothing else suffers."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.mcp_servers import ONE_TOOL, PythonServer, ScriptedServer
from server.mcp.conftest import Tools

Script = Callable[..., ScriptedServer]
Open = Callable[..., Tools]


def answering(result: Any) -> dict[str, Any]:
    """A server whose tool gives this result."""
    return {"tools/call": lambda params: result}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([{"type": "text"}], "The tool returned nothing."),
        ([{"type": "text", "text": None}, {"type": "text", "text": "rest"}], "rest"),
        ([{"type": "text", "text": {"a": 1}}], '{"a":1}'),
        ([{"type": "text", "text": "x", "annotations": 5, "_meta": []}], "x"),
        ([5, {"type": "text", "text": "x"}], "[a part that cannot be read was left out]\nx"),
        ([{"type": "image"}], "[a part of the type 'image' that cannot be read was left out]"),
        ([{}], "[a part of the type 'None' that cannot be read was left out]"),
        ([{"type": "hologram"}], "[a part of the type 'hologram' that cannot be read was left out]"),
        ([{"type": "text", "text": ""}] * 1001, "[1 more parts were left out]"),
    ],
)
def test_blocks_that_cannot_be_read_cost_nothing_but_themselves(
    start_script: Script, open_tools: Open, content: list[Any], told: str
) -> None:
    tools = open_tools(start_script(answering({"content": content, "isError": None, "_meta": None})).url)
    found = tools.call("mcp_act")
    assert (found.text, found.is_error) == (told, False)
    assert tools.states() == ["available"]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"structuredContent": {"a": 1}}, '{"a":1}'),
        ({"structuredContent": [1], "content": []}, "[1]"),
        ({"structuredContent": [1], "content": [{"type": "text", "text": "one"}]}, "one"),
    ],
)
def test_a_result_may_be_structured_and_nothing_else(
    start_script: Script, open_tools: Open, result: Any, told: str
) -> None:
    tools = open_tools(start_script(answering(result)).url)
    assert tools.call("mcp_act").text == told


@pytest.mark.parametrize("sent", [b"{", b'{"jsonrpc":"2.0","id":ID,"result":{"content":[],"x":"\\ud800"}}'])
def test_an_answer_that_is_no_json_is_told_in_our_words(
    start_script: Script, open_tools: Open, sent: bytes
) -> None:
    tools = open_tools(start_script(answering(sent)).url)
    assert tools.call("mcp_act").text == "Error: the server's answer is not JSON"


@pytest.mark.parametrize("result", [{"content": "x"}, {"content": [], "isError": "x"}, 5, b"{", b"[]", b""])
def test_answers_that_make_no_sense_are_errors_for_the_model(
    start_script: Script, open_tools: Open, result: Any
) -> None:
    tools = open_tools(start_script(answering(result)).url)
    assert tools.call("mcp_act").is_error
    eventually(lambda: tools.states() == ["available"])


def test_a_tool_that_never_answers_is_given_up(start_script: Script, open_tools: Open) -> None:
    tools = open_tools(start_script(answering(None)).url, MCP_CLIENT_TIMEOUT="50ms")
    assert tools.call("mcp_act").text == "Error: the tool did not answer within 0.05 seconds"


def test_a_huge_result_is_cut_and_says_so(start_script: Script, open_tools: Open) -> None:
    huge = {"content": [{"type": "text", "text": "x" * 100_000}]}
    tools = open_tools(start_script(answering(huge)).url, MCP_MAX_RESULT_SIZE="2000")
    text = tools.call("mcp_act").text
    assert text == "x" * 2000 + "\n[cut off: 2000 of 100000 characters are shown]"


def test_an_answer_without_end_is_not_read_to_its_end(start_script: Script, open_tools: Open) -> None:
    tools = open_tools(start_script(answering(b" " * (17 * 1024 * 1024))).url)
    assert tools.call("mcp_act").is_error
    eventually(lambda: tools.states() == ["available"])


def test_what_a_server_claims_of_its_output_is_not_relied_on(start_script: Script, open_tools: Open) -> None:
    tool = {**ONE_TOOL["tools"][0], "outputSchema": {"type": "object", "required": ["never"]}}
    result = {"content": [], "structuredContent": {"some": "thing"}}
    server = start_script({"tools/list": lambda params: {"tools": [tool]}, **answering(result)})
    assert json.loads(open_tools(server.url).call("mcp_act").text) == {"some": "thing"}


def test_tools_that_no_model_could_be_offered_are_left_out(start_script: Script, open_tools: Open) -> None:
    def listed(params: Any) -> Any:
        schema = {"type": "object"}
        tools = [
            {"name": "", "inputSchema": schema},
            {"name": "n" * 300, "inputSchema": schema},
            {"name": "huge", "description": "x" * 70_000, "inputSchema": schema},
            {"name": "odd name/1", "inputSchema": schema},
            {"name": "odd name 1", "inputSchema": schema},
            {"name": "odd name 1", "description": "again", "inputSchema": schema},
        ]
        return {"tools": tools}

    tools = open_tools(start_script({"tools/list": listed}).url)
    first, second = tools.listed()
    assert first == "mcp_odd_name_1"
    assert second.startswith("mcp_odd_name_1_")


def test_a_tool_that_is_none_is_left_out_and_reported_and_the_rest_works(
    start_script: Script, open_tools: Open, caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"type": "object"}
    bad = [
        {"name": "an-array", "inputSchema": {"type": "array"}},
        {"name": "odd-properties", "inputSchema": {**schema, "properties": [1]}},
        {"name": "odd-required", "inputSchema": {**schema, "required": "all"}},
        {"name": "odd-words", "inputSchema": schema, "description": 5},
        {"name": "no-schema"},
        {"name": 5, "inputSchema": schema},
        7,
    ]
    good = {"name": "act", "inputSchema": {}, "outputSchema": 5, "annotations": [], "icons": "x", "_meta": 1}
    server = start_script(
        {
            "tools/list": lambda params: {"tools": [*bad, good]},
            **answering({"content": [{"type": "text", "text": "well"}]}),
        }
    )
    tools = open_tools(server.url, MCP_POLLING_INTERVAL="10ms")
    assert list(tools.listed()) == ["mcp_act"]
    assert tools.listed()["mcp_act"]["input_schema"] == schema
    assert tools.call("mcp_act").text == "well"
    assert tools.health()[0]["left_out"] == 7
    eventually(lambda: server.asked.count("tools/list") > 3)
    assert caplog.text.count("has a tool that cannot be offered: 'odd-required'") == 1


def test_a_list_that_breaks_the_protocol_makes_the_server_unavailable(
    start_script: Script, open_tools: Open
) -> None:
    server = start_script({"tools/list": lambda params: {"tools": {"act": 1}}})
    tools = open_tools(server.url, wait=0, MCP_MAX_RETRIES="0")
    eventually(lambda: tools.states() == ["unavailable"])
    assert tools.health()[0]["error"] == "its answers are not what they should be"


def test_a_list_without_end_is_read_for_a_while(start_script: Script, open_tools: Open) -> None:
    endless = {"tools": [], "nextCursor": "more"}
    server = start_script({"tools/list": lambda params: endless})
    open_tools(server.url)
    assert server.asked.count("tools/list") == 100


def test_a_server_that_hangs_does_not_hold_others_up(start_script: Script, open_tools: Open) -> None:
    hanging = start_script({"initialize": lambda params: None})
    well = start_script(answering({"content": [{"type": "text", "text": "well"}]}))
    tools = open_tools(hanging.url, well.url, wait=1)
    eventually(lambda: tools.call("mcp_act").text == "well")
    assert tools.states() == ["connecting", "available"]


def test_a_server_that_dies_in_mid_call_is_connected_again(
    start_server: Callable[..., PythonServer], open_tools: Open
) -> None:
    server = start_server()
    intervals = dict.fromkeys(("MCP_RETRY_INTERVAL", "MCP_RECONNECT_INTERVAL"), "50ms")
    tools = open_tools(server.url, **intervals)
    results: list[Any] = []
    calling = threading.Thread(target=lambda: results.append(tools.call("mcp_wait")))
    calling.start()
    assert server.waiting.wait(20)
    server.close()
    calling.join(20)
    assert results[0].is_error
    start_server(port=server.port)
    eventually(lambda: tools.call("mcp_echo", text="again").text == "again")


def test_a_server_that_is_busy_with_a_call_is_not_given_up(start_script: Script, open_tools: Open) -> None:
    done = threading.Event()
    calling = threading.Event()

    async def work() -> Any:
        calling.set()
        await asyncio.to_thread(done.wait, PATIENCE)
        calling.clear()
        return {"content": [{"type": "text", "text": "well"}]}

    server = start_script(
        {
            "tools/list": lambda params: None if calling.is_set() else ONE_TOOL,
            "tools/call": lambda params: work(),
        }
    )
    tools = open_tools(server.url, MCP_POLLING_INTERVAL="10ms", MCP_POLLING_TIMEOUT="50ms")
    results: list[Any] = []
    waiting = threading.Thread(target=lambda: results.append(tools.call("mcp_act")))
    waiting.start()
    assert calling.wait(PATIENCE)
    listed = server.asked.count("tools/list")
    eventually(lambda: server.asked.count("tools/list") >= listed + 3)
    done.set()
    waiting.join(PATIENCE)
    assert results[0].text == "well"
    assert server.asked.count("initialize") == 1


@pytest.mark.parametrize("knows", [True, False])
def test_a_server_that_does_not_say_that_it_has_tools_is_asked(
    start_script: Script, open_tools: Open, knows: bool
) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "serverInfo": {"name": "shy", "version": "1"},
    }
    unknown = b'{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no such method"}}'
    listed = {} if knows else {"tools/list": lambda params: unknown}
    tools = open_tools(start_script({"initialize": lambda params: hello, **listed}).url)
    assert list(tools.listed()) == (["mcp_act"] if knows else [])
    assert tools.states() == ["available"]


def test_a_bad_request_does_not_end_the_session_of_others(start_script: Script, open_tools: Open) -> None:
    result = {"content": [{"type": "text", "text": "well"}]}
    server = start_script({"tools/call": lambda params: 400 if params["arguments"] else result}, session="s1")
    tools = open_tools(server.url)
    assert tools.call("mcp_act", bad=True).is_error
    assert tools.call("mcp_act").text == "well"
    assert server.asked.count("initialize") == 1


def test_a_call_that_may_have_run_is_not_sent_again_with_another(
    start_script: Script, open_tools: Open
) -> None:
    asked: list[str] = []

    def act(params: Any) -> Any:
        [what] = params["arguments"]
        asked.append(what)
        if what == "hang":
            return None
        return 404 if asked.count("refuse") == 1 else {"content": [{"type": "text", "text": "well"}]}

    tools = open_tools(start_script({"tools/call": act}, session="s1").url)
    results: list[Any] = []
    hanging = threading.Thread(target=lambda: results.append(tools.call("mcp_act", hang=True)))
    hanging.start()
    eventually(lambda: asked == ["hang"])
    assert tools.call("mcp_act", refuse=True).text == "well"
    hanging.join(20)
    assert results[0].is_error
    assert sorted(asked) == ["hang", "refuse", "refuse"]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (401, "it does not accept the credentials: status 401"),
        (403, "it does not accept the credentials: status 403"),
        (404, "it answers with status 404"),
        (503, "it answers with status 503"),
    ],
)
def test_why_a_server_refuses_is_told(
    start_script: Script, open_tools: Open, status: int, problem: str
) -> None:
    refusing = dict.fromkeys(("initialize", "server/discover"), lambda params: status)
    tools = open_tools(start_script(refusing).url, wait=0, MCP_MAX_RETRIES="0")
    eventually(lambda: tools.states() == ["unavailable"])
    assert tools.health()[0]["error"] == problem


def test_a_list_that_is_refused_in_a_session_is_told_too(start_script: Script, open_tools: Open) -> None:
    statuses = iter([ONE_TOOL])
    server = start_script({"tools/list": lambda params: next(statuses, 500)})
    tools = open_tools(server.url, wait=0, MCP_MAX_RETRIES="0", MCP_POLLING_INTERVAL="50ms")
    eventually(lambda: tools.health()[0]["error"] == "it answers with status 500")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("/nonexistent/program", "its program cannot be started"),
        ("false", "its answers are not what they should be"),
    ],
)
def test_why_a_program_is_no_server_is_told(open_tools: Open, command: str, problem: str) -> None:
    tools = open_tools({"name": "files", "command": command}, wait=0, MCP_MAX_RETRIES="0")
    eventually(lambda: tools.states() == ["unavailable"])
    assert tools.health()[0]["error"] == problem


def test_redirects_to_elsewhere_are_not_followed(start_script: Script, open_tools: Open) -> None:
    elsewhere = start_script()
    server = start_script(redirect=elsewhere.url)
    tools = open_tools(server.url, wait=0, MCP_MAX_RETRIES="0")
    eventually(lambda: tools.states() == ["unavailable"])
    assert server.asked
    assert elsewhere.asked == []


def test_secrets_that_a_server_repeats_do_not_reach_the_log(
    start_script: Script, open_tools: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    def refuse(params: Any) -> Any:
        return b'{"jsonrpc":"2.0","id":ID,"error":{"code":-1,"message":"no: Bearer t0ps3cret"}}'

    server = start_script({"initialize": refuse})
    tools = open_tools({"url": server.url, "token": "t0ps3cret"}, wait=0, MCP_MAX_RETRIES="0")
    eventually(lambda: tools.states() == ["unavailable"])
    assert "no: Bearer ********" in caplog.text
    assert "t0ps3cret" not in caplog.text


def test_a_session_does_not_reach_the_log_at_its_most_talkative(
    start_script: Script, open_tools: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    server = start_script(answering({"content": [{"type": "text", "text": "well"}]}), session="s3ssion")
    tools = open_tools({"url": server.url, "token": "t0ps3cret", "headers": {"X-Empty": ""}})
    assert tools.call("mcp_act").text == "well"
    logging.getLogger("client").warning("somebody else's")
    assert "s3ssion" not in caplog.text
    assert "t0ps3cret" not in caplog.text
    assert "somebody else's" in caplog.text
