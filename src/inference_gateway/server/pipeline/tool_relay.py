"""A stream over several turns: source to the client, sink to one provider's stream after the other."""

import asyncio
from collections.abc import Awaitable, Callable

from inference_gateway import sse
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.pipeline.tool_stream import ToolStream
from inference_gateway.server.pipeline.tool_turn import Turn
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.messages import Response, Sink, Source
from inference_gateway.server.transport.relay import ToldInStream

Show = Callable[[bytes], None]
GoOn = Callable[[Turn, Show], Awaitable["Ending | Response"]]
"""Does what a turn asks for, and may show something at once; returns the stream's end or the next turn."""


class Ending(bytes):
    """The last bytes of a stream."""


class ToolRelay:
    """Stands between a client and all turns of its request.

    :param source: the first turn's stream.
    :param go_on: what to do where a turn made calls.
    """

    def __init__(self, source: Source, stream: ToolStream, go_on: GoOn, background: Background) -> None:
        self._source: Source | None = source
        self._stream = stream
        self._go_on = go_on
        self._background = background
        self._work: asyncio.Task[None] | None = None
        self._paused = False
        self._sink: Sink | None = None

    # Called by the client's side.

    def start(self, sink: Sink) -> None:
        """Begin to relay."""
        self._sink = sink
        assert self._source is not None
        self._source.start(self)

    def pause(self) -> None:
        """Hold whichever turn speaks, now or later."""
        self._paused = True
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        """Let it flow."""
        self._paused = False
        if self._source is not None:
            self._source.resume()

    def close(self) -> None:
        """Hang up: the client is gone, and with it the reason to run its tools."""
        self._sink = None
        if self._source is not None:
            self._source.close()
        if self._work is not None:
            self._work.cancel()

    # Called by the turn's stream.

    def write(self, data: bytes) -> None:
        """Take whole events."""
        try:
            passed = self._stream.feed(data)
        except GatewayError as error:
            self._give_up(error)
            return
        self._show(passed)

    def finish(self) -> None:
        """Take the good end of a turn."""
        self._source = None
        turn = self._stream.turn()
        if turn is None:
            self._end(self._stream.last({}))
        elif self._sink is not None:
            self._work = self._background.start(self._next(turn), name="a turn of the tool loop")

    def abort(self, error: Exception) -> None:
        """Take a bad end of a turn: it is the end of all."""
        self._source = None
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort(error)

    def _show(self, events: bytes) -> None:
        if events and self._sink is not None:
            self._sink.write(events)

    def _end(self, last: bytes) -> None:
        self._show(last)
        sink, self._sink = self._sink, None  # a client may go away while it is written to
        if sink is not None:
            sink.finish()

    def _give_up(self, error: GatewayError) -> None:
        if self._source is not None:
            self._source.close()
        self.abort(error)

    async def _next(self, turn: Turn) -> None:
        try:
            following = await self._go_on(turn, self._show)
        except GatewayError as error:
            self.abort(error)
        except Exception:
            self.abort(GatewayError("the gateway failed on this request"))
            raise
        else:
            if isinstance(following, Ending):
                self._end(following)
            else:
                self._connect(following)

    def _connect(self, response: Response) -> None:
        body = response.body
        if self._sink is None:
            response.close()
        elif isinstance(body, bytes):
            # A provider's error, in its own words: its status has no place in a stream.
            self._sink.write(sse.encode(body.replace(b"\n", b" ").replace(b"\r", b" ")))
            self.abort(ToldInStream(f"the provider answered with status {response.status}"))
        else:
            self._source = body
            if self._paused:
                body.pause()
            body.start(self)
