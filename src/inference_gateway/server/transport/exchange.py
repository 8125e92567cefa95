"""One request and the writing of its answer: framing, order of bytes, honest ends."""

import asyncio
from typing import Protocol

from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.transport import http1
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.messages import Ended, Request, Response, Source


class Owner(Protocol):
    """What an exchange asks of its connection."""

    transport: asyncio.Transport
    stuck: bool
    """Whether the client takes nothing at the moment."""
    ended: Ended
    """Told how each request ended."""

    def answered(self, exchange: "Exchange") -> None:
        """Go on: the answer was written whole."""

    def failed(self, exchange: "Exchange") -> None:
        """Close: the answer broke off, and its framing shows it."""

    def reset(self) -> None:
        """Close with a reset: the answer broke off, and nothing else would show it."""


class Exchange:
    """Takes the body of an answer as a sink, and frames it for one client.

    :param keep_alive: whether the client expects the connection to live on.
    :param old: whether the client speaks HTTP/1.0, which knows no chunks.
    """

    __slots__ = (
        "_chunked",
        "_ended",
        "_invite",
        "_left",
        "_old",
        "_owner",
        "_response",
        "_source",
        "body",
        "keep_alive",
        "refusal",
        "request",
        "started",
    )

    def __init__(
        self, owner: Owner, request: Request, body: IncomingBody, *, keep_alive: bool, old: bool
    ) -> None:
        self._owner = owner
        self._old = old
        expected = request.header(b"expect")
        self._invite = expected is not None and not old and expected.lower() == b"100-continue"
        self._chunked = False
        self._ended = False
        self._left: int | None = None
        self._source: Source | None = None
        self._response: Response | None = None
        self.request = request
        self.body = body
        self.keep_alive = keep_alive
        self.refusal: GatewayError | None = None
        self.started = False

    def invite_body(self) -> None:
        """Tell a client that waits with its body to send it.

        https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
        """
        if self._invite and not self.started and not self.body.size:
            self._owner.transport.write(http1.CONTINUE)
        self._invite = False

    def send(self, response: Response) -> None:
        """Write the answer, or the head of one whose body comes as it comes."""
        transport = self._owner.transport
        if transport.is_closing() or self.started:
            response.close()
            self.end(Outcome.CLIENT_GONE)
            return
        self._response = response
        # A request that is not read whole leaves bytes that nobody may take for the next request.
        self.keep_alive = self.keep_alive and self.body.complete
        body = response.body
        if isinstance(body, bytes):
            self._send_whole(transport, response, body)
        elif self.request.method == "HEAD" or not http1.has_content(response.status):
            body.close()
            self._send_empty(transport, response)
        else:
            self._send_stream(transport, response, body)

    # Called by the source.

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if self._chunked:
            self._owner.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.stop(UpstreamError("the answer is longer than announced"))
                return
        self._owner.transport.write(data)

    def finish(self) -> None:
        """End the body well."""
        if self._left:
            self.abort(UpstreamCut("the answer is shorter than announced"))
            return
        self._source = None
        if self._chunked:
            self._owner.transport.write(http1.LAST_CHUNK)
        response = self._response
        assert response is not None
        self.end(response.outcome, response.problem)
        self._owner.answered(self)

    def abort(self, error: Exception) -> None:
        """End the body badly: say why where the answer has a way to, and close in mid-air."""
        self._source = None
        self.end(error.outcome if isinstance(error, GatewayError) else Outcome.CUT, str(error))
        response = self._response
        if response is not None and response.ending is not None:
            ending = response.ending(error)
            # Up to its announced length an answer would look whole.
            if ending and (self._left is None or len(ending) < self._left):
                self.write(ending)
        if self._chunked or self._left is not None:
            self._owner.failed(self)
        else:
            self._owner.reset()

    # Called by the connection.

    def pause(self) -> None:
        """Hold the source: the client takes nothing."""
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        """Let the source flow."""
        if self._source is not None:
            self._source.resume()

    def stop(self, error: GatewayError) -> None:
        """End an answer under way with an error."""
        if self._source is not None:
            self._source.close()
            self.abort(error)

    def client_gone(self) -> None:
        """Free the source: nobody is left to read."""
        self.end(Outcome.CLIENT_GONE)
        if self._source is not None:
            source, self._source = self._source, None
            source.close()

    def end(self, outcome: Outcome, problem: str = "") -> None:
        """Tell how the request ended; only what is told first counts."""
        if not self._ended:
            self._ended = True
            self.body.leave()
            self._owner.ended(self.request, outcome, problem)

    def _send_whole(self, transport: asyncio.Transport, response: Response, body: bytes) -> None:
        if not http1.has_content(response.status):
            self._send_empty(transport, response)
            return
        framing = b"content-length: %d\r\n%b" % (len(body), self._persistence())
        head = http1.response_head(response.status, response.headers, framing)
        self.started = True
        if self.request.method == "HEAD":
            transport.write(head)
        elif len(body) <= http1.JOIN:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        self.end(response.outcome, response.problem)
        self._owner.answered(self)

    def _send_empty(self, transport: asyncio.Transport, response: Response) -> None:
        # To HEAD, the length that GET would have had; to the rest, no body by definition.
        length = response.length if http1.has_content(response.status) else None
        framing = b"content-length: %d\r\n" % length if length is not None else b""
        framing += self._persistence()
        head = http1.response_head(response.status, response.headers, framing)
        self.started = True
        transport.write(head)
        self.end(response.outcome, response.problem)
        self._owner.answered(self)

    def _send_stream(self, transport: asyncio.Transport, response: Response, source: Source) -> None:
        self._left = response.length
        if self._left is not None:
            framing = b"content-length: %d\r\n" % self._left
        elif self._old:
            framing = b""
            self.keep_alive = False
        else:
            framing = b"transfer-encoding: chunked\r\n"
            self._chunked = True
        framing += self._persistence()
        head = http1.response_head(response.status, response.headers, framing)
        self.started = True
        transport.write(head)
        self._source = source
        if self._owner.stuck:
            source.pause()
        source.start(self)

    def _persistence(self) -> bytes:
        if not self.keep_alive:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self._old else b""
