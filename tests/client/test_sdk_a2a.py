"""Agents through the SDK: real ones of both dialects, built on the protocol's official SDK."""

from typing import Any

import pytest
from facade import Clients

from fakes.agents import Agents
from inference_gateway import (
    A2AInvalidParamsError,
    A2AMessage,
    A2AMethodNotFoundError,
    InferenceGatewayTimeoutError,
    InferenceGatewayValidationError,
    Part,
    Task,
    TaskArtifactUpdateEvent,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

NOWHERE = "http://127.0.0.1:9"
HOOK = "https://example.com/hook"


@pytest.fixture(params=["new", "old"])
def agent(make_client: Clients, agents: Agents, request: pytest.FixtureRequest) -> Any:
    """An agent of each dialect, found by its card; the client's gateway is not there at all."""
    return make_client(NOWHERE).a2a.agent(f"{agents.url}/{request.param}")


def begun(agent: Any) -> str:
    """Begin a task that does not end by itself, and return its id."""
    with agent.stream_message("wait") as stream:
        return str(next(iter(stream)).id)


def test_a_card_is_read_wherever_it_stands(agent: Any) -> None:
    card = agent.card()
    assert "shouter" in card.name.lower()
    assert [skill.name for skill in card.skills] == ["Shout"]
    assert card.capabilities.streaming


def test_a_plain_string_is_a_message_and_a_task_its_answer(agent: Any) -> None:
    task = agent.send_message("shout hello")
    assert isinstance(task, Task)
    assert (task.status.state, task.status.state.is_terminal, task.text) == ("completed", True, "HELLO")
    assert task.artifacts[0].name == "shouted"


@pytest.mark.parametrize(
    "message",
    [
        A2AMessage(parts=[Part(text="talk to me")]),
        A2AMessage(message_id="m-1", parts=[Part(text="talk to "), Part(text="me")]),
        {"parts": [{"text": "talk to me"}, {"data": {"n": 1}}, {"url": "https://example.com/a.png"}]},
        {"role": "user", "parts": [{"kind": "text", "text": "talk to me"}, {"raw": "aGk=", "filename": "a"}]},
    ],
)
def test_an_agent_may_answer_with_a_message(agent: Any, message: object) -> None:
    answer = agent.send_message(message)
    assert isinstance(answer, A2AMessage)
    assert (answer.role, answer.text.split()) == ("agent", ["To", "Me"])


def test_a_stream_tells_what_happens_and_ends(agent: Any) -> None:
    with agent.stream_message("shout hello") as stream:
        events = list(stream)
    states = [event.status.state for event in events if not isinstance(event, TaskArtifactUpdateEvent)]
    [made] = [event.artifact.text for event in events if isinstance(event, TaskArtifactUpdateEvent)]
    assert states == ["submitted", "working", "completed"]
    assert made == "HELLO"


def test_a_stream_may_be_one_message(agent: Any) -> None:
    [message] = agent.stream_message("talk a lot")
    assert message.text == "A Lot"


def test_a_task_that_asks_goes_on_with_the_answer(agent: Any) -> None:
    *_, last = agent.stream_message("ask")
    assert last.status.state.is_interrupted
    assert last.status.message.text == "Which one?"
    task = agent.send_message("shout this", task_id=last.task_id, context_id=last.context_id)
    assert (task.id, task.text) == (last.task_id, "THIS")


def test_a_task_is_read_followed_and_cancelled(agent: Any) -> None:
    task_id = begun(agent)
    assert [message.text for message in agent.get_task(task_id, history_length=1).history] == ["wait"]
    with agent.resubscribe(task_id) as stream:
        events = iter(stream)
        assert next(events).id == task_id
        assert agent.cancel_task(task_id).status.state == "canceled"
        assert [event.status.state for event in events][-1] == "canceled"
    assert agent.wait(task_id).status.state == "canceled"
    with pytest.raises(TaskNotCancelableError) as caught:
        agent.cancel_task(task_id)
    assert (caught.value.code, caught.value.status_code) == (-32002, 200)


def test_waiting_is_bounded(agent: Any) -> None:
    task_id = begun(agent)
    with pytest.raises(InferenceGatewayTimeoutError, match=r"still (submitted|working) after 0\.01 s"):
        agent.wait(task_id, timeout=0.01, poll=0.001)
    agent.cancel_task(task_id)


def test_an_agent_calls_back_where_it_is_told(agent: Any) -> None:
    task_id = begun(agent)
    config = {"url": HOOK, "token": "t-1", "authentication": {"schemes": ["Bearer"], "credentials": "c-1"}}
    made = agent.set_push_config(task_id, config)
    assert (made.url, made.task_id, made.token) == (HOOK, task_id, "t-1")
    assert "t-1" not in repr(made)
    assert "c-1" not in repr(made)
    assert agent.get_push_config(task_id, made.id).authentication.schemes == ["Bearer"]
    assert [each.id for each in agent.list_push_configs(task_id)] == [made.id]
    agent.delete_push_config(task_id, made.id)
    assert agent.list_push_configs(task_id) == []
    agent.cancel_task(task_id)


def test_what_an_agent_refuses_is_an_exception_of_its_own(agent: Any) -> None:
    with pytest.raises(TaskNotFoundError, match="-32001"):
        agent.get_task("no-such-task")
    with pytest.raises(TaskNotFoundError):
        list(agent.resubscribe("no-such-task"))
    with pytest.raises(A2AMethodNotFoundError):
        agent.call("tasks/nonsense")


def test_tasks_are_listed_a_page_at_a_time(make_client: Clients, agents: Agents) -> None:
    agent = make_client(NOWHERE).a2a.agent(f"{agents.url}/new")
    [first, second] = [agent.send_message(f"shout {text}") for text in "ab"]
    page = agent.list_tasks(page_size=1, state="completed")
    rest = agent.list_tasks(page_size=1, state="completed", page_token=page.next_page_token)
    assert {page.tasks[0].id, rest.tasks[0].id} == {first.id, second.id}
    assert [task.id for task in agent.list_tasks(context_id=first.context_id).tasks] == [first.id]
    with pytest.raises(A2AInvalidParamsError):
        agent.list_tasks(page_size=100_000)


def test_the_older_dialect_has_no_list_of_tasks(make_client: Clients, agents: Agents) -> None:
    with pytest.raises(UnsupportedOperationError, match="nothing was sent"):
        make_client(NOWHERE).a2a.agent(f"{agents.url}/old").list_tasks()


def test_a_card_for_known_callers_is_asked_for(make_client: Clients, agents: Agents) -> None:
    agent = make_client(NOWHERE).a2a.agent(f"{agents.url}/new")
    assert agent.card(extended=True).name == "Shouter"


@pytest.mark.parametrize(("path", "protocol"), [("new", "1.0"), ("old", "0.3")])
def test_a_dialect_that_is_named_needs_no_card(
    make_client: Clients, agents: Agents, path: str, protocol: str
) -> None:
    agent = make_client(NOWHERE).a2a.agent(f"{agents.url}/{path}", protocol=protocol)
    assert agent.send_message("shout hi").text == "HI"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (A2AMessage(), "message.parts"),
        ({"parts": [{"text": "a", "url": "https://example.com"}]}, "message.parts"),
        ({"parts": [{}]}, "message.parts"),
        ({"parts": "text"}, "parts"),
        (7, "valid dictionary"),
    ],
)
def test_a_message_that_is_none_is_not_sent(make_client: Clients, message: object, problem: str) -> None:
    agent = make_client(NOWHERE).a2a.agent("http://127.0.0.1:9/x", protocol="1.0")
    with pytest.raises(InferenceGatewayValidationError, match=problem):
        agent.send_message(message)


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("", {}, "id_or_url"),
        (None, {}, "id_or_url"),
        ("agents", {}, "must be the id"),
        ("..", {}, "must be the id"),
        ("ftp://example.com", {}, "https://host:port/path"),
        ("http://user:secret@example.com", {}, "say it with `headers`"),
        ("http://exa mple.com", {}, "https://host:port/path"),
        ("a", {"protocol": "2.0"}, "protocol"),
        ("a", {"headers": {"X-A": "a\nb"}}, "headers"),
    ],
)
def test_an_agent_that_cannot_be_is_refused(
    make_client: Clients, name: Any, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InferenceGatewayValidationError, match=problem) as caught:
        make_client(NOWHERE).a2a.agent(name, **options)
    assert "secret" not in str(caught.value)
