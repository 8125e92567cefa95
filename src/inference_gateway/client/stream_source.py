"""The reading end of one chat stream: opened once, read once, let go of whatever happens.

Apart from the public stream on purpose: the generators here know nothing of whoever reads them, so that a
stream that is dropped half read closes its connection at once, and not when cycles are collected.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Generic, TypeVar

from inference_gateway.client.chat_events import ChatStreamReader, StreamItem
from inference_gateway.client.errors import (
    Headers,
    IncompleteStreamError,
    InferenceGatewayConnectionError,
    InferenceGatewayError,
    ResponseValidationError,
    closed_early,
)
from inference_gateway.client.exchange import Deadline, aread_whole, read_whole
from inference_gateway.client.options import Timeout
from inference_gateway.client.transport import AsyncReply, Reply

R = TypeVar("R", bound=Reply | AsyncReply)

_NO_HEADERS: Headers = MappingProxyType({})
_EXPLANATION_TIME = Timeout(total=10.0)
"""How long to read an answer that is no stream, to say in the error what it is."""


class Source(Generic[R]):
    """How far one stream has come.

    :ivar reader: what was read.
    :ivar reply: the answer; None until there is one.
    :ivar failure: why it did not end well; None as long as it may, and if it did.
    """

    def __init__(self, idle_timeout: float | None) -> None:
        self._idle_timeout = idle_timeout
        self.reader = ChatStreamReader()
        self.reply: R | None = None
        self.failure: InferenceGatewayError | None = None

    @property
    def headers(self) -> Headers:
        """Headers of the answer; empty until there is one."""
        return _NO_HEADERS if self.reply is None else self.reply.headers

    @property
    def is_untouched(self) -> bool:
        """Whether the request is still to be sent."""
        return self.reply is None and self.failure is None

    def give_up(self) -> None:
        """Take note that nobody reads on."""
        if not self.reader.ended and self.failure is None:
            self.failure = closed_early()

    def _begin(self, reply: R) -> None:
        self.reply = reply
        self.reader = ChatStreamReader(reply.status, reply.headers)
        reply.wait_at_most(self._idle_timeout)

    @contextmanager
    def _failing_for_good(self) -> Iterator[None]:
        """Keep an error, to be raised whenever somebody reads on."""
        try:
            yield
        except InferenceGatewayError as error:
            # What breaks once the stream was closed elsewhere breaks because of that.
            self.failure = self.failure or as_of_a_stream(error)
            raise self.failure from self.failure.__cause__ or error.__cause__


class BlockingSource(Source[Reply]):
    """A stream over a blocking connection."""

    def __init__(self, connect: Callable[[], Reply], idle_timeout: float | None) -> None:
        super().__init__(idle_timeout)
        self._connect = connect

    def open(self) -> None:
        """Send the request, if that is still to be done, and wait for the headers of the answer."""
        if not self.is_untouched:
            return
        try:
            reply = self._connect()
            if self.failure is not None:  # closed meanwhile, by another thread
                reply.close()
                raise self.failure
            self._begin(reply)
            if problem := _not_a_stream(reply.headers):
                body = read_whole(reply, Deadline(_EXPLANATION_TIME))
                raise _no_stream(problem, reply.status, reply.headers, body)
        except InferenceGatewayError as error:
            self.failure = error
            raise

    def items(self) -> Generator[StreamItem, None, None]:
        """Read to the end. Whoever stops before has to close this."""
        # However this is left, by an interrupt too: what is not at its end then has failed.
        try:
            self.open()
            assert self.reply is not None
            with self._failing_for_good():
                for piece in self.reply.pieces():
                    yield from self.reader.feed(piece)
                    if self.reader.ended:
                        return
                yield from self.reader.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self.give_up()
        if self.reply is not None:
            self.reply.close()

    def interrupt(self) -> None:
        """Let go of the connection while another thread waits for it, which then waits no longer."""
        self.give_up()
        if self.reply is not None:
            self.reply.interrupt()


class AsyncSource(Source[AsyncReply]):
    """A stream over a connection on an event loop."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncReply]], idle_timeout: float | None) -> None:
        super().__init__(idle_timeout)
        self._connect = connect

    async def open(self) -> None:
        """Send the request, if that is still to be done, and wait for the headers of the answer."""
        if not self.is_untouched:
            return
        try:
            reply = await self._connect()
            if self.failure is not None:  # closed meanwhile, by another task
                await reply.close()
                raise self.failure
            self._begin(reply)
            if problem := _not_a_stream(reply.headers):
                body = await aread_whole(reply, Deadline(_EXPLANATION_TIME))
                raise _no_stream(problem, reply.status, reply.headers, body)
        except InferenceGatewayError as error:
            self.failure = error
            raise

    async def items(self) -> AsyncGenerator[StreamItem, None]:
        """Read to the end. Whoever stops before has to close this."""
        # However this is left, by a cancellation too: what is not at its end then has failed.
        try:
            await self.open()
            assert self.reply is not None
            with self._failing_for_good():
                async for piece in self.reply.pieces():
                    for item in self.reader.feed(piece):
                        yield item
                    if self.reader.ended:
                        return
                for item in self.reader.finish():
                    yield item
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        self.give_up()
        if self.reply is not None:
            await self.reply.close()


def as_of_a_stream(error: InferenceGatewayError) -> InferenceGatewayError:
    """Say of a connection that was lost in a stream that the stream is not whole."""
    if type(error) is not InferenceGatewayConnectionError:
        return error
    incomplete = IncompleteStreamError(str(error))
    incomplete.__cause__ = error
    return incomplete


def _not_a_stream(headers: Headers) -> str:
    """Say what came in place of a stream; "" if it may be one."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.endswith("json") or media_type == "text/html":
        return f"asked for a stream, got {media_type}"
    return ""


def _no_stream(problem: str, status: int, headers: Headers, body: bytes) -> ResponseValidationError:
    return ResponseValidationError(
        f"{status}: {problem}", status_code=status, headers=headers, body=body.decode("utf-8", "replace")
    )
