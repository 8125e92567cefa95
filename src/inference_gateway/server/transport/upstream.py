"""One connection to a provider, and one call over it.

The connection is parsed by llhttp in strict mode and goes back to the pool only after an answer that
was read whole, to its announced end, with nothing behind it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol, cast

import httptools

from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError, UpstreamTimeout
from inference_gateway.server.transport import http1
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.deadline import Deadline
from inference_gateway.server.transport.messages import LOOSE, Header, Sink, Source, index, pack
from inference_gateway.server.transport.origin import Origin

logger = logging.getLogger("inference_gateway.transport")

_UNASKED = 64 * 1024
"""Bytes of an answer that are taken in before anybody asked for its body."""
_REST = 64 * 1024
"""Bytes of an unwanted rest that are read to save the connection."""
_REST_PATIENCE = 2.0
"""Seconds waited for an unwanted rest."""
_LONGEST_HEAD = 256 * 1024
"""Bytes that are taken without a byte of a body among them: heads, interim answers, trailers."""


class ConnectionWentStale(UpstreamError):
    """The provider closed a kept-alive connection before a byte of the answer: ask again on another."""


class Keeper(Protocol):
    """Who keeps connections between calls."""

    def release(self, connection: "UpstreamConnection") -> None:
        """Take back a connection that can serve another call."""

    def discard(self, connection: "UpstreamConnection") -> None:
        """Forget a connection. Called once for each."""


class Answer:
    """A provider's answer: its head when awaited, its body as a source or read whole."""

    __slots__ = (
        "_connection",
        "_index",
        "_packed",
        "_pieces",
        "_reading",
        "_sink",
        "_size",
        "_waiter",
        "complete",
        "draining",
        "error",
        "headers",
        "length",
        "paused",
        "status",
    )

    def __init__(self, connection: "UpstreamConnection") -> None:
        self._connection = connection
        self._pieces: list[bytes] = []
        self._packed = 0
        self._size = 0
        self._sink: Sink | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reading = False
        self.draining = False
        self.status = 0
        self.headers: list[Header] = []
        self._index: dict[bytes, bytes] = {}
        self.length: int | None = None
        self.complete = False
        self.paused = False
        self.error: Exception | None = None

    def header(self, name: bytes) -> bytes | None:
        """Value of the first field of this (lower-case) name."""
        return self._index.get(name)

    # For whoever made the call.

    async def head(self) -> None:
        """Wait until status and headers are there.

        :raises UpstreamError: there will be none.
        """
        if not self.status and self.error is None:
            await self._news()
        if not self.status and self.error is not None:
            raise self.error

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        :raises UpstreamError: it broke off, or is larger than `limit` bytes.
        """
        self._reading = True
        try:
            while not self.complete and self.error is None and self._size <= limit:
                self.resume()
                await self._news()
        except asyncio.CancelledError:
            self.close()
            raise
        if self._size > limit:
            self.close()
            raise UpstreamError(f"the answer is larger than the {limit} bytes taken here")
        if self.error is not None:
            raise self.error
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def start(self, sink: Sink) -> None:
        """Give the body to `sink` as it comes."""
        self._sink = sink
        while self._pieces:
            sink.write(self._pieces.pop(0))
        if self._sink is not sink:
            return  # the sink gave up in the middle
        if self.error is not None:
            sink.abort(self.error)
        elif self.complete:
            sink.finish()
        elif not self.paused:
            self._connection.resume_reading()

    def pause(self) -> None:
        """Take nothing from the provider for now."""
        self.paused = True
        if not self.complete and self.error is None:
            self._connection.pause_reading()

    def resume(self) -> None:
        """Take from the provider again."""
        self.paused = False
        if not self.complete and self.error is None:
            self._connection.resume_reading()

    def close(self) -> None:
        """Hang up, unless the answer was already read whole."""
        self._sink = None
        self._pieces = []
        if not self.complete and self.error is None:
            self.error = UpstreamCut("given up")
            self._connection.hang_up()

    def drain(self) -> None:
        """Want no more, but save the connection if the end is near."""
        self._sink = None
        self._pieces = []
        if not self.complete and self.error is None:
            self.draining = True
            self._size = 0
            self.resume()
            self._connection.expect_end(_REST_PATIENCE)

    # For the connection.

    def begin(
        self, status: int, headers: list[Header], fields: dict[bytes, bytes], length: int | None
    ) -> None:
        """Take the head; `fields` is the index of its headers."""
        self.status = status
        self.headers = headers
        self._index = fields
        self.length = length
        self._wake()

    def take(self, data: bytes) -> None:
        """Take a piece of the body."""
        sink = self._sink
        if sink is not None:
            sink.write(data)
            return
        self._size += len(data)
        if self.draining:
            if self._size > _REST:
                self.close()
            return
        self._pieces.append(data)
        if len(self._pieces) - self._packed >= LOOSE:
            self._packed = pack(self._pieces, self._packed)
        if self._reading:
            self._wake()
        elif self._size > _UNASKED:
            self._connection.pause_reading()

    def end(self) -> None:
        """Take note that the answer is whole."""
        self.complete = True
        self._wake()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.finish()

    def fail(self, error: Exception) -> None:
        """Take note that the answer will not be whole."""
        if self.complete or self.error is not None:
            return
        self.error = error
        self._wake()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort(error)

    def _news(self) -> asyncio.Future[None]:
        self._waiter = self._connection.loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class UpstreamConnection(asyncio.Protocol):
    """A connection that serves one call at a time."""

    def __init__(self, origin: Origin, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        # Per connection
        self.origin = origin
        self._keeper = keeper
        self.loop = loop
        self._deadline = Deadline(loop, self._expire)
        self._parser = httptools.HttpResponseParser(self)
        self._connected = False
        self._read_paused = False
        self.used = False
        """Whether it has served a call before."""
        self.transport: asyncio.Transport
        self._raw: asyncio.Transport
        """The socket's own transport, below TLS."""
        # Per call
        self._call: Call | None = None
        self._answer: Answer | None = None
        self._upload: _Upload | None = None
        self._headers: list[Header] = []
        self._heard = False
        self._begun = False
        """Whether a byte of the body came."""
        self._interim = False
        self._until_close = False
        self._persistent = False
        self._whole = False
        self._overrun = False
        self._bodiless = 0

    @property
    def closed(self) -> bool:
        """Whether it is not connected, or about to close."""
        return not self._connected or self.transport.is_closing()

    def send(self, call: Call) -> Answer:
        """Write a call; its answer can then be awaited."""
        answer = Answer(self)
        self._call = call
        self._answer = answer
        self._headers = []
        self._heard = self._begun = self._interim = self._until_close = self._whole = self._overrun = False
        self._bodiless = 0
        head, body = call.framed_head(), call.body
        if body is None:
            self.transport.write(head)
        elif not isinstance(body, bytes):
            self.transport.write(head)
            self._upload = _Upload(self, body, chunked=call.length is None)
            body.start(self._upload)
        elif len(body) <= http1.JOIN:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self.await_answer()
        return answer

    def secure(self, transport: asyncio.Transport) -> None:
        """Speak TLS from now on."""
        self.transport = transport

    def rest(self, seconds: float) -> None:
        """Wait for the next call for so long."""
        self._deadline.set(self.loop.time() + seconds)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self.transport = self._raw = cast("asyncio.Transport", transport)
        self._connected = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the call under way, and the keeper."""
        self._connected = False
        self._deadline.cancel()
        self._keeper.discard(self)
        if self._answer is not None:
            self._break(self._loss())

    def eof_received(self) -> bool | None:
        """Take the end of a body that ends with the connection."""
        if self._answer is not None and self._until_close and self._answer.status:
            self._finish(reusable=False)
        return None

    def pause_writing(self) -> None:
        """Hold an upload."""
        if self._upload is not None:
            self._upload.source.pause()

    def resume_writing(self) -> None:
        """Let an upload flow."""
        if self._upload is not None:
            self._upload.source.resume()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        answer = self._answer
        if answer is None:
            self.transport.abort()  # nobody asked
            return
        self._heard = True
        self._bodiless += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._whole:
                logger.debug("unreadable answer from %s: %s", self.origin.authority, error)
                self._break(_refusal(error))
                return
            self._overrun = True
        if self._whole:
            self._finish(reusable=self._persistent and not self._overrun)
        elif self._bodiless > _LONGEST_HEAD:
            self._break(UpstreamError(f"the head of the answer is larger than {_LONGEST_HEAD} bytes"))
        elif not self._bodiless and self._answer is answer and not answer.draining:
            # Only a byte of the body moves the clock: a head by itself is not what the client waits for.
            assert self._call is not None
            self._begun = True
            self._deadline.set(min(self.loop.time() + self._call.idle_timeout, self._call.expires_at))

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begin a head."""
        if self._whole:
            self._overrun = True
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Take the head, and decide how its body ends."""
        if self._whole or self._answer is None or self._call is None:
            return
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim:
            if status < 100 or status == 101:
                raise UpstreamError(f"an answer has status {status}, which nobody asked for")
            return
        # The parser puts trailers into the same list: they are dropped.
        headers, self._headers = self._headers, []
        fields = index(headers)
        length, chunked = _framing(headers, fields)
        bodiless = self._call.bodiless_answer
        self._until_close = length is None and not chunked and not bodiless and http1.has_content(status)
        self._persistent = self._parser.should_keep_alive()
        if chunked and self._parser.get_http_version() == "1.0":
            # https://www.rfc-editor.org/rfc/rfc9112#section-6.1-16
            self._persistent = False
        self._answer.begin(status, headers, fields, length)
        if bodiless:
            self._whole = True
            # The parser takes what follows for the body that its fields announce.
            self._overrun = chunked or bool(length)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._bodiless = 0
        if not self._whole and self._answer is not None:
            self._answer.take(data)

    def on_message_complete(self) -> None:
        """Take note of the end."""
        if not self._interim:
            self._whole = True

    # Called by the answer and by the upload.

    def pause_reading(self) -> None:
        """Take nothing."""
        if not self._read_paused and not self.closed:
            self._read_paused = True
            # The raw one: TLS that is paused itself loses what it holds when the provider closes.
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Take again; the time that was spent paused does not count against the provider."""
        if self._read_paused and not self.closed:
            self._read_paused = False
            if self._call is not None:
                self._renew(self._call)
            self._raw.resume_reading()

    def _renew(self, call: Call) -> None:
        patience = call.idle_timeout if self._begun else call.first_byte_timeout
        self._deadline.set(min(self.loop.time() + patience, call.expires_at))

    def await_answer(self) -> None:
        """Start the clock for the first byte."""
        call = self._call
        if call is not None and self._answer is not None and not self._answer.status:
            self._deadline.set(min(self.loop.time() + call.first_byte_timeout, call.expires_at))

    def expect_end(self, seconds: float) -> None:
        """Wait so long for the rest of an answer."""
        self._deadline.set(self.loop.time() + seconds)

    def upload_failed(self, error: Exception) -> None:
        """Give up a call whose body will not be whole."""
        self._break(error)

    def upload_sent(self) -> None:
        """Go on after a streamed body was written whole."""
        self._upload = None
        self.await_answer()

    def hang_up(self) -> None:
        """Close at once: nobody wants the answer."""
        self._detach()
        self.transport.abort()

    def _detach(self) -> None:
        self._answer = None
        self._call = None
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.source.close()

    def _finish(self, *, reusable: bool) -> None:
        answer = self._answer
        unsent = self._upload is not None or self.transport.get_write_buffer_size() > 0
        self._detach()
        self.used = True
        if self._read_paused:
            self._read_paused = False
            if not self.closed:
                self._raw.resume_reading()
        # The connection is free before its answer is told so: the teller may want it at once.
        if unsent:
            # `close` would wait for a provider that may never take the rest of the request.
            self._deadline.cancel()
            self.transport.abort()
        elif reusable and not self.closed:
            self._keeper.release(self)
        else:
            self._deadline.cancel()
            self.transport.close()
        if answer is not None:
            answer.end()

    def _break(self, error: Exception) -> None:
        answer = self._answer
        self._detach()
        self._deadline.cancel()
        self.transport.abort()
        if answer is not None:
            answer.fail(error)

    def _loss(self) -> UpstreamError:
        assert self._answer is not None
        assert self._call is not None
        asked = self._call.asked
        if self._answer.status:
            return UpstreamCut(f"{asked}'s answer broke off")
        if self._heard:
            return UpstreamError(f"{asked} closed the connection in the middle of its answer's head")
        if self.used:
            return ConnectionWentStale(f"{asked} closed the connection")
        return UpstreamError(f"{asked} closed the connection without an answer")

    def _expire(self) -> None:
        answer, call = self._answer, self._call
        if answer is None or call is None:
            self.transport.close()  # idle for long enough
            return
        if answer.draining:
            self.hang_up()
            return
        now = self.loop.time()
        if now >= call.expires_at:
            self._break(UpstreamTimeout("the call took longer than its limit"))
        elif answer.status and self._read_paused:
            self._renew(call)
        elif not self._begun:
            self._break(UpstreamTimeout(f"{call.asked} sent no answer for {call.first_byte_timeout:g} s"))
        else:
            self._break(UpstreamTimeout(f"{call.asked} sent nothing for {call.idle_timeout:g} s"))


