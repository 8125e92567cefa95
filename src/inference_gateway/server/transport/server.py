"""One client's connection: requests in, answers out, in order.

Bytes become requests here, handlers run as one task per request, and answers become bytes again. A
streamed answer needs no task: its source pushes into the `Exchange`, which writes to the socket.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import cast

import httptools
import msgspec

from inference_gateway.server.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    Overloaded,
    RequestTimeout,
    URLTooLong,
)
from inference_gateway.server.transport import http1
from inference_gateway.server.transport.deadline import Deadline
from inference_gateway.server.transport.exchange import Exchange
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.messages import Header, Request, Response

Application = Callable[[Request], Awaitable[Response]]

logger = logging.getLogger("inference_gateway.transport")

_HIGH_WATER = 64 * 1024
_MINIMUM_PROGRESS = 64 * 1024
"""Bytes of a body that buy it another `read_timeout`."""
_LINGER = 2.0
"""Seconds during which the rest of an unread request is taken and thrown away, so that the client
reads the answer instead of a reset. https://www.rfc-editor.org/rfc/rfc9112#section-9.6"""


class Limits(msgspec.Struct, frozen=True):
    """What one connection may ask of the server. Sizes in bytes, times in seconds, `inf` is no bound."""

    max_header_size: int = 32 * 1024
    max_url_size: int = 8 * 1024
    max_body_size: int = 10 * 1024 * 1024
    max_connections: int = 10_000
    read_timeout: float = 30.0
    write_timeout: float = 30.0
    idle_timeout: float = 120.0


class Connections(msgspec.Struct):
    """What the connections of one server share."""

    application: Application
    reject: Callable[[GatewayError], Response]
    """Turns an error found before there was a request into an answer."""
    limits: Limits
    open: set["ServerConnection"] = msgspec.field(default_factory=set)
    none_open: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    draining: bool = False
    """Whether every connection is to close after the answer under way."""

    def add(self, connection: "ServerConnection") -> None:
        """Count a connection in."""
        self.open.add(connection)
        self.none_open.clear()

    def remove(self, connection: "ServerConnection") -> None:
        """Count a connection out."""
        self.open.discard(connection)
        if not self.open:
            self.none_open.set()


