"""A plan being played: the source of a body that comes when the plan says."""

import asyncio
from math import inf
from typing import Final, Protocol

from inference_gateway.server.errors import UpstreamCut, UpstreamTimeout
from inference_gateway.server.providers.mock.faults import LONGEST
from inference_gateway.server.providers.mock.plan import End, Piece, Plan
from inference_gateway.server.transport.messages import Sink

_TURN: Final = 256
"""Pieces without a wait that are given before everybody else has a turn."""


class Stage(Protocol):
    """Where a plan is played: what it means there to break."""

    def tear(self, sink: Sink, piece: Piece) -> None:
        """Give a piece of which more was announced."""

    def cut(self, sink: Sink, error: Exception) -> None:
        """End a body that is not whole."""

    def reset(self, sink: Sink) -> None:
        """End it with a reset."""


class Playing:
    """Pushes the pieces of a plan to a sink, each in its time.

    :param patience: seconds that are waited for a piece, or for the end.
    :param begins_by: time of the loop's clock by which the first piece has to be there, and the error where
        it is not; None waits for it as for the others.
    :param expires_at: time of the loop's clock at which all has to be over.
    """

    def __init__(
        self,
        plan: Plan,
        stage: Stage,
        *,
        patience: float = inf,
        begins_by: tuple[float, Exception] | None = None,
        expires_at: float = inf,
    ) -> None:
        self._plan = plan
        self._stage = stage
        self._patience = patience
        self._begins_by = begins_by
        self._expires_at = expires_at
        self._over_at = inf
        self._sink: Sink | None = None
        self._timer: asyncio.Handle | None = None
        self._paused = False
        self._running = False
        # Of what comes next
        self._piece: Piece | None = None
        self._due_at = 0.0
        self._error: Exception | None = None

    def start(self, sink: Sink) -> None:
        """Begin to play."""
        self._sink = sink
        self._over_at = asyncio.get_running_loop().time() + LONGEST
        self._look_ahead()
        self._run()

    def pause(self) -> None:
        """Give nothing for now; what falls due meanwhile comes at once after that."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._run()

    def close(self) -> None:
        """Stop playing."""
        self._sink = None
        self._forget_timer()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_ahead(self) -> None:
        """Take the next piece, and find when it is due, or what happens before that."""
        now = asyncio.get_running_loop().time()
        self._piece = next(self._plan.pieces, None)
        wait = self._plan.last_wait if self._piece is None else self._piece.after
        self._due_at, self._error = now + wait, None
        patience = self._patience
        bounds: tuple[tuple[float, Exception], ...] = (
            self._begins_by
            or (now + patience, UpstreamTimeout(f"the provider sent nothing for {patience:g} s")),
            (self._expires_at, UpstreamTimeout("the call took longer than its limit")),
            (self._over_at, UpstreamCut("the provider's answer broke off")),
        )
        for bound, error in bounds:
            if bound < self._due_at:
                self._due_at, self._error = bound, error

    def _run(self) -> None:
        # A sink may pause, resume or close from within `write`.
        if self._running:
            return
        self._running = True
        self._forget_timer()
        try:
            self._give()
        finally:
            self._running = False

    def _give(self) -> None:
        """Give what is due, until something has to be waited for."""
        loop = asyncio.get_running_loop()
        for _ in range(_TURN):
            sink = self._sink
            if sink is None or self._paused:
                return
            if loop.time() < self._due_at:
                self._timer = loop.call_at(self._due_at, self._run)
                return
            self._step(sink)
        self._timer = loop.call_soon(self._run)

    def _step(self, sink: Sink) -> None:
        if self._error is not None:
            self._sink = None
            self._stage.cut(sink, self._error)
        elif self._piece is None:
            self._sink = None
            self._end(sink)
        else:
            if self._piece.data:
                self._begins_by = None
            if self._piece.missing:
                self._stage.tear(sink, self._piece)
            elif self._piece.data:
                sink.write(self._piece.data)
            self._look_ahead()

    def _end(self, sink: Sink) -> None:
        if self._plan.end is End.WHOLE:
            sink.finish()
        elif self._plan.end is End.RESET:
            self._stage.reset(sink)
        else:
            self._stage.cut(sink, UpstreamCut("the provider's answer broke off"))
