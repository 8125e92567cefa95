"""What an agent has said of a task so far: made of its answers and events, within bounds. Pure.

Reads A2A 1.0, https://a2a-protocol.org/latest/specification/#4-protocol-data-model
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.tool_results import written
from inference_gateway.types.a2a import (
    A2AMessage,
    Artifact,
    Part,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)

M = TypeVar("M", bound=BaseModel)

_ROOM: Final = 16 * 1024 * 1024
"""Characters of one task's artifacts that are held."""
_PART: Final = 1024
"""What a part takes at least, whatever it says."""
_LONGEST_ID: Final = 512


class Made(Artifact):
    """An artifact as far as it is there."""


class Progress:
    """One task from outside; or, where the agent only answers, its answer.

    :ivar task_id: the agent's name for the task; empty before there is one.
    :ivar context_id: the agent's name for the conversation, empty before there is one.
    :ivar said: what the agent says to the task's state, or its answer.
    :ivar artifacts: what it made, by its names for them, in their order.
    :ivar left_out: pieces that there was no room for.
    :ivar is_known: whether the agent has said anything of it.
    :ivar trouble: why no more is known, empty where all is well.
    """

    def __init__(self, task_id: str = "") -> None:
        self.task_id = task_id
        self.context_id = ""
        self.state = TaskState("submitted")
        self.said: A2AMessage | None = None
        self.artifacts: dict[str, Made] = {}
        self.left_out = 0
        self.is_known = False
        self.trouble = ""
        self._is_answered = False
        self._room = _ROOM

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self._is_answered or self.state.is_terminal

    @property
    def goes_on(self) -> bool:
        """Whether the agent is still at work, as far as is known."""
        return not (self.has_ended or self.state.is_interrupted)

    @property
    def is_task(self) -> bool:
        """Whether there is a task, and not just an answer."""
        return bool(self.task_id) and not self._is_answered

    def absorb(self, event: Mapping[str, JsonValue]) -> None:
        """Take a result of `SendMessage`, or an event of a stream.

        :raises UpstreamError: it makes no sense.
        """
        if "task" in event:
            self.absorb_task(event["task"])
        elif "statusUpdate" in event:
            self._update(_read(TaskStatusUpdateEvent, event["statusUpdate"]))
        elif "artifactUpdate" in event:
            self._extend(_read(TaskArtifactUpdateEvent, event["artifactUpdate"]))
        elif "message" in event:
            self._answer(_read(A2AMessage, event["message"]))

    def absorb_task(self, value: JsonValue) -> None:
        """Take a whole task, in place of what was known.

        :raises UpstreamError: it makes no sense.
        """
        task = _read(Task, value)
        if not self._begin(task.id, task.context_id):
            return
        self.state = task.status.state
        self.said = task.status.message
        self.artifacts.clear()
        self._room = _ROOM
        for artifact in task.artifacts:
            self._keep(artifact)
        if self.said is None and not self.artifacts and not self.goes_on:
            # Some agents answer in the conversation and make nothing.
            self.said = next((each for each in reversed(task.history) if each.role == "agent"), None)

    def _answer(self, message: A2AMessage) -> None:
        self.context_id = _checked(message.context_id or "") or self.context_id
        self.said = message
        self.is_known = self._is_answered = True

    def _update(self, event: TaskStatusUpdateEvent) -> None:
        if self._begin(event.task_id, event.context_id):
            self.state = event.status.state
            self.said = event.status.message or (self.said if self.goes_on else None)

    def _extend(self, event: TaskArtifactUpdateEvent) -> None:
        if not self._begin(event.task_id, event.context_id):
            return
        known = self.artifacts.get(event.artifact.artifact_id)
        if known is None or not event.append:
            if known is not None:
                self._room += sum(map(_weight, known.parts))
            self._keep(event.artifact)
        else:
            known.parts += self._fitting(event.artifact.parts)

    def _begin(self, task_id: str, context_id: str) -> bool:
        """Tell whether this is about our task; the first one that is named is."""
        self.task_id = self.task_id or _checked(task_id)
        self.context_id = self.context_id or _checked(context_id)
        ours = task_id == self.task_id
        self.is_known = self.is_known or ours
        return ours

    def _keep(self, artifact: Artifact) -> None:
        if self._room < _PART:
            self.left_out += 1
            return
        self._room -= _PART
        self.artifacts[artifact.artifact_id] = Made(
            artifact_id=artifact.artifact_id,
            name=artifact.name,
            description=artifact.description,
            parts=self._fitting(artifact.parts),
        )

    def _fitting(self, parts: Sequence[Part]) -> list[Part]:
        kept = []
        for part in parts:
            weight = _weight(part)
            if weight > self._room:
                self.left_out += 1
            else:
                self._room -= weight
                kept.append(part)
        return kept


def _weight(part: Part) -> int:
    said = sum(len(text) for text in (part.text, part.raw, part.url, part.filename) if text is not None)
    return _PART + said + (len(written(part.data)) if part.data is not None else 0)


def _checked(name: str) -> str:
    if len(name) > _LONGEST_ID:
        raise UpstreamError(f"the agent's names for its tasks are longer than {_LONGEST_ID} characters")
    return name


def _read(model: type[M], value: JsonValue) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False, include_context=False)
        place = ".".join(map(str, first["loc"]))
        raise UpstreamError(f"the agent's answer is malformed at {place!r}: {first['msg']}") from error
