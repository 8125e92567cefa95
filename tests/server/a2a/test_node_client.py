"""The official client for JavaScript speaks to agents of both SDKs and dialects, through the gateway."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.node_agents import HERE, NodeAgents, needs_node_agents

pytestmark = needs_node_agents


@pytest.fixture(scope="module")
def node_agents() -> Iterator[NodeAgents]:
    """Agents built on the same SDK as the client."""
    running = NodeAgents()
    yield running
    running.close()


def states(gateway: FakeGateway) -> set[str]:
    return {agent["state"] for agent in gateway.request("GET", "/a2a/agents").json()["data"]}


def ran(gateway: FakeGateway, agent: str, version: str) -> Any:
    """Have the client do its round with an agent; return what it tells."""
    program = subprocess.run(
        ["node", str(HERE / "client.mjs"), f"{gateway.url}/a2a/{agent}", version],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert program.returncode == 0, program.stderr
    return json.loads(program.stdout)


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize("agent", ["node-new", "node-old", "shouter", "old-shouter"])
def test_any_dialect_reaches_any_agent(
    start: Callable[..., FakeGateway],
    node_agents: NodeAgents,
    agents: Agents,
    agent: str,
    version: str,
) -> None:
    gateway = start(
        *[f"{running.url}/{path}" for running in (node_agents, agents) for path in ("new", "old")]
    )
    eventually(lambda: states(gateway) == {"available"})
    told = ran(gateway, agent, version)
    pieces = 2 if agent.startswith("node") else 1
    assert told == {
        "sent": ["TASK_STATE_COMPLETED", "HELLO"],
        "talked": "hi" if agent.startswith("node") else "Hi",
        "streamed": ["task", "statusUpdate", *["artifactUpdate"] * pieces, "statusUpdate"],
        "got": "TASK_STATE_COMPLETED",
        "cancelled": "TASK_STATE_CANCELED",
        "missing": "JsonRpcTaskNotFoundError",
        "spoke": version,
    }
