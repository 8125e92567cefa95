"""Agents and tasks: what two dialects write differently is one thing here."""

from typing import Any

import pytest

from inference_gateway.types.a2a import (
    A2AMessage,
    Agent,
    AgentCard,
    Part,
    PushNotificationConfig,
    Task,
    TaskState,
)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"text": "hi"}, {"kind": "text", "text": "hi"}),
        ({"data": {"n": None}}, {"kind": "data", "data": {"n": None}}),
        (
            {"raw": "aGk=", "mediaType": "text/plain", "filename": "a.txt"},
            {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "text/plain", "name": "a.txt"}},
        ),
        ({"url": "https://example.com/a"}, {"kind": "file", "file": {"uri": "https://example.com/a"}}),
    ],
)
def test_a_part_is_the_same_in_both(new: dict[str, Any], old: dict[str, Any]) -> None:
    read = Part.model_validate(new)
    assert [getattr(read, name) for name in Part.model_fields] == [
        getattr(Part.model_validate(old), name) for name in Part.model_fields
    ]


def test_words_are_the_same_in_both() -> None:
    for word in TaskState.known:
        upper = "TASK_STATE_" + word.upper().replace("-", "_")
        assert Task.model_validate({"id": "t", "status": {"state": upper}}).status.state == word
    assert A2AMessage.model_validate({"role": "ROLE_AGENT"}).role == "agent"


def test_a_state_is_on_its_way_ended_or_waiting() -> None:
    ended = {word for word in TaskState.known if TaskState(word).is_terminal}
    assert ended == {"completed", "canceled", "failed", "rejected"}
    assert {word for word in TaskState.known if TaskState(word).is_interrupted} == {
        "input-required",
        "auth-required",
    }


def test_a_word_that_is_new_is_read_and_ends_nothing() -> None:
    state = Task.model_validate({"id": "t", "status": {"state": "TASK_STATE_PAUSED"}}).status.state
    assert (state, state.is_known, state.is_terminal) == ("TASK_STATE_PAUSED", False, False)


def test_what_is_left_out_or_null_is_empty() -> None:
    task = Task.model_validate({"id": "t", "status": {}, "artifacts": None, "history": None})
    assert (task.status.state, task.artifacts, task.history, task.text) == ("unknown", [], [], "")
    assert AgentCard.model_validate({"name": "a", "skills": None, "capabilities": None}).skills == []


def test_what_nobody_knows_is_kept() -> None:
    written = AgentCard.model_validate({"name": "a", "iconUrl": "x"}).model_dump(
        by_alias=True, exclude_unset=True
    )
    assert written == {"name": "a", "iconUrl": "x"}


def test_a_task_has_text_of_its_artifacts_or_else_of_its_status() -> None:
    status = {"state": "completed", "message": {"parts": [{"text": "said"}]}}
    assert Task.model_validate({"id": "t", "status": status}).text == "said"
    made = [{"artifactId": "1", "parts": [{"text": "a"}, {"url": "u"}, {"text": "b"}]}]
    assert Task.model_validate({"id": "t", "status": status, "artifacts": made}).text == "ab"


def test_where_an_agent_calls_back_is_the_same_in_both_and_hides_its_secrets() -> None:
    inner = {"url": "https://example.com", "token": "s3cret"}
    old = {"taskId": "t", "pushNotificationConfig": {**inner, "authentication": {"schemes": ["Bearer"]}}}
    new = {"taskId": "t", **inner, "authentication": {"scheme": "Bearer", "credentials": "s3cret"}}
    for given in (old, new):
        read = PushNotificationConfig.model_validate(given)
        assert (read.task_id, read.url, read.token) == ("t", "https://example.com", "s3cret")
        assert read.authentication is not None
        assert read.authentication.schemes == ["Bearer"]
        assert "s3cret" not in repr(read)


def test_an_agent_is_its_card_and_how_it_is() -> None:
    agent = Agent.model_validate({"id": "a", "card": {"name": "A"}, "state": "up", "last_error": "e"})
    assert (agent.id, agent.name, agent.state, agent.last_error) == ("a", "A", "up", "e")
