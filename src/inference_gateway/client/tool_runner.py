"""Drives a `ToolRun` over a client: one request per round, the model's calls executed in between."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping

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


class ToolRunner(_Runner):
    """Iterator of the model's answers, one per round; tools are executed before the next one is asked for.

    `until_done()` runs it to its end at once.
    """

    def __init__(self, run: ToolRun, send: Callable[[Request], CreateChatCompletionResponse]) -> None:
        super().__init__(run)
        self._rounds = _rounds(run, send)

    def __iter__(self) -> Iterator[CreateChatCompletionResponse]:
        return self

    def __next__(self) -> CreateChatCompletionResponse:
        return next(self._rounds)

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
        self._rounds = _arounds(run, send)

    def __aiter__(self) -> AsyncIterator[CreateChatCompletionResponse]:
        return self

    async def __anext__(self) -> CreateChatCompletionResponse:
        return await anext(self._rounds)

    async def until_done(self) -> CreateChatCompletionResponse:
        """Run to the end; return the last answer. See `ToolRunner.until_done`."""
        async for _ in self:
            pass
        assert self._run.completion is not None  # there is at least one round
        return self._run.completion


def _rounds(
    run: ToolRun, send: Callable[[Request], CreateChatCompletionResponse]
) -> Generator[CreateChatCompletionResponse, None, None]:
    while (request := _next_request(run)) is not None:
        completion = send(request)
        run.accept(completion)
        yield completion
        run.execute_all()


async def _arounds(
    run: ToolRun, send: Callable[[Request], Awaitable[CreateChatCompletionResponse]]
) -> AsyncGenerator[CreateChatCompletionResponse, None]:
    while (request := _next_request(run)) is not None:
        completion = await send(request)
        run.accept(completion)
        yield completion
        await run.aexecute_all()


def _next_request(run: ToolRun) -> Request | None:
    request = run.next_request()
    if request is not None and (key := request.get("idempotency_key")):
        # Every round is a call of its own.
        request["idempotency_key"] = f"{key}-{len(run.messages)}"
    return request
