"""The methods of A2A in its two dialects, and how each is said in the other. Pure; facts as rows."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal

import msgspec
from pydantic import JsonValue

from inference_gateway.server.a2a import downward, upward
from inference_gateway.server.a2a.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    UNSUPPORTED_OPERATION,
    AgentRefused,
    Unreadable,
)
from inference_gateway.server.a2a.shapes import Misshapen, list_at, object_at, renamed
from inference_gateway.types.a2a_interfaces import Version

Write = Callable[[JsonValue], JsonValue]
Kind = Literal["answer", "stream", "card"]


def _same(value: JsonValue) -> JsonValue:
    return value


def _params(names: dict[str, str]) -> Write:
    return lambda value: renamed(object_at(value, "params"), names)


def _sent_up(value: JsonValue) -> JsonValue:
    return upward.sending(object_at(value, "params"))


def _sent_down(value: JsonValue, *, waits: bool) -> JsonValue:
    return downward.sending(object_at(value, "params"), waits=waits)


def _configs_up(value: JsonValue) -> JsonValue:
    return {"configs": [upward.task_push_config(each) for each in list_at(value, "result")]}


def _configs_down(value: JsonValue) -> JsonValue:
    said = object_at({} if value is None else value, "result")
    if said.get("nextPageToken"):
        raise AgentRefused(UNSUPPORTED_OPERATION, "the list has several pages, which A2A 0.3 cannot say")
    return [downward.task_push_config(each) for each in list_at(said.get("configs"), "result.configs")]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One method. What goes up is in A2A 0.3 and comes out in A2A 1.0; down is the other way."""

    new: str
    old: str
    """Its name in A2A 0.3; empty where that has none."""
    kind: Kind = "answer"
    repeatable: bool = False
    """Whether saying it twice is saying it once: nothing is changed by it."""
    gives_nothing: bool = False
    """Whether its result is null, which some agents leave out."""
    params_up: Write = _same
    params_down: Write = _same
    result_up: Write = _same
    result_down: Write = _same

    def name(self, version: Version) -> str:
        """What the method is called in a dialect.

        :raises AgentRefused: the dialect has none.
        """
        name = self.new if version == "1.0" else self.old
        if not name:
            raise AgentRefused(
                UNSUPPORTED_OPERATION, f"the agent speaks A2A {version}, which has no {self.new or self.old}"
            )
        return name


_PUSH_PREFIX: Final = "tasks/pushNotificationConfig/"

METHODS: Final = (
    Method(
        new="SendMessage",
        old="message/send",
        params_up=_sent_up,
        params_down=partial(_sent_down, waits=True),
        result_up=upward.event,
        result_down=downward.event,
    ),
    Method(
        new="SendStreamingMessage",
        old="message/stream",
        kind="stream",
        params_up=_sent_up,
        params_down=partial(_sent_down, waits=False),
        result_up=upward.event,
        result_down=downward.event,
    ),
    Method(new="GetTask", old="tasks/get", repeatable=True, result_up=upward.task, result_down=downward.task),
    Method(new="ListTasks", old="", repeatable=True),
    Method(new="CancelTask", old="tasks/cancel", result_up=upward.task, result_down=downward.task),
    Method(
        new="SubscribeToTask",
        old="tasks/resubscribe",
        kind="stream",
        repeatable=True,
        result_up=upward.event,
        result_down=downward.event,
    ),
    Method(
        new="CreateTaskPushNotificationConfig",
        old=f"{_PUSH_PREFIX}set",
        params_up=upward.task_push_config,
        params_down=downward.task_push_config,
        result_up=upward.task_push_config,
        result_down=downward.task_push_config,
    ),
    Method(
        new="GetTaskPushNotificationConfig",
        old=f"{_PUSH_PREFIX}get",
        repeatable=True,
        params_up=_params({"id": "taskId", "pushNotificationConfigId": "id"}),
        params_down=_params({"taskId": "id", "id": "pushNotificationConfigId"}),
        result_up=upward.task_push_config,
        result_down=downward.task_push_config,
    ),
    Method(
        new="ListTaskPushNotificationConfigs",
        old=f"{_PUSH_PREFIX}list",
        repeatable=True,
        params_up=_params({"id": "taskId"}),
        params_down=_params({"taskId": "id"}),
        result_up=_configs_up,
        result_down=_configs_down,
    ),
    Method(
        new="DeleteTaskPushNotificationConfig",
        old=f"{_PUSH_PREFIX}delete",
        gives_nothing=True,
        params_up=_params({"id": "taskId", "pushNotificationConfigId": "id"}),
        params_down=_params({"taskId": "id", "id": "pushNotificationConfigId"}),
    ),
    # What comes back leads past the gateway: the card as the gateway shows it takes its place.
    Method(
        new="GetExtendedAgentCard", old="agent/getAuthenticatedExtendedCard", kind="card", repeatable=True
    ),
)

SPOKEN: Final[Mapping[str, tuple[Method, Version]]] = {
    **{method.new: (method, "1.0") for method in METHODS},
    **{method.old: (method, "0.3") for method in METHODS if method.old},
}
"""By its name in either dialect, a method and the dialect that names it so: no two share a name."""


def known(name: str) -> tuple[Method, Version]:
    """Find a method by its name in either dialect.

    :raises AgentRefused: there is none.
    """
    found = SPOKEN.get(name)
    if found is None:
        raise AgentRefused(METHOD_NOT_FOUND, f"there is no method {name[:100]!r}")
    return found


def translated_params(method: Method, params: JsonValue, spoken: Version, wanted: Version) -> JsonValue:
    """Write a request's parameters in the dialect that is wanted.

    :raises AgentRefused: they are not what the method takes.
    """
    if spoken == wanted:
        return params
    try:
        return method.params_up(params) if wanted == "1.0" else method.params_down(params)
    except Misshapen as error:
        raise AgentRefused(INVALID_PARAMS, str(error)) from None


def translated_result(method: Method, result: JsonValue, spoken: Version, wanted: Version) -> JsonValue:
    """Write what an agent answered in the dialect that is wanted.

    :raises Unreadable: it is not what the method gives.
    :raises AgentRefused: the dialect has no words for it.
    """
    if spoken == wanted:
        return result
    try:
        return method.result_up(result) if wanted == "1.0" else method.result_down(result)
    except Misshapen as error:
        raise Unreadable(f"the agent's answer cannot be used: {error}") from None
