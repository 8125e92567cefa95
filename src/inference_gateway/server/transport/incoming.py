"""The body of a request as it arrives: read whole, or started as a source."""

import asyncio
from typing import Protocol

from inference_gateway.server.errors import BodyTooLarge, GatewayError
from inference_gateway.server.transport.load import Load
from inference_gateway.server.transport.messages import LOOSE, Sink, pack

_UNASKED = 64 * 1024
"""Bytes of a body that are taken in before anybody asked for it."""


class Feed(Protocol):
    """What a body asks of the connection that it arrives on."""

    def body_wanted(self) -> None:
        """Somebody waits for the body: invite it and let it come."""

    def pause_body(self) -> None:
        """Take no more for now."""

    def abandon_body(self) -> None:
        """Nobody wants the rest."""


class IncomingBody:
    """A request body, fed by its connection piece by piece.

    :param length: announced length in bytes, None where chunked.
    :param limit: most bytes taken.
    :param load: where its request was admitted, and its bytes are counted until it leaves.
    """

    __slots__ = (
        "_error",
        "_feed",
        "_held",
        "_limit",
        "_load",
        "_packed",
        "_paused",
        "_pieces",
        "_sink",
        "_waiter",
        "complete",
        "length",
        "size",
    )

    def __init__(self, feed: Feed, *, length: int | None, limit: int, load: Load | None = None) -> None:
        self._feed = feed
        self._limit = limit
        self._load = load
        self._held = 0
        self._pieces: list[bytes] = []
        self._packed = 0
        self._sink: Sink | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.length = length
        self.size = 0
        self.complete = length == 0
        if length is not None and length > limit:
            self._error = self._too_large()

    # For the handler of the request.

    async def read(self) -> bytes:
        """Return the whole body.

        :raises GatewayError: it is too large, came too slowly or broke the protocol.
        """
        if not self.complete and self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            self._feed.body_wanted()
            await self._waiter
        if self._error is not None:
            raise self._error
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def start(self, sink: Sink) -> None:
        """Give the body to `sink` as it comes."""
        if self._error is not None:
            sink.abort(self._error)
            return
        self._sink = sink
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            sink.write(piece)
            if self._sink is not sink:
                return  # the sink gave up in the middle
        self._give_back()
        if self.complete:
            self._sink = None
            sink.finish()
        elif not self._paused:
            self._feed.body_wanted()

    def pause(self) -> None:
        """Stop the client from sending on."""
        self._paused = True
        if not self.complete:
            self._feed.pause_body()

    def resume(self) -> None:
        """Let the client send on."""
        self._paused = False
        if self._sink is not None and not self.complete:
            self._feed.body_wanted()

    def close(self) -> None:
        """Want no more of it."""
        self._sink = None
        self._pieces = []
        self._give_back()
        if not self.complete:
            self._feed.abandon_body()

    # For the connection.

    def take(self, data: bytes) -> None:
        """Take a piece that arrived."""
        if self._error is not None:
            return
        self.size += len(data)
        if self.size > self._limit:
            self.fail(self._too_large())
        elif self._sink is not None:
            self._sink.write(data)
        else:
            self._pieces.append(data)
            load = self._load
            if load is not None:
                self._held += len(data)
                load.held += len(data)
                if load.held > load.max_bytes:
                    self.fail(load.refuse_bytes())
                    return
            if len(self._pieces) - self._packed >= LOOSE:
                self._packed = pack(self._pieces, self._packed)
            if self._waiter is None and self.size > _UNASKED:
                self._feed.pause_body()

    def end(self) -> None:
        """Take note that it arrived whole."""
        if self._error is not None:
            return
        self.complete = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.finish()

    def fail(self, error: GatewayError) -> None:
        """Take note that it will not arrive whole."""
        if self.complete or self._error is not None:
            return
        self._error = error
        self._pieces = []
        self._give_back()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.abort(error)

    def leave(self) -> None:
        """Take the request's place in the load away: its answer is over. Idempotent."""
        load, self._load = self._load, None
        if load is not None:
            load.requests -= 1
            load.held -= self._held

    @property
    def failed(self) -> bool:
        """Whether it is known never to arrive whole."""
        return self._error is not None

    def _give_back(self) -> None:
        if self._load is not None:
            self._load.held -= self._held
            self._held = 0

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the request body is larger than the {self._limit} bytes taken here")
