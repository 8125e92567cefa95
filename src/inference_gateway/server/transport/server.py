"""One client's connection: requests in, answers out, in order.

Bytes become requests here, handlers run as one task per request, and answers become bytes again. A
streamed answer needs no task: its source pushes into the `Exchange`, which writes to the socket.
"""

import asyncio
import fcntl
import logging
import socket
import struct
import sys
import termios
from collections import deque
from math import inf
from typing import cast

import httptools

from inference_gateway.server.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    Overloaded,
    RequestTimeout,
    URLTooLong,
)
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.transport import http1
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.deadline import Deadline
from inference_gateway.server.transport.exchange import Exchange
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.load import PAUSE
from inference_gateway.server.transport.messages import Header, Request, index
from inference_gateway.server.transport.secured import SecuredTransport

logger = logging.getLogger("inference_gateway.transport")

_HIGH_WATER = 64 * 1024
_MINIMUM_PROGRESS = 64 * 1024
"""Bytes of a body that buy it another `read_timeout`."""
_LINGER = 2.0
"""Seconds of silence that end the throwing away of an unread rest. A rest is taken off the wire so that
its client reads the answer instead of a reset. https://www.rfc-editor.org/rfc/rfc9112#section-9.6"""
_LONGEST_LINGER = 30.0
"""Seconds after which a rest that keeps coming is cut all the same."""
_REQUEST_LINE = 64
"""Bytes of a head that are neither target nor fields, with room to spare."""
_RESET = struct.pack("ii", 1, 0)
"""`SO_LINGER` with no time: closing then resets."""


