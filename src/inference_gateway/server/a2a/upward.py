"""Objects of A2A 0.3 written as A2A 1.0 has them. What neither dialect knows stays as it is. Pure.

https://a2a-protocol.org/v0.3.0/specification/ and https://a2a-protocol.org/latest/specification/
"""

import re
from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.jsonrpc import Json
from inference_gateway.server.a2a.shapes import (
    WRAPPED,
    Misshapen,
    each_at,
    list_at,
    object_at,
    renamed,
    text_at,
    without,
)

_FILE: Final = {"bytes": "raw", "uri": "url", "mimeType": "mediaType", "name": "filename"}
_ROLES: Final = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
# Protocol buffers read no time without its zone.
_ZONELESS: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?")


def part(given: JsonValue, place: str) -> Json:
    """Write a part."""
    said = object_at(given, place)
    kind = said.pop("kind", None)
    if kind not in {"text", "file", "data", None}:
        raise Misshapen(f"{place!r} must be of the kind text, file or data")
    if kind == "file" or (kind is None and "file" in said):
        file = object_at(said.pop("file", None), f"{place}.file")
        return {**renamed(file, _FILE), **said}
    metadata = said.get("metadata")
    if isinstance(metadata, dict) and metadata.get(WRAPPED) is True:
        said["data"] = object_at(said.get("data"), f"{place}.data").get("value")
        said["metadata"] = without(metadata, WRAPPED)
    return said


def message(given: JsonValue, place: str) -> Json:
    """Write a message."""
    said = without(object_at(given, place), "kind")
    role = text_at(said.get("role"), f"{place}.role")
    if role not in _ROLES:
        raise Misshapen(f"'{place}.role' must be user or agent")
    return {**said, "role": _ROLES[role], "parts": each_at(said.get("parts"), f"{place}.parts", part)}


def state(word: JsonValue, place: str) -> str:
    """Write the word for how far a task is."""
    plain = text_at(word, place)
    return f"TASK_STATE_{'UNSPECIFIED' if plain == 'unknown' else plain.upper().replace('-', '_')}"


def status(given: JsonValue, place: str) -> Json:
    """Write how far a task is."""
    said = object_at(given, place)
    said["state"] = state(said.get("state"), f"{place}.state")
    if "message" in said:
        said["message"] = message(said["message"], f"{place}.message")
    time = said.get("timestamp")
    if isinstance(time, str) and _ZONELESS.fullmatch(time):
        said["timestamp"] = time + "Z"
    return said


def artifact(given: JsonValue, place: str) -> Json:
    """Write an artifact."""
    said = object_at(given, place)
    return {**said, "parts": each_at(said.get("parts"), f"{place}.parts", part)}


def task(given: JsonValue, place: str = "task") -> Json:
    """Write a task."""
    said = without(object_at(given, place), "kind")
    said["status"] = status(said.get("status"), f"{place}.status")
    for name, write in (("artifacts", artifact), ("history", message)):
        if name in said:
            said[name] = each_at(said[name], f"{place}.{name}", write)
    return said


def event(given: JsonValue) -> Json:
    """Write a task, a message or news of a task: the answer to a message, or an event of a stream."""
    said = object_at(given, "result")
    kind = said.get("kind") or _likely_kind(said)
    if kind == "task":
        return {"task": task(said)}
    if kind == "message":
        return {"message": message(said, "message")}
    told = without(said, "kind", "final")
    if kind == "status-update":
        return {"statusUpdate": {**told, "status": status(said.get("status"), "status")}}
    if kind == "artifact-update":
        return {"artifactUpdate": {**told, "artifact": artifact(said.get("artifact"), "artifact")}}
    raise Misshapen("'result' must be a task, a message or news of a task")


def _likely_kind(said: Json) -> str:
    """Tell what something is by what is in it: early agents do not say."""
    signs = {
        "messageId": "message",
        "artifact": "artifact-update",
        "id": "task",
        "status": "status-update",
    }
    return next((kind for sign, kind in signs.items() if sign in said), "")


def push_config(given: JsonValue, place: str) -> Json:
    """Write where an agent calls back, its task apart.

    :raises Misshapen: it says several ways to authenticate, of which A2A 1.0 takes one.
    """
    said = object_at(given, place)
    if "authentication" in said:
        authentication = object_at(said["authentication"], f"{place}.authentication")
        schemes = list_at(authentication.pop("schemes", None), f"{place}.authentication.schemes")
        if len(schemes) != 1:
            raise Misshapen(f"'{place}.authentication.schemes' must be one where A2A 1.0 is spoken")
        said["authentication"] = {**authentication, "scheme": schemes[0]}
    return said


def task_push_config(given: JsonValue) -> Json:
    """Write where an agent calls back for a task."""
    said = object_at(given, "config")
    inner = push_config(said.pop("pushNotificationConfig", None), "pushNotificationConfig")
    return {**inner, **said}


def sending(params: Json) -> Json:
    """Write the parameters of a message on its way to an agent."""
    said = object_at(params, "params")
    said["message"] = message(said.get("message"), "message")
    if "configuration" not in said:
        return said
    configuration = object_at(said["configuration"], "configuration")
    if "blocking" in configuration:
        configuration["returnImmediately"] = configuration.pop("blocking") is False
    if "pushNotificationConfig" in configuration:
        push = configuration.pop("pushNotificationConfig")
        configuration["taskPushNotificationConfig"] = push_config(
            push, "configuration.pushNotificationConfig"
        )
    return {**said, "configuration": configuration}
