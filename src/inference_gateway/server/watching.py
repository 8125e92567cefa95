"""Counting while somebody looks: the status page has figures without telemetry, and nobody pays unwatched.

Once a second each process looks at the mark that all share, and has requests go the measured ways or not.
"""

import asyncio
from collections.abc import Callable

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.telemetry.board import Board
from inference_gateway.server.telemetry.watch import Watch

_EVERY = 1.0
"""Seconds between two looks."""


class Watching:
    """Switches one process. Where requests are always measured, it only says so.

    :param sample: writes down what is open.
    """

    def __init__(self, gateway: Gateway, watch: Watch, board: Board, sample: Callable[[], None]) -> None:
        self._gateway = gateway
        self._watch = watch
        self._board = board
        self._sample = sample
        self._counts = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        if self._gateway.measured is None:
            self._board.start_counting()
        self._look()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        is_watched = self._watch.is_on
        if is_watched:
            self._sample()
        if is_watched is not self._counts:
            self._switch(is_watched)
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self._look)

    def _switch(self, is_watched: bool) -> None:
        self._counts = is_watched
        measured, unmeasured = self._gateway.measured, self._gateway.unmeasured
        if measured is None or unmeasured is None:
            return
        if is_watched:
            self._gateway.take(measured)
            self._board.start_counting()
        else:
            self._gateway.take(unmeasured)
            self._board.stop_counting()