class ServerConnection(asyncio.Protocol):
    """Reads requests strictly, answers them one after the other."""

    def __init__(self, shared: Connections, loop: asyncio.AbstractEventLoop) -> None:
        # Per connection
        self._shared = shared
        self._limits = shared.limits
        self.ended = shared.ended
        self._loop = loop
        self._deadline = Deadline(loop, self._expire)
        self._largest_head = self._limits.max_header_size + self._limits.max_url_size + _REQUEST_LINE
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused_reading = False
        self._unwritten = inf
        self._last = False
        self._lingers_until = inf
        self._client = ""
        self.stuck = False
        self.transport: asyncio.Transport
        # Per request being read
        self._reading: Exchange | None = None
        self._in_head = False
        self._overhead = 0
        """Bytes taken since the last one of a body."""
        self._pipelined = False
        self._raw = b""
        """What came since the head under way began, and before it in the same piece."""
        self._sought = 0
        """Where in it to look for the next request line."""
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
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free everything that worked for this client."""
        self._shared.remove(self)
        self._let_go()
        self._deadline.cancel()

    def eof_received(self) -> bool | None:
        """Treat a client that sends no more as one that went away: nobody can tell the two apart."""
        self._let_go()
        self._set_deadline()  # answers that were written still leave
        return None

    def pause_writing(self) -> None:
        """Stop the source of the answer: the client takes nothing."""
        self.stuck = True
        # What the socket's own buffer takes after this call is no sign of life from the client.
        self._loop.call_soon(self._measure_unwritten)
        self._set_deadline()
        if self._current is not None:
            self._current.pause()

    def resume_writing(self) -> None:
        """Let the answer flow again."""
        self.stuck = False
        self._unwritten = inf
        self._set_deadline()
        if self._current is not None:
            self._current.resume()
        else:
            self._next()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._last and self._reading is None:
            self._linger()  # what follows the last request is not read, only taken off the wire
            return
        if self._in_head or self._reading is not None:
            self._overhead += len(data)
        else:
            self._overhead = len(data)
            self._fresh = True
            self._pipelined = False
        if self._in_head:
            self._raw += data
        else:
            self._raw, self._sought = data, 0
        try:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._decline_upgrade(memoryview(data)[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or BadRequest(f"not HTTP/1.1: {_reason(error)}"))
        else:
            if not self._in_head:
                self._raw = b""
            if self._in_head or self._reading is not None:
                self._expect_more()

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
        if self._last or self._reading is not None:
            return  # nobody answers it, or it only leads in the body of a request that is here
        headers, version = self._headers, self._parser.get_http_version()
        method = self._parser.get_method().decode("ascii")
        try:
            # All that came is never less than the head alone, which takes longer to count. Of a head that
            # follows another request in one segment, it is not known how much came.
            if self._pipelined or self._overhead > self._limits.max_header_size:
                self._check_size(headers)
            http1.check_request_line(method, version)
            # The parser reads RTSP as well, and does not say so.
            self._sought = http1.check_protocol(self._raw, self._url, self._sought)
            fields = index(headers)
            length = http1.check_framing(headers, fields, version=version)
            path, query = http1.split_target(self._url)
        except GatewayError as error:
            self._stop(error)
        load = self._shared.load
        refusal = load.admit(path, length, limit=self._limits.max_body_size)
        body = IncomingBody(
            self, length=length, limit=self._limits.max_body_size, load=load if refusal is None else None
        )
        request = Request(
            method, path, query=query, headers=headers, body=body, client=self._client, fields=fields
        )
        request.refusal = refusal
        keep_alive = self._parser.should_keep_alive() and not self._shared.draining
        exchange = Exchange(self, request, body, keep_alive=keep_alive, old=version == "1.0")
        self._headers = []  # whatever comes now is a trailer, and dropped
        self._reading = exchange
        self._progress = _MINIMUM_PROGRESS
        self._enqueue(exchange)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        exchange = self._reading
        if exchange is None:
            return
        self._overhead = 0
        body = exchange.body
        body.take(data)
        if body.size >= self._progress:
            self._progress = body.size + _MINIMUM_PROGRESS
            self._set_deadline()

    def on_message_complete(self) -> None:
        """Take note that the request is whole."""
        exchange = self._reading
        if exchange is None:
            return
        body = exchange.body
        if not body.size and body.length != 0 and self._parser.should_upgrade():
            return  # the parser takes the head for the whole, `_decline_upgrade` knows better
        if self._headers:
            self._check_trailers()
        self._reading = None
        # Bytes that follow in the same segment begin another request.
        self._overhead = 0
        self._pipelined = True
        self._fresh = True
        if self._paused_reading and not self._queue:
            self._resume_reading()  # a body that is here holds nothing up; a client that leaves shows
        body.end()

    # Called by a request's body.

    def body_wanted(self) -> None:
        """Invite the body of a client that waits to be invited, and let it come."""
        if self._current is not None:
            self._current.invite_body()
        if not self._queue:
            self._resume_reading()

    def pause_body(self) -> None:
        """Take nothing from the client for now."""
        self._pause_reading()

    def abandon_body(self) -> None:
        """Take the rest of the body off the wire, unread."""
        self._resume_reading()

    # Called by the exchange.

    def answered(self, exchange: Exchange) -> None:
        """Go on after an answer was written whole."""
        self._current = None
        if not exchange.body.complete or not exchange.keep_alive or (self._last and not self._queue):
            self._close_after(exchange)
            return
        self._next()
        self._set_deadline()
        if exchange.request.refusal is not None and self._is_idle() and not self.stuck:
            # It was told to wait: to be turned away again and again costs the others.
            self._pause_reading()
            self._loop.call_later(PAUSE, self._resume_reading)

    def failed(self, exchange: Exchange) -> None:
        """Close after an answer whose framing shows that it broke off."""
        self._current = None
        self._close_after(exchange)

    def reset(self) -> None:
        """Close after an answer that only a reset tells from a whole one."""
        self._let_go()
        if not self.transport.is_closing():
            self._reset_on_close()
            if isinstance(self.transport, SecuredTransport):
                self.transport.break_off()
            else:
                self.transport.close()
            self._set_deadline()

    # Called by the server.

    def drain(self) -> None:
        """Close now if idle, else after the answer to what has begun to come in."""
        self.drain_gently()
        if self._is_idle() and self._url:
            self.transport.close()

    def drain_gently(self) -> None:
        """Let an idle client ask once more, soon; close after the answer to what has begun to come in.

        The first request of a new connection, and often the next one of an old, is on its way.
        """
        if self._current is not None:
            self._current.keep_alive = False
        elif self._is_idle():
            self._set_deadline()

    def end(self, error: GatewayError) -> None:
        """End what is under way with an error that the client can see, and close."""
        self._last = True
        self._drop_queue(error.outcome)
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
        """Close at once, dropping what was not sent; the client sees that it was not."""
        self._drop_queue(Outcome.CANCELLED)
        if self._current is not None:
            self._current.end(Outcome.CANCELLED, "the gateway closed the connection")
        self._break_off()

    def unsent(self) -> int:
        """Bytes that wait for the client to take them."""
        return self.transport.get_write_buffer_size()

    # The rest is nobody's business.

    def _is_idle(self) -> bool:
        return self._current is None and not self._in_head and self._reading is None and not self._last

    def _decline_upgrade(self, rest: memoryview) -> None:
        """Parse on behind a request that offers another protocol; it is answered as it stands.

        https://www.rfc-editor.org/rfc/rfc9110#section-7.8
        """
        while True:
            self._parser = httptools.HttpRequestParser(self)
            if self._reading is not None:
                self._parser.feed_data(http1.lead_in(self._reading.body.length))
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            else:
                return

    def _expect_more(self) -> None:
        """Bound what is still to come of a request, in size and time."""
        if self._overhead > self._largest_head:
            self._refuse(self._header_refusal())
        elif self._fresh:
            # Only a request that did not come in one piece needs a clock.
            self._fresh = False
            self._set_deadline()

    def _check_size(self, headers: list[Header]) -> None:
        size = sum([len(name) + len(value) + 4 for name, value in headers])
        if size > self._limits.max_header_size:
            raise self._header_refusal()

    def _check_trailers(self) -> None:
        """Hold trailers that came in one piece with the body's end to the bound of those that did not."""
        try:
            self._check_size(self._headers)
        except GatewayError as error:
            self._stop(error)

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
        # An answer to HEAD has no body, and not even an error is an exception.
        request = Request(self._parser.get_method().decode("ascii"), b"/", headers=[], body=body)
        exchange = Exchange(self, request, body, keep_alive=False, old=False)
        exchange.refusal = error
        self._enqueue(exchange)

    def _next(self) -> None:
        if self.stuck:
            return  # no more answers for a client that does not take those it has
        if self._queue:
            self._begin(self._queue.popleft())
        if self._paused_reading and not self._queue:
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
        try:
            exchange.send(response)
        except Exception:
            logger.exception("an answer cannot be sent")
            response.close()
            self._send_failure(exchange)

    def _send_failure(self, exchange: Exchange) -> None:
        error = GatewayError("the gateway failed on this request")
        if exchange.started:
            exchange.stop(error)
        else:
            exchange.send(self._shared.reject(error))

    def _let_go(self) -> None:
        """Stop all work for a client that will not read its outcome."""
        self._last = True
        self._drop_queue(Outcome.CLIENT_GONE)
        current, self._current = self._current, None
        reading, self._reading = self._reading, None
        if self._task is not None:
            self._task.cancel()
        if current is not None:
            current.client_gone()
        if reading is not None:
            reading.body.fail(BadRequest("the client went away in the middle of its request"))

    def _drop_queue(self, outcome: Outcome) -> None:
        while self._queue:
            self._queue.popleft().end(outcome)

    def _expire(self) -> None:
        if self.stuck or (self._current is None and self.transport.get_write_buffer_size()):
            self._check_progress()
        elif self._current is None and not self._in_head:
            self.transport.close()
        elif self._in_head or self._reading is not None:
            if self._paused_reading:
                self._set_deadline()
            else:
                self._refuse(RequestTimeout(f"the request took longer than {self._limits.read_timeout:g} s"))

    def _measure_unwritten(self) -> None:
        if self.stuck:
            self._unwritten = float(self._count_unwritten())

    def _count_unwritten(self) -> int:
        """Count bytes that the client has not taken, those in the socket's own buffer included."""
        queued = fcntl.ioctl(self._socket().fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)

    def _socket(self) -> socket.socket:
        connected: socket.socket = self.transport.get_extra_info("socket")
        return connected

    def _reset_on_close(self) -> None:
        self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _break_off(self) -> None:
        self._reset_on_close()
        self.transport.abort()

    def _check_progress(self) -> None:
        size = float(self._count_unwritten())
        if size < self._unwritten:
            self._unwritten = size
            self._deadline.set(self._loop.time() + self._limits.write_timeout)
        else:
            self._break_off()

    def _set_deadline(self) -> None:
        limits = self._limits
        if self.stuck:
            patience = limits.write_timeout
        elif self._in_head or self._reading is not None:
            patience = limits.read_timeout
        elif self._current is None:
            patience = _LINGER if self._last or self._shared.draining else limits.idle_timeout
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
        # The client sees that the connection ends behind an earlier answer, and may ask again.
        self._drop_queue(Outcome.CANCELLED)
        self._reading = None
        self._set_deadline()
        if self.transport.is_closing():
            return
        if exchange.body.complete and not self._paused_reading:
            self.transport.close()
            return
        # Part of the request is still on its way, or pipelined ones that nobody answers are: say that
        # nothing follows, and let them run out.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._lingers_until = self._loop.time() + _LONGEST_LINGER
        self._resume_reading()

    def _linger(self) -> None:
        if not self.stuck:
            self._deadline.set(min(self._loop.time() + _LINGER, self._lingers_until))


def _reason(error: httptools.HttpParserError) -> str:
    return str(error) or "unreadable"
