"""The async client: the same methods as the blocking one, awaited. Their arguments are described there."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from pydantic import BaseModel

from inference_gateway.client.agents import async_agents
from inference_gateway.client.base import BaseClient, chat_fields, client_options
from inference_gateway.client.byte_stream import AsyncByteStream
from inference_gateway.client.callback_stream import aplay, with_usage
from inference_gateway.client.callbacks import StreamCallbacks
from inference_gateway.client.environment import gateway_token, gateway_url
from inference_gateway.client.errors import InferenceGatewayError
from inference_gateway.client.exchange import AsyncExchange
from inference_gateway.client.options import (
    AsyncSettings,
    AsyncTokenProvider,
    CallOptions,
    ClientOptions,
    ClientSettings,
    HeaderMap,
    MiddlewareOptions,
    QueryMap,
    Timeout,
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
from inference_gateway.client.replies import RawResponse, awith_response, parsed_as, proxied
from inference_gateway.client.request import ProxyTarget
from inference_gateway.client.retry import RetryConfig
from inference_gateway.client.streaming import AsyncChatCompletionStream
from inference_gateway.client.structured import ParsedChatCompletion, parse_content, response_format_for
from inference_gateway.client.tool_runner import AsyncToolRunner, Request
from inference_gateway.client.tools import ToolRun
from inference_gateway.client.transport import async_transport
from inference_gateway.types import (
    CreateChatCompletionResponse,
    HealthStatus,
    ListModelsResponse,
    ListToolsResponse,
    Model,
)

if TYPE_CHECKING:
    import httpx2

    from inference_gateway.client.a2a_async import AsyncA2AClient

T = TypeVar("T", bound=BaseModel)


class AsyncInferenceGatewayClient(BaseClient):
    """Speaks to an Inference Gateway on an event loop; arguments and errors are the blocking client's.

    Calls are carried by httpx2. Streams are used with `async for` and `async with`, and are made without
    `await`.

    :param http_client: an `httpx2.AsyncClient` of yours, which `close()` leaves open.
    :param token_provider: asked for a token before every attempt; it may be async.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout: float | Timeout | None = 30.0,
        *,
        retry: RetryConfig | int | bool | None = None,
        default_headers: HeaderMap | None = None,
        default_query: QueryMap | None = None,
        middleware_options: MiddlewareOptions | None = None,
        stream_idle_timeout: float | None = 120.0,
        http_client: "httpx2.AsyncClient | None" = None,
        token_provider: AsyncTokenProvider | None = None,
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
        self._transport = async_transport(http_client, token=token)
        self._token_provider = token_provider
        super().__init__(options)

    @classmethod
    def from_env(cls, **settings: Unpack[AsyncSettings]) -> Self:
        """Make a client of the gateway that `INFERENCE_GATEWAY_URL` and `INFERENCE_GATEWAY_TOKEN` name.

        Without the first, it is the one at `http://localhost:8080/v1`.
        """
        return cls(gateway_url(), gateway_token(), **settings)

    def _adopt(self, options: ClientOptions) -> None:
        super()._adopt(options)
        self._exchange = AsyncExchange(self._transport, options, self._token_provider)

    def _forget_token_provider(self) -> None:
        self._token_provider = None

    @property
    def client(self) -> "httpx2.AsyncClient":
        """The httpx2 client that carries the calls."""
        return self._transport.client

    @property
    def with_raw_response(self) -> "AsyncRawResponses":
        """The same methods, returning headers, status and request id beside the result."""
        return AsyncRawResponses(self)

    @property
    def a2a(self) -> "AsyncA2AClient":
        """Agents that speak the Agent2Agent protocol, behind the gateway or by their URL."""
        return async_agents(self._exchange, self._options)

    async def close(self) -> None:
        """Close the connections, unless they are another client's or yours."""
        if not self._is_derived:
            await self._transport.close()

    async def aclose(self) -> None:
        """Do the same as `close`, under the name that `contextlib.aclosing` calls."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- chat ----

    async def create_chat_completion(
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
        """Ask for a completion, and wait for the whole of it."""
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
        return parsed_as(CreateChatCompletionResponse, await self._exchange.fetch(call))

    def create_chat_completion_stream(
        self,
        model: str,
        messages: Messages,
        provider: str | None = None,
        max_tokens: int | None = None,
        tools: Tools | None = None,
        reasoning_format: str | None = None,
        **kwargs: Unpack[ChatParameters],
    ) -> AsyncChatCompletionStream:
        """Ask for a completion as it is made: an async iterator of events, with other views of the same."""
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
        return AsyncChatCompletionStream(lambda: exchange.open(call), idle_timeout=idle_timeout)

    async def stream_chat_completion(
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
        """Ask for a completion as it is made, and have callbacks told of everything in it."""
        stream = self.create_chat_completion_stream(
            model,
            messages,
            provider,
            max_tokens,
            tools,
            reasoning_format,
            **with_usage(kwargs),
        )
        return await aplay(stream, callbacks, tools)

    async def parse_chat_completion(
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
        """Ask for an answer in the form of a pydantic model, and read it as one."""
        form: FormattedParameters = {**kwargs, "response_format": response_format_for(response_format)}
        completion = await self.create_chat_completion(
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
    ) -> AsyncToolRunner:
        """Let the model call tools: use `async for` on its rounds, or `await` its `until_done()`."""
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
        return AsyncToolRunner(run, lambda request: self._round(request, told.stream))

    async def _round(
        self, request: Request, callbacks: StreamCallbacks | None
    ) -> CreateChatCompletionResponse:
        arguments: dict[str, Any] = dict(request)  # they are those of `run_tools`, checked again there
        if callbacks is None:
            return await self.create_chat_completion(**arguments)
        return await self.stream_chat_completion(callbacks, **arguments)

    # ---- models, tools, health ----

    async def list_models(
        self, provider: str | None = None, include: Include = None, **options: Unpack[CallOptions]
    ) -> ListModelsResponse:
        """List the models of every configured provider, or of one."""
        call = self._request.models(provider, include, options)
        return parsed_as(ListModelsResponse, await self._exchange.fetch(call))

    async def get_model(self, model_id: str, **options: Unpack[CallOptions]) -> Model:
        """Describe one model."""
        return parsed_as(Model, await self._exchange.fetch(self._request.model(model_id, options)))

    async def list_tools(self, **options: Unpack[CallOptions]) -> ListToolsResponse:
        """List the tools of the gateway's MCP servers."""
        return parsed_as(ListToolsResponse, await self._exchange.fetch(self._request.tools(options)))

    async def health_check(self, timeout: float = 5.0) -> bool:
        """Say whether the gateway answers that it is well. Tried once; never raises for want of an answer."""
        call = self._request.health(CallOptions(timeout=timeout))
        try:
            await self._exchange.fetch(call)
        except InferenceGatewayError:
            return False
        return True

    async def health(self, timeout: float = 5.0) -> HealthStatus:
        """Return the gateway's own word on how it is, or raise why there is none. Tried once."""
        call = self._request.health(CallOptions(timeout=timeout))
        return parsed_as(HealthStatus, await self._exchange.fetch(call))

    # ---- a provider's own API ----

    async def proxy_request(
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
        """Call a provider's own API; return the parsed JSON."""
        target = ProxyTarget(
            provider=provider,
            path=path,
            method=method,
            json_data=json_data,
            params=params,
            content=content,
            headers=headers,
        )
        return proxied(await self._exchange.fetch(self._request.proxy(target, options)))

    async def proxy_raw(
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
        """Do the same, for an answer that need not be JSON."""
        target = ProxyTarget(
            provider=provider,
            path=path,
            method=method,
            json_data=json_data,
            params=params,
            content=content,
            headers=headers,
        )
        return await self._exchange.fetch(self._request.proxy(target, options))

    async def proxy_stream(
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
    ) -> AsyncByteStream:
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
        return AsyncByteStream(
            await self._exchange.open(call), idle_timeout=self._options.stream_idle_timeout
        )


class AsyncRawResponses:
    """Methods of a client that return an `APIResponse`: the result, with the answer it was read from."""

    def __init__(self, client: AsyncInferenceGatewayClient) -> None:
        self.create_chat_completion = awith_response(client.create_chat_completion)
        self.list_models = awith_response(client.list_models)
        self.get_model = awith_response(client.get_model)
        self.list_tools = awith_response(client.list_tools)
        self.health = awith_response(client.health)
        self.proxy_request = awith_response(client.proxy_request)
