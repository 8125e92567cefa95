"""Trouble that lasts, in the log: a line when it begins, one when it ends, one a minute in between."""

import logging
from collections.abc import Callable
from math import inf
from time import monotonic

EVERY = 60.0
"""Seconds between two lines about the same trouble."""


class Complaints:
    """Logs of one thing whether it is well.

    :param clock: seconds that only grow.
    """

    def __init__(self, logger: logging.Logger, *, clock: Callable[[], float] = monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._told = -inf
        self._is_well = True

    def trouble(self, message: str, *values: object) -> None:
        """Say that it is not well, unless that was said less than a minute ago."""
        now = self._clock()
        if self._is_well or now - self._told >= EVERY:
            self._is_well, self._told = False, now
            self._logger.warning(message, *values)

    def well(self, message: str, *values: object) -> None:
        """Say that it is well again, if it was not."""
        if not self._is_well:
            self._is_well = True
            self._logger.info(message, *values)
