"""The blocking client."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from pydantic import BaseModel

from inference_gateway.client.agents import agents
from inference_gateway.client.base import BaseClient, chat_fields, client_options
from inference_gateway.client.byte_stream import ByteStream
from inference_gateway.client.callback_stream import play, with_usage
from inference_gateway.client.callbacks import StreamCallbacks
from inference_gateway.client.environment import gateway_token, gateway_url
from inference_gateway.client.errors import InferenceGatewayError
from inference_gateway.client.exchange import Exchange
from inference_gateway.client.options import (
    BlockingSettings,
    CallOptions,
    ClientOptions,
    ClientSettings,
    HeaderMap,
    MiddlewareOptions,
    QueryMap,
    Timeout,
    TokenProvider,
)
from inference_gateway.client.parameters import (
    ChatParameters,
    FormattedParameters,
    Include,
    Messages,
    RunCallbacks,
    SharedParameters,
    Tools,
)
from inference_gateway.client.replies import RawResponse, parsed_as, proxied, with_response
from inference_gateway.client.request import ProxyTarget
from inference_gateway.client.retry import RetryConfig
from inference_gateway.client.streaming import ChatCompletionStream
from inference_gateway.client.structured import ParsedChatCompletion, parse_content, response_format_for
from inference_gateway.client.tool_runner import Request, ToolRunner
from inference_gateway.client.tools import ToolRun
from inference_gateway.client.transport import sync_transport
from inference_gateway.types import (
    CreateChatCompletionResponse,
    HealthStatus,
    ListModelsResponse,
    ListToolsResponse,
    Model,
)

if TYPE_CHECKING:
    import httpx2
    import requests

    from inference_gateway.client.a2a import A2AClient

T = TypeVar("T", bound=BaseModel)


class InferenceGatewayClient(BaseClient):
    """Speaks to an Inference Gateway, or to anything with the same API.

    Every call raises `InferenceGatewayValidationError` for a wrong argument before anything is sent,
    `InferenceGatewayAPIError` for an error status, `InferenceGatewayConnectionError` where there is no
    whole answer, and `ResponseValidationError` for an answer that is not what was asked for.

    :param base_url: of the gateway, its version included: `http://localhost:8080/v1`.
    :param token: sent as `Authorization: Bearer` with every request.
    :param timeout: most seconds that a call may take; None is without bound.
    :param use_httpx: carry calls by httpx2 instead of requests.
    :param retry: how calls are repeated; a number of attempts, or False for none.
    :param default_headers: sent with every request.
    :param default_query: query parameters of every request.
    :param middleware_options: which of the gateway's own work to leave out.
    :param stream_idle_timeout: most seconds between two pieces of a stream; None is without bound.
    :param http_client: a `requests.Session` or `httpx2.Client` of yours, which `close()` leaves open.
    :param token_provider: asked for a token before every attempt, in place of `token`.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout: float | Timeout | None = 30.0,
        use_httpx: bool = False,
        *,
        retry: RetryConfig | int | bool | None = None,
        default_headers: HeaderMap | None = None,
        default_query: QueryMap | None = None,
        middleware_options: MiddlewareOptions | None = None,
        stream_idle_timeout: float | None = 120.0,
        http_client: "requests.Session | httpx2.Client | None" = None,
        token_provider: TokenProvider | None = None,
    ) -> None:
        settings = ClientSettings(
            timeout=timeout,
            retry=retry,
            default_headers=default_headers,
            default_query=default_query,
            middleware_options=middleware_options,
            stream_idle_timeout=stream_idle_timeout,
        )
        options = client_options(base_url, token, settings)
        self._transport = sync_transport(http_client, use_httpx=use_httpx, token=token)
        self._token_provider = token_provider
        super().__init__(options)

    @classmethod
    def from_env(cls, **settings: Unpack[BlockingSettings]) -> Self:
        """Make a client of the gateway that `INFERENCE_GATEWAY_URL` and `INFERENCE_GATEWAY_TOKEN` name.

        Without the first, it is the one at `http://localhost:8080/v1`.
        """
        return cls(gateway_url(), gateway_token(), **settings)

    def _adopt(self, options: ClientOptions) -> None:
        super()._adopt(options)
        self._exchange = Exchange(self._transport, options, self._token_provider)

    def _forget_token_provider(self) -> None:
        self._token_provider = None

    @property
    def use_httpx(self) -> bool:
        """Whether calls are carried by httpx2."""
        return hasattr(self._transport, "client")

    @property
    def session(self) -> "requests.Session":
        """The session that carries the calls.

        :raises AttributeError: they are carried by httpx2.
        """
        return self._transport.session  # type: ignore[union-attr]  # the error says which it is

    @property
    def client(self) -> "httpx2.Client":
        """The httpx2 client that carries the calls.

        :raises AttributeError: they are carried by requests.
        """
        return self._transport.client  # type: ignore[union-attr]  # the error says which it is

    @property
    def with_raw_response(self) -> "RawResponses":
        """The same methods, returning headers, status and request id beside the result."""
        return RawResponses(self)

    @property
    def a2a(self) -> "A2AClient":
        """Agents that speak the Agent2Agent protocol, behind the gateway or by their URL."""
        return agents(self._exchange, self._options)

    def close(self) -> None:
        """Close the connections, unless they are another client's or yours."""
        if not self._is_derived:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- chat ----

    def create_chat_completion(
        self,
        model: str,
        messages: Messages,
        provider: str | None = None,
        max_tokens: int | None = None,
        stream: Literal[False] = False,
        tools: Tools | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[ChatParameters],
    ) -> CreateChatCompletionResponse:
        """Ask for a completion, and wait for the whole of it.

        Only what is given is sent, with `model`, `messages` and `stream`.

        :param model: `provider/model`, or the bare model beside `provider`.
        :param messages: the conversation so far.
        :param provider: id of the provider that shall answer.
        :param max_tokens: deprecated: `max_completion_tokens` counts thoughts too.
        :param stream: false; `create_chat_completion_stream` streams.
        :param tools: what the model may call: definitions, or functions with type hints.
        :param reasoning_format: `raw` leaves thoughts in the content, `parsed` takes them out of it.
        :param kwargs: any other field of the request, and options of the call.
        """
        fields = chat_fields(
            model=model,
            messages=messages,
            provider=provider,
            max_tokens=max_tokens,
            stream=stream,
            tools=tools,
            reasoning_format=reasoning_format,
        )
        call = self._request.chat(fields, kwargs, stream=False)
        return parsed_as(CreateChatCompletionResponse, self._exchange.fetch(call))

    def create_chat_completion_stream(
        self,
        model: str,
        messages: Messages,
        provider: str | None = None,
        max_tokens: int | None = None,
        tools: Tools | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[ChatParameters],
    ) -> ChatCompletionStream:
        """Ask for a completion as it is made: an iterator of events, with other views of the same.

        Arguments are those of `create_chat_completion`. They are checked here; the request goes out with
        the first event that is asked for.
        """
        fields = chat_fields(
            model=model,
            messages=messages,
            provider=provider,
            max_tokens=max_tokens,
            tools=tools,
            reasoning_format=reasoning_format,
        )
        call = self._request.chat(fields, kwargs, stream=True)
        exchange = self._exchange
        idle_timeout = self._options.stream_idle_timeout
        return ChatCompletionStream(lambda: exchange.open(call), idle_timeout=idle_timeout)

    def stream_chat_completion(
        self,
        callbacks: StreamCallbacks,
        model: str,
        messages: Messages,
        provider: str | None = None,
        max_tokens: int | None = None,
        tools: Tools | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[ChatParameters],
    ) -> CreateChatCompletionResponse:
        """Ask for a completion as it is made, and have callbacks told of everything in it.

        The tokens used are asked for as well. Arguments are those of `create_chat_completion`.

        :return: the whole completion.
        """
        stream = self.create_chat_completion_stream(
            model,
            messages,
            provider,
            max_tokens,
            tools,
            reasoning_format,
            **with_usage(kwargs),
        )
        return play(stream, callbacks, tools)

    def parse_chat_completion(
        self,
        model: str,
        messages: Messages,
        response_format: type[T],
        provider: str | None = None,
        max_tokens: int | None = None,
        tools: Tools | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[SharedParameters],
    ) -> ParsedChatCompletion[T]:
        """Ask for an answer in the form of a pydantic model, and read it as one.

        Arguments are those of `create_chat_completion`, but for `response_format`.

        :return: the completion, with `choices[0].message.parsed`, or `parsed` for short.
        :raises LengthFinishReasonError: the token limit cut the answer.
        :raises ContentFilterFinishReasonError: a filter withheld the answer.
        """
        form: FormattedParameters = {**kwargs, "response_format": response_format_for(response_format)}
        completion = self.create_chat_completion(
            model,
            messages,
            provider,
            max_tokens,
            tools=tools,
            reasoning_format=reasoning_format,
            **form,
        )
        return parse_content(response_format, completion)

    def run_tools(
        self,
        model: str,
        messages: Messages,
        tools: Tools,
        provider: str | None = None,
        *,
        max_iterations: int = 10,
        max_parallel_tool_calls: int = 1,
        on_error: Literal["report", "raise"] = "report",
        callbacks: RunCallbacks | None = None,
        max_tokens: int | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[FormattedParameters],
    ) -> ToolRunner:
        """Let the model call tools until it has its answer: iterate over its rounds, or `until_done()`.

        :param tools: functions with type hints are executed; a call of a bare definition ends the run.
        :param max_iterations: most requests to send.
        :param max_parallel_tool_calls: most calls of one round to execute at a time.
        :param on_error: "report" tells the model what went wrong in a tool, "raise" raises it.
        :param callbacks: told of the progress; with `stream`, rounds are streamed to it.
        """
        told = callbacks or RunCallbacks()
        run = ToolRun(
            model=model,
            messages=messages,
            tools=tools,
            max_iterations=max_iterations,
            max_parallel_tool_calls=max_parallel_tool_calls,
            on_error=on_error,
            on_tool_start=told.on_tool_start,
            on_tool_end=told.on_tool_end,
            provider=provider,
            max_tokens=max_tokens,
            reasoning_format=reasoning_format,
            **kwargs,
        )
        return ToolRunner(run, lambda request: self._round(request, told.stream))

    def _round(self, request: Request, callbacks: StreamCallbacks | None) -> CreateChatCompletionResponse:
        arguments: dict[str, Any] = dict(request)  # they are those of `run_tools`, checked again there
        if callbacks is None:
            return self.create_chat_completion(**arguments)
        return self.stream_chat_completion(callbacks, **arguments)

    # ---- models, tools, health ----

    def list_models(
        self, provider: str | None = None, include: Include = None, **options: Unpack[CallOptions]
    ) -> ListModelsResponse:
        """List the models of every configured provider, or of one.

        :param provider: a `Provider` or the id of one.
        :param include: metadata to add: `context_window`, `pricing`, `modalities`.
        """
        call = self._request.models(provider, include, options)
        return parsed_as(ListModelsResponse, self._exchange.fetch(call))

    def get_model(self, model_id: str, **options: Unpack[CallOptions]) -> Model:
        """Describe one model.

        :raises NotFoundError: no provider lists it.
        """
        return parsed_as(Model, self._exchange.fetch(self._request.model(model_id, options)))

    def list_tools(self, **options: Unpack[CallOptions]) -> ListToolsResponse:
        """List the tools of the gateway's MCP servers.

        :raises PermissionDeniedError: the gateway does not show them.
        """
        return parsed_as(ListToolsResponse, self._exchange.fetch(self._request.tools(options)))

    def health_check(self, timeout: float = 5.0) -> bool:
        """Say whether the gateway answers that it is well, within this many seconds. Tried once.

        A gateway that does not answer, or not well, is False and never an exception.
        """
        call = self._request.health(CallOptions(timeout=timeout))
        try:
            self._exchange.fetch(call)
        except InferenceGatewayError:
            return False
        return True

    def health(self, timeout: float = 5.0) -> HealthStatus:
        """Return the gateway's own word on how it is, or raise why there is none. Tried once."""
        call = self._request.health(CallOptions(timeout=timeout))
        return parsed_as(HealthStatus, self._exchange.fetch(call))

    # ---- a provider's own API ----

    def proxy_request(
        self,
        provider: str,
        path: str,
        method: str = "GET",
        json_data: object = None,
        *,
        params: QueryMap | None = None,
        content: bytes | None = None,
        headers: HeaderMap | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Call a provider's own API through the gateway, which puts the credentials in.

        :param provider: a `Provider` or the id of one.
        :param path: below the provider's URL: `embeddings`.
        :param method: GET, POST, PUT, DELETE or PATCH, in any case.
        :param json_data: body, sent as JSON; None sends none.
        :param params: query parameters.
        :param content: body, sent as it is, in place of `json_data`.
        :return: the parsed JSON, usually a dict; an empty dict if the answer is empty.
        """
        target = ProxyTarget(
            provider=provider,
            path=path,
            method=method,
            json_data=json_data,
            params=params,
            content=content,
            headers=headers,
        )
        return proxied(self._exchange.fetch(self._request.proxy(target, options)))

    def proxy_raw(
        self,
        provider: str,
        path: str,
        method: str = "GET",
        json_data: object = None,
        *,
        params: QueryMap | None = None,
        content: bytes | None = None,
        headers: HeaderMap | None = None,
        **options: Unpack[CallOptions],
    ) -> RawResponse:
        """Do the same, for an answer that need not be JSON: an image, a file, a text."""
        target = ProxyTarget(
            provider=provider,
            path=path,
            method=method,
            json_data=json_data,
            params=params,
            content=content,
            headers=headers,
        )
        return self._exchange.fetch(self._request.proxy(target, options))

    def proxy_stream(
        self,
        provider: str,
        path: str,
        method: str = "GET",
        json_data: object = None,
        *,
        params: QueryMap | None = None,
        content: bytes | None = None,
        headers: HeaderMap | None = None,
        **options: Unpack[CallOptions],
    ) -> ByteStream:
        """Do the same, for an answer that is read as it comes; use it as a context manager."""
        target = ProxyTarget(
            provider=provider,
            path=path,
            method=method,
            json_data=json_data,
            params=params,
            content=content,
            headers=headers,
        )
        call = self._request.proxy(target, options, stream=True)
        return ByteStream(self._exchange.open(call), idle_timeout=self._options.stream_idle_timeout)


class RawResponses:
    """Methods of a client that return an `APIResponse`: the result, with the answer it was read from."""

    def __init__(self, client: InferenceGatewayClient) -> None:
        self.create_chat_completion = with_response(client.create_chat_completion)
        self.list_models = with_response(client.list_models)
        self.get_model = with_response(client.get_model)
        self.list_tools = with_response(client.list_tools)
        self.health = with_response(client.health)
        self.proxy_request = with_response(client.proxy_request)
