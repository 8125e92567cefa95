"""Models and real agents: the mock follows a script, agents of every SDK and dialect work for it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from fakes.agents import Agents
from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer
from fakes.node_agents import NodeAgents, needs_node_agents
from fakes.provider import FakeProvider
from fakes.turns import call, calling, saying, taking_turns
from inference_gateway import InferenceGatewayClient, StreamCallbacks

Start = Callable[..., FakeGateway]


@pytest.fixture(scope="module")
def agents() -> Iterator[Agents]:
    """Agents built on the official SDK for Python."""
    running = Agents()
    yield running
    running.close()


@pytest.fixture(scope="module")
def node_agents() -> Iterator[NodeAgents]:
    """Agents built on the official SDK for JavaScript."""
    running = NodeAgents()
    yield running
    running.close()


@pytest.fixture
def start(start_gateway: Start) -> Start:
    """Start gateways that know agents by these URLs, and wait until they are available."""

    def start(*urls: str, ready: str = "", **environ: str) -> FakeGateway:
        gateway = start_gateway(
            A2A_ENABLED="true",
            A2A_AGENTS=",".join(urls),
            A2A_POLLING_INTERVAL="20ms",
            MOCK_ENABLED="true",
            **environ,
        )
        eventually(lambda: runs(gateway, ready) if ready else available(gateway) == len(urls))
        return gateway

    return start


def available(gateway: FakeGateway) -> int:
    """Count the agents that a model is told to be available."""
    said = run(gateway, "a2a_query_agent_card")
    return said.count('"state":"available"')


def runs(gateway: FakeGateway, name: str) -> bool:
    """Tell whether the gateway has a tool of this name."""
    return (
        "tool_calls"
        not in gateway.chat(following([{"name": name, "arguments": {}}])).json()["choices"][0]["message"]
    )


def following(*turns: Any, **members: Any) -> bytes:
    return body("mock/tools", messages=[{"role": "user", "content": json.dumps(turns)}], **members)


def run(gateway: FakeGateway, name: str, **arguments: Any) -> str:
    """Have a model make one call; return what it is told."""
    reply = gateway.chat(following([{"name": name, "arguments": arguments}]))
    return str(reply.json()["choices"][0]["message"]["content"])


def order(agent: str, message: str, **more: Any) -> dict[str, Any]:
    return {"name": "a2a_submit_task", "arguments": {"agent": agent, "message": message, **more}}


def submit(gateway: FakeGateway, agent: str, message: str, **more: Any) -> Any:
    """Have a model give an agent work; return what it is told."""
    told, *_ = run(gateway, "a2a_submit_task", agent=agent, message=message, **more).splitlines()
    return json.loads(told.removeprefix("Error: "))


@pytest.mark.parametrize(("path", "agent"), [("new", "shouter"), ("old", "old-shouter")])
def test_agents_of_both_dialects_work_for_a_model(
    start: Start, agents: Agents, path: str, agent: str
) -> None:
    gateway = start(f"{agents.url}/{path}")
    done = submit(gateway, agent, "shout hello")
    assert (done["state"], done["artifacts"]) == ("completed", [{"name": "shouted", "text": "HELLO"}])
    assert submit(gateway, agent, "talk to me")["message"] == {"text": "To Me"}
    asked = submit(gateway, agent, "ask")
    assert (asked["state"], asked["message"]) == ("input-required", {"text": "Which one?"})
    answered = submit(gateway, agent, "shout green", task_id=asked["task_id"])
    assert (answered["task_id"], answered["state"]) == (asked["task_id"], "completed")
    assert answered["artifacts"] == [{"name": "shouted", "text": "GREEN"}]


@needs_node_agents
@pytest.mark.parametrize("path", ["new", "old", "polled"])
def test_agents_in_another_language_work_for_a_model(
    start: Start, node_agents: NodeAgents, path: str
) -> None:
    gateway, agent = start(f"{node_agents.url}/{path}"), f"node-{path}"
    assert submit(gateway, agent, "shout hello")["artifacts"] == [{"name": "made", "text": "HELLO"}]
    assert submit(gateway, agent, "talk hi")["message"] == {"text": "hi"}
    asked = submit(gateway, agent, "ask")
    answered = submit(gateway, agent, "ask green", task_id=asked["task_id"])
    assert answered["artifacts"] == [{"name": "made", "text": "chosen: green"}]
    [mixed] = submit(gateway, agent, "mixed")["artifacts"]
    assert (mixed["text"], mixed["data"]) == ("words", [{"answer": 42}])
    assert [file["name"] for file in mixed["files"]] == ["table.csv", "pixel.png", "blob.bin", "report.pdf"]
    assert mixed["files"][0]["text"] == "a,b\n1,2\n"
    failed = submit(gateway, agent, "fail")
    assert (failed["state"], failed["message"]) == ("failed", {"text": "I cannot do that."})
    assert submit(gateway, agent, "login")["state"] == "auth-required"


@needs_node_agents
def test_pictures_of_agents_are_shown_to_models_that_see(
    start: Start, node_agents: NodeAgents, start_provider: Callable[..., FakeProvider]
) -> None:
    arguments = {"agent": "node-new", "message": "mixed"}
    provider = start_provider(taking_turns(calling(call("a2a_submit_task", arguments)), saying("seen")))
    gateway = start(
        f"{node_agents.url}/new", ENABLE_VISION="true", OPENAI_API_KEY="k", OPENAI_API_URL=provider.url
    )
    assert gateway.chat(body()).json()["choices"][0]["message"]["content"] == "seen"
    told, shown = provider.calls[-1].json()["messages"][-2:]
    assert json.loads(told["content"])["artifacts"][0]["files"][1]["note"] == "picture 1"
    assert shown["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="


def leave(gateway: FakeGateway, request: bytes, until: Callable[[], bool]) -> None:
    """Go away in the middle of a request."""
    with gateway.connect() as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
        client.sendall(head + request)
        eventually(until)


@needs_node_agents
@pytest.mark.parametrize("path", ["new", "old", "polled"])
def test_a_client_that_goes_away_stops_its_agent(start: Start, node_agents: NodeAgents, path: str) -> None:
    gateway = start(f"{node_agents.url}/{path}", A2A_MAX_POLL_ATTEMPTS="100000")
    before, begun = len(node_agents.cancelled()), len(node_agents.waiting())
    leave(gateway, following([order(f"node-{path}", "wait")]), lambda: len(node_agents.waiting()) > begun)
    eventually(lambda: len(node_agents.cancelled()) == before + 1)


def test_two_agents_work_side_by_side_in_one_turn_and_keep_their_order(start: Start, agents: Agents) -> None:
    gateway = start(f"{agents.url}/new", f"{agents.url}/old")
    calls = [order("shouter", "shout one"), order("old-shouter", "shout two"), order("shouter", "talk x")]
    said = gateway.chat(following(calls)).json()["choices"][0]["message"]["content"]
    one, two, three = map(json.loads, said.splitlines())
    assert [one["artifacts"][0]["text"], two["artifacts"][0]["text"], three["message"]["text"]] == [
        "ONE",
        "TWO",
        "X",
    ]


def test_many_requests_at_once_get_the_results_of_their_own_agents(start: Start, agents: Agents) -> None:
    gateway = start(f"{agents.url}/new", f"{agents.url}/old")

    def ask(number: int) -> str:
        reply = gateway.chat(following([order(("shouter", "old-shouter")[number % 2], f"shout n{number}.")]))
        return str(json.loads(reply.json()["choices"][0]["message"]["content"])["artifacts"][0]["text"])

    with ThreadPoolExecutor(16) as crowd:
        assert list(crowd.map(ask, range(32))) == [f"N{number}." for number in range(32)]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_the_openai_package_gets_what_came_of_it(start: Start, agents: Agents, streamed: bool) -> None:
    gateway = start(f"{agents.url}/new", A2A_TOOL_MODE="direct", ready="a2a_shouter_shout")
    script = [[{"name": "a2a_shouter_shout", "arguments": {"message": "shout hi"}}], "It said HI."]
    messages: Any = [{"role": "user", "content": json.dumps(script)}]
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        if streamed:
            with client.chat.completions.stream(model="mock/tools", messages=messages) as stream:
                for _ in stream:
                    pass
                message: Any = stream.get_final_completion().choices[0].message
            [made] = message.tool_calls
            assert made.function.name == "a2a_shouter_shout"
        else:
            completion = client.chat.completions.create(model="mock/tools", messages=messages)
            message = completion.choices[0].message
            assert message.tool_calls is None
    assert message.content == "It said HI."


def test_our_sdk_sees_the_call_and_its_result(start: Start, agents: Agents) -> None:
    gateway = start(f"{agents.url}/new")
    seen: list[Any] = []
    script = json.dumps([[order("shouter", "shout hi")], "Done."])
    with InferenceGatewayClient(gateway.url + "/v1") as client:
        client.stream_chat_completion(
            StreamCallbacks(on_mcp_tool=seen.append), "mock/tools", [{"role": "user", "content": script}]
        )
    [call] = seen
    assert call.function.name == "a2a_submit_task"
    result = json.loads(call.extra_content.model_extra["gateway"]["result"])
    assert result["artifacts"][0]["text"] == "HI"


@pytest.fixture
def server() -> Iterator[PythonServer]:
    """An MCP server."""
    running = PythonServer()
    yield running
    running.close()


def test_agents_and_tools_of_mcp_servers_serve_one_turn(
    start: Start, agents: Agents, server: PythonServer
) -> None:
    gateway = start(
        f"{agents.url}/new",
        MCP_ENABLED="true",
        MCP_SERVERS=server.url,
        MCP_EXPOSE="true",
        MCP_TOOL_MODE="direct",
    )
    eventually(lambda: gateway.request("GET", "/v1/mcp/health").json()["status"] == "ok")
    echo = {"name": "mcp_echo", "arguments": {"text": "echoed"}}
    both = following([echo, order("shouter", "shout hi")])

    def told(**headers: str) -> Any:
        return gateway.chat(both, headers=headers).json()["choices"][0]["message"]

    whole = told()["content"]
    assert "echoed" in whole
    assert "HI" in whole
    for header, ours in (("X-MCP-Bypass", "a2a_submit_task"), ("X-A2A-Bypass", "mcp_echo")):
        calls = told(**{header: "true"})["tool_calls"]
        assert [call["function"]["name"] for call in calls if "extra_content" in call] == [ours]


def test_a_turn_that_also_calls_the_clients_tools_goes_back_with_what_the_agent_said(
    start: Start, agents: Agents
) -> None:
    gateway = start(f"{agents.url}/new")
    own = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
    script = json.dumps([[order("shouter", "shout hi"), {"name": "own", "arguments": {}}]])
    messages: list[Any] = [{"role": "user", "content": script}]
    message = gateway.chat(body("mock/tools", messages=messages, tools=[own])).json()["choices"][0]["message"]
    [ours, theirs] = message["tool_calls"]
    assert "HI" in ours["extra_content"]["gateway"]["result"]
    messages += [message, {"role": "tool", "tool_call_id": theirs["id"], "content": "mine"}]
    answer = gateway.chat(body("mock/tools", messages=messages, tools=[own])).json()["choices"][0]["message"]
    said, mine = answer["content"].splitlines()
    assert json.loads(said)["artifacts"][0]["text"] == "HI"
    assert mine == "mine"
