"""Where an agent is, how it is spoken to, and the calls that do it. No I/O.

What belongs to the gateway stays with the gateway: its token, and the client's default headers and query, go
to the gateway's origin alone. No call to an agent follows a redirect, and a card that names an endpoint on
another origin than its own is refused, unless the caller allows it.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeVar, cast, get_args
from urllib.parse import quote, urljoin, urlsplit

from pydantic import JsonValue, TypeAdapter, ValidationError

from inference_gateway.client.a2a_dialects import DIALECTS, Dialect, Request, Sending
from inference_gateway.client.a2a_errors import A2AError, rpc_error
from inference_gateway.client.body import encode_value
from inference_gateway.client.errors import (
    InferenceGatewayAPIError,
    InferenceGatewayValidationError,
    ResponseValidationError,
    field_errors,
    sentence,
    wrong,
)
from inference_gateway.client.options import (
    ClientOptions,
    HeaderMap,
    MiddlewareOptions,
    check_headers,
)
from inference_gateway.client.replies import RawResponse
from inference_gateway.client.request import Call, RequestBuilder
from inference_gateway.client.retry import RetryConfig
from inference_gateway.types.a2a import (
    A2AEvent,
    A2AMessage,
    A2AModel,
    AgentCard,
    Part,
    PushNotificationConfig,
    SendMessageConfiguration,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)
from inference_gateway.types.a2a_interfaces import CARD_PATHS, PORTS, card_urls, offers, origin

M = TypeVar("M", bound=A2AModel)
Protocol = Literal["auto", "0.3", "1.0"]
Message = A2AMessage | str | Mapping[str, object]
Configuration = SendMessageConfiguration | Mapping[str, object] | None
Metadata = Mapping[str, JsonValue] | None
Write = Callable[[Dialect], Request]

_JSON = "application/json"
_EVENTS = "text/event-stream, application/json"
_ONCE = RetryConfig(enabled=False)
_RESERVED = "agents"


class Endpoint(NamedTuple):
    """Where an agent takes requests, and in which dialect."""

    url: str
    dialect: Dialect
    tenant: str | None = None


class RpcCall(NamedTuple):
    """A call, and the id by which its answer is known."""

    call: Call
    id: str


@dataclass(frozen=True, kw_only=True)
class Address:
    """How an agent is reached.

    :ivar card_urls: where its card may be, tried in this order.
    :ivar fixed_url: where it takes requests, whatever its card says; None leaves that to the card.
    """

    card_urls: tuple[str, ...]
    fixed_url: str | None = None
    protocol: Protocol = "auto"
    headers: HeaderMap = field(default_factory=dict, repr=False)
    allow_other_origin: bool = False

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it takes requests, if that is known without its card."""
        if self.protocol == "auto" or self.fixed_url is None:
            return None
        return Endpoint(self.fixed_url, DIALECTS[self.protocol])

    def endpoint_of(self, card: AgentCard) -> Endpoint:
        """Choose among what a card offers: the newest dialect of those that are known here.

        :raises ResponseValidationError: none is, or it is on an origin that the caller did not allow.
        """
        offered = [Endpoint(each.url, DIALECTS[each.version], each.tenant) for each in offers(card)]
        wanted = [each for each in offered if self.protocol in {"auto", each.dialect.version}]
        if not wanted:
            raise ResponseValidationError(f"the card of {card.name!r} offers no JSON-RPC that is spoken here")
        chosen = wanted[0]
        if self.fixed_url is not None:
            return chosen._replace(url=self.fixed_url)
        url = check_agent_url("url", urljoin(self.card_urls[0], chosen.url), ResponseValidationError)
        if origin(url) != origin(self.card_urls[0]) and not self.allow_other_origin:
            place = "://".join(map(str, origin(url)[:2]))
            raise ResponseValidationError(
                f"the card of {card.name!r} leads to another origin, {place}: "
                "allow_other_origin=True goes there"
            )
        return chosen._replace(url=url)


