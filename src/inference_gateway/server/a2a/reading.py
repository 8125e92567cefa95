"""An agent's stream read by the gateway itself, event by event, no faster than it is wanted."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.agent_stream import AgentStream
from inference_gateway.server.a2a.jsonrpc import AgentRefused
from inference_gateway.server.encodings import Decoder
from inference_gateway.server.transport.relay import Relay
from inference_gateway.server.transport.upstream import Answer

_MOST_WAITING: Final = 16
"""Events that are held for a slow reader before the agent has to wait."""


class Reading:
    """Reads one stream; a sink to what is relayed.

    :param read: makes an event's value of its data. It raises `AgentRefused` where the event is an error, and
        `Unreadable` where it is none.
    """

    def __init__(
        self, answer: Answer, read: Callable[[bytes], JsonValue], *, decoder: Decoder | None
    ) -> None:
        self._read = read
        self._relay = Relay(answer, AgentStream(self._take), decoder=decoder)
        self._events: deque[JsonValue] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None

    async def events(self) -> AsyncGenerator[JsonValue, None]:
        """Give the events, to their honest end. Closing it hangs up.

        :raises AgentRefused: the agent ended the stream with an error.
        :raises GatewayError: the stream did not end well.
        """
        try:
            self._relay.start(self)
            while True:
                while self._events:
                    yield self._events.popleft()
                if self._is_over:
                    break
                self._relay.resume()
                await self._news.wait()
                self._news.clear()
            if self._error is not None:
                raise self._error
        finally:
            self._relay.close()

    def write(self, data: bytes) -> None:
        """Take note that events came."""
        self._news.set()
        if len(self._events) > _MOST_WAITING:
            self._relay.pause()

    def finish(self) -> None:
        """Take the end."""
        self._is_over = True
        self._news.set()

    def abort(self, error: Exception) -> None:
        """Take a bad end."""
        self._error = self._error or error
        self.finish()

    def _take(self, data: bytes) -> bytes:
        try:
            self._events.append(self._read(data))
        except AgentRefused as error:
            self._error = error
            raise
        return b"{}"
