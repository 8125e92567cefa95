"""Agents asked by the gateway itself, in one dialect, whatever they speak."""

import gzip
import json
import uuid
from contextlib import aclosing
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.provider import Call
from inference_gateway.server.a2a.jsonrpc import AgentRefused
from inference_gateway.server.errors import UpstreamCut, UpstreamError
from server.a2a.conftest import DONE, WORKING, Start, StartAgent, event, reply


def said(text: str) -> dict[str, Any]:
    """Parameters of a message."""
    return {"message": {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": text}]}}


class Agent:
    """The first agent of a gateway, asked in the gateway's own loop."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        registry = gateway.server._gateway.a2a
        assert registry is not None
        gateway.thread.call(registry.settled())
        [self.agent] = registry.listed()

    def call(self, method: str, params: dict[str, Any]) -> Any:
        return self._gateway.thread.call(self.agent.call(method, params))

    def stream(self, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        async def read() -> list[dict[str, Any]]:
            async with aclosing(self.agent.stream(method, params)) as events:
                return [event async for event in events]

        return self._gateway.thread.call(read())


@pytest.fixture(params=["new", "old"])
def agent(start: Start, agents: Agents, request: pytest.FixtureRequest) -> Agent:
    return Agent(start(f"{agents.url}/{request.param}"))


def test_a_message_comes_to_a_task_in_the_newer_dialect(agent: Agent) -> None:
    task = agent.call("SendMessage", said("shout hi"))["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["artifacts"][0]["parts"] == [{"text": "HI"}]
    assert task["history"][0]["role"] == "ROLE_USER"
    assert agent.call("GetTask", {"id": task["id"]})["id"] == task["id"]


def test_a_stream_tells_what_happens_and_ends(agent: Agent) -> None:
    events = agent.stream("SendStreamingMessage", said("shout hi"))
    assert [next(iter(event)) for event in events] == [
        "task",
        "statusUpdate",
        "artifactUpdate",
        "statusUpdate",
    ]
    assert events[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


def test_a_message_may_be_the_whole_stream(agent: Agent) -> None:
    [event] = agent.stream("SendStreamingMessage", said("talk hello"))
    assert event["message"]["parts"] == [{"text": "Hello"}]


def test_what_the_agent_refuses_keeps_its_code(agent: Agent) -> None:
    with pytest.raises(AgentRefused) as caught:
        agent.call("GetTask", {"id": "none"})
    assert caught.value.code == -32001
    with pytest.raises(AgentRefused) as caught:
        agent.stream("SubscribeToTask", {"id": "none"})
    assert caught.value.code == -32001


def test_what_a_dialect_cannot_say_is_refused(start: Start, agents: Agents) -> None:
    with pytest.raises(AgentRefused) as caught:
        Agent(start(f"{agents.url}/old")).call("ListTasks", {})
    assert caught.value.code == -32004
    with pytest.raises(AgentRefused) as caught:
        Agent(start(f"{agents.url}/new")).call("Sing", {})
    assert caught.value.code == -32601


async def endless(call: Call) -> None:
    """Stream news without end."""
    await call.begin_stream()
    while True:
        await call.piece(event(reply(call, {**WORKING, "padding": "x" * 50_000})))


def test_a_slow_reader_holds_the_agent_and_frees_it_when_done(start: Start, start_agent: StartAgent) -> None:
    gateway = start(start_agent(endless).url)
    agent = Agent(gateway)
    pool = gateway.server._gateway.pool
    events = agent.agent.stream("SendStreamingMessage", said("x"))

    async def read(count: int) -> None:
        for _ in range(count):
            await anext(events)

    gateway.thread.call(read(1))
    [connection] = [each for each in pool._connections if each._call is not None]
    eventually(lambda: connection._read_paused)
    gateway.thread.call(read(50))
    eventually(lambda: connection._read_paused)
    gateway.thread.call(events.aclose())
    assert pool.open == pool.idle


def test_a_stream_that_breaks_off_raises(start: Start, start_agent: StartAgent) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        call.reset()

    agent = Agent(start(start_agent(script).url))
    with pytest.raises(UpstreamCut):
        agent.stream("SendStreamingMessage", said("x"))


@pytest.mark.parametrize("method", ["SendMessage", "SendStreamingMessage"])
def test_an_answer_that_was_compressed_unasked_is_read(
    start: Start, start_agent: StartAgent, method: str
) -> None:
    async def script(call: Call) -> None:
        answer = reply(call, DONE)
        if method == "SendMessage":
            await call.respond(
                200, gzip.compress(json.dumps(answer).encode()), [("content-encoding", "gzip")]
            )
        else:
            await call.begin_stream([("content-encoding", "gzip")])
            await call.piece(gzip.compress(event(answer)))
            await call.end_stream()

    agent = Agent(start(start_agent(script).url))
    if method == "SendMessage":
        assert agent.call(method, said("x")) == DONE
    else:
        assert agent.stream(method, said("x")) == [DONE]


def test_an_agent_that_is_not_there_is_not_waited_for(start: Start) -> None:
    agent = Agent(start("http://127.0.0.1:9"))
    with pytest.raises(UpstreamError, match="its card cannot be fetched"):
        agent.call("GetTask", {"id": "x"})
