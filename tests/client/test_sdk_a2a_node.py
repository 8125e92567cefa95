"""Agents through the SDK: real ones in another language, of both dialects."""

from collections.abc import Iterator
from typing import Any

import pytest
from facade import Clients

from fakes.node_agents import NodeAgents, needs_node_agents
from inference_gateway import A2AMessage, Task, TaskArtifactUpdateEvent

NOWHERE = "http://127.0.0.1:9"

pytestmark = needs_node_agents


@pytest.fixture(scope="module")
def running() -> Iterator[NodeAgents]:
    """The agents, for every test."""
    agents = NodeAgents()
    yield agents
    agents.close()


@pytest.fixture(params=["new", "old"])
def agent(make_client: Clients, running: NodeAgents, request: pytest.FixtureRequest) -> Any:
    """An agent of each dialect, found by its card."""
    return make_client(NOWHERE).a2a.agent(f"{running.url}/{request.param}")


def test_a_message_is_answered_with_a_task_or_a_message(agent: Any) -> None:
    task = agent.send_message("shout hello")
    assert isinstance(task, Task)
    assert (task.status.state, task.text) == ("completed", "HELLO")
    said = agent.send_message("talk hi")
    assert isinstance(said, A2AMessage)
    assert said.text == "hi"


def test_an_artifact_comes_in_pieces(agent: Any) -> None:
    with agent.stream_message("shout hello") as stream:
        events = list(stream)
    pieces = [event for event in events if isinstance(event, TaskArtifactUpdateEvent)]
    assert [(piece.artifact.text, piece.append) for piece in pieces] == [("HEL", False), ("LO", True)]
    assert events[-1].status.state == "completed"


def test_a_task_goes_on_when_its_question_is_answered(agent: Any) -> None:
    asked = agent.send_message("ask me")
    assert asked.status.state == "input-required"
    assert asked.status.message.text == "Which one?"
    answered = agent.send_message("ask green", task_id=asked.id, context_id=asked.context_id)
    assert (answered.id, answered.text) == (asked.id, "chosen: green")


def test_parts_of_every_kind_are_read(agent: Any) -> None:
    words, facts, table, pixel, blob, report = agent.send_message("mixed").artifacts[0].parts
    assert words.text == "words"
    assert facts.data == {"answer": 42}
    assert (table.filename, table.media_type) == ("table.csv", "text/csv")
    assert (pixel.media_type, pixel.raw) == ("image/png", "iVBORw0KGgo=")
    assert blob.raw == "AAEC"
    assert (report.url, report.filename) == ("https://example.com/report.pdf", "report.pdf")


def test_a_task_is_cancelled(agent: Any, running: NodeAgents) -> None:
    with agent.stream_message("wait") as stream:
        task_id = next(iter(stream)).id
        agent.cancel_task(task_id)
        *_, last = stream
    assert last.status.state == "canceled"
    assert task_id in running.cancelled()
