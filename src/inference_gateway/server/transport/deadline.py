"""One timer per connection that is moved all the time and almost never touches the loop."""

import asyncio
from collections.abc import Callable
from math import inf


class Deadline:
    """Calls back once the clock passes the last time given to `set`.

    Most deadlines only ever move later (the next event, the next request). Moving later costs an
    assignment: the armed timer wakes too early, looks, and sleeps on. Only a deadline earlier than
    the armed timer is given to the loop at once.
    """

    __slots__ = ("_at", "_callback", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    def set(self, at: float) -> None:
        """Expire at this time of the loop's clock, in seconds; `inf` is never."""
        self._at = at
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._arm(at)

    def cancel(self) -> None:
        """Expire never, and let go of the loop: the owner is closing."""
        self._at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = inf

    def _arm(self, at: float) -> None:
        self._timer = self._loop.call_at(at, self._wake)
        self._timer_at = at

    def _wake(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self._at == inf:
            return
        if self._loop.time() >= self._at:
            self._at = inf
            self._callback()
        else:
            self._arm(self._at)
