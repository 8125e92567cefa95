"""Gateways that speak to agents, real ones and ones that a test scripts."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider

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
