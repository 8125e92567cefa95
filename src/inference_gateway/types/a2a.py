"""Agents and their tasks, as the Agent2Agent protocol has them. One set of models for both of its dialects.

Read from either: A2A 1.0 writes `ROLE_USER`, `TASK_STATE_WORKING` and bare parts, A2A 0.3 writes `user`,
`working` and a `kind`. What differs is levelled here on reading; the client writes each dialect.
https://a2a-protocol.org/latest/specification/
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar, TypeVar

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from inference_gateway.types.base import WireModel
from inference_gateway.types.wrappers import Open, RootStr

T = TypeVar("T")
Metadata = dict[str, JsonValue] | None


def _as_list(value: object) -> object:
    return [] if value is None else value


Listed = Annotated[list[T], BeforeValidator(_as_list)]
"""A list that an agent may leave out, or send null for."""


class A2AModel(WireModel):
    """An object of the protocol: snake case in Python, camel case over the wire."""

    model_config = ConfigDict(alias_generator=to_camel)


# ---- words -----------------------------------------------------------------------------------------------


class TaskState(RootStr):
    """How far a task is. `submitted` and `working` go on; the rest end it, or wait for the caller."""

    __slots__ = ()
    known = (
        "submitted",
        "working",
        "input-required",
        "auth-required",
        "completed",
        "canceled",
        "failed",
        "rejected",
        "unknown",
    )
    synonyms: ClassVar = {
        **{f"TASK_STATE_{word.upper().replace('-', '_')}": word for word in known},
        "TASK_STATE_UNSPECIFIED": "unknown",
    }

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens to the task."""
        return self in {"completed", "canceled", "failed", "rejected"}

    @property
    def is_interrupted(self) -> bool:
        """Whether the task goes on only when its caller sends more."""
        return self in {"input-required", "auth-required"}


class A2ARole(RootStr):
    """Who speaks in a message of a task."""

    __slots__ = ()
    known = ("user", "agent")
    synonyms: ClassVar = {"ROLE_USER": "user", "ROLE_AGENT": "agent"}


# ---- messages and tasks ----------------------------------------------------------------------------------


class Part(A2AModel):
    """One piece of a message: one of `text`, `raw`, `url` and `data`."""

    text: str | None = None
    raw: Annotated[str | None, Field(description="Content of a file, in base64.", repr=False)] = None
    url: Annotated[str | None, Field(description="Where a file is.")] = None
    data: JsonValue = None
    media_type: str | None = None
    filename: str | None = None
    metadata: Metadata = None

    @model_validator(mode="before")
    @classmethod
    def _level(cls, given: object) -> object:
        """Read a part of A2A 0.3, which has a kind, and a file in an object of its own."""
        if not isinstance(given, dict) or "kind" not in given:
            return given
        rest = {name: value for name, value in given.items() if name not in {"kind", "file"}}
        file = given.get("file")
        if given["kind"] != "file" or not isinstance(file, dict):
            return rest
        levelled = {
            "raw": file.get("bytes"),
            "url": file.get("uri"),
            "mediaType": file.get("mimeType"),
            "filename": file.get("name"),
        }
        return {**rest, **{name: value for name, value in levelled.items() if value is not None}}


class A2AMessage(A2AModel):
    """What a user or an agent says.

    :ivar message_id: its sender's name for it; the client makes one up where there is none.
    """

    message_id: str = ""
    role: Open[A2ARole] = A2ARole("user")
    parts: Listed[Part] = Field(default_factory=list)
    context_id: str | None = None
    task_id: str | None = None
    reference_task_ids: list[str] | None = None
    extensions: list[str] | None = None
    metadata: Metadata = None

    @property
    def text(self) -> str:
        """The text in it."""
        return _text_of(self.parts)


class Artifact(A2AModel):
    """Something that an agent made."""

    artifact_id: str
    name: str | None = None
    description: str | None = None
    parts: Listed[Part] = Field(default_factory=list)
    extensions: list[str] | None = None
    metadata: Metadata = None

    @property
    def text(self) -> str:
        """The text in it."""
        return _text_of(self.parts)


class TaskStatus(A2AModel):
    """How far a task is, and what the agent says to that."""

    state: Open[TaskState] = TaskState("unknown")
    message: A2AMessage | None = None
    timestamp: str | None = None


class Task(A2AModel):
    """Work that an agent was given."""

    id: str
    context_id: str = ""
    status: TaskStatus
    artifacts: Listed[Artifact] = Field(default_factory=list)
    history: Listed[A2AMessage] = Field(default_factory=list)
    metadata: Metadata = None

    @property
    def text(self) -> str:
        """The text of its artifacts, or else of what the agent says to its status."""
        made = "\n".join(artifact.text for artifact in self.artifacts if artifact.text)
        return made or (self.status.message.text if self.status.message else "")