class ServerConnection(asyncio.Protocol):
    """Reads requests strictly, answers them one after the other."""

    def __init__(self, shared: Connections, loop: asyncio.AbstractEventLoop) -> None:
        # Per connection
        self._shared = shared
        self._limits = shared.limits
        self._loop = loop
        self._deadline = Deadline(loop, self._expire)
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused_reading = False
        self._unwritten = 0
        self._last = False
        self._client = ""
        self.stuck = False
        self.transport: asyncio.Transport
        # Per request being read
        self._reading: Exchange | None = None
        self._in_head = False
        self._head_size = 0
        self._url = b""
        self._headers: list[Header] = []
        self._refusal: GatewayError | None = None
        self._progress = 0
        self._fresh = False

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or turn it away where there are too many."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        crowded = len(self._shared.open) >= self._limits.max_connections
        self._shared.add(self)
        if crowded:
            self._refuse(Overloaded("too many connections; try again soon", retry_after=1))
        else:
            self._deadline.set(self._loop.time() + self._limits.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free everything that worked for this client."""
        self._deadline.cancel()
        self._shared.remove(self)
        self._last = True
        self._queue.clear()
        if self._current is not None:
            self._current.client_gone()
        if self._task is not None:
            self._task.cancel()

    def eof_received(self) -> bool | None:
        """Treat a client that sends no more as one that went away: nobody can tell the two apart."""
        return None

    def pause_writing(self) -> None:
        """Stop the source of the answer: the client takes nothing."""
        self._unwritten = self.transport.get_write_buffer_size()
        self.stuck = True
        self._set_deadline()
        if self._current is not None:
            self._current.pause()

    def resume_writing(self) -> None:
        """Let the answer flow again."""
        self.stuck = False
        self._set_deadline()
        if self._current is not None:
            self._current.resume()
        else:
            self._next()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._last and self._reading is None:
            return  # what follows the last request is not read, only taken off the wire
        if self._in_head:
            self._head_size += len(data)
        elif self._reading is None:
            self._head_size = len(data)
            self._fresh = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # An offer to upgrade is declined by answering the request as it stands.
            # https://www.rfc-editor.org/rfc/rfc9110#section-7.8
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest and not self._last:
                self.data_received(rest)
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or BadRequest(f"not HTTP/1.1: {_reason(error)}"))
        else:
            if self._in_head and self._head_size > self._limits.max_header_size:
                self._refuse(self._header_refusal())
            elif self._fresh and (self._in_head or self._reading is not None):
                # Only a request that did not come in one piece needs a clock.
                self._fresh = False
                self._set_deadline()

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head = True
        self._url = b""
        self._headers = []
        self._refusal = None

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._url += url
        if len(self._url) > self._limits.max_url_size:
            self._stop(self._url_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Check the head, and hand the request on."""
        self._in_head = False
        headers, version = self._headers, self._parser.get_http_version()
        try:
            self._check_size(headers)
            http1.check_version(version)
            length = http1.check_framing(headers, version=version)
            path, query = http1.split_target(self._url)
        except GatewayError as error:
            self._stop(error)
        body = IncomingBody(self, length=length, limit=self._limits.max_body_size)
        request = Request(
            self._parser.get_method().decode("ascii"),
            path,
            query=query,
            headers=headers,
            body=body,
            client=self._client,
        )
        keep_alive = self._parser.should_keep_alive() and not self._shared.draining
        exchange = Exchange(self, request, body, keep_alive=keep_alive, old=version == "1.0")
        self._reading = exchange
        self._progress = _MINIMUM_PROGRESS
        self._enqueue(exchange)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        exchange = self._reading
        if exchange is None:
            return
        body = exchange.body
        body.take(data)
        if body.size >= self._progress:
            self._progress = body.size + _MINIMUM_PROGRESS
            self._deadline.set(self._loop.time() + self._limits.read_timeout)

    def on_message_complete(self) -> None:
        """Take note that the request is whole."""
        exchange = self._reading
        if exchange is None:
            return
        self._reading = None
        # Bytes that follow in the same segment begin another request.
        self._head_size = 0
        self._fresh = True
        exchange.body.end()

    # Called by a request's body.

    def body_wanted(self) -> None:
        """Invite the body of a client that waits to be invited, and let it come."""
        if self._current is not None:
            self._current.invite_body()
        self.resume_body()

    def pause_body(self) -> None:
        """Take nothing from the client for now."""
        self._pause_reading()

    def resume_body(self) -> None:
        """Take from the client again."""
        if not self._queue:
            self._resume_reading()

    def abandon_body(self) -> None:
        """Take the rest of the body off the wire, unread."""
        self._resume_reading()

    # Called by the exchange.

    def answered(self, exchange: Exchange) -> None:
        """Go on after an answer was written whole."""
        self._current = None
        if not exchange.body.complete or not exchange.keep_alive or self._last:
            self._close_after(exchange)
            return
        self._next()
        self._set_deadline()

    def failed(self) -> None:
        """Close so that the client cannot take what it has for a whole answer."""
        self._current = None
        self._last = True
        self._queue.clear()
        self.transport.close()

    # Called by the server.

    def drain(self) -> None:
        """Close now if idle, else after the answer to what has begun to come in."""
        if self._current is not None:
            self._current.keep_alive = False
        elif not self._in_head and self._reading is None:
            self.transport.close()

    def end(self, error: GatewayError) -> None:
        """End what is under way with an error that the client can see, and close."""
        self._last = True
        self._queue.clear()
        current = self._current
        if current is not None and current.started:
            current.stop(error)
        elif self._task is not None:
            self._task.cancel()
            if current is not None:
                current.keep_alive = False
                current.send(self._shared.reject(error))
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close at once, dropping what was not sent."""
        self.transport.abort()

    # The rest is nobody's business.

    def _check_size(self, headers: list[Header]) -> None:
        size = sum([len(name) + len(value) + 4 for name, value in headers])
        if size > self._limits.max_header_size:
            raise self._header_refusal()

    def _header_refusal(self) -> GatewayError:
        if len(self._url) > self._limits.max_url_size:
            return self._url_too_long()
        return HeadersTooLarge(
            f"the request head is larger than the {self._limits.max_header_size} bytes taken here"
        )

    def _url_too_long(self) -> URLTooLong:
        return URLTooLong(f"the URL is longer than the {self._limits.max_url_size} bytes taken here")

    def _stop(self, error: GatewayError) -> None:
        # An exception is the one way to stop the parser; `data_received` finds the error.
        self._refusal = error
        raise error

    def _refuse(self, error: GatewayError) -> None:
        """Answer what is not a request, after the answers still owed; then close."""
        self._last = True
        self._in_head = False
        reading, self._reading = self._reading, None
        if reading is not None:
            # The handler finds the error where it reads the body, and answers.
            reading.keep_alive = False
            reading.body.fail(error)
            return
        body = IncomingBody(self, length=None, limit=0)
        request = Request("GET", b"/", headers=[], body=body)
        exchange = Exchange(self, request, body, keep_alive=False, old=False)
        exchange.refusal = error
        self._enqueue(exchange)

    def _next(self) -> None:
        if self.stuck:
            return  # no more answers for a client that does not take those it has
        if self._queue:
            self._begin(self._queue.popleft())
        if not self._queue:
            self._resume_reading()

    def _enqueue(self, exchange: Exchange) -> None:
        if self._current is None and not self.stuck:
            self._begin(exchange)
        else:
            self._queue.append(exchange)
            self._pause_reading()

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        if exchange.refusal is not None:
            exchange.send(self._shared.reject(exchange.refusal))
        else:
            self._task = self._loop.create_task(self._answer(exchange))

    async def _answer(self, exchange: Exchange) -> None:
        try:
            response = await self._shared.application(exchange.request)
        except Exception:
            logger.exception("a handler failed")
            response = self._shared.reject(GatewayError("the gateway failed on this request"))
        finally:
            self._task = None
        exchange.send(response)

    def _expire(self) -> None:
        if self.stuck:
            self._check_progress()
        elif self._current is None and not self._in_head:
            # `close` would wait for ever for a client that does not take its last answer.
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()
        elif self._in_head or self._reading is not None:
            if self._paused_reading:
                self._set_deadline()
            else:
                self._refuse(RequestTimeout(f"the request took longer than {self._limits.read_timeout:g} s"))

    def _check_progress(self) -> None:
        size = self.transport.get_write_buffer_size()
        if size < self._unwritten:
            self._unwritten = size
            self._set_deadline()
        else:
            self.transport.abort()

    def _set_deadline(self) -> None:
        limits = self._limits
        if self.stuck:
            patience = limits.write_timeout
        elif self._in_head or self._reading is not None:
            patience = limits.read_timeout
        elif self._current is None:
            patience = _LINGER if self._last else limits.idle_timeout
        else:
            patience = inf
        self._deadline.set(self._loop.time() + patience)

    def _pause_reading(self) -> None:
        if not self._paused_reading and not self.transport.is_closing():
            self._paused_reading = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._paused_reading and not self.transport.is_closing():
            self._paused_reading = False
            self.transport.resume_reading()
            self._set_deadline()

    def _close_after(self, exchange: Exchange) -> None:
        self._last = True
        self._queue.clear()
        self._reading = None
        if exchange.body.complete or self.transport.is_closing():
            self.transport.close()
            return
        # Part of the request is still on its way: say that nothing follows, and let it run out.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._resume_reading()
        self._deadline.set(self._loop.time() + _LINGER)


def _reason(error: httptools.HttpParserError) -> str:
    return str(error) or "unreadable"
