"""What is counted of tools: the calls that models make, and the time of those that the gateway runs."""

from collections.abc import Callable

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer
from fakes.provider import FakeProvider
from fakes.toolbox import FakeToolbox
from fakes.turns import call, calling, pieces, saying, stream_of, taking_turns
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.toolbox import ToolResult

Start = Callable[..., FakeGateway]
TIMES = "gen_ai_execute_tool_duration_seconds_count"
CALLS = "inference_gateway_tool_calls_total"
TOKENS = "gen_ai_client_token_usage_sum"


@pytest.fixture
def toolbox() -> FakeToolbox:
    return FakeToolbox("mcp_time", "mcp_add")


@pytest.fixture
def start(
    monkeypatch: pytest.MonkeyPatch, start_gateway: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> Start:
    """Start gateways that count, and have the toolbox."""
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    return lambda **environ: start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        **environ,
    )


def test_calls_of_turns_that_the_client_never_sees_are_counted_once(
    start: Start, provider: FakeProvider
) -> None:
    provider.script = taking_turns(
        calling(call("mcp_add"), call("mcp_time", id="c2")), calling(call("mcp_add")), saying("done")
    )
    gateway = start()
    assert gateway.chat(body()).status == 200
    found = gateway.metrics()
    labels = {"gen_ai_provider_name": "openai", "gen_ai_request_model": "openai/m", "gen_ai_tool_type": "mcp"}
    assert found.total(CALLS, gen_ai_tool_name="mcp_add", **labels) == 2
    assert found.total(CALLS, gen_ai_tool_name="mcp_time", **labels) == 1
    assert found.total(CALLS) == 3


def test_the_tokens_of_all_turns_count_as_those_of_one_request(start: Start, provider: FakeProvider) -> None:
    provider.script = taking_turns(calling(call("mcp_add")), calling(call("mcp_add")), saying("done"))
    gateway = start()
    used = gateway.chat(body()).json()["usage"]
    found = gateway.metrics()
    assert found.total(TOKENS, gen_ai_token_type="input") == used["prompt_tokens"] == 30
    assert found.total(TOKENS, gen_ai_token_type="output") == used["completion_tokens"] == 6
    assert found.total("gen_ai_client_token_usage_count", gen_ai_token_type="input") == 1
    assert found.total("inference_gateway_requests_total") == 1


@pytest.mark.parametrize("shown", ["true", "false"])
def test_calls_in_the_turns_of_a_stream_are_counted_once_shown_or_not(
    start: Start, provider: FakeProvider, shown: str
) -> None:
    turns = [
        stream_of(*pieces(name, "{}"), finish="tool_calls", usage=True) for name in ("mcp_add", "mcp_time")
    ]
    provider.script = taking_turns(*turns, stream_of({"content": "done"}, usage=True))
    gateway = start(MCP_STREAM_TOOL_CALLS=shown)
    assert stream(gateway, body(stream=True)).whole
    found = gateway.metrics()
    assert found.total(CALLS, gen_ai_tool_name="mcp_add", gen_ai_request_model="openai/m") == 1
    assert found.total(CALLS) == 2
    assert found.total(TOKENS, gen_ai_token_type="input") == 30
    assert found.total(TOKENS, gen_ai_token_type="output") == 6


def test_the_time_of_each_tool_that_is_run_is_told_with_what_went_wrong(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def act(name: str, arguments: object) -> ToolResult:
        if name == "mcp_time":
            raise UpstreamError("no clock")
        return ToolResult("done", tool="add")

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_add"), call("mcp_time", id="c2")), saying("done"))
    gateway = start()
    gateway.chat(body())
    found = gateway.metrics()
    labels = {"source": "gateway", "team": "unknown", "gen_ai_operation_name": "execute_tool"}
    assert found.total(TIMES, gen_ai_tool_name="add", **labels) == 1
    assert found.total(TIMES, gen_ai_tool_name="mcp_time", error_type="tool_error", **labels) == 1
    assert found.total(TIMES) == 2


def test_tools_that_clients_bring_do_not_crowd_out_those_of_the_gateway(
    start: Start, provider: FakeProvider
) -> None:
    several = [call(f"theirs-{number}", id=f"c{number}") for number in range(210)]
    provider.script = taking_turns(calling(*several))
    gateway = start()
    gateway.chat(body())
    provider.script = taking_turns(calling(call("mcp_add")), saying("done"))
    gateway.chat(body())
    found = gateway.metrics()
    assert found.total(CALLS, gen_ai_tool_name="other") == 10
    assert found.total(CALLS, gen_ai_tool_name="mcp_add") == 1


def test_a_tool_server_is_told_to_be_up_down_and_reconnected(start_gateway: Start) -> None:
    server = PythonServer()
    gateway = start_gateway(
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        MCP_ENABLED="true",
        MCP_SERVERS=server.url,
        MCP_INITIAL_BACKOFF="50ms",
        MCP_RETRY_INTERVAL="50ms",
        MCP_POLLING_INTERVAL="50ms",
    )
    labels = {"kind": "mcp", "server": "server-1"}

    def is_up() -> float:
        return gateway.metrics().total("inference_gateway_tool_server_up", **labels)

    eventually(lambda: is_up() == 1)
    assert gateway.metrics().total("inference_gateway_tool_server_reconnects_total", **labels) == 0
    port = server.port
    server.close()
    eventually(lambda: is_up() == 0)
    server = PythonServer(port=port)
    eventually(lambda: is_up() == 1)
    server.close()
    assert gateway.metrics().total("inference_gateway_tool_server_reconnects_total", **labels) == 1