class TaskStatusUpdateEvent(A2AModel):
    """A task got further.

    :ivar final: A2A 0.3 only: whether the stream ends with this; None where it is not said.
    """

    task_id: str
    context_id: str = ""
    status: TaskStatus
    final: bool | None = None
    metadata: Metadata = None


class TaskArtifactUpdateEvent(A2AModel):
    """An artifact, or a piece of one, is there."""

    task_id: str
    context_id: str = ""
    artifact: Artifact
    append: bool = False
    last_chunk: bool = False
    metadata: Metadata = None


A2AEvent = Task | A2AMessage | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class ListTasksResponse(A2AModel):
    """One page of tasks."""

    tasks: Listed[Task] = Field(default_factory=list)
    next_page_token: str = ""
    page_size: int = 0
    total_size: int = 0


def _text_of(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if part.text is not None)


# ---- what a caller asks for ------------------------------------------------------------------------------


class PushAuthentication(A2AModel):
    """How an agent shows who it is when it calls back."""

    schemes: Listed[str] = Field(default_factory=list)
    credentials: Annotated[str | None, Field(repr=False)] = None

    @model_validator(mode="before")
    @classmethod
    def _level(cls, given: object) -> object:
        """Read the one scheme of A2A 1.0."""
        if not isinstance(given, dict) or "scheme" not in given or "schemes" in given:
            return given
        rest = {name: value for name, value in given.items() if name != "scheme"}
        return {**rest, "schemes": [given["scheme"]]}


class PushNotificationConfig(A2AModel):
    """Where an agent reports how a task gets on."""

    url: str
    task_id: str = ""
    id: str | None = None
    token: Annotated[str | None, Field(repr=False)] = None
    authentication: PushAuthentication | None = None

    @model_validator(mode="before")
    @classmethod
    def _level(cls, given: object) -> object:
        """Read the nested form of A2A 0.3."""
        inner = given.get("pushNotificationConfig") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(inner, dict):
            return given
        return {**inner, "taskId": given.get("taskId") or ""}


class SendMessageConfiguration(A2AModel):
    """How an agent shall answer.

    :ivar return_immediately: answer with the task at once, and do not wait for its end.
    """

    accepted_output_modes: list[str] | None = None
    history_length: Annotated[int | None, Field(ge=0)] = None
    return_immediately: bool | None = None
    push_notification_config: PushNotificationConfig | None = None


# ---- agents ----------------------------------------------------------------------------------------------


class AgentSkill(A2AModel):
    """Something that an agent can do."""

    id: str = ""
    name: str = ""
    description: str = ""
    tags: Listed[str] = Field(default_factory=list)
    examples: Listed[str] = Field(default_factory=list)
    input_modes: Listed[str] = Field(default_factory=list)
    output_modes: Listed[str] = Field(default_factory=list)


class AgentCapabilities(A2AModel):
    """Which optional parts of the protocol an agent speaks."""

    streaming: bool = False
    push_notifications: bool = False
    extended_agent_card: bool = False


class AgentInterface(A2AModel):
    """Where an agent listens, and how it speaks there."""

    url: str
    protocol_binding: str = ""
    protocol_version: str = ""
    tenant: str | None = None
    transport: Annotated[str, Field(description="What A2A 0.3 calls the binding.")] = ""


class AgentCard(A2AModel):
    """What an agent says of itself."""

    name: str
    description: str = ""
    version: str = ""
    skills: Listed[AgentSkill] = Field(default_factory=list)
    capabilities: AgentCapabilities = Field(default_factory=AgentCapabilities)
    default_input_modes: Listed[str] = Field(default_factory=list)
    default_output_modes: Listed[str] = Field(default_factory=list)
    supported_interfaces: Annotated[Listed[AgentInterface], Field(description="A2A 1.0.")] = Field(
        default_factory=list
    )
    url: Annotated[str, Field(description="A2A 0.3.")] = ""
    protocol_version: Annotated[str, Field(description="A2A 0.3.")] = ""
    preferred_transport: Annotated[str, Field(description="A2A 0.3.")] = ""
    additional_interfaces: Annotated[Listed[AgentInterface], Field(description="A2A 0.3.")] = Field(
        default_factory=list
    )


class Agent(AgentCard):
    """An agent behind a gateway: its card, and how it is.

    :ivar id: what the gateway calls it.
    :ivar state: whether it can be reached, in the gateway's words.
    :ivar dialects: of the protocol, that the agent speaks itself.
    """

    id: str
    state: str | None = None
    last_error: Annotated[str | None, Field(validation_alias=AliasChoices("last_error", "lastError"))] = None
    dialects: Listed[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _level(cls, given: object) -> object:
        """Read a card that stands in an object of its own."""
        card = given.get("card") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(card, dict):
            return given
        around = {name: value for name, value in given.items() if name != "card" and value is not None}
        return {**card, **around}


class ListAgentsResponse(A2AModel):
    """The agents behind a gateway."""

    object: str = "list"
    data: Listed[Agent]
