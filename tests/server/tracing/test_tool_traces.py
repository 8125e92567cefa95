"""What a collector is told of tools that the gateway runs, and what people wrote where that is wanted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.chats import body, stream
from fakes.collector import Collector, Seen
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import ScriptedServer
from fakes.provider import Call, FakeProvider
from fakes.scripted_agent import ScriptedAgent, task
from fakes.toolbox import FakeToolbox
from fakes.turns import call, calling, pieces, saying, stream_of, taking_turns
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.toolbox import ToolResult

Start = Callable[..., FakeGateway]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def with_tools(monkeypatch: pytest.MonkeyPatch, traced: Start) -> Start:
    """Start traced gateways with two tools, of which one does not work."""

    async def act(name: str, arguments: object) -> ToolResult:
        if name == "mcp_time":
            raise UpstreamError("no clock")
        return ToolResult("canary-result")

    toolbox = FakeToolbox("mcp_time", "mcp_add", act=act)
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    return traced


def names(spans: list[Seen]) -> list[str]:
    return [span.name for span in spans]


TURNS = [
    [calling(call("mcp_add", {"a": "canary-argument"}), call("mcp_time", id="c2")), saying("canary-answer")],
    [
        stream_of(
            *pieces("mcp_add", '{"a":"canary-argument"}'),
            *pieces("mcp_time", "{}", index=1, id="c2"),
            finish="tool_calls",
        ),
        stream_of({"content": "canary-"}, {"content": "answer"}),
    ],
]


@pytest.mark.parametrize("streamed", [False, True])
def test_each_turn_and_each_tool_is_a_span_below_the_request(
    with_tools: Start, collector: Collector, provider: FakeProvider, streamed: bool
) -> None:
    provider.script = taking_turns(*TURNS[streamed])
    gateway = with_tools()
    assert stream(gateway).whole if streamed else gateway.chat(body()).status == 200
    spans = collector.wait(5)
    server, first, *tools, second = spans
    assert (server.name, first.name, second.name) == ("POST /v1/chat/completions", "chat m", "chat m")
    assert {span.parent_id for span in (first, *tools, second)} == {server.id}
    assert {span.trace_id for span in spans} == {server.trace_id}
    assert sorted(names(tools)) == ["execute_tool mcp_add", "execute_tool mcp_time"]
    assert [call.headers["traceparent"][36:52] for call in provider.calls] == [first.id, second.id]
    good, bad = sorted(tools, key=lambda span: span.name)
    assert good.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "mcp_add",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": good.attributes["gen_ai.tool.call.id"],
        "inference_gateway.outcome": "complete",
    }
    assert (good.kind, good.failed) == ("internal", False)
    assert (bad.attributes["error.type"], bad.failed) == ("tool_error", True)
    assert first.end <= min(tool.start for tool in tools)
    assert "canary" not in str(spans)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_people_write_is_held_where_that_is_wanted(
    with_tools: Start, collector: Collector, provider: FakeProvider, streamed: bool
) -> None:
    provider.script = taking_turns(*TURNS[streamed])
    gateway = with_tools(TELEMETRY_TRACING_CONTENT="true")
    assert stream(gateway).whole if streamed else gateway.chat(body()).status == 200
    _, first, *tools, second = collector.wait(5)
    asked, said = (json.loads(first.attributes[f"gen_ai.{way}.messages"]) for way in ("input", "output"))
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    arguments = [json.loads(part["arguments"]) for part in said[0]["parts"]]
    assert (arguments, said[0]["finish_reason"]) == ([{"a": "canary-argument"}, {}], "tool_calls")
    told = json.loads(second.attributes["gen_ai.input.messages"])
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "tool"]
    assert told[2]["parts"][0]["response"] == "canary-result"
    [answer] = json.loads(second.attributes["gen_ai.output.messages"])
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "canary-answer"}],
        "finish_reason": "stop",
    }
    added = next(tool for tool in tools if tool.name.endswith("add"))
    assert json.loads(added.attributes["gen_ai.tool.call.arguments"]) == {"a": "canary-argument"}
    assert added.attributes["gen_ai.tool.call.result"] == "canary-result"


def test_a_tool_of_a_server_is_named_and_the_server_is_told_of_the_trace(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    told: list[dict[str, Any]] = []

    def act(params: dict[str, Any]) -> dict[str, Any]:
        told.append(params)
        return {"content": [{"type": "text", "text": "done"}]}

    server = ScriptedServer({"tools/call": act})
    provider.script = taking_turns(calling(call("mcp_tools_execute", {"name": "act"})), saying("done"))
    gateway = traced(MCP_ENABLED="true", MCP_EXPOSE="true", MCP_SERVERS=server.url)
    eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
    fields = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "a=1"}
    assert gateway.chat(body(), headers=fields).status == 200
    asked = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "mcp_act", "arguments": {}},
    }
    accepted = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    assert gateway.request("POST", "/mcp", asked, {**accepted, **fields}).status == 200
    server.close()
    spans = collector.until(lambda spans: sum(span.trace_id == TRACE for span in spans) == 6)
    tools = sorted((s for s in spans if s.name == "execute_tool act"), key=lambda span: span.start)
    parents = {span.id: span.name for span in spans}
    assert [parents[tool.parent_id] for tool in tools] == ["POST /v1/chat/completions", "POST /mcp"]
    for tool, params in zip(tools, told, strict=True):
        assert params["_meta"]["traceparent"] == f"00-{TRACE}-{tool.id}-01"
        assert params["_meta"]["tracestate"] == "a=1"
        assert tool.attributes["gen_ai.tool.name"] == "act"
        assert tool.attributes["mcp.method.name"] == "tools/call"
        assert tool.attributes["mcp.server.url"] == server.url
        assert tool.attributes["network.transport"] == "tcp"
        assert not tool.failed


def test_an_agent_is_told_of_the_trace_by_a_tool_and_by_its_own_clients(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    told: list[dict[str, str]] = []

    async def act(call: Call, request: dict[str, Any]) -> None:
        told.append(dict(call.headers))
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": {"task": task()}})

    agent = ScriptedAgent({"SendMessage": act})
    provider.script = taking_turns(
        calling(call("a2a_submit_task", {"agent": "scripted", "message": "canary"})), saying("done")
    )
    gateway = traced(A2A_ENABLED="true", A2A_EXPOSE="true", A2A_AGENTS=agent.url)
    eventually(lambda: gateway.request("GET", "/a2a/scripted/.well-known/agent-card.json").status == 200)
    fields = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "a=1"}
    assert gateway.chat(body(), headers=fields).status == 200
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "canary"}]}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    assert gateway.request("POST", "/a2a/scripted", asked, {"a2a-version": "1.0", **fields}).status == 200
    agent.close()
    spans = collector.until(lambda spans: sum(span.trace_id == TRACE for span in spans) == 5)
    by_name = {span.name: span for span in spans}
    tool, server = by_name["execute_tool a2a_submit_task"], by_name["POST /a2a/{agent}"]
    assert tool.parent_id == by_name["POST /v1/chat/completions"].id
    assert (tool.attributes["gen_ai.agent.name"], tool.attributes["server.port"]) == ("scripted", agent.port)
    assert [each["traceparent"] for each in told] == [f"00-{TRACE}-{each.id}-01" for each in (tool, server)]
    assert [each["tracestate"] for each in told] == ["a=1"] * 2
    assert "canary" not in str(spans)
