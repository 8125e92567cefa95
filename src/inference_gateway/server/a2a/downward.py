"""Objects of A2A 1.0 written as A2A 0.3 has them. What neither dialect knows stays as it is. Pure.

https://a2a-protocol.org/latest/specification/ and https://a2a-protocol.org/v0.3.0/specification/
"""

from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.jsonrpc import Json
from inference_gateway.server.a2a.shapes import (
    WRAPPED,
    Misshapen,
    each_at,
    filled,
    object_at,
    renamed,
    text_at,
    without,
)

_FILE: Final = {"raw": "bytes", "url": "uri", "mediaType": "mimeType", "filename": "name"}
_ROLES: Final = {"ROLE_USER": "user", "ROLE_AGENT": "agent"}
_CONTENTS: Final = ("text", "raw", "url", "data")
_LAST: Final = frozenset({"completed", "canceled", "failed", "rejected", "input-required"})
"""States after which an agent of A2A 0.3 says that it was the last event of its stream."""


def part(given: JsonValue, place: str) -> Json:
    """Write a part."""
    if not isinstance(given, dict):
        raise Misshapen(f"{place!r} must be objects")
    # Null is a value that data may have, and nothing else.
    said = {name: one for name, one in given.items() if one is not None or name == "data"}
    contents = [name for name in _CONTENTS if name in said]
    if len(contents) != 1:
        raise Misshapen(f"{place!r} must each have one of text, raw, url and data")
    said = filled(said, "mediaType", "filename")
    if contents[0] == "text":
        return {"kind": "text", **said}
    if contents[0] == "data":
        return {"kind": "data", **_data(said, place)}
    file: Json = {name: said.pop(name) for name in _FILE if name in said}
    return {"kind": "file", "file": renamed(file, _FILE), **said}


def _data(said: Json, place: str) -> Json:
    if isinstance(said["data"], dict):
        return said
    metadata = object_at(said.get("metadata") or {}, f"{place}.metadata")
    return {**said, "data": {"value": said["data"]}, "metadata": {**metadata, WRAPPED: True}}


def message(given: JsonValue, place: str) -> Json:
    """Write a message."""
    said = filled(object_at(given, place), "contextId", "taskId", "referenceTaskIds", "extensions")
    role = text_at(said.get("role"), f"{place}.role")
    if role not in _ROLES:
        raise Misshapen(f"'{place}.role' must be ROLE_USER or ROLE_AGENT")
    parts = each_at(said.get("parts"), f"{place}.parts", part)
    return {**said, "kind": "message", "role": _ROLES[role], "parts": parts}


def state(word: JsonValue, place: str) -> str:
    """Write the word for how far a task is; protocol buffers leave the first one out."""
    plain = text_at("TASK_STATE_UNSPECIFIED" if word is None else word, place)
    plain = plain.removeprefix("TASK_STATE_").lower().replace("_", "-")
    return "unknown" if plain == "unspecified" else plain


def status(given: JsonValue, place: str) -> Json:
    """Write how far a task is."""
    said = object_at({} if given is None else given, place)
    said["state"] = state(said.get("state"), f"{place}.state")
    if "message" in said:
        said["message"] = message(said["message"], f"{place}.message")
    return said


def artifact(given: JsonValue, place: str) -> Json:
    """Write an artifact."""
    said = object_at(given, place)
    return {**said, "parts": each_at(said.get("parts"), f"{place}.parts", part)}


def task(given: JsonValue, place: str = "task") -> Json:
    """Write a task."""
    said = object_at(given, place)
    said["status"] = status(said.get("status"), f"{place}.status")
    for name, write in (("artifacts", artifact), ("history", message)):
        if name in said:
            said[name] = each_at(said[name], f"{place}.{name}", write)
    return {"contextId": "", **said, "kind": "task"}


def event(given: JsonValue) -> Json:
    """Write a task, a message or news of a task: the answer to a message, or an event of a stream."""
    said = object_at(given, "result")
    if "task" in said:
        return task(said["task"])
    if "message" in said:
        return message(said["message"], "message")
    if "statusUpdate" in said:
        news = object_at(said["statusUpdate"], "statusUpdate")
        now = status(news.get("status"), "statusUpdate.status")
        news["status"] = now
        return {"contextId": "", **news, "kind": "status-update", "final": now["state"] in _LAST}
    if "artifactUpdate" in said:
        news = object_at(said["artifactUpdate"], "artifactUpdate")
        news["artifact"] = artifact(news.get("artifact"), "artifactUpdate.artifact")
        return {"contextId": "", **news, "kind": "artifact-update"}
    raise Misshapen("'result' must have a task, a message or news of a task")


def push_config(given: JsonValue, place: str) -> Json:
    """Write where an agent calls back, its task left out."""
    said = without(filled(object_at(given, place), "id", "token", "tenant"), "taskId")
    if "authentication" in said:
        authentication = object_at(said["authentication"], f"{place}.authentication")
        scheme = authentication.pop("scheme", None)
        said["authentication"] = {**authentication, "schemes": [] if scheme is None else [scheme]}
    return said


def task_push_config(given: JsonValue) -> Json:
    """Write where an agent calls back for a task."""
    said = object_at(given, "config")
    return {"taskId": said.get("taskId", ""), "pushNotificationConfig": push_config(said, "config")}


def sending(params: Json, *, waits: bool) -> Json:
    """Write the parameters of a message on its way to an agent.

    :param waits: whether the answer is one that A2A 1.0 gives only once the task ends or asks for more;
        A2A 0.3 does that where it is told to.
    """
    said = object_at(params, "params")
    said["message"] = message(said.get("message"), "message")
    configuration = object_at(said.get("configuration") or {}, "configuration")
    at_once = configuration.pop("returnImmediately", False)
    if waits:
        configuration["blocking"] = at_once is not True
    if "taskPushNotificationConfig" in configuration:
        push = configuration.pop("taskPushNotificationConfig")
        place = "configuration.taskPushNotificationConfig"
        configuration["pushNotificationConfig"] = push_config(push, place)
    return {**said, **({"configuration": configuration} if configuration else {})}
