"""The gateway as an ASGI application under uvicorn, started and stopped without uvicorn's pauses."""

import asyncio

from uvicorn.config import Config
from uvicorn.server import ServerState

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.asgi import create_app
from inference_gateway.server.settings import Settings


class UvicornServer:
    """uvicorn's protocol on a free loopback port; what uvicorn would do once a second is left out."""

    def __init__(self, settings: Settings) -> None:
        self._application = create_app(settings)
        # The wire is tests' own: no colours, no files, no lifespan, and records go where pytest looks.
        self._config = Config(self._application, log_config=None, access_log=False, lifespan="off")
        self._config.load()
        self._state = ServerState()
        self._listener: asyncio.Server | None = None

    @property
    def _gateway(self) -> Gateway:
        return self._application._gateway

    @property
    def port(self) -> int:
        assert self._listener is not None
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen."""
        self._listener = await asyncio.get_running_loop().create_server(self._connection, "127.0.0.1", 0)

    def _connection(self) -> asyncio.Protocol:
        return self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )

    async def stop(self) -> None:
        """Drop every connection and whatever still works for it."""
        assert self._listener is not None
        self._listener.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._application.close()
