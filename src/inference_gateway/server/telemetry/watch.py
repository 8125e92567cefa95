"""Whether somebody looks at the figures: one number in memory that all processes of a gateway share."""

import mmap
from time import monotonic
from typing import Final

LASTS: Final = 300.0
"""Seconds for which a look is remembered."""


class Watch:
    """Made before processes are forked; a look in one of them is known to all."""

    def __init__(self) -> None:
        self._until = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")

    def look(self) -> None:
        """Take note that somebody looks."""
        self._until[0] = monotonic() + LASTS

    @property
    def is_on(self) -> bool:
        """Whether somebody looked not long ago."""
        return monotonic() < self._until[0]
