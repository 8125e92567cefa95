"""Gateways that speak to agents, real ones and ones that a test scripts."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.provider import Call, FakeProvider
from fakes.scripted_agent import ScriptedAgent

Start = Callable[..., FakeGateway]
Speak = Callable[[Call], Awaitable[None]]
StartAgent = Callable[..., FakeProvider]

TASK = {"id": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_COMPLETED"}}
WORKING = {"task": {**TASK, "status": {"state": "TASK_STATE_WORKING"}}}
DONE = {"statusUpdate": {"taskId": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_COMPLETED"}}}
MESSAGE = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
OLD_PARTS = [{"kind": "text", "text": "hi"}]
OLD_MESSAGE = {"kind": "message", "messageId": "m-1", "role": "user", "parts": OLD_PARTS}


def card(url: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
    """A card with one interface."""
    offered = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version}
    return {"name": "Scripted", "description": "d", "version": "1", "supportedInterfaces": [offered], **more}


def reply(call: Call, result: object = None, **more: Any) -> dict[str, Any]:
    """A reply to what was asked."""
    return {"jsonrpc": "2.0", "id": call.json()["id"], "result": result, **more}


def event(value: object) -> bytes:
    """A reply as an event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@pytest.fixture(scope="session")
def agents() -> Iterator[Agents]:
    """Real agents, in a process of their own."""
    running = Agents()
    yield running
    running.close()


@pytest.fixture
def start(start_gateway: Start) -> Start:
    """Start a gateway with agents at some URLs."""

    def run(*urls: str, **environ: str) -> FakeGateway:
        settings: dict[str, Any] = {"A2A_ENABLED": "true", "A2A_EXPOSE": "true"}
        if urls:
            settings["A2A_AGENTS"] = ",".join(urls)
        return start_gateway(**settings | environ)

    return run


@pytest.fixture
def start_agent(start_provider: Callable[..., FakeProvider]) -> StartAgent:
    """Start an agent that shows a card and otherwise follows a script."""

    def run(speak: Speak, *, version: str = "1.0", endpoint: str = "/v1", **more: Any) -> FakeProvider:
        async def script(call: Call) -> None:
            if call.method == "POST":
                await speak(call)
            elif call.target.endswith("/agent-card.json"):
                await call.respond_json(card(endpoint, version, **more))
            else:
                await call.respond_json({"detail": "no such thing"}, 404)

        return start_provider(script)

    return run


@pytest.fixture
def speak(start: Start, start_agent: StartAgent) -> Callable[..., FakeGateway]:
    """Start a gateway before an agent that follows a script; it is called `scripted`."""

    def run(script: Speak, *, version: str = "1.0", settings: dict[str, str] | None = None) -> FakeGateway:
        return start(start_agent(script, version=version).url, **settings or {})

    return run


def ask(gateway: FakeGateway, method: str, params: object = None, **more: Any) -> Any:
    """Ask `scripted`; return the whole answer."""
    headers = more.pop("headers", None)
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {"message": MESSAGE}, **more}
    return gateway.request("POST", "/a2a/scripted", body, headers)


StartScripted = Callable[..., ScriptedAgent]


@pytest.fixture
def start_scripted() -> Iterator[StartScripted]:
    """Start scripted agents; each runs until the test ends."""
    started: list[ScriptedAgent] = []

    def start(answers: Any = None, **options: Any) -> ScriptedAgent:
        started.append(ScriptedAgent(answers or {}, **options))
        return started[-1]

    yield start
    for agent in started:
        agent.close()


class Chats:
    """A gateway with agents, and what its models are told."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def call(self, name: str, /, *, headers: Any = None, **arguments: Any) -> str:
        """Have a model call a tool; return what it is told."""
        script = json.dumps([[{"name": name, "arguments": arguments}]])
        reply = self.gateway.chat(
            body("mock/tools", messages=[{"role": "user", "content": script}]), headers=headers
        )
        return str(reply.json()["choices"][0]["message"]["content"])

    def submit(self, message: str = "act", **arguments: Any) -> Any:
        """Have a model give the scripted agent work; return what it is told."""
        return json.loads(self.call("a2a_submit_task", agent="scripted", message=message, **arguments))

    def fails(self, message: str = "act", **arguments: Any) -> str:
        """Have a model give work that cannot be done; return what it is told."""
        said = self.call("a2a_submit_task", **{"agent": "scripted", "message": message, **arguments})
        assert said.startswith("Error: ")
        return said.removeprefix("Error: ")

    def states(self) -> list[str]:
        """How the agents are."""
        agents = self.gateway.server._gateway.a2a
        assert agents is not None
        return [agent.state for agent in agents.listed()]


OpenChats = Callable[..., Chats]


def with_provider(provider: FakeProvider) -> dict[str, str]:
    """Settings that make a provider the gateway's OpenAI."""
    return {"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url}


@pytest.fixture
def open_chats(start_gateway: Callable[..., FakeGateway]) -> OpenChats:
    """Start a gateway that knows these agents, and wait until they are available."""

    def start(*agents: ScriptedAgent, wait: bool = True, **environ: str) -> Chats:
        settings = {
            "A2A_ENABLED": "true",
            "A2A_AGENTS": ",".join(agent.url for agent in agents),
            "A2A_INITIAL_BACKOFF": "10ms",
            "A2A_POLLING_INTERVAL": "10ms",
            "MOCK_ENABLED": "true",
            **environ,
        }
        chats = Chats(start_gateway(**settings))
        if wait:
            eventually(lambda: set(chats.states()) <= {"available"})
        return chats

    return start
