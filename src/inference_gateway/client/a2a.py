"""Agents, spoken to by the Agent2Agent protocol: those behind a gateway, and any other by its URL."""

import time
from collections.abc import Mapping
from typing import Unpack

from pydantic import JsonValue

from inference_gateway.client.a2a_dialects import Request, TaskFilter
from inference_gateway.client.a2a_request import (
    A2ARequests,
    Address,
    Configuration,
    Endpoint,
    Message,
    Metadata,
    Protocol,
    RpcCall,
    Write,
    answer_in,
    model_in,
    push_config,
    push_configs_in,
    refusal_in,
    rpc_result,
    sending,
    task_state,
)
from inference_gateway.client.a2a_stream import A2AStream, Opened
from inference_gateway.client.errors import (
    InferenceGatewayAPIError,
    InferenceGatewayTimeoutError,
    NotFoundError,
)
from inference_gateway.client.exchange import Exchange
from inference_gateway.client.options import CallOptions, ClientOptions, HeaderMap, check_seconds
from inference_gateway.client.replies import RawResponse, parsed_as
from inference_gateway.types.a2a import (
    A2AMessage,
    Agent,
    AgentCard,
    ListAgentsResponse,
    ListTasksResponse,
    PushNotificationConfig,
    Task,
)


class A2AClient:
    """The agents that a client can speak to."""

    def __init__(self, exchange: Exchange, options: ClientOptions) -> None:
        self._exchange = exchange
        self._requests = A2ARequests(options)
        self._idle_timeout = options.stream_idle_timeout

    def list_agents(self, **options: Unpack[CallOptions]) -> ListAgentsResponse:
        """List the agents behind the gateway.

        :raises NotFoundError: the gateway has none.
        :raises PermissionDeniedError: the gateway does not show them.
        """
        return parsed_as(ListAgentsResponse, self._exchange.fetch(self._requests.agents(options)))

    def get_agent(self, agent_id: str, **options: Unpack[CallOptions]) -> Agent:
        """Describe one agent behind the gateway: its card, and how it is."""
        return parsed_as(Agent, self._exchange.fetch(self._requests.agent(agent_id, options)))

    def agent(
        self,
        id_or_url: str,
        *,
        protocol: Protocol = "auto",
        headers: HeaderMap | None = None,
        allow_other_origin: bool = False,
    ) -> "A2AAgent":
        """Speak to an agent. Nothing is sent yet.

        :param id_or_url: the id of an agent behind the gateway, or the URL of any agent or of its card.
        :param protocol: "auto" reads the dialect from the agent's card; with a dialect named, a URL is where
            the agent takes requests, and its card is not read.
        :param headers: sent to the agent; the gateway's token goes to the gateway alone.
        :param allow_other_origin: whether a card may lead to another origin than its own; `headers` go along.
        """
        address = self._requests.address(
            id_or_url, protocol=protocol, headers=headers, allow_other_origin=allow_other_origin
        )
        return A2AAgent(self._exchange, self._requests, address, idle_timeout=self._idle_timeout)


