"""Numbers in shared memory, a region for each process, so that totals outlive the process that counts.

A region belongs to the process that holds its lock; the kernel takes the lock from one that dies, and the
next process goes on where that one stopped. Adding is a store to memory: no call, no lock, no file.
"""

import contextlib
import fcntl
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Iterator

import msgspec

from inference_gateway.server.telemetry.watch import Watch

_SIZE = 16 * 1024 * 1024
"""Bytes of a region; what nobody writes to takes no memory."""
_TAIL = 64 * 1024
"""Bytes at a region's end that are no series, but what a process tells in words."""
_SCRATCH = 64
"""Numbers that are written and never read, for series that found no room."""
_DOUBLE = 8
_BEGIN = _DOUBLE * (1 + _SCRATCH)
"""Where the first record stands: behind the end of the last one, and the scratch."""
_HEAD = struct.Struct("=II")
"""Of a record: bytes of its key, how many numbers follow it."""
_END = struct.Struct("=Q")


class Record(msgspec.Struct, frozen=True):
    """One series as some process counts it."""

    key: bytes
    offset: int
    """Of its first number, in bytes from the region's beginning."""
    count: int


class Region:
    """The numbers of this process.

    :ivar values: all numbers; a series stands at the index that `place` returned.
    :ivar lost: series that found no room.
    :ivar tail: bytes for what is told in words.
    """

    def __init__(self, file: int, number: int) -> None:
        self.number = number
        self._memory = mmap.mmap(file, _SIZE, offset=number * _SIZE)
        self.values = memoryview(self._memory).cast("d")
        self.tail = memoryview(self._memory)[_SIZE - _TAIL :]
        [end] = _END.unpack_from(self._memory)
        self._end: int = end or _BEGIN
        self.lost = 0
        self._places = {
            record.key: record.offset // _DOUBLE for record in records(bytes(self._memory[: self._end]))
        }

    def place(self, key: bytes, count: int) -> int:
        """Index of the first of the numbers of a series, which goes on where it stood."""
        index = self._places.get(key)
        if index is None:
            index = self._places[key] = self._append(key, count)
        return index

    def series(self) -> list[bytes]:
        """Return the key of each series."""
        return list(self._places)

    def _append(self, key: bytes, count: int) -> int:
        offset = self._end + _HEAD.size + _padded(len(key))
        end = offset + count * _DOUBLE
        if end > _SIZE - _TAIL:
            self.lost += 1
            return 1  # the scratch
        _HEAD.pack_into(self._memory, self._end, len(key), count)
        begin = self._end + _HEAD.size
        self._memory[begin : begin + len(key)] = key
        # Told last: whoever reads meanwhile does not see half a record.
        self._end = end
        _END.pack_into(self._memory, 0, end)
        return offset // _DOUBLE


def _padded(size: int) -> int:
    return -(-size // _DOUBLE) * _DOUBLE


def records(memory: bytes) -> Iterator[Record]:
    """Walk over the records of a region's bytes, up to their end."""
    position = _BEGIN
    while position < len(memory):
        size, count = _HEAD.unpack_from(memory, position)
        begin = position + _HEAD.size
        offset = begin + _padded(size)
        yield Record(memory[begin : begin + size], offset, count)
        position = offset + count * _DOUBLE


class Totals:
    """What all processes of one gateway count. Made before they are forked.

    :ivar started: when that was, in seconds since 1970.
    :ivar watch: whether somebody looks.
    """

    def __init__(self) -> None:
        self.started = time.time()
        self.watch = Watch()
        if hasattr(os, "memfd_create"):
            self._file = os.memfd_create("inference-gateway-totals")
        else:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
        self._own: Region | None = None

    def claim(self) -> Region:
        """Take a region for this process: one that a dead process left, or a new one."""
        number = 0
        while not self._lock(number):
            number += 1
        # Writing extends the file and, other than truncating, never shrinks it for somebody else.
        if os.fstat(self._file).st_size < (number + 1) * _SIZE:
            os.pwrite(self._file, b"\0", (number + 1) * _SIZE - 1)
        self._own = Region(self._file, number)
        return self._own

    def ends(self) -> tuple[int, ...]:
        """Return where the last series of each other process ends: where nothing moved, nothing is new."""
        own = self._own.number if self._own is not None else -1
        return tuple(self._end(number) for number in range(self._regions()) if number != own)

    def read(self) -> Iterator[tuple[bytes, tuple[float, ...], bool]]:
        """Give each series of each process: key, numbers, whether its process lives."""
        for number in range(self._regions()):
            end = self._end(number)
            if not end:
                continue
            lives = self._lives(number)
            memory = os.pread(self._file, end, number * _SIZE)
            for record in records(memory):
                yield (
                    record.key,
                    struct.unpack_from(f"={record.count}d", memory, record.offset),
                    lives,
                )

    def tails(self) -> Iterator[tuple[bytes, bool]]:
        """Give what each process tells in words, and whether it lives."""
        for number in range(self._regions()):
            tail = os.pread(self._file, _TAIL, (number + 1) * _SIZE - _TAIL)
            yield tail, self._lives(number)

    def close(self) -> None:
        """Give everything up but the memory of this process, to which work under way may still add.

        Idempotent.
        """
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _regions(self) -> int:
        return os.fstat(self._file).st_size // _SIZE

    def _end(self, number: int) -> int:
        end: int = _END.unpack(os.pread(self._file, _END.size, number * _SIZE))[0]
        return end

    def _lives(self, number: int) -> bool:
        if self._own is not None and self._own.number == number:
            return True
        if not self._lock(number):
            return True
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number * _SIZE)
        return False

    def _lock(self, number: int) -> bool:
        with contextlib.suppress(BlockingIOError, PermissionError):
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number * _SIZE)
            return True
        return False
