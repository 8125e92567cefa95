"""Models and real MCP servers: the mock follows a script, the gateway runs the official server's tools."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer
from fakes.provider import Call, FakeProvider
from fakes.turns import call, calling, saying, stream_of

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
    said = told(streamed.events)
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


async def _providing(asked: Call, name: str) -> None:
    """Call a tool of each server with the words of the request, then say what came of it and who says it."""
    request = asked.json()
    word = request["messages"][0]["content"]
    results = [m["content"] for m in request["messages"] if m["role"] == "tool"]
    said = f"{name}/{request['model']}: {' '.join(results)}"
    calls = [call(f"mcp_{n}_echo", {"text": f"{n}={word}"}, id=f"{word}-{n}") for n in ("one", "two")]
    if not request.get("stream"):
        await asked.respond_json(saying(said) if results else calling(*calls))
    elif results:
        await asked.stream(stream_of({"content": said}))
    else:
        made = [{"index": place, **each} for place, each in enumerate(calls)]
        await asked.stream(stream_of({"tool_calls": made}, finish="tool_calls"))


@settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_many_requests_over_two_providers_and_two_servers_never_cross(
    start: Start, start_provider: Callable[..., FakeProvider], random: Any
) -> None:
    def script(name: str) -> Callable[[Call], Any]:
        return lambda asked: _providing(asked, name)

    gateway = start(
        MCP_TOOL_MODE="direct",
        OPENAI_API_KEY="k",
        OPENAI_API_URL=start_provider(script("openai")).url,
        GROQ_API_KEY="k",
        GROQ_API_URL=start_provider(script("groq")).url,
    )
    plan = [
        (f"w{n}", random.choice(["openai", "groq"]), f"m{random.randrange(3)}", random.random() < 0.5)
        for n in range(200)
    ]

    def ask(word: str, provider: str, model: str, streams: bool) -> str:
        asked = body(f"{provider}/{model}", messages=[{"role": "user", "content": word}], stream=streams)
        if not streams:
            return str(gateway.chat(asked).json()["choices"][0]["message"]["content"])
        streamed = stream(gateway, asked, fields="x-mcp-stream-tool-calls: false\r\n")
        return told(streamed.events)

    with ThreadPoolExecutor(200) as crowd:
        answers = list(crowd.map(lambda each: ask(*each), plan))
    assert answers == [f"{p}/{m}: one={w} two={w}" for w, p, m, _ in plan]


def told(events: bytes) -> str:
    """Put the text of a stream together."""
    *chunks, _ = events.removesuffix(b"\n\n").split(b"\n\n")
    choices = [choice for each in chunks for choice in json.loads(each[6:])["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
