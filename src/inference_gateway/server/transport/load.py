"""How much one process has under way, and when that is too much. Counts; knows no socket and no clock.

A request is counted from the end of its head to the end of its answer, and the bytes of its body from
when they arrive. Whoever has a request admitted sees to it that it leaves, once.
"""

import logging
from collections.abc import Set as AbstractSet
from math import inf

from inference_gateway.server.errors import Overloaded

logger = logging.getLogger("inference_gateway.load")

PAUSE = 1
"""Seconds after which a client that was turned away may try again."""
_TOLD = 1000
"""Requests turned away for each line in the log: to write one costs more than to turn one away."""


class Load:
    """Requests under way in this process and bytes of their bodies, and the caps on both.

    :param max_requests: 0 is no cap.
    :param max_bytes: 0 is no cap.
    :param exempt: paths that are answered whatever the load.
    :ivar requests: how many are under way.
    :ivar max_bytes: `inf` is no cap.
    :ivar held: bytes of request bodies that are held for them.
    :ivar refused: how many were turned away since the start.
    """

    __slots__ = ("_exempt", "_max_requests", "held", "max_bytes", "refused", "requests")

    def __init__(
        self, *, max_requests: int = 0, max_bytes: int = 0, exempt: AbstractSet[bytes] = frozenset()
    ) -> None:
        self._max_requests = max_requests or inf
        self.max_bytes = max_bytes or inf
        self._exempt = exempt
        self.requests = 0
        self.held = 0
        self.refused = 0

    def admit(self, path: bytes, length: int | None, *, limit: int) -> Overloaded | None:
        """Count a request in, or return the error that turns it away.

        :param length: bytes that its body will have, None where unknown.
        :param limit: most bytes of a body; a larger one is refused for that, and never comes to be held.
        """
        if self.requests >= self._max_requests and path not in self._exempt:
            return self._refuse("too many requests are under way")
        if length and length <= limit and self.held + length > self.max_bytes and path not in self._exempt:
            return self.refuse_bytes()
        self.requests += 1
        return None

    def refuse_bytes(self) -> Overloaded:
        """Return the error for a body whose bytes are too many for those of the others."""
        return self._refuse("the requests under way are too large together")

    def _refuse(self, reason: str) -> Overloaded:
        if self.refused % _TOLD == 0:
            logger.warning(
                "overloaded: %s (%d requests, %d bytes); %d turned away so far",
                reason,
                self.requests,
                self.held,
                self.refused + 1,
            )
        self.refused += 1
        return Overloaded(f"{reason}; try again soon", retry_after=PAUSE)
