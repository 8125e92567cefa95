"""The same gateway under any ASGI server, alone or mounted in another application.

A thin adapter: reading HTTP, limits on heads and connections, and the clocks for slow clients are the
ASGI server's. https://asgi.readthedocs.io/en/stable/specs/www.html
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from inference_gateway.server.access_log import access_log
from inference_gateway.server.api.cors import CORS
from inference_gateway.server.app import Application
from inference_gateway.server.configuration import load_process_settings
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError
from inference_gateway.server.listening import CannotServe
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.serve import open_gateway, open_load
from inference_gateway.server.settings import Settings
from inference_gateway.server.transport import http1
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.load import Load
from inference_gateway.server.transport.messages import (
    Ended,
    Header,
    Request,
    Response,
    Source,
    tell_nobody,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HIGH_WATER = 64 * 1024
"""Bytes of an answer that wait for the ASGI server before its source is paused."""


class AnswerBrokeOff(Exception):
    """Raised through a framework that might otherwise take the answer for a whole one."""


class ASGIGateway:
    """A gateway as an ASGI application. Lifespan events are welcome and not needed.

    :raises CannotServe: certificates to trust or API keys cannot be used, a package is missing, or telemetry
        is on.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.telemetry.enabled:
            raise CannotServe(
                "TELEMETRY_ENABLED: metrics are offered by 'inference-gateway serve' only", exit_code=2
            )
        self._gateway = open_gateway(settings)
        cors = CORS(settings.server.cors_origins) if settings.server.cors_origins else None
        application = Application(self._gateway, cors, access_log(settings))
        self._adapter = Adapter(
            application,
            body_limit=settings.server.max_request_body_size,
            ended=application.ended,
            load=open_load(settings.server),
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the server.

        :raises AnswerBrokeOff: an answer ended early below a framework; the server then closes in mid-air.
        """
        if scope["type"] == "http":
            self._gateway.start()
            await self._adapter.serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await receive()  # the client's wish to connect
            await send({"type": "websocket.close"})

    async def close(self) -> None:
        """Close the connections to providers: for an application that mounts this one."""
        await self._gateway.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._gateway.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


class Adapter:
    """Serves ASGI's requests with an application that takes ours.

    :param body_limit: most bytes of a request's body.
    :param ended: told how each request ended.
    :param load: where requests are admitted.
    """

    def __init__(
        self,
        application: Callable[[Request], Awaitable[Response]],
        *,
        body_limit: int,
        ended: Ended = tell_nobody,
        load: Load | None = None,
    ) -> None:
        self._application = application
        self._ended = ended
        self._body_limit = body_limit
        self.load = load or Load()

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request.

        :raises AnswerBrokeOff: the answer ended early below a framework.
        """
        first = None if _announces_body(scope) else await receive()
        upload = _Upload(scope, first, limit=self._body_limit, load=self.load)
        sending = _Sending(upload.request, send)
        try:
            async with asyncio.TaskGroup() as group:
                answering = group.create_task(self._answer(upload, sending))
                reading = group.create_task(upload.read(receive))
                # A client that is gone needs no answer; after the answer, nobody asks for the client.
                reading.add_done_callback(lambda _: answering.cancel())
                answering.add_done_callback(lambda _: reading.cancel())
        except asyncio.CancelledError:
            sending.end(Outcome.CANCELLED)
            raise
        finally:
            upload.leave()
            # What has not ended otherwise ended by the client, or by a failure of the ASGI server.
            self._ended(upload.request, sending.outcome or Outcome.CLIENT_GONE, sending.problem)
        # A server closes in mid-air where an application returns before the answer's end; some middleware
        # (Starlette's BaseHTTPMiddleware) writes that end itself, even on an exception. A message out of
        # order is what no layer takes for an end.
        if sending.error is not None and "app" in scope:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            raise AnswerBrokeOff(str(sending.error)) from sending.error

    async def _answer(self, upload: "_Upload", sending: "_Sending") -> None:
        response = await self._application(upload.request)
        upload.watch()
        try:
            # https://asgi.readthedocs.io/en/stable/specs/www.html#disconnected-client-send-exception
            with contextlib.suppress(OSError):
                await sending.send(response)
        finally:
            response.close()


class _Upload:
    """A request whose body is received as fast as it is wanted."""

    def __init__(self, scope: Message, first: Message | None, *, limit: int, load: Load) -> None:
        headers = [(bytes(name).lower(), bytes(value).strip(b" \t")) for name, value in scope["headers"]]
        empty = first is not None and not first.get("body") and not first.get("more_body", False)
        length = 0 if empty else _length(headers, scope)
        client = scope.get("client")
        self._first = first
        self._abandoned = False
        self._wanted = asyncio.Event()
        path, method = _path(scope), str(scope["method"])
        refusal = load.admit(path, length, limit=limit)
        self._body = IncomingBody(self, length=length, limit=limit, load=None if refusal else load)
        self.request = Request(
            method,
            path,
            query=bytes(scope.get("query_string", b"")),
            headers=headers,
            body=self._body,
            client=str(client[0]) if client else "",
            scheme=str(scope.get("scheme", "")),
        )
        self.request.refusal = refusal
        # To receive is to invite the body of a client that waits for that.
        if self.request.header(b"expect") is None:
            self._wanted.set()

    async def read(self, receive: Receive) -> None:
        """Receive until the client is gone."""
        event = self._first
        while event is None or event["type"] != "http.disconnect":
            if event is not None:
                self._take(event)
            await self._wanted.wait()
            event = await receive()

    def watch(self) -> None:
        """Receive whatever comes, so that a client that leaves is noticed: the answer is on its way."""
        if not self._body.size:
            self._wanted.set()

    def leave(self) -> None:
        """Take its place in the load away: the answer is over."""
        self._body.leave()

    def body_wanted(self) -> None:
        """Let the body come."""
        self._wanted.set()

    def pause_body(self) -> None:
        """Receive nothing for now."""
        self._wanted.clear()

    def abandon_body(self) -> None:
        """Receive the rest, unread."""
        self._abandoned = True
        self._wanted.set()

    def _take(self, event: Message) -> None:
        if self._abandoned or self._body.complete:
            return
        if piece := event.get("body", b""):
            self._body.take(bytes(piece))
        if not event.get("more_body", False):
            self._body.end()
            self._wanted.set()


class _Sending:
    """Takes the body of an answer as a sink, and sends it as fast as the ASGI server takes it."""

    def __init__(self, request: Request, send: Send) -> None:
        self._send = send
        self._bodiless = request.method == "HEAD"
        self._ending: Callable[[Exception], bytes] | None = None
        self._source: Source | None = None
        self._left: int | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._ended = False
        self._news = asyncio.Event()
        self.error: Exception | None = None
        """Why the answer broke off."""
        self.outcome: Outcome | None = None
        self.problem = ""

    def end(self, outcome: Outcome, problem: str = "") -> None:
        """Keep how the request ended; only what is said first counts."""
        if self.outcome is None:
            self.outcome, self.problem = outcome, problem

    async def send(self, response: Response) -> None:
        """Send a response whole, or as far as it goes."""
        body, headers = response.body, response.headers
        length = len(body) if isinstance(body, bytes) else response.length
        if not http1.has_content(response.status):
            self._bodiless = True
        elif length is not None:
            headers = [*headers, (b"content-length", b"%d" % length)]
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
        if self._bodiless:
            await self._send({"type": "http.response.body", "body": b""})
        elif isinstance(body, bytes):
            await self._send({"type": "http.response.body", "body": body})
        else:
            self._source, self._left, self._ending = body, response.length, response.ending
            body.start(self)
            await self._send_pieces()
        if self.error is None:
            self.end(response.outcome, response.problem)

    async def _send_pieces(self) -> None:
        while self._pieces or not self._ended:
            if not self._pieces:
                self._news.clear()
                await self._news.wait()
                continue
            piece = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            self._let_flow()
        if self.error is None:
            await self._send({"type": "http.response.body", "body": b""})

    def _let_flow(self) -> None:
        if self._paused and self._size < _HIGH_WATER and self._source is not None:
            self._paused = False
            self._source.resume()

    # Called by the source.

    def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._stop(UpstreamError("the answer is longer than announced"))
                return
        self._keep(data)
        if self._size >= _HIGH_WATER and not self._paused and self._source is not None:
            self._paused = True
            self._source.pause()

    def finish(self) -> None:
        """Take the body's end."""
        if self._left:
            self.abort(UpstreamCut("the answer is shorter than announced"))
            return
        self._end()

    def abort(self, error: Exception) -> None:
        """Take note that the body broke off, and say why where the answer has a way to."""
        self.error = error
        self.end(error.outcome if isinstance(error, GatewayError) else Outcome.CUT, str(error))
        ending = self._ending(error) if self._ending is not None else b""
        # Up to its announced length an answer would look whole.
        if ending and (self._left is None or len(ending) < self._left):
            self._keep(ending)
        self._end()

    def _keep(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._news.set()

    def _end(self) -> None:
        self._source = None
        self._ended = True
        self._news.set()

    def _stop(self, error: GatewayError) -> None:
        if self._source is not None:
            self._source.close()
            self.abort(error)


def _announces_body(scope: Message) -> bool:
    """Whether the head tells if there is a body: from HTTP/2 on it need not."""
    old = str(scope.get("http_version", "1.1")).startswith(("0", "1"))
    return old or any(bytes(name).lower() == b"content-length" for name, _ in scope["headers"])


def _length(headers: list[Header], scope: Message) -> int | None:
    """Announced length of the body in bytes, None where only its end will tell."""
    fields = dict(headers)
    length = fields.get(b"content-length", b"")
    if b"transfer-encoding" in fields or (length and not length.isdigit()) or not _announces_body(scope):
        return None
    return int(length or b"0")


def _path(scope: Message) -> bytes:
    """Undecoded path below the place where the application is mounted."""
    # Servers may leave the raw path out, and test clients put the query in.
    raw = bytes(scope.get("raw_path") or b"").partition(b"?")[0]
    if not raw:
        raw = quote_from_bytes(str(scope["path"]).encode("utf-8"), safe="/:@!$&'()*+,;=~").encode("ascii")
    root = str(scope.get("root_path", "")).rstrip("/").encode("utf-8")
    end = 0
    while root and end != -1:
        end = raw.find(b"/", end + 1)
        prefix = raw if end == -1 else raw[:end]
        if unquote_to_bytes(prefix) == root:
            return raw[len(prefix) :] or b"/"
    return raw


def create_app(settings: Settings | None = None) -> ASGIGateway:
    """Make a gateway for an ASGI server.

    :param settings: what to run with; None reads the environment, `.env` and the YAML file, as `serve` does.
    :raises SettingsError: the settings cannot be used.
    :raises CannotServe: certificates to trust or API keys cannot be used, or a package is missing.
    """
    return ASGIGateway(settings if settings is not None else load_process_settings().settings)
