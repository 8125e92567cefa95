"""Carries a call to its answer: attempt after attempt, error statuses as errors, a line of log for each.

Only what comes before the first byte of a good answer is tried again; what breaks after it is raised.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import NamedTuple

from inference_gateway.client.errors import (
    InferenceGatewayConnectionError,
    InferenceGatewayError,
    InferenceGatewayTimeoutError,
    api_error,
    request_id_of,
)
from inference_gateway.client.logs import Redacted, log
from inference_gateway.client.options import (
    AsyncTokenProvider,
    ClientOptions,
    Timeout,
    TokenProvider,
    check_header_value,
)
from inference_gateway.client.replies import RawResponse, capture
from inference_gateway.client.request import Call
from inference_gateway.client.retry import Attempts
from inference_gateway.client.transport import AsyncReply, AsyncTransport, Reply, Transport


class Deadline:
    """When an attempt has to have its whole answer."""

    def __init__(self, timeout: Timeout) -> None:
        self._started = time.monotonic()
        self._total = timeout.total
        self._read = timeout.read

    def check(self) -> None:
        """Raise once it is past.

        :raises InferenceGatewayTimeoutError: it is.
        """
        if self._total is not None and self.elapsed > self._total:
            raise self.missed()

    def missed(self) -> InferenceGatewayTimeoutError:
        """Make the error for an answer that is not whole by then."""
        return InferenceGatewayTimeoutError(f"Request failed: no whole answer within {self._total} s")

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float | None:
        """Seconds until it is past, None if it never is."""
        return None if self._total is None else max(self._total - self.elapsed, 0)

    @property
    def next_wait(self) -> float | None:
        """Most seconds to wait for the next piece."""
        waits = [each for each in (self._read, self.remaining) if each is not None]
        # A wait of 0 would be no wait at all, and an error of another kind.
        return max(min(waits), 0.001) if waits else None


class _Opened(NamedTuple):
    reply: Reply
    deadline: Deadline


class _AsyncOpened(NamedTuple):
    reply: AsyncReply
    deadline: Deadline


class Exchange:
    """Carries the calls of one client, blocking."""

    def __init__(
        self,
        transport: Transport,
        options: ClientOptions,
        token_provider: TokenProvider | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._transport = transport
        self._options = options
        self._token_provider = token_provider
        self._sleep = sleep

    def open(self, call: Call) -> Reply:
        """Send a call; return its answer as soon as that is known to be a success.

        :raises InferenceGatewayAPIError: the answer has an error status.
        :raises InferenceGatewayConnectionError: there is no answer.
        """
        return self._open(call).reply

    def fetch(self, call: Call) -> RawResponse:
        """Send a call; return its whole answer.

        :raises InferenceGatewayAPIError: the answer has an error status.
        :raises InferenceGatewayConnectionError: there is no answer, or no whole one.
        """
        reply, deadline = self._open(call)
        return capture(RawResponse(reply.status, reply.headers, read_whole(reply, deadline)))

    def _open(self, call: Call) -> _Opened:
        attempts = Attempts(call.retry)
        while True:
            try:
                return self._attempt(call)
            except InferenceGatewayError as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
                _log_wait(call, error, delay)
            self._sleep(delay)

    def _attempt(self, call: Call) -> _Opened:
        token = self._token_provider() if call.signs and self._token_provider else self._options.token
        headers = _signed(call, token)
        deadline = Deadline(call.timeout)
        reply = self._transport.send(call, headers)
        _log_answer(call, headers, reply.status, reply.headers, deadline)
        if 200 <= reply.status < 300:
            return _Opened(reply, deadline)
        raise api_error(reply.status, reply.headers, _read_error(reply, deadline))


class AsyncExchange:
    """Carries the calls of one client on an event loop."""

    def __init__(
        self,
        transport: AsyncTransport,
        options: ClientOptions,
        token_provider: AsyncTokenProvider | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._options = options
        self._token_provider = token_provider
        self._sleep = sleep

    async def open(self, call: Call) -> AsyncReply:
        """Send a call; see `Exchange.open`."""
        return (await self._open(call)).reply

    async def fetch(self, call: Call) -> RawResponse:
        """Send a call; see `Exchange.fetch`."""
        reply, deadline = await self._open(call)
        return capture(RawResponse(reply.status, reply.headers, await aread_whole(reply, deadline)))

    async def _open(self, call: Call) -> _AsyncOpened:
        attempts = Attempts(call.retry)
        while True:
            try:
                return await self._attempt(call)
            except InferenceGatewayError as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
                _log_wait(call, error, delay)
            await self._sleep(delay)

    async def _attempt(self, call: Call) -> _AsyncOpened:
        headers = _signed(call, await self._token(call))
        deadline = Deadline(call.timeout)
        reply = await self._transport.send(call, headers)
        _log_answer(call, headers, reply.status, reply.headers, deadline)
        if 200 <= reply.status < 300:
            return _AsyncOpened(reply, deadline)
        raise api_error(reply.status, reply.headers, await _aread_error(reply, deadline))

    async def _token(self, call: Call) -> str | None:
        if not call.signs or self._token_provider is None:
            return self._options.token
        token = self._token_provider()
        return await token if isawaitable(token) else token


def read_whole(reply: Reply, deadline: Deadline) -> bytes:
    """Read an answer to its end, and let go of its connection.

    :raises InferenceGatewayTimeoutError: it takes too long.
    :raises InferenceGatewayConnectionError: the connection was lost before the end.
    """
    read = []
    try:
        reply.wait_at_most(deadline.next_wait)
        for piece in reply.pieces():
            read.append(piece)
            deadline.check()
            reply.wait_at_most(deadline.next_wait)
    finally:
        reply.close()
    return b"".join(read)


async def aread_whole(reply: AsyncReply, deadline: Deadline) -> bytes:
    """Read an answer to its end; see `read_whole`."""
    try:
        async with asyncio.timeout(deadline.remaining):
            return b"".join([piece async for piece in reply.pieces()])
    except TimeoutError as error:
        raise deadline.missed() from error
    finally:
        await reply.close()


def _read_error(reply: Reply, deadline: Deadline) -> bytes:
    # The status is known; that its explanation is lost must not hide it.
    try:
        return read_whole(reply, deadline)
    except InferenceGatewayConnectionError:
        return b""


async def _aread_error(reply: AsyncReply, deadline: Deadline) -> bytes:
    try:
        return await aread_whole(reply, deadline)
    except InferenceGatewayConnectionError:
        return b""


def _signed(call: Call, token: str | None) -> dict[str, str]:
    if not call.signs or token is None:
        return dict(call.headers)
    check_header_value("token", token)
    return {**call.headers, "Authorization": f"Bearer {token}"}


def _log_answer(
    call: Call, sent: Mapping[str, str], status: int, got: Mapping[str, str], deadline: Deadline
) -> None:
    place = call.url.partition("?")[0]
    log.info(
        "%s %s: %d after %.3f s, request %s",
        call.method,
        place,
        status,
        deadline.elapsed,
        request_id_of(got) or "-",
    )
    log.debug("sent %s", Redacted(sent))
    log.debug("got %s", Redacted(got))


def _log_wait(call: Call, error: InferenceGatewayError, delay: float) -> None:
    log.info("%s %s: again in %.3f s: %s", call.method, call.url.partition("?")[0], delay, error)
