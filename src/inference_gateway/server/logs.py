"""The log: one line for each event, as JSON or for people, written by a thread so that nobody waits for it.

Fields of an event come in a record's `fields`. What finds no room is dropped and counted.
"""

import contextlib
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from inference_gateway.server import codec

logger = logging.getLogger("inference_gateway.logs")

Format = Literal["json", "console"]

_MOST_LINES = 10_000
"""Lines that wait to be written."""
_LAST_WORDS = 2.0
"""Seconds that the lines which wait at the end have to leave."""
_CONSOLE: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a record tells beside its message."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


class _JSONLines(logging.Formatter):
    """Each record as one object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            return codec.encode(line).decode()
        except UnicodeEncodeError:
            return codec.encode_leniently(line).decode()


class _ConsoleLines(logging.Formatter):
    """Each record for people: the fields behind the message."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        line = super().formatMessage(record) + fields
        # What callers say must not look like a line, or move the cursor, of whoever reads.
        return line if line.isprintable() else "".join(map(_shown, line))


def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


class _Plain(logging.StreamHandler[TextIO]):
    """Writes each line at once: what `set_up` leaves behind."""


def set_up(level: str, form: Format) -> None:
    """Log to the standard error stream, unless a program around this one has a log of its own.

    Called again, with another level and form.
    """
    root = logging.getLogger()
    if all(isinstance(each, _Plain) for each in root.handlers):
        handler = _Plain(sys.stderr)
        handler.setFormatter(_JSONLines() if form == "json" else _ConsoleLines(_CONSOLE))
        root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The loop's own debug lines say nothing of the gateway.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class Outlet(logging.Handler):
    """Takes records without waiting; a thread writes their lines.

    :param file: descriptor of the file to write to; the thread may wait for it for ever, and holds no lock.
    :param most: lines that wait at one time.
    :ivar dropped: lines that found no room, ever.
    """

    def __init__(self, file: int, *, most: int = _MOST_LINES) -> None:
        super().__init__()
        self.dropped = 0
        self._file = file
        self._most = most
        self._lines: deque[str] = deque()
        self._news = threading.Event()
        self._ends = False
        self._told = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; drop it where too many wait."""
        if len(self._lines) >= self._most:
            self.dropped += 1
            return
        self._lines.append(self.format(record) + "\n")
        self._news.set()

    def end(self, patience: float = _LAST_WORDS) -> None:
        """Write what waits, for so many seconds at most."""
        self._ends = True
        self._news.set()
        self._thread.join(patience)

    def _write(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            self._empty()
            if self._ends and not self._lines:
                return

    def _empty(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads the log any more
            while self._lines:
                waiting = self._lines.popleft().encode("utf-8", "backslashreplace")
                while waiting:
                    waiting = waiting[os.write(self._file, waiting) :]
        # Looked at once: more may be dropped meanwhile, and is told of the next time.
        dropped = self.dropped
        if dropped > self._told:
            lost, self._told = dropped - self._told, dropped
            self._tell(lost)

    def _tell(self, lost: int) -> None:
        """Say how many lines were lost, whether there is room or not: it is said once."""
        if logger.isEnabledFor(logging.WARNING):
            notice = "%d lines of the log were dropped: nobody took them in time"
            record = logging.LogRecord(logger.name, logging.WARNING, "", 0, notice, (lost,), None)
            self._lines.append(self.format(record) + "\n")
            self._news.set()


@contextlib.contextmanager
def unblocked() -> Iterator[Outlet | None]:
    """Let a thread write the log of this process while the block runs; None where none was set up here.

    Not to be used before a fork: a thread stays behind in the parent.
    """
    root = logging.getLogger()
    plain = root.handlers[0] if len(root.handlers) == 1 else None
    if not isinstance(plain, _Plain):
        yield None
        return
    outlet = Outlet(plain.stream.fileno())
    outlet.setFormatter(plain.formatter)
    root.handlers[:] = [outlet]
    try:
        yield outlet
    finally:
        root.handlers[:] = [plain]
        outlet.end()
