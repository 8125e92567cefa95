"""Drives a `ToolRun` over a client: one request per round, the model's calls executed in between."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

from inference_gateway.client.tools import ToolRun
from inference_gateway.types import CreateChatCompletionResponse, Message

Request = Mapping[str, object]


class _Runner:
    """What both kinds of runner can say of how far they are."""

    def __init__(self, run: ToolRun) -> None:
        self._run = run

    @property
    def messages(self) -> list[Message | Mapping[str, object]]:
        """The conversation so far, answers and results of tools included."""
        return self._run.messages

    @property
    def exhausted(self) -> bool:
        """Whether it ended at `max_iterations`, with calls that were not executed."""
        return self._run.exhausted

    def _next_request(self) -> Request | None:
        request = self._run.next_request()
        if request is not None and (key := request.get("idempotency_key")):
            # Every round is a call of its own.
            request["idempotency_key"] = f"{key}-{len(self._run.messages)}"
        return request


class ToolRunner(_Runner):
    """Iterator of the model's answers, one per round; tools are executed before the next one is asked for.

    `until_done()` runs it to its end at once. A round that raised is tried again by whoever goes on.
    """

    def __init__(self, run: ToolRun, send: Callable[[Request], CreateChatCompletionResponse]) -> None:
        super().__init__(run)
        self._send = send

    def __iter__(self) -> Iterator[CreateChatCompletionResponse]:
        return self

    def __next__(self) -> CreateChatCompletionResponse:
        self._run.execute_all()
        if (request := self._next_request()) is None:
            raise StopIteration
        completion = self._send(request)
        self._run.accept(completion)
        return completion

    def until_done(self) -> CreateChatCompletionResponse:
        """Run to the end; return the last answer.

        :raises InferenceGatewayError: a request failed, or a tool did and `on_error` is "raise".
        """
        for _ in self:
            pass
        assert self._run.completion is not None  # there is at least one round
        return self._run.completion


class AsyncToolRunner(_Runner):
    """The same as `ToolRunner`, for `async for`."""

    def __init__(
        self, run: ToolRun, send: Callable[[Request], Awaitable[CreateChatCompletionResponse]]
    ) -> None:
        super().__init__(run)
        self._send = send

    def __aiter__(self) -> AsyncIterator[CreateChatCompletionResponse]:
        return self

    async def __anext__(self) -> CreateChatCompletionResponse:
        await self._run.aexecute_all()
        if (request := self._next_request()) is None:
            raise StopAsyncIteration
        completion = await self._send(request)
        self._run.accept(completion)
        return completion

    async def until_done(self) -> CreateChatCompletionResponse:
        """Run to the end; return the last answer. See `ToolRunner.until_done`."""
        async for _ in self:
            pass
        assert self._run.completion is not None  # there is at least one round
        return self._run.completion
