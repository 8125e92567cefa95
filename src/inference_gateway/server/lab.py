"""The fault lab as a provider on a port of its own, where a break is a real one.

Speaks OpenAI's chat completions and list of models. Asks for no key, and belongs on loopback.
"""

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

import msgspec
import uvloop

from inference_gateway.server import codec
from inference_gateway.server.api.answers import error_response, json_response
from inference_gateway.server.errors import GatewayError, MethodNotAllowed, NotFound
from inference_gateway.server.listening import BACKLOG, Listeners, address_of, open_listeners
from inference_gateway.server.providers.mock import answers
from inference_gateway.server.providers.mock.fault_grammar import SCENARIOS
from inference_gateway.server.providers.mock.lab import Lab
from inference_gateway.server.providers.mock.plan import End, Piece
from inference_gateway.server.providers.mock.playing import Playing
from inference_gateway.server.settings import MOCK_PROVIDER
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.messages import Request, Response, Sink
from inference_gateway.server.transport.server import ServerConnection

logger = logging.getLogger("inference_gateway.lab")

PORT: Final = 8089
"""Where it listens unless told otherwise."""

_CHAT: Final = (b"/v1/chat/completions", b"/chat/completions")
_MODELS: Final = (b"/v1/models", b"/models")

_model_name: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)


class _Wire:
    """The connection of one client, and the ways in which it can break."""

    def __init__(self) -> None:
        self.connection: ServerConnection
        self._is_chunked = False

    def expect(self, *, chunked: bool) -> None:
        """Take note of how the next body is framed."""
        self._is_chunked = chunked

    def break_off(self, end: End) -> None:
        """Close without an answer."""
        if end is End.RESET:
            self.connection.abort()
        else:
            self.connection.transport.close()

    def tear(self, sink: Sink, piece: Piece) -> None:
        """Give a piece of which more was announced; what comes next is the end."""
        if self._is_chunked:
            # The sink frames whole chunks, and this one is none.
            size = len(piece.data) + piece.missing
            self.connection.transport.write(b"%x\r\n%b" % (size, piece.data))
        elif piece.data:
            sink.write(piece.data)

    def cut(self, sink: Sink, error: Exception) -> None:
        """Close in the middle of a body."""
        sink.abort(error)

    def reset(self, sink: Sink) -> None:
        """Reset the connection in the middle of a body."""
        self.connection.abort()


class LabServer:
    """Serves the lab.

    :param port: 0 takes a free one.
    :param clock: time in seconds, for faults that pass.
    """

    def __init__(self, host: str, port: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._host = host
        self._port = port
        self._lab = Lab(clock)
        self._connections = Connections(_unbound, error_response, Limits())
        self._listeners: Listeners = ()
        self._accepting: list[asyncio.Server] = []

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listeners[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        :raises CannotServe: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        [self._listeners] = open_listeners(self._host, self._port)
        for listener in self._listeners:
            self._accepting.append(await loop.create_server(self._connect, sock=listener, backlog=BACKLOG))

    def announce(self) -> None:
        """Say where it is, and how to get there."""
        for listener in self._listeners:
            base = f"{address_of(listener, scheme='http')}/v1"
            logger.info("the fault lab listens at %s", base)
            if not _is_loopback(listener):
                logger.warning("the lab asks nobody for a key, and is not on loopback: all can reach it")
        logger.info("point a client at it, or a gateway: OPENAI_API_URL=%s OPENAI_API_KEY=none", base)
        logger.info("models: echo, %s to %s, lab:<faults>", min(SCENARIOS), max(SCENARIOS))

    async def stop(self) -> None:
        """Close everything at once."""
        for accepting in self._accepting:
            accepting.close()
        for connection in list(self._connections.open):
            connection.abort()
        if self._connections.open:
            await self._connections.none_open.wait()

    def open_connections(self) -> int:
        """Count them."""
        return len(self._connections.open)

    def _connect(self) -> asyncio.Protocol:
        wire = _Wire()
        own = msgspec.structs.replace(self._connections, application=partial(self._answer, wire))
        wire.connection = ServerConnection(own, asyncio.get_running_loop())
        return wire.connection

    async def _answer(self, wire: _Wire, request: Request) -> Response:
        # A client may ask again on a connection that was kept and broke, and hide the fault by that.
        wire.connection.drain_gently()
        try:
            if request.path in _CHAT:
                _require(request, "POST")
                return await self._chat(wire, request)
            if request.path in _MODELS:
                _require(request, "GET")
                return _models()
            raise NotFound("the fault lab has /v1/chat/completions and /v1/models")
        except GatewayError as error:
            return _openai_error(error)

    async def _chat(self, wire: _Wire, request: Request) -> Response:
        body = _without_provider(await request.body.read())
        plan = self._lab.plan(body, request.header(b"x-mock-faults"))
        await asyncio.sleep(plan.wait)
        if plan.head is None:
            wire.break_off(plan.end)
            return Response(502, [])  # goes nowhere
        wire.expect(chunked=plan.head.length is None)
        source = Playing(plan, wire)
        return Response(plan.head.status, plan.head.headers, source, length=plan.head.length)


async def _unbound(request: Request) -> Response:
    """Answer on a connection that nobody has: each gets its own."""
    return Response(500, [])


def run_lab(server: LabServer) -> None:
    """Serve until told to stop.

    :raises CannotServe: it could not begin.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server))


async def _serve(server: LabServer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    server.announce()
    await stop.wait()
    await server.stop()


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise MethodNotAllowed(f"ask with {method}", allow=(method,))


def _without_provider(body: bytes) -> bytes:
    """Let a client that is moved from the gateway to the lab keep the model's whole name."""
    document = codec.Document(body)
    model = document.get("model", _model_name, expected="a string")
    prefix = f"{MOCK_PROVIDER}/"
    if model is None or not model.startswith(prefix):
        return body
    return document.edited({"model": codec.encode(model.removeprefix(prefix))})


def _models() -> Response:
    names = (*answers.MODELS, *SCENARIOS)
    common = {"object": "model", "created": answers.CREATED, "owned_by": MOCK_PROVIDER}
    return json_response({"object": "list", "data": [{"id": name, **common} for name in names]})


def _openai_error(error: GatewayError) -> Response:
    """Write an error as OpenAI does, whose API this is."""
    response = error_response(error)
    told = {"message": error.message, "type": error.code, "code": error.code, "param": None}
    response.body = codec.encode({"error": told})
    return response


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback
