"""Values of labels, bounded: whoever can name things must not be able to fill the memory."""

from collections.abc import Callable
from typing import Final

from inference_gateway.server.telemetry.instruments import series_of
from inference_gateway.server.telemetry.totals import Totals

OTHER: Final = "other"
"""Stands for each value that has no series of its own."""

_LONGEST = 200

Counts = Callable[[str, dict[str, str]], bool]
"""Whether a series, of this figure and with these labels, is one of those that values are counted over."""


class Names:
    """The values of one label that have series of their own, in any process.

    :param most: how many there may be.
    """

    def __init__(self, totals: Totals, label: str, most: int, counts: Counts) -> None:
        self._totals = totals
        self._label = label
        self._most = most
        self._counts = counts
        self._known: set[str] = set()
        self._seen: tuple[int, ...] | None = None
        self._catch_up()

    def knows(self, name: str) -> bool:
        """Whether it has series of its own."""
        return name in self._known

    def known(self, name: str) -> str:
        """Return the name if it has series of its own."""
        return name if name in self._known else OTHER

    def learn(self, name: str) -> str:
        """Return the name, which gets series of its own while there is room."""
        if name not in self._known:
            if len(self._known) >= self._most or len(name) > _LONGEST:
                return OTHER
            self._catch_up()
            if name not in self._known and len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name

    def _catch_up(self) -> None:
        """Learn what other processes count, or the one before did, where there is anything new."""
        ends = self._totals.ends()
        if ends == self._seen:
            return
        self._seen = ends
        series = (series_of(key) for key, _, _ in self._totals.read())
        found = (labels for name, labels in series if self._counts(name, labels))
        self._known.update(labels[self._label] for labels in found if self._label in labels)
        self._known.discard(OTHER)
