"""An agent's answer as it comes: news of a task, in server-sent events that hold JSON-RPC replies.

A stream has ended well after a message, after a state that ends the task, or when its body ended in order
while the task waits for its caller. Any other end raises.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from inference_gateway import sse
from inference_gateway.client.a2a_errors import rpc_error
from inference_gateway.client.a2a_request import event_in, reply_problem, rpc_result
from inference_gateway.client.errors import (
    Headers,
    IncompleteStreamError,
    InferenceGatewayError,
    ResponseValidationError,
    StreamError,
)
from inference_gateway.client.exchange import Deadline, aread_whole, read_whole
from inference_gateway.client.options import Timeout
from inference_gateway.client.read_once import ReadOnce
from inference_gateway.client.replies import RawResponse
from inference_gateway.client.stream_source import as_of_a_stream
from inference_gateway.client.transport import AsyncReply, Reply
from inference_gateway.types.a2a import A2AEvent, A2AMessage, TaskArtifactUpdateEvent, TaskStatusUpdateEvent

_EXPLANATION_TIME = Timeout(total=10.0)
"""How long to read an answer that is no stream."""


class A2AStreamReader:
    """Feed what arrives; get events. No I/O.

    :param name: id of the request.
    :ivar ended: whether nothing more is to come.
    """

    def __init__(self, name: str, status: int, headers: Headers) -> None:
        self._name = name
        self._status = status
        self._headers = headers
        self._parser = sse.Parser()
        self._may_end = False
        self.ended = False

    @property
    def is_stream(self) -> bool:
        """Whether the answer says that it is a stream."""
        return self._media_type == "text/event-stream"

    @property
    def _media_type(self) -> str:
        return self._headers.get("content-type", "").partition(";")[0].strip().lower()

    def feed(self, data: bytes) -> Iterator[A2AEvent]:
        """Take bytes, cut anywhere.

        :raises A2AError: the agent reports an error.
        :raises StreamError: it sends what is no event of its answer.
        """
        try:
            for event in self._parser.feed(data):
                if event.data.strip():
                    yield self._read(event.data)
                if self.ended:
                    return
        except sse.EventTooLarge as error:
            raise self._unusable(str(error)) from error

    def finish(self) -> None:
        """Take the proper end of the body.

        :raises IncompleteStreamError: the answer is not whole.
        """
        if self._parser.pending:
            raise IncompleteStreamError("Request failed: the stream ended in the middle of an event")
        if not self.ended and not self._may_end:
            raise IncompleteStreamError("Request failed: the stream ended before the task did")
        self.ended = True

    def whole(self, body: bytes) -> A2AEvent:
        """Take an answer that is one reply and no stream, as agents send their errors.

        :raises A2AError: it is an error.
        :raises ResponseValidationError: it is no JSON-RPC reply.
        """
        raw = RawResponse(self._status, self._headers, body)
        if not self._media_type.endswith("json"):
            raise raw.unreadable(f"asked for a stream, got {self._media_type or 'no content type'}")
        result = rpc_result(raw, self._name)
        try:
            event = event_in(result)
        except ValueError as error:
            raise raw.unreadable(str(error)) from error
        self._judge(event)
        return event

    def _read(self, data: bytes) -> A2AEvent:
        raw = RawResponse(self._status, self._headers, data)
        try:
            reply = raw.json()
        except ResponseValidationError as error:
            raise self._unusable("the agent sent an event that is not JSON") from error
        refused = rpc_error(reply, self._status, self._headers) if isinstance(reply, dict) else None
        if refused is not None:
            raise refused
        if problem := reply_problem(reply, self._name):
            raise self._unusable(problem)
        try:
            event = event_in(reply.get("result"))
        except ValueError as error:
            raise self._unusable(str(error)) from error
        self._judge(event)
        return event

    def _judge(self, event: A2AEvent) -> None:
        if isinstance(event, A2AMessage):
            self.ended = True
        elif not isinstance(event, TaskArtifactUpdateEvent):
            state = event.status.state
            says_when = isinstance(event, TaskStatusUpdateEvent) and event.final is not None
            final = isinstance(event, TaskStatusUpdateEvent) and event.final is True
            self.ended = final or (state.is_terminal and not says_when)
            self._may_end = state.is_terminal or state.is_interrupted

    def _unusable(self, problem: str) -> StreamError:
        return StreamError(f"Request failed: {problem}", self._status, headers=self._headers)


class Opened(NamedTuple):
    """The answer to a call, and the id of its request."""

    reply: Reply
    name: str


class AsyncOpened(NamedTuple):
    """The same on an event loop."""

    reply: AsyncReply
    name: str


@contextmanager
def _in_a_stream() -> Iterator[None]:
    try:
        yield
    except InferenceGatewayError as error:
        raise as_of_a_stream(error) from error.__cause__


class A2AStream(ReadOnce):
    """Iterator of an agent's news, and context manager that frees the connection.

    The request is sent when the first piece is asked for. A cut stream raises `IncompleteStreamError`.
    """

    def __init__(self, connect: Callable[[], Opened], *, idle_timeout: float | None) -> None:
        super().__init__()
        self._events = _events(connect, idle_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[A2AEvent]:
        return self

    def __next__(self) -> A2AEvent:
        with self._reading():
            return next(self._events)
        raise StopIteration

    def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on."""
        self._give_up()
        self._events.close()


def _events(connect: Callable[[], Opened], idle_timeout: float | None) -> Generator[A2AEvent, None, None]:
    reply, name = connect()
    try:
        reader = A2AStreamReader(name, reply.status, reply.headers)
        if not reader.is_stream:
            yield reader.whole(read_whole(reply, Deadline(_EXPLANATION_TIME)))
            reader.finish()
            return
        reply.wait_at_most(idle_timeout)
        with _in_a_stream():
            for piece in reply.pieces():
                yield from reader.feed(piece)
                if reader.ended:
                    return
            reader.finish()
    finally:
        reply.close()


class AsyncA2AStream(ReadOnce):
    """The same as `A2AStream`, for `async for` and `async with`."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncOpened]], *, idle_timeout: float | None) -> None:
        super().__init__()
        self._events = _aevents(connect, idle_timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> A2AEvent:
        with self._reading():
            return await anext(self._events)
        raise StopAsyncIteration

    async def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on."""
        self._give_up()
        await self._events.aclose()

    async def aclose(self) -> None:
        """Do the same as `close`, under the name that `contextlib.aclosing` calls."""
        await self.close()


async def _aevents(
    connect: Callable[[], Awaitable[AsyncOpened]], idle_timeout: float | None
) -> AsyncGenerator[A2AEvent, None]:
    reply, name = await connect()
    try:
        reader = A2AStreamReader(name, reply.status, reply.headers)
        if not reader.is_stream:
            yield reader.whole(await aread_whole(reply, Deadline(_EXPLANATION_TIME)))
            reader.finish()
            return
        reply.wait_at_most(idle_timeout)
        with _in_a_stream():
            async for piece in reply.pieces():
                for event in reader.feed(piece):
                    yield event
                if reader.ended:
                    return
            reader.finish()
    finally:
        await reply.close()
