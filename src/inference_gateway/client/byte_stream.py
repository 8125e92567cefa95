"""A provider's own answer as it comes: bytes, cut anywhere."""

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

from inference_gateway.client.errors import Headers, request_id_of
from inference_gateway.client.read_once import ReadOnce
from inference_gateway.client.transport import AsyncReply, Reply


class _ByteStream(ReadOnce):
    """What both kinds of stream can say of their answer, and of how far it was read."""

    def __init__(self, reply: Reply | AsyncReply, idle_timeout: float | None) -> None:
        super().__init__()
        reply.wait_at_most(idle_timeout)
        self.status_code = reply.status
        self.headers: Headers = reply.headers

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, if it sent one."""
        return request_id_of(self.headers)


class ByteStream(_ByteStream):
    """Iterator of bytes, and context manager that frees the connection.

    :ivar status_code: HTTP status, a 2xx.
    :ivar headers: of the answer, by name in any case.
    :raises InferenceGatewayConnectionError: the connection was lost before the end, or closed.
    """

    def __init__(self, reply: Reply, *, idle_timeout: float | None) -> None:
        super().__init__(reply, idle_timeout)
        self._reply = reply
        self._pieces = reply.pieces()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._reading():
            return next(self._pieces)
        raise StopIteration

    def read(self) -> bytes:
        """Read on to the end."""
        return b"".join(self)

    def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on."""
        self._give_up()
        self._reply.close()


class AsyncByteStream(_ByteStream):
    """The same as `ByteStream`, for `async for` and `async with`."""

    def __init__(self, reply: AsyncReply, *, idle_timeout: float | None) -> None:
        super().__init__(reply, idle_timeout)
        self._reply = reply
        self._pieces = reply.pieces()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with self._reading():
            return await anext(self._pieces)
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """Read on to the end."""
        return b"".join([piece async for piece in self])

    async def close(self) -> None:
        """Free the connection. A stream that is closed before its end raises when it is read on."""
        self._give_up()
        await self._reply.close()

    async def aclose(self) -> None:
        """Do the same as `close`, under the name that `contextlib.aclosing` calls."""
        await self.close()
