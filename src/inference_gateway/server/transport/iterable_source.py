"""A body whose pieces are ready before they are asked for."""

import asyncio
from collections.abc import Iterable, Iterator

from inference_gateway.server.transport.messages import Sink

_TURN = 64 * 1024
"""Bytes that a source which never has to wait gives before everybody else has a turn."""


class IterableSource:
    """A source of ready pieces, pulled one by one while the sink takes them."""

    __slots__ = ("_paused", "_pieces", "_running", "_sink")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] | None = iter(pieces)
        self._running = False
        self._paused = False
        self._sink: Sink | None = None

    def start(self, sink: Sink) -> None:
        """Push until the sink pauses or the pieces end."""
        self._sink = sink
        self._run()

    def pause(self) -> None:
        """Stop after the piece under way."""
        self._paused = True

    def resume(self) -> None:
        """Push on."""
        self._paused = False
        if self._sink is not None:
            self._run()

    def close(self) -> None:
        """Drop what is left."""
        self._pieces = None

    def rest(self) -> Iterator[bytes]:
        """Give up being a source: hand over the pieces that are left."""
        pieces, self._pieces = self._pieces, None
        return pieces or iter(())

    def _run(self) -> None:
        # A sink may pause, resume or close from within `write`.
        if self._running:
            return
        self._running = True
        given = 0
        try:
            while self._pieces is not None and not self._paused:
                if given >= _TURN:
                    asyncio.get_running_loop().call_soon(self._run)
                    return
                piece = next(self._pieces, None)
                if piece is None:
                    self._pieces = None
                    assert self._sink is not None
                    self._sink.finish()
                elif piece:
                    assert self._sink is not None
                    given += len(piece)
                    self._sink.write(piece)
        finally:
            self._running = False