def check_agent_url(
    name: str, url: str, error: type[InferenceGatewayValidationError] = InferenceGatewayValidationError
) -> str:
    """Refuse a URL that nothing can be sent to.

    :raises InferenceGatewayValidationError: it is none; the kind of error is the caller's.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:
        usable = False
    if not usable or any(character <= " " or character == "\x7f" for character in url):
        raise error(f"{name}: must look like https://host:port/path")
    if "@" in parts.netloc:
        raise error(f"{name}: must not have a user or a password: say it with `headers`")
    return url.partition("#")[0]


class A2ARequests:
    """Builds calls of agents, and of the gateway about them, by a client's options."""

    def __init__(self, options: ClientOptions) -> None:
        self._origin = origin(options.base_url)
        self._base_url = options.base_url
        self._own = RequestBuilder(options)
        bare = replace(
            options, token=None, default_headers={}, default_query={}, middleware_options=MiddlewareOptions()
        )
        self._foreign = RequestBuilder(bare)

    def agents(self, options: Mapping[str, object]) -> Call:
        """Build the call that lists the gateway's agents."""
        return self._get(f"{self._base_url}/a2a/agents", {}, options)

    def agent(self, agent_id: str, options: Mapping[str, object]) -> Call:
        """Build the call that describes one of them."""
        return self._get(f"{self._base_url}/a2a/agents/{_agent_id(agent_id)}", {}, options)

    def address(
        self,
        id_or_url: str,
        *,
        protocol: Protocol = "auto",
        headers: HeaderMap | None = None,
        allow_other_origin: bool = False,
    ) -> Address:
        """Find out how an agent is reached: one of the gateway's by its id, any other by its URL.

        :raises InferenceGatewayValidationError: an argument is wrong; it names the argument.
        """
        if protocol not in get_args(Protocol):
            raise wrong("protocol", f"must be one of {', '.join(get_args(Protocol))}, not {protocol!r}")
        _check_agent(id_or_url)
        headers = headers or {}
        check_headers("headers", headers)
        if "://" not in id_or_url:
            url = f"{self._own.root_url}/a2a/{_agent_id(id_or_url)}"
            return Address(
                card_urls=(url + CARD_PATHS[0],), fixed_url=url, protocol=protocol, headers=headers
            )
        url = check_agent_url("id_or_url", id_or_url)
        return Address(
            card_urls=card_urls(url),
            fixed_url=None if protocol == "auto" else url,
            protocol=protocol,
            headers=headers,
            allow_other_origin=allow_other_origin,
        )

    def card(self, address: Address, url: str, options: Mapping[str, object]) -> Call:
        """Build the call that reads an agent's card."""
        return self._get(url, address.headers, options)

    def rpc(
        self,
        address: Address,
        endpoint: Endpoint,
        request: Request,
        options: Mapping[str, object],
        *,
        stream: bool = False,
    ) -> RpcCall:
        """Build the call that carries one JSON-RPC request.

        :raises InferenceGatewayValidationError: an argument is wrong, or cannot be written as JSON.
        """
        name = str(uuid.uuid4())
        tenant = {} if endpoint.tenant is None else {"tenant": endpoint.tenant}
        body = {
            "jsonrpc": "2.0",
            "id": name,
            "method": request.method,
            "params": {**tenant, **request.params},
        }
        call = self._builder(endpoint.url).build(
            "POST",
            endpoint.url,
            options,
            content=encode_value("params", body),
            content_type=_JSON,
            headers={"A2A-Version": endpoint.dialect.version, **address.headers},
            accept=_EVENTS if stream else _JSON,
            stream=stream,
        )
        # Whether an agent does the same thing twice is not known: what changes something is sent once.
        if not request.repeatable:
            call = replace(call, retry=_ONCE)
        return RpcCall(self._placed(call), name)

    def _get(self, url: str, headers: HeaderMap, options: Mapping[str, object]) -> Call:
        return self._placed(self._builder(url).build("GET", url, options, headers=headers))

    def _builder(self, url: str) -> RequestBuilder:
        return self._own if origin(url) == self._origin else self._foreign

    def _placed(self, call: Call) -> Call:
        foreign = origin(call.url) != self._origin
        return replace(call, follows_redirects=False, foreign=foreign, signs=call.signs and not foreign)


def _agent_id(agent_id: object) -> str:
    if not isinstance(agent_id, str) or not agent_id or agent_id in {".", "..", _RESERVED}:
        raise wrong("id", f"must be the id of an agent, not {agent_id!r}")
    return quote(agent_id, safe="")


def _check_agent(id_or_url: object) -> None:
    if not isinstance(id_or_url, str) or not id_or_url:
        raise wrong("id_or_url", "must be the id of an agent, or its URL")


# ---- what is sent ----------------------------------------------------------------------------------------


def sending(
    message: Message,
    *,
    task_id: str | None = None,
    context_id: str | None = None,
    configuration: Configuration = None,
    metadata: Metadata = None,
) -> Sending:
    """Make a message of what a caller says: text, a message, or a message as a mapping.

    :raises InferenceGatewayValidationError: it is none of these, or something in it is wrong.
    """
    try:
        said = _message(message)
        settings = None if configuration is None else SendMessageConfiguration.model_validate(configuration)
    except ValidationError as error:
        found = field_errors(error)
        raise InferenceGatewayValidationError(sentence(found), found) from error
    if not said.parts or any(_contents(part) != 1 for part in said.parts):
        raise wrong("message.parts", "must each have one of text, raw, url and data, and be one at least")
    filled: dict[str, object] = {"role": said.role, "parts": said.parts}
    filled["message_id"] = said.message_id or str(uuid.uuid4())
    filled["task_id"] = task_id or said.task_id
    filled["context_id"] = context_id or said.context_id
    return Sending(said.model_copy(update=filled), settings, metadata)


def _message(message: object) -> A2AMessage:
    if isinstance(message, str):
        return A2AMessage(parts=[Part(text=message)])
    return A2AMessage.model_validate(message)


def _contents(part: Part) -> int:
    return sum(each is not None for each in (part.text, part.raw, part.url, part.data))


