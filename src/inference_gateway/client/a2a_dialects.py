"""What a caller wants of an agent, written in either dialect of A2A. No I/O.

A2A 1.0 is the JSON form of protocol buffers, A2A 0.3 tells what an object is by its `kind`.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Protocol

from pydantic import JsonValue

from inference_gateway.client.a2a_errors import UnsupportedOperationError
from inference_gateway.client.errors import wrong
from inference_gateway.types.a2a import (
    A2AMessage,
    A2AModel,
    PushNotificationConfig,
    SendMessageConfiguration,
    TaskState,
)

Params = dict[str, JsonValue]


class Request(NamedTuple):
    """One JSON-RPC request. A repeatable one asks, and changes nothing."""

    method: str
    params: Params
    repeatable: bool = False


class Sending(NamedTuple):
    """A message on its way to an agent."""

    message: A2AMessage
    configuration: SendMessageConfiguration | None = None
    metadata: Mapping[str, JsonValue] | None = None


class TaskFilter(NamedTuple):
    """Which tasks to list."""

    context_id: str | None = None
    state: TaskState | None = None
    page_size: int | None = None
    page_token: str | None = None
    history_length: int | None = None
    include_artifacts: bool | None = None


class Dialect(Protocol):
    """A way to write requests."""

    version: ClassVar[str]

    def send(self, sending: Sending) -> Request:
        """Write the call that answers once."""

    def stream(self, sending: Sending) -> Request:
        """Write the call that answers as the task gets on."""

    def get_task(self, task_id: str, history_length: int | None) -> Request:
        """Write the call that reads a task."""

    def list_tasks(self, wanted: TaskFilter) -> Request:
        """Write the call that lists tasks.

        :raises UnsupportedOperationError: the dialect has none.
        """

    def cancel_task(self, task_id: str) -> Request:
        """Write the call that stops a task."""

    def resubscribe(self, task_id: str) -> Request:
        """Write the call that follows a task from now on."""

    def set_push_config(self, config: PushNotificationConfig) -> Request:
        """Write the call that has an agent call back."""

    def get_push_config(self, task_id: str, config_id: str | None) -> Request:
        """Write the call that reads where an agent calls back."""

    def list_push_configs(self, task_id: str) -> Request:
        """Write the call that lists where an agent calls back."""

    def delete_push_config(self, task_id: str, config_id: str) -> Request:
        """Write the call that ends calling back."""

    def extended_card(self) -> Request:
        """Write the call that asks for what only known callers see of the card."""


class Dialect10:
    """A2A 1.0."""

    version: ClassVar[str] = "1.0"

    def send(self, sending: Sending) -> Request:
        """See `Dialect`."""
        return Request("SendMessage", self._sent(sending))

    def stream(self, sending: Sending) -> Request:
        """See `Dialect`."""
        return Request("SendStreamingMessage", self._sent(sending))

    def _sent(self, sending: Sending) -> Params:
        message = _dumped(sending.message)
        message.pop("kind", None)  # of a message that an agent of the other dialect sent
        message["role"] = f"ROLE_{sending.message.role.upper()}"
        params: Params = {"message": message, **_named(metadata=_plain(sending.metadata))}
        if sending.configuration is not None:
            configuration = _dumped(sending.configuration)
            if sending.configuration.push_notification_config is not None:
                del configuration["pushNotificationConfig"]
                push = self._push(sending.configuration.push_notification_config)
                configuration["taskPushNotificationConfig"] = push
            params["configuration"] = configuration
        return params

    def get_task(self, task_id: str, history_length: int | None) -> Request:
        """See `Dialect`."""
        return Request("GetTask", {"id": task_id, **_named(historyLength=history_length)}, repeatable=True)

    def list_tasks(self, wanted: TaskFilter) -> Request:
        """See `Dialect`."""
        state = wanted.state and f"TASK_STATE_{wanted.state.upper().replace('-', '_')}"
        params = _named(
            contextId=wanted.context_id,
            status=state,
            pageSize=wanted.page_size,
            pageToken=wanted.page_token,
            historyLength=wanted.history_length,
            includeArtifacts=wanted.include_artifacts,
        )
        return Request("ListTasks", params, repeatable=True)

    def cancel_task(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("CancelTask", {"id": task_id})

    def resubscribe(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("SubscribeToTask", {"id": task_id}, repeatable=True)

    def set_push_config(self, config: PushNotificationConfig) -> Request:
        """See `Dialect`."""
        return Request("CreateTaskPushNotificationConfig", self._push(config))

    def get_push_config(self, task_id: str, config_id: str | None) -> Request:
        """See `Dialect`."""
        params = {"taskId": task_id, **_named(id=config_id)}
        return Request("GetTaskPushNotificationConfig", params, repeatable=True)

    def list_push_configs(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("ListTaskPushNotificationConfigs", {"taskId": task_id}, repeatable=True)

    def delete_push_config(self, task_id: str, config_id: str) -> Request:
        """See `Dialect`."""
        return Request("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": config_id})

    def extended_card(self) -> Request:
        """See `Dialect`."""
        return Request("GetExtendedAgentCard", {}, repeatable=True)

    def _push(self, config: PushNotificationConfig) -> Params:
        written = _dumped(config)
        if config.authentication is not None:
            if len(config.authentication.schemes) != 1:
                raise wrong("authentication.schemes", "must be one for an agent that speaks A2A 1.0")
            credentials = _named(credentials=config.authentication.credentials)
            written["authentication"] = {"scheme": config.authentication.schemes[0], **credentials}
        return written


class Dialect03:
    """A2A 0.3."""

    version: ClassVar[str] = "0.3"

    def send(self, sending: Sending) -> Request:
        """See `Dialect`."""
        return Request("message/send", self._sent(sending))

    def stream(self, sending: Sending) -> Request:
        """See `Dialect`."""
        return Request("message/stream", self._sent(sending))

    def _sent(self, sending: Sending) -> Params:
        message = _dumped(sending.message)
        message["kind"] = "message"
        message["parts"] = [self._part(part) for part in _objects(message.get("parts"))]
        params: Params = {"message": message, **_named(metadata=_plain(sending.metadata))}
        if (wanted := sending.configuration) is not None:
            configuration = _dumped(wanted)
            if (at_once := configuration.pop("returnImmediately", None)) is not None:
                configuration["blocking"] = not at_once
            if wanted.push_notification_config is not None:
                configuration["pushNotificationConfig"] = self._push(wanted.push_notification_config)
            params["configuration"] = configuration
        return params

    def _part(self, part: Params) -> JsonValue:
        metadata = _named(metadata=part.get("metadata"))
        if "text" in part:
            return {"kind": "text", "text": part["text"], **metadata}
        if "raw" in part or "url" in part:
            file = _named(
                bytes=part.get("raw"),
                uri=part.get("url"),
                mimeType=part.get("mediaType"),
                name=part.get("filename"),
            )
            return {"kind": "file", "file": file, **metadata}
        if not isinstance(part.get("data"), dict):
            raise wrong("message.parts.data", "must be an object for an agent that speaks A2A 0.3")
        return {"kind": "data", "data": part["data"], **metadata}

    def get_task(self, task_id: str, history_length: int | None) -> Request:
        """See `Dialect`."""
        return Request("tasks/get", {"id": task_id, **_named(historyLength=history_length)}, repeatable=True)

    def list_tasks(self, wanted: TaskFilter) -> Request:
        """See `Dialect`."""
        raise UnsupportedOperationError("A2A 0.3 cannot list tasks over JSON-RPC; nothing was sent")

    def cancel_task(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("tasks/cancel", {"id": task_id})

    def resubscribe(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("tasks/resubscribe", {"id": task_id}, repeatable=True)

    def set_push_config(self, config: PushNotificationConfig) -> Request:
        """See `Dialect`."""
        params: Params = {"taskId": config.task_id, "pushNotificationConfig": self._push(config)}
        return Request("tasks/pushNotificationConfig/set", params)

    def get_push_config(self, task_id: str, config_id: str | None) -> Request:
        """See `Dialect`."""
        params = {"id": task_id, **_named(pushNotificationConfigId=config_id)}
        return Request("tasks/pushNotificationConfig/get", params, repeatable=True)

    def list_push_configs(self, task_id: str) -> Request:
        """See `Dialect`."""
        return Request("tasks/pushNotificationConfig/list", {"id": task_id}, repeatable=True)

    def delete_push_config(self, task_id: str, config_id: str) -> Request:
        """See `Dialect`."""
        params: Params = {"id": task_id, "pushNotificationConfigId": config_id}
        return Request("tasks/pushNotificationConfig/delete", params)

    def extended_card(self) -> Request:
        """See `Dialect`."""
        return Request("agent/getAuthenticatedExtendedCard", {}, repeatable=True)

    def _push(self, config: PushNotificationConfig) -> Params:
        written = _dumped(config)
        written.pop("taskId", None)
        return written


DIALECTS: Mapping[str, Dialect] = {each.version: each for each in (Dialect10(), Dialect03())}


def _dumped(model: A2AModel) -> Params:
    written: Params = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return written


def _named(**values: JsonValue) -> Params:
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Mapping[str, JsonValue] | None) -> JsonValue:
    return None if value is None else dict(value)


def _objects(value: JsonValue) -> list[Params]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
