"""What each process tells in words: since when it counts, and its last requests that did not end well.

It stands behind the figures in the process's region of shared memory, so that any process can tell of all,
and of one that died. Never what people write or models answer, and no secret.
"""

import os
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from inference_gateway.server.telemetry.totals import Region, Totals

_HEAD = struct.Struct("=dd")
"""Of a tail: since when the process counts (0: not), and its id."""
_RING_HEAD = struct.Struct("=Q")
"""Of a ring: how many were ever written."""
_SLOT_HEAD = struct.Struct("=I")
_SLOT = 1024
_FAILURES = 40
_REFUSALS = 20
_LONGEST: Final = 300
"""Characters of one text of a note."""


class Mishap(msgspec.Struct, frozen=True, kw_only=True):
    """A request that did not end well."""

    at: float
    """When it ended, in seconds since 1970."""
    request_id: str
    path: str
    outcome: str
    """In the words of `Outcome`."""
    status: int = 0
    """What the client was answered with; 0 where the answer began well, or was none."""
    code: str = ""
    """What a refusal is called."""
    provider: str = ""
    model: str = ""
    """As the client wrote it."""
    message: str = ""
    """What was wrong; empty where only the provider knows."""


class Worker(msgspec.Struct, frozen=True):
    """One process, as it tells of itself."""

    pid: int
    counts_since: float
    """In seconds since 1970; 0 where it does not count."""


_decode = msgspec.json.Decoder(Mishap).decode


class _Ring:
    """The last notes of one kind. Written by one process, read by any: what is half written is not read."""

    def __init__(self, begin: int, slots: int) -> None:
        self._begin = begin
        self._slots = slots

    @property
    def end(self) -> int:
        return self._begin + _RING_HEAD.size + self._slots * _SLOT

    def write(self, tail: memoryview, note: bytes) -> None:
        [written] = _RING_HEAD.unpack_from(tail, self._begin)
        slot = self._slot(written % self._slots)
        _SLOT_HEAD.pack_into(tail, slot, 0)
        tail[slot + _SLOT_HEAD.size : slot + _SLOT_HEAD.size + len(note)] = note
        _SLOT_HEAD.pack_into(tail, slot, len(note))
        _RING_HEAD.pack_into(tail, self._begin, written + 1)

    def read(self, tail: bytes) -> Iterator[Mishap]:
        for number in range(self._slots):
            slot = self._slot(number)
            [size] = _SLOT_HEAD.unpack_from(tail, slot)
            if 0 < size <= _SLOT - _SLOT_HEAD.size:
                try:
                    yield _decode(tail[slot + _SLOT_HEAD.size : slot + _SLOT_HEAD.size + size])
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue  # read while it was written

    def _slot(self, number: int) -> int:
        return self._begin + _RING_HEAD.size + number * _SLOT


# Two, so that a flood of refusals does not hide what failed.
_FAILED: Final = _Ring(_HEAD.size, _FAILURES)
_REFUSED: Final = _Ring(_FAILED.end, _REFUSALS)


class Board:
    """What this process tells."""

    def __init__(self, region: Region) -> None:
        self._tail = region.tail
        self.stop_counting()

    def start_counting(self) -> None:
        """Say that requests are counted from now on."""
        _HEAD.pack_into(self._tail, 0, time.time(), float(os.getpid()))

    def stop_counting(self) -> None:
        """Say that they are not, or no longer."""
        _HEAD.pack_into(self._tail, 0, 0.0, float(os.getpid()))

    def failed(self, mishap: Mishap) -> None:
        """Note a request that failed on its way."""
        _FAILED.write(self._tail, _encoded(mishap))

    def refused(self, mishap: Mishap) -> None:
        """Note a request that the gateway refused."""
        _REFUSED.write(self._tail, _encoded(mishap))


class Told(msgspec.Struct, frozen=True):
    """What all processes tell."""

    workers: list[Worker]
    """Those that live."""
    failures: list[Mishap]
    """Requests that failed, the newest first."""
    refusals: list[Mishap]
    """Requests that were refused, the newest first."""


def told(totals: Totals) -> Told:
    """Read what all processes tell, dead ones too."""
    workers: list[Worker] = []
    failures: list[Mishap] = []
    refusals: list[Mishap] = []
    for tail, lives in totals.tails():
        since, pid = _HEAD.unpack_from(tail)
        if lives and pid:
            workers.append(Worker(pid=int(pid), counts_since=since))
        failures += _FAILED.read(tail)
        refusals += _REFUSED.read(tail)
    return Told(workers, _newest(failures, _FAILURES), _newest(refusals, _REFUSALS))


def _newest(mishaps: Iterable[Mishap], most: int) -> list[Mishap]:
    return sorted(mishaps, key=lambda mishap: mishap.at, reverse=True)[:most]


def _encoded(mishap: Mishap) -> bytes:
    texts = {name: getattr(mishap, name)[:_LONGEST] for name in ("path", "provider", "model", "message")}
    note = msgspec.json.encode(msgspec.structs.replace(mishap, **texts))
    while len(note) > _SLOT - _SLOT_HEAD.size:
        # Letters of several bytes, or many that JSON escapes.
        texts = {name: text[: len(text) // 2] for name, text in texts.items()}
        note = msgspec.json.encode(msgspec.structs.replace(mishap, **texts))
    return note
