"""The tool loop as clients see it: the mock follows a script, and official clients read what comes of it."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider
from fakes.toolbox import FakeToolbox
from fakes.turns import call, calling, saying
from inference_gateway import InferenceGatewayClient, StreamCallbacks, tool
from inference_gateway.server.toolbox import ToolResult

Start = Callable[..., FakeGateway]
OWN: Any = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
SCRIPT = json.dumps(
    [
        [{"name": "mcp_time", "arguments": {"zone": "UTC"}}, {"name": "mcp_add", "arguments": {"a": 1}}],
        [{"name": "mcp_time", "arguments": {"zone": "CET"}}],
        "It is noon.",
    ]
)
MESSAGES: Any = [{"role": "user", "content": SCRIPT}]


@pytest.fixture
def toolbox() -> FakeToolbox:
    return FakeToolbox("mcp_time", "mcp_add")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, start_gateway: Start, toolbox: FakeToolbox) -> FakeGateway:
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    return start_gateway(MOCK_ENABLED="true")


@pytest.fixture
def client(gateway: FakeGateway) -> Any:
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        yield client


def test_a_script_of_the_mock_is_followed_to_its_end(client: openai.OpenAI, toolbox: FakeToolbox) -> None:
    completion = client.chat.completions.create(model="mock/tools", messages=MESSAGES)
    assert completion.choices[0].message.content == "It is noon."
    assert completion.choices[0].message.tool_calls is None
    assert toolbox.calls == [
        ("mcp_time", {"zone": "UTC"}),
        ("mcp_add", {"a": 1}),
        ("mcp_time", {"zone": "CET"}),
    ]


def test_the_openai_packages_streaming_helper_reads_all_turns(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="mock/tools", messages=MESSAGES, stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    message = completion.choices[0].message
    assert message.content == "It is noon."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    made = [(c.function.name, c.function.arguments) for c in message.tool_calls or ()]
    assert [name for name, _ in made] == ["mcp_time", "mcp_add", "mcp_time"]
    assert [json.loads(text) for _, text in made] == [{"zone": "UTC"}, {"a": 1}, {"zone": "CET"}]


def test_our_sdk_reports_our_calls_as_such_and_its_own_as_its_own(gateway: FakeGateway) -> None:
    script = json.dumps(
        [[{"name": "mcp_time"}], [{"name": "mcp_add"}, {"name": "own", "arguments": {"x": 1}}]]
    )
    heard: list[str] = []
    with InferenceGatewayClient(gateway.url + "/v1") as client:
        client.stream_chat_completion(
            StreamCallbacks(
                on_chunk=lambda chunk: heard.append("delta"),
                on_mcp_tool=lambda call: heard.append(call.function.name),
                on_tool=lambda call: heard.append(call.function.name),
            ),
            "mock/tools",
            [{"role": "user", "content": script}],
            tools=[OWN],
        )
    assert [name for name in heard if name != "delta"] == ["mcp_time", "mcp_add", "own"]
    # The next turn's deltas come behind the call of the turn before.
    assert "delta" in heard[heard.index("mcp_time") : heard.index("mcp_add")]


@pytest.mark.parametrize("shown", ["true", "false"])
def test_our_sdk_goes_on_after_a_mixed_turn_of_a_stream(
    gateway: FakeGateway, toolbox: FakeToolbox, shown: str
) -> None:
    messages: Any = [{"role": "user", "content": json.dumps([[{"name": "mcp_add"}, {"name": "own"}]])}]
    headers = {"X-MCP-Stream-Tool-Calls": shown}
    with InferenceGatewayClient(gateway.url + "/v1", default_headers=headers) as client:
        with client.create_chat_completion_stream("mock/tools", messages, tools=[OWN]) as stream:
            message = stream.get_final_completion().choices[0].message
        made = [call.function.name for call in message.tool_calls or ()]
        assert made == (["mcp_add", "own"] if shown == "true" else ["own"])
        own = (message.tool_calls or [])[-1]
        messages += [message, {"role": "tool", "tool_call_id": own.id, "content": "mine"}]
        last = client.create_chat_completion("mock/tools", messages, tools=[OWN])
    assert last.choices[0].message.content == "mcp_add: {}\nmine"
    assert toolbox.calls == [("mcp_add", {})]


@pytest.mark.parametrize("shown", ["true", "false"])
def test_the_openai_package_goes_on_after_a_mixed_turn_of_a_stream(
    client: openai.OpenAI, toolbox: FakeToolbox, shown: str
) -> None:
    messages: Any = [{"role": "user", "content": json.dumps([[{"name": "mcp_add"}, {"name": "own"}]])}]
    with client.chat.completions.stream(
        model="mock/tools",
        messages=messages,
        tools=[OWN],
        extra_headers={"X-MCP-Stream-Tool-Calls": shown},
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    own = (message.tool_calls or [])[-1]
    assert own.function.name == "own"
    messages += [message.to_dict(), {"role": "tool", "tool_call_id": own.id, "content": "mine"}]
    last = client.chat.completions.create(model="mock/tools", messages=messages, tools=[OWN])
    assert last.choices[0].message.content == "mcp_add: {}\nmine"
    assert toolbox.calls == [("mcp_add", {})]


def test_our_sdk_runs_its_own_calls_and_leaves_us_ours(gateway: FakeGateway, toolbox: FakeToolbox) -> None:
    @tool
    def own() -> str:
        """Say whose it is."""
        return "mine"

    script = json.dumps([[{"name": "mcp_add"}, {"name": "own"}]])
    messages: Any = [{"role": "user", "content": script}]
    with InferenceGatewayClient(gateway.url + "/v1") as client:
        runner = client.run_tools("mock/tools", messages, tools=[own])
        assert runner.until_done().choices[0].message.content == "mcp_add: {}\nmine"
    assert toolbox.calls == [("mcp_add", {})]


def test_a_mixed_turn_is_settled_when_a_client_echoes_it(client: openai.OpenAI, toolbox: FakeToolbox) -> None:
    script = json.dumps([[{"name": "mcp_time"}, {"name": "own"}]])
    messages: Any = [{"role": "user", "content": script}]
    first = client.chat.completions.create(model="mock/tools", messages=messages, tools=[OWN])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    own = next(c for c in message.tool_calls or () if c.function.name == "own")
    messages += [
        message.to_dict(),
        {"role": "tool", "tool_call_id": own.id, "content": "mine"},
    ]
    second = client.chat.completions.create(model="mock/tools", messages=messages, tools=[OWN])
    assert second.choices[0].message.content == "mcp_time: {}\nmine"
    assert toolbox.calls == [("mcp_time", {})]


async def _providing(asked: Call, name: str) -> None:
    """Call both tools with the words of the request, then say what they returned and who says it."""
    request = asked.json()
    word = request["messages"][0]["content"]
    results = [m["content"] for m in request["messages"] if m["role"] == "tool"]
    if results:
        await asked.respond_json(saying(f"{name}/{request['model']}: {' '.join(results)}"))
    else:
        both = [call(f"mcp_{n}", {"word": word}, id=f"{word}-{n}") for n in ("one", "two")]
        await asked.respond_json(calling(*both))


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_many_requests_at_once_never_cross(
    start_provider: Callable[..., FakeProvider],
    start_gateway: Start,
    random: Any,
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        for _ in range(random.randrange(5)):
            await asyncio.sleep(0)
        return ToolResult(f"{name}={arguments['word']}")

    def script(name: str) -> Callable[[Call], Any]:
        return lambda asked: _providing(asked, name)

    boxes = [FakeToolbox("mcp_one", act=act), FakeToolbox("mcp_two", act=act)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: boxes)
        gateway = start_gateway(
            OPENAI_API_KEY="k",
            OPENAI_API_URL=start_provider(script("openai")).url,
            GROQ_API_KEY="k",
            GROQ_API_URL=start_provider(script("groq")).url,
        )
    plan = [(f"w{n}", random.choice(["openai", "groq"]), f"m{random.randrange(3)}") for n in range(200)]

    def ask(word: str, provider: str, model: str) -> str:
        messages = [{"role": "user", "content": word}]
        reply = gateway.chat(body(f"{provider}/{model}", messages=messages))
        return str(reply.json()["choices"][0]["message"]["content"])

    with ThreadPoolExecutor(200) as crowd:
        told = list(crowd.map(lambda each: ask(*each), plan))
    assert told == [f"{p}/{m}: mcp_one={w} mcp_two={w}" for w, p, m in plan]
    assert gateway.tasks() <= len(plan) * 2 + 2