def push_config(
    config: PushNotificationConfig | str | Mapping[str, object], task_id: str
) -> PushNotificationConfig:
    """Make a configuration of what a caller says: a URL, or the whole of it.

    :raises InferenceGatewayValidationError: something in it is wrong.
    """
    try:
        said = PushNotificationConfig.model_validate({"url": config} if isinstance(config, str) else config)
    except ValidationError as error:
        found = field_errors(error)
        raise InferenceGatewayValidationError(sentence(found), found) from error
    check_agent_url("url", said.url)
    return said.model_copy(update={"task_id": task_id})


# ---- what comes back -------------------------------------------------------------------------------------

_KINDS: Mapping[str, type[Task | A2AMessage | TaskStatusUpdateEvent | TaskArtifactUpdateEvent]] = {
    "task": Task,
    "message": A2AMessage,
    "status-update": TaskStatusUpdateEvent,
    "artifact-update": TaskArtifactUpdateEvent,
    "statusUpdate": TaskStatusUpdateEvent,
    "artifactUpdate": TaskArtifactUpdateEvent,
}


def rpc_result(raw: RawResponse, name: str) -> JsonValue:
    """Read the result of a JSON-RPC reply.

    :raises A2AError: the agent answered with an error.
    :raises ResponseValidationError: it is no reply, or the reply to something else.
    """
    reply = raw.json()
    if isinstance(reply, dict) and (refused := rpc_error(reply, raw.status_code, raw.headers)) is not None:
        raise refused
    if problem := reply_problem(reply, name):
        raise raw.unreadable(problem)
    return cast(JsonValue, reply.get("result"))  # parsed from JSON


def reply_problem(reply: object, name: str) -> str:
    """Say why something is no successful reply to the request of this name; "" if it is one."""
    if not isinstance(reply, dict) or reply.get("jsonrpc") != "2.0":
        return "the agent's answer is no JSON-RPC 2.0 reply"
    if reply.get("error") is not None:
        return "the agent's answer has an error that is none"
    if reply.get("id") != name:
        return "the agent's answer is to another request"
    return ""


def event_in(result: JsonValue) -> A2AEvent:
    """Read a task, a message, or news of a task, in either dialect.

    :raises ValueError: it is none of these.
    """
    if not isinstance(result, dict):
        raise ValueError("the agent's result is not an object")
    if (kind := result.get("kind")) is not None:
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError("the agent's result is of a kind that is not known")
        return _validated(_KINDS[kind], result)
    wrapped = [name for name in _KINDS if name in result]
    if len(wrapped) != 1:
        raise ValueError("the agent's result is neither a task, nor a message, nor news of a task")
    return _validated(_KINDS[wrapped[0]], result[wrapped[0]])


def _validated(
    kind: type[Task | A2AMessage | TaskStatusUpdateEvent | TaskArtifactUpdateEvent], value: JsonValue
) -> A2AEvent:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(sentence(field_errors(error))) from error


def answer_in(raw: RawResponse, name: str) -> Task | A2AMessage:
    """Read the answer to a message.

    :raises ResponseValidationError: it is neither a task nor a message.
    """
    try:
        event = event_in(rpc_result(raw, name))
    except ResponseValidationError:
        raise
    except ValueError as error:
        raise raw.unreadable(str(error)) from error
    if not isinstance(event, Task | A2AMessage):
        raise raw.unreadable("the agent's answer is neither a task nor a message")
    return event


_PUSH_CONFIGS = TypeAdapter(list[PushNotificationConfig])


def push_configs_in(raw: RawResponse, name: str) -> list[PushNotificationConfig]:
    """Read a list that is a list in A2A 0.3, and the field of an object in A2A 1.0.

    :raises ResponseValidationError: it is neither.
    """
    result = rpc_result(raw, name)
    listed = result.get("configs", []) if isinstance(result, dict) else result
    try:
        return _PUSH_CONFIGS.validate_python(listed or [])
    except ValidationError as error:
        found = field_errors(error)
        raise raw.unreadable(sentence(found), found) from error


def refusal_in(error: InferenceGatewayAPIError) -> InferenceGatewayAPIError:
    """Find the JSON-RPC error in an answer with an error status; else the error stays what it is."""
    try:
        reply = json.loads(error.body)
    except (ValueError, RecursionError):
        return error
    if isinstance(error, A2AError) or not isinstance(reply, dict):
        return error
    return rpc_error(reply, error.status_code, error.headers) or error


def model_in(model: type[M], raw: RawResponse, name: str) -> M:
    """Read the result of a JSON-RPC reply as a type.

    :raises A2AError: the agent answered with an error.
    :raises ResponseValidationError: it is no reply, or its result is not of this type.
    """
    result = rpc_result(raw, name)
    try:
        return model.model_validate(result)
    except ValidationError as error:
        found = field_errors(error)
        raise raw.unreadable(sentence(found), found) from error


def task_state(state: object) -> TaskState | None:
    """Read the word for a state; None stays None.

    :raises InferenceGatewayValidationError: there is no such state.
    """
    if state is None:
        return None
    try:
        return TaskState(str(state))
    except ValueError as error:
        raise wrong("state", str(error)) from error
