"""A gateway in this process, on a free port, with the settings a test gives."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

from fakes.loops import PATIENCE, LoopThread
from fakes.metrics import Scrape
from fakes.uvicorn import UvicornServer
from inference_gateway.server.configuration import load
from inference_gateway.server.serve import Server
from inference_gateway.server.settings import Settings


class Reply(NamedTuple):
    """An answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class FakeGateway:
    """The real gateway; only its process is this one.

    :param listener: `serve` for our own HTTP server, `uvicorn` for the ASGI adapter under that one.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        config: str | None = None,
        listener: str = "serve",
    ) -> None:
        self.thread = LoopThread()
        self._listener = listener
        loaded = load(environ={"SERVER_PORT": "0", **(environ or {})}, config=config, dotenv=None)
        self.server = self.thread.call(self._start(loaded.settings))
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}"

    async def _start(self, settings: Settings) -> Server | UvicornServer:
        server = UvicornServer(settings) if self._listener == "uvicorn" else Server(settings)
        await server.start()
        return server

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request with a client that is not ours; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def chat(self, body: object, query: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        """Send a chat completion request."""
        return self.request("POST", f"/v1/chat/completions{query}", body, headers)

    @property
    def metrics_port(self) -> int:
        """The port that metrics are scraped from; telemetry is on, and the server our own."""
        assert isinstance(self.server, Server)
        port = self.server.metrics_port
        assert port is not None
        return port

    def metrics(self) -> Scrape:
        """Scrape the metrics."""
        return Scrape(self.metrics_port)

    def connect(self) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def exchange(self, data: bytes) -> bytes:
        """Send bytes over a connection of their own; return all that comes back until it closes."""
        with self.connect() as client:
            client.sendall(data)
            received = b""
            while piece := client.recv(65536):
                received += piece
            return received

    def tasks(self) -> int:
        """Count the tasks that run in the gateway's loop."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self.thread.call(count())

    def close(self) -> None:
        """Stop in order, at once."""
        self.thread.call(self._stop())
        self.thread.close()

    async def _stop(self) -> None:
        if isinstance(self.server, Server):
            for connection in list(self.server._connections.open):
                connection.abort()
        await self.server.stop()
