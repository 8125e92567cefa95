"""Server-sent events: bytes in, events out, and back. No I/O, no asyncio.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# A lone CR at the end of the buffer may be half of a CRLF: wait for more.
_NEWLINE = re.compile(rb"\r\n|\n|\r(?!\Z)")
_BOM = b"\xef\xbb\xbf"
# More digits are no time that anybody waits, and Python does not convert them without bound.
_MILLISECONDS = re.compile(rb"[0-9]{1,15}")


class EventTooLarge(ValueError):
    """An event is larger than the parser was told to hold."""


class Event(NamedTuple):
    """One event. `data` is its lines joined by newlines; `retry` is in milliseconds."""

    data: bytes
    event: bytes = b"message"
    id: bytes | None = None
    retry: int | None = None


class Parser:
    """Feed chunks cut anywhere; get the events they complete.

    :param limit: most bytes that are held for an event that is not whole.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        # Bytes that join what they are held with at once: in pieces of two each would cost 20 times its size.
        self._rest = bytearray()
        self._beginning = True
        # Per event
        self._data: list[bytes] = []
        self._data_size = 0
        self._event = b""
        self._id: bytes | None = None
        self._retry: int | None = None

    @property
    def pending(self) -> bool:
        """Whether bytes of an event that is not whole are held."""
        return bool(self._rest or self._data)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take a chunk.

        :raises EventTooLarge: more is held than `limit`.
        """
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif self._data:
                yield self._take()
            else:
                self._reset()

    def finish(self) -> Iterator[Event]:
        """Take the end of the stream; get the event that lacks no more than its blank line.

        The specification drops it. Whoever cannot tell whether it is whole by its content must as well.
        """
        rest, self._rest = bytes(self._rest), bytearray()
        if self._beginning:
            rest = rest.removeprefix(_BOM)
        for line in rest.splitlines():
            self._field(line)
        if self._data:
            yield self._take()

    def _lines(self, chunk: bytes) -> list[bytes]:
        # Looked at only when a line ends, so that a long line in small pieces costs no more than its length.
        after_cr = self._rest.endswith(b"\r")
        self._rest += chunk
        if b"\n" not in chunk and b"\r" not in chunk and not after_cr:
            self._check_size()
            return []
        buffer = bytes(self._rest)
        if self._beginning:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            self._beginning = False
            buffer = buffer.removeprefix(_BOM)
        *lines, rest = _NEWLINE.split(buffer)
        self._rest = bytearray(rest)
        self._check_size()
        return lines

    def _check_size(self) -> None:
        if len(self._rest) + self._data_size > self._limit:
            raise EventTooLarge(f"an event is larger than {self._limit} bytes")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            # The newline that joins it counts as well, or lines without data would cost nothing.
            self._data_size += len(value) + 1
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and _MILLISECONDS.fullmatch(value):
            self._retry = int(value)

    def _take(self) -> Event:
        event = Event(b"\n".join(self._data), self._event or b"message", self._id, self._retry)
        self._reset()
        return event

    def _reset(self) -> None:
        self._data, self._event, self._id, self._retry = [], b"", None, None
        self._data_size = 0


def encode(data: bytes, *, event: bytes = b"") -> bytes:
    r"""Write one event; `data` may have several lines, ended by `\n`."""
    name = b"event: %b\n" % event if event else b""
    return name + b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
