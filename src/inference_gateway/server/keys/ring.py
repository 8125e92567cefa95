"""The API keys that are good now: those of the settings, and those of a file, read anew when it changes."""

import logging
from collections.abc import Iterable
from datetime import datetime
from math import inf
from pathlib import Path
from time import monotonic, time

import msgspec

from inference_gateway.server.keys import file
from inference_gateway.server.keys.file import Stamp, UnusableKeys
from inference_gateway.server.keys.record import principal_of
from inference_gateway.server.principal import Principal

logger = logging.getLogger("inference_gateway.keys")

_LOOK_EVERY = 1.0
"""Seconds between two looks at whether the file changed."""


class _Entry(msgspec.Struct, frozen=True):
    principal: Principal
    expires: float
    """Unix time in seconds; `inf` is never."""


class KeyRing:
    """Finds who a key belongs to.

    :param given: keys themselves.
    :param path: file of hashed keys, if there is one.
    :raises UnusableKeys: the file cannot be used.
    """

    def __init__(self, given: Iterable[str], path: Path | None) -> None:
        self._given = {
            digest: _Entry(principal, inf) for digest, principal in (principal_of(key) for key in given)
        }
        self._path = path
        self._entries = self._given
        self._stamp: Stamp | None = None
        self._next_look = inf
        if path is not None:
            self._read(path)

    def find(self, digest: bytes) -> Principal | None:
        """Return whose key has this SHA-256, None where no good key has."""
        if monotonic() >= self._next_look:
            self._look()
        entry = self._entries.get(digest)
        return entry.principal if entry is not None and time() < entry.expires else None

    def reload(self) -> None:
        """Read the file anew; what cannot be used is logged, and the keys known before go on."""
        if self._path is None:
            return
        try:
            self._read(self._path)
        except UnusableKeys as error:
            logger.error("the API keys stay as they were: %s", error)

    def _look(self) -> None:
        assert self._path is not None
        self._next_look = monotonic() + _LOOK_EVERY
        try:
            changed = file.stamp(self._path) != self._stamp
        except OSError:
            changed = self._stamp is not None
        if changed:
            self.reload()

    def _read(self, path: Path) -> None:
        self._next_look = monotonic() + _LOOK_EVERY
        # Noted first: a change while it is read is found by the next look, and trouble is logged once.
        try:
            self._stamp = file.stamp(path)
        except OSError:
            self._stamp = None
        kept = file.read(path).keys
        entries = {key.digest: _Entry(key.principal, _seconds(key.expires)) for key in kept}
        self._entries = {**entries, **self._given}


def _seconds(moment: datetime | None) -> float:
    return inf if moment is None else moment.timestamp()