class _Upload:
    """Writes a streamed request body."""

    __slots__ = ("_chunked", "_connection", "source")

    def __init__(self, connection: UpstreamConnection, source: Source, *, chunked: bool) -> None:
        self._connection = connection
        self._chunked = chunked
        self.source = source

    def write(self, data: bytes) -> None:
        transport = self._connection.transport
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        self._connection.await_answer()

    def finish(self) -> None:
        if self._chunked:
            self._connection.transport.write(http1.LAST_CHUNK)
        self._connection.upload_sent()

    def abort(self, error: Exception) -> None:
        self._connection.upload_failed(error)


def _framing(headers: list[Header], fields: Mapping[bytes, bytes]) -> tuple[int | None, bool]:
    """Announced length of a body in bytes, and whether it is chunked."""
    length = fields.get(b"content-length")
    chunked = b"transfer-encoding" in fields
    if chunked and any(
        name == b"transfer-encoding" and value.lower() != b"chunked" for name, value in headers
    ):
        raise UpstreamError("the answer has an unknown transfer coding")
    return None if length is None else int(length), chunked


def _refusal(error: Exception) -> GatewayError:
    cause = error.__context__
    if isinstance(cause, GatewayError):
        return cause
    if isinstance(error, httptools.HttpParserCallbackError):
        logger.error("taking in an answer failed", exc_info=cause)
        return GatewayError("the gateway failed on this answer")
    return UpstreamError("the answer is not HTTP/1.1")
