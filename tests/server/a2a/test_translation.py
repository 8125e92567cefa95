"""What is said in one dialect, said in the other: held to what the official SDK makes of it."""

from contextlib import suppress
from typing import Any

import pytest
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as old
from a2a.types import a2a_pb2 as new
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.a2a import downward, methods, upward
from inference_gateway.server.a2a.jsonrpc import AgentRefused, Unreadable
from inference_gateway.server.a2a.shapes import Misshapen

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
MEMBERS = st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.lists(TEXT)))
STATES = [state.value for state in old.TaskState]


def objects(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


METADATA = {"metadata": st.dictionaries(TEXT, TEXT, min_size=1)}
FILE = {"mimeType": TEXT, "name": TEXT}
PARTS = st.lists(
    st.one_of(
        objects({"kind": st.just("text"), "text": TEXT}, METADATA),
        objects({"kind": st.just("data"), "data": MEMBERS}, METADATA),
        objects({"kind": st.just("file"), "file": objects({"uri": TEXT}, FILE)}, METADATA),
        objects({"kind": st.just("file"), "file": objects({"bytes": st.just("aGk=")}, FILE)}, METADATA),
    ),
    max_size=3,
)
MESSAGES = objects(
    {
        "kind": st.just("message"),
        "messageId": TEXT,
        "role": st.sampled_from(["user", "agent"]),
        "parts": PARTS,
    },
    {
        "contextId": TEXT,
        "taskId": TEXT,
        "referenceTaskIds": st.lists(TEXT, min_size=1, max_size=2),
        "extensions": st.lists(TEXT, min_size=1, max_size=2),
        **METADATA,
    },
)
STATUSES = objects(
    {"state": st.sampled_from(STATES)}, {"message": MESSAGES, "timestamp": st.just("2026-01-02T03:04:05Z")}
)
ARTIFACTS = objects({"artifactId": TEXT, "parts": PARTS}, {"name": TEXT, "description": TEXT, **METADATA})
TASKS = objects(
    {"kind": st.just("task"), "id": TEXT, "contextId": TEXT, "status": STATUSES},
    {
        "history": st.lists(MESSAGES, min_size=1, max_size=2),
        "artifacts": st.lists(ARTIFACTS, min_size=1, max_size=2),
        **METADATA,
    },
)
NEWS = objects(
    {
        "kind": st.just("status-update"),
        "taskId": TEXT,
        "contextId": TEXT,
        "status": STATUSES,
        "final": st.booleans(),
    },
    METADATA,
)
PIECES = objects(
    {"kind": st.just("artifact-update"), "taskId": TEXT, "contextId": TEXT, "artifact": ARTIFACTS},
    {"append": st.booleans(), "lastChunk": st.booleans(), **METADATA},
)
AUTHENTICATION = objects({"schemes": st.lists(TEXT, min_size=1, max_size=1)}, {"credentials": TEXT})
CONFIGS = objects(
    {"taskId": TEXT, "pushNotificationConfig": objects({"url": TEXT}, {"id": TEXT, "token": TEXT})}, {}
)


def streamed(event: Any) -> Any:
    """Read JSON of A2A 0.3 as the official SDK does."""
    reply = {"id": 1, "jsonrpc": "2.0", "result": event}
    return old.SendStreamingMessageSuccessResponse.model_validate(reply)


def parsed(said: Any, into: Any) -> Any:
    """Read our JSON as the official SDK does; it knows every member."""
    return ParseDict(said, into)


def dumped(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


@given(TASKS)
def test_a_task_goes_up_as_the_official_sdk_takes_it(task: dict[str, Any]) -> None:
    assert parsed(upward.task(task), new.Task()) == conversions.to_core_task(old.Task.model_validate(task))


@given(st.one_of(TASKS, MESSAGES, NEWS, PIECES))
def test_an_event_goes_up_as_the_official_sdk_takes_it(event: dict[str, Any]) -> None:
    theirs = conversions.to_core_stream_response(streamed(event))
    assert parsed(upward.event(event), new.StreamResponse()) == theirs


@given(st.one_of(TASKS, MESSAGES, NEWS, PIECES))
def test_an_event_comes_down_as_the_official_sdk_takes_it(event: dict[str, Any]) -> None:
    core = parsed(upward.event(event), new.StreamResponse())
    ours = downward.event(MessageToDict(core))
    theirs = dumped(conversions.to_compat_stream_response(core, 1))["result"]
    ours = dumped(streamed(ours))["result"]
    if ours["kind"] == "status-update":
        # Where a task waits for its caller, the last event of the interaction was told as well.
        assert ours.pop("final") in {theirs.pop("final"), ours["status"]["state"] == "input-required"}
    assert _without_defaults(ours) == _without_defaults(theirs)


def _without_defaults(value: Any) -> Any:
    """Leave out what says nothing, as each of the two has its own way to."""
    if isinstance(value, dict):
        kept = {name: _without_defaults(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (False, {}, [], "")}
    return [_without_defaults(one) for one in value] if isinstance(value, list) else value


@given(CONFIGS)
def test_where_to_call_back_goes_up_and_comes_down(config: dict[str, Any]) -> None:
    core = parsed(upward.task_push_config(config), new.TaskPushNotificationConfig())
    assert core == conversions.to_core_task_push_notification_config(
        old.TaskPushNotificationConfig.model_validate(config)
    )
    assert downward.task_push_config(MessageToDict(core)) == config


@given(objects({"message": MESSAGES}, METADATA))
def test_a_message_on_its_way_goes_up_and_comes_down(params: dict[str, Any]) -> None:
    assert downward.sending(upward.sending(params), waits=False) == params


def test_what_neither_dialect_knows_stays() -> None:
    task = {"id": "t", "status": {"state": "working", "x-a": 1}, "x-b": {"parts": None}, "contextId": "c"}
    assert upward.task(task) == {**task, "status": {"state": "TASK_STATE_WORKING", "x-a": 1}}
    assert downward.task(upward.task(task)) == {**task, "kind": "task"}


@pytest.mark.parametrize("data", [1, "x", [1], True, None])
def test_data_that_is_no_object_is_wrapped_as_official_sdks_do(data: Any) -> None:
    wrapped = downward.part({"data": data, "metadata": {"a": 1}}, "parts")
    assert wrapped == {
        "kind": "data",
        "data": {"value": data},
        "metadata": {"a": 1, "data_part_compat": True},
    }
    back = upward.part(wrapped, "parts")
    assert back["metadata"] == {"a": 1}
    assert back["data"] == data


@pytest.mark.parametrize(
    ("configuration", "blocking"),
    [
        (None, True),
        ({"returnImmediately": True}, False),
        ({"returnImmediately": False, "historyLength": 2}, True),
    ],
)
def test_waiting_is_asked_for_where_it_is_not_a_matter_of_course(configuration: Any, blocking: bool) -> None:
    params = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}, "configuration": configuration}
    sent: Any = downward.sending(params, waits=True)
    assert sent["configuration"]["blocking"] is blocking
    assert "returnImmediately" not in sent["configuration"]
    streamed = downward.sending(params, waits=False)
    assert "blocking" not in streamed.get("configuration", {})  # type: ignore[operator]


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05", "2026-01-02T03:04:05.678"])
def test_a_time_without_its_zone_gets_one(time: str) -> None:
    assert upward.status({"state": "working", "timestamp": time}, "status")["timestamp"] == time + "Z"


@pytest.mark.parametrize(
    ("write", "value", "place"),
    [
        (upward.event, [], "'result' must be an object"),
        (upward.event, {"kind": "song"}, "'result' must be a task"),
        (upward.event, {}, "'result' must be a task"),
        (upward.task, {"status": "x"}, "'task.status' must be an object"),
        (upward.task, {"status": {"state": 1}}, "'task.status.state' must be a string"),
        (
            upward.event,
            {"messageId": "m", "role": "god", "parts": []},
            "must be user or agent",
        ),
        (upward.event, {"messageId": "m", "role": "user", "parts": {}}, "'message.parts' must be a list"),
        (upward.event, {"messageId": "m", "role": "user", "parts": [{"kind": "x"}]}, "of the kind text"),
        (downward.event, {"song": {}}, "'result' must have a task"),
        (downward.event, {"message": {"role": "user"}}, "'message.role' must be ROLE_USER or ROLE_AGENT"),
        (downward.event, {"message": {"role": "ROLE_USER", "parts": [{}]}}, "must each have one of text"),
        (
            downward.event,
            {"message": {"role": "ROLE_USER", "parts": ["x"]}},
            "must be objects",
        ),
    ],
)
def test_what_is_not_what_it_should_be_is_named_by_its_place(write: Any, value: Any, place: str) -> None:
    with pytest.raises(Misshapen, match=place):
        write(value)


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("message", {"messageId": "m", "role": "agent", "parts": []}),
        ("task", {"id": "t", "status": {"state": "working"}}),
        ("statusUpdate", {"taskId": "t", "status": {"state": "working"}}),
        ("artifactUpdate", {"taskId": "t", "artifact": {"artifactId": "a", "parts": []}}),
    ],
)
def test_early_agents_need_not_say_what_something_is(kind: str, sign: dict[str, Any]) -> None:
    assert list(upward.event(sign)) == [kind]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "task", "message", "status", "parts", "role", "state", "id"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON, st.sampled_from(methods.METHODS))
def test_whatever_comes_is_translated_or_an_error_of_ours(value: Any, method: methods.Method) -> None:
    for translated in (methods.translated_params, methods.translated_result):
        with suppress(AgentRefused, Unreadable):
            translated(method, value, "1.0", "0.3")
        with suppress(AgentRefused, Unreadable):
            translated(method, value, "0.3", "1.0")


def test_no_two_methods_share_a_name() -> None:
    names = [name for method in methods.METHODS for name in (method.new, method.old) if name]
    assert len(names) == len(set(names)) == len(methods.SPOKEN)