class A2AAgent:
    """One agent.

    Beside the errors of every call, each method raises an `A2AError` for what the agent refuses.
    """

    def __init__(
        self, exchange: Exchange, requests: A2ARequests, address: Address, *, idle_timeout: float | None
    ) -> None:
        self._exchange = exchange
        self._requests = requests
        self._address = address
        self._idle_timeout = idle_timeout
        self._card: AgentCard | None = None

    def card(self, extended: bool = False, **options: Unpack[CallOptions]) -> AgentCard:
        """Return what the agent says of itself. Read once, and kept.

        :param extended: ask for what it tells known callers only; never kept.
        """
        if extended:
            raw, name = self._ask(lambda dialect: dialect.extended_card(), options)
            return model_in(AgentCard, raw, name)
        if self._card is None:
            self._card = self._read_card(options)
        return self._card

    def _read_card(self, options: CallOptions) -> AgentCard:
        first, *others = self._address.card_urls
        try:
            return parsed_as(AgentCard, self._fetch_card(first, options))
        except NotFoundError:
            if not others:
                raise
        return parsed_as(AgentCard, self._fetch_card(others[0], options))

    def _fetch_card(self, url: str, options: CallOptions) -> RawResponse:
        return self._exchange.fetch(self._requests.card(self._address, url, options))

    # ---- messages ----

    def send_message(
        self,
        message: Message,
        *,
        task_id: str | None = None,
        context_id: str | None = None,
        configuration: Configuration = None,
        metadata: Metadata = None,
        **options: Unpack[CallOptions],
    ) -> Task | A2AMessage:
        """Tell the agent something, and wait for its answer. Sent once: it may do what it is told.

        :param message: plain text, an `A2AMessage`, or a mapping with its fields.
        :param task_id: the task that this is about; without one, the agent may begin a new task.
        :param context_id: the conversation that this belongs to.
        """
        said = sending(
            message, task_id=task_id, context_id=context_id, configuration=configuration, metadata=metadata
        )
        raw, name = self._ask(lambda dialect: dialect.send(said), options)
        return answer_in(raw, name)

    def stream_message(
        self,
        message: Message,
        *,
        task_id: str | None = None,
        context_id: str | None = None,
        configuration: Configuration = None,
        metadata: Metadata = None,
        **options: Unpack[CallOptions],
    ) -> A2AStream:
        """Tell the agent something, and follow what it does: iterate over tasks, messages, news."""
        said = sending(
            message, task_id=task_id, context_id=context_id, configuration=configuration, metadata=metadata
        )
        return self._follow(lambda dialect: dialect.stream(said), options)

    # ---- tasks ----

    def get_task(
        self, task_id: str, history_length: int | None = None, **options: Unpack[CallOptions]
    ) -> Task:
        """Read how far a task is.

        :param history_length: most messages of its history to send along.
        """
        raw, name = self._ask(lambda dialect: dialect.get_task(task_id, history_length), options)
        return model_in(Task, raw, name)

    def list_tasks(
        self,
        *,
        context_id: str | None = None,
        state: str | None = None,
        page_size: int | None = None,
        page_token: str | None = None,
        history_length: int | None = None,
        include_artifacts: bool | None = None,
        **options: Unpack[CallOptions],
    ) -> ListTasksResponse:
        """List tasks, a page at a time.

        :param state: a `TaskState` or its word.
        :param page_token: `next_page_token` of the page before.
        :raises UnsupportedOperationError: the agent speaks A2A 0.3, which cannot.
        """
        wanted = TaskFilter(
            context_id, task_state(state), page_size, page_token, history_length, include_artifacts
        )
        raw, name = self._ask(lambda dialect: dialect.list_tasks(wanted), options)
        return model_in(ListTasksResponse, raw, name)

    def cancel_task(self, task_id: str, **options: Unpack[CallOptions]) -> Task:
        """Stop a task.

        :raises TaskNotCancelableError: it has ended.
        """
        raw, name = self._ask(lambda dialect: dialect.cancel_task(task_id), options)
        return model_in(Task, raw, name)

    def resubscribe(self, task_id: str, **options: Unpack[CallOptions]) -> A2AStream:
        """Follow a task from now on, as after a stream that was cut."""
        return self._follow(lambda dialect: dialect.resubscribe(task_id), options)

    def wait(self, task_id: str, timeout: float | None = None, poll: float = 1.0) -> Task:
        """Ask after a task until it ends, or waits for more from its caller.

        :param timeout: most seconds to wait; None is without bound.
        :param poll: seconds between two questions.
        :raises InferenceGatewayTimeoutError: it goes on after that.
        """
        check_seconds("timeout", timeout)
        check_seconds("poll", poll)
        limit = None if timeout is None else time.monotonic() + timeout
        while True:
            task = self.get_task(task_id)
            state = task.status.state
            if state.is_terminal or state.is_interrupted:
                return task
            if limit is not None and time.monotonic() + poll > limit:
                raise InferenceGatewayTimeoutError(
                    f"Request failed: the task is still {state} after {timeout} s"
                )
            time.sleep(poll)

    # ---- being called back ----

    def set_push_config(
        self,
        task_id: str,
        config: PushNotificationConfig | str | Mapping[str, object],
        **options: Unpack[CallOptions],
    ) -> PushNotificationConfig:
        """Have the agent report a task's news to a URL.

        :param config: the URL, or the URL with what the agent shows there.
        """
        wanted = push_config(config, task_id)
        raw, name = self._ask(lambda dialect: dialect.set_push_config(wanted), options)
        return model_in(PushNotificationConfig, raw, name)

    def get_push_config(
        self, task_id: str, config_id: str | None = None, **options: Unpack[CallOptions]
    ) -> PushNotificationConfig:
        """Read where the agent reports a task's news."""
        raw, name = self._ask(lambda dialect: dialect.get_push_config(task_id, config_id), options)
        return model_in(PushNotificationConfig, raw, name)

    def list_push_configs(self, task_id: str, **options: Unpack[CallOptions]) -> list[PushNotificationConfig]:
        """List where the agent reports a task's news."""
        raw, name = self._ask(lambda dialect: dialect.list_push_configs(task_id), options)
        return push_configs_in(raw, name)

    def delete_push_config(self, task_id: str, config_id: str, **options: Unpack[CallOptions]) -> None:
        """Have the agent no longer report a task's news there."""
        raw, name = self._ask(lambda dialect: dialect.delete_push_config(task_id, config_id), options)
        rpc_result(raw, name)

    # ---- anything else ----

    def call(
        self, method: str, params: Mapping[str, JsonValue] | None = None, **options: Unpack[CallOptions]
    ) -> JsonValue:
        """Send any JSON-RPC method, in the agent's own dialect, and return its result as it came."""
        request = Request(method, dict(params or {}))
        raw, name = self._ask(lambda dialect: request, options)
        return rpc_result(raw, name)

    def _ask(self, write: Write, options: CallOptions) -> tuple[RawResponse, str]:
        rpc = self._rpc(write, options)
        try:
            return self._exchange.fetch(rpc.call), rpc.id
        except InferenceGatewayAPIError as error:
            raise refusal_in(error) from error.__cause__

    def _follow(self, write: Write, options: CallOptions) -> A2AStream:
        def connect() -> Opened:
            rpc = self._rpc(write, options, stream=True)
            try:
                return Opened(self._exchange.open(rpc.call), rpc.id)
            except InferenceGatewayAPIError as error:
                raise refusal_in(error) from error.__cause__

        return A2AStream(connect, idle_timeout=self._idle_timeout)

    def _rpc(self, write: Write, options: CallOptions, *, stream: bool = False) -> RpcCall:
        endpoint = self._endpoint()
        request = write(endpoint.dialect)
        return self._requests.rpc(self._address, endpoint, request, options, stream=stream)

    def _endpoint(self) -> Endpoint:
        return self._address.endpoint or self._address.endpoint_of(self.card())
