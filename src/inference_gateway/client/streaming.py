"""A chat stream as it comes: its events, its chunks, its text, and in the end the whole completion.

One pass over one connection, whichever view reads it. A stream that does not end well raises, and raises
again when it is read on; it never just ends.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Generic, Self

from inference_gateway.client.chat_events import StreamItem
from inference_gateway.client.errors import request_id_of
from inference_gateway.client.stream_source import AsyncSource, BlockingSource, R, Source
from inference_gateway.client.transport import AsyncReply, Reply
from inference_gateway.types import (
    CompletionUsage,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    SSEvent,
)


class _ChatStream(Generic[R]):
    """What both kinds of stream can say of what they have read."""

    def __init__(self, source: Source[R]) -> None:
        self._progress = source
        # Whether somebody waits for the next event right now: another thread or task, to whoever closes.
        self._awaited = False

    @property
    def response_headers(self) -> Mapping[str, str]:
        """Headers of the answer, by name in any case; empty until the stream is open."""
        return self._progress.headers

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, once the stream is open, if it sent one."""
        return request_id_of(self._progress.headers)

    @property
    def usage(self) -> CompletionUsage | None:
        """How many tokens it took, once the stream has said so; ask for it by `stream_options`."""
        return self._progress.reader.completion.usage

    @property
    def current_completion(self) -> CreateChatCompletionResponse:
        """The completion as far as it has come."""
        return self._progress.reader.completion.completion()

    def _check(self) -> None:
        if self._progress.failure is not None:
            raise self._progress.failure


class ChatCompletionStream(_ChatStream[Reply]):
    """Iterator of `SSEvent`, and context manager that frees the connection.

    The request goes out with the first event that is asked for, or on entering the context.

    :raises InferenceGatewayAPIError: the answer has an error status; nothing was streamed.
    :raises StreamError: the server reported an error in mid-stream, or sent what no chat stream has.
    :raises IncompleteStreamError: the stream was cut.
    :raises InferenceGatewayTimeoutError: nothing came for `stream_idle_timeout` seconds.
    """

    def __init__(self, connect: Callable[[], Reply], *, idle_timeout: float | None) -> None:
        self._source = BlockingSource(connect, idle_timeout)
        super().__init__(self._source)
        self._items = self._source.items()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SSEvent:
        return self._next().event

    def open(self) -> None:
        """Send the request, if that is still to be done, and wait for the headers of the answer."""
        self._source.open()

    def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on.

        Another thread may close the stream that this one waits for: that stops it.
        """
        if self._awaited:
            self._source.interrupt()
            return
        self._items.close()
        self._source.close()

    def chunks(self) -> Iterator[CreateChatCompletionStreamResponse]:
        """Read on, chunk by chunk."""
        for item in self._remaining():
            if item.chunk is not None:
                yield item.chunk

    @property
    def text_stream(self) -> Iterator[str]:
        """Read on, by the text of the first choice; thoughts are not part of it."""
        return (text for chunk in self.chunks() for text in _texts(chunk))

    def until_done(self) -> None:
        """Read on to the end."""
        for _ in self._remaining():
            pass

    def get_final_completion(self) -> CreateChatCompletionResponse:
        """Read on to the end; return everything as one completion."""
        self.until_done()
        return self.current_completion

    def get_final_text(self) -> str:
        """Read on to the end; return the text of the first choice, "" if it has none."""
        self.until_done()
        return self._source.reader.completion.text()

    def _remaining(self) -> Iterator[StreamItem]:
        while True:
            try:
                item = self._next()
            except StopIteration:
                return
            yield item

    def _next(self) -> StreamItem:
        self._check()
        self._awaited = True
        try:
            return next(self._items)
        finally:
            self._awaited = False


class AsyncChatCompletionStream(_ChatStream[AsyncReply]):
    """The same as `ChatCompletionStream`, for `async for` and `async with`."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncReply]], *, idle_timeout: float | None) -> None:
        self._source = AsyncSource(connect, idle_timeout)
        super().__init__(self._source)
        self._items = self._source.items()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SSEvent:
        return (await self._next()).event

    async def open(self) -> None:
        """Send the request, if that is still to be done, and wait for the headers of the answer."""
        await self._source.open()

    async def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on.

        Another task may close the stream that this one waits for: that stops it.
        """
        if not self._awaited:
            await self._items.aclose()
        await self._source.close()

    async def aclose(self) -> None:
        """Do the same as `close`, under the name that `contextlib.aclosing` calls."""
        await self.close()

    async def chunks(self) -> AsyncIterator[CreateChatCompletionStreamResponse]:
        """Read on, chunk by chunk."""
        async for item in self._remaining():
            if item.chunk is not None:
                yield item.chunk

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """Read on, by the text of the first choice; thoughts are not part of it."""
        return (text async for chunk in self.chunks() for text in _texts(chunk))

    async def until_done(self) -> None:
        """Read on to the end."""
        async for _ in self._remaining():
            pass

    async def get_final_completion(self) -> CreateChatCompletionResponse:
        """Read on to the end; return everything as one completion."""
        await self.until_done()
        return self.current_completion

    async def get_final_text(self) -> str:
        """Read on to the end; return the text of the first choice, "" if it has none."""
        await self.until_done()
        return self._source.reader.completion.text()

    async def _remaining(self) -> AsyncIterator[StreamItem]:
        while True:
            try:
                item = await self._next()
            except StopAsyncIteration:
                return
            yield item

    async def _next(self) -> StreamItem:
        self._check()
        self._awaited = True
        try:
            return await anext(self._items)
        finally:
            self._awaited = False


def _texts(chunk: CreateChatCompletionStreamResponse) -> Iterator[str]:
    for choice in chunk.choices:
        if choice.index == 0 and choice.delta.content:
            yield choice.delta.content
