"""The file that API keys are kept in: read with care, replaced as a whole."""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from inference_gateway.server.keys.record import KeyList

LIMIT = 4 * 1024 * 1024
"""Bytes of the largest file that is read."""

Stamp = tuple[int, int, int]
"""What changes when a file is written: inode, size, time."""

_decode = msgspec.json.Decoder(KeyList).decode


class UnusableKeys(Exception):
    """API keys cannot be used; the message says why, and shows none."""


def stamp(path: Path) -> Stamp:
    """Look whether a file was written since.

    :raises OSError: there is no such file.
    """
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def read(path: Path) -> KeyList:
    """Read a file of keys.

    :raises UnusableKeys: it cannot be read, is none, or others could read or change it.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            _check_mode(path, os.fstat(file.fileno()).st_mode)
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise UnusableKeys(f"cannot read {str(path)!r}: {error.strerror}") from error
    if len(content) > LIMIT:
        raise UnusableKeys(f"{str(path)!r} is larger than {LIMIT} bytes")
    try:
        return _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableKeys(f"{str(path)!r} is not a file of API keys: {error}") from error


def _open_at_once(path: str, flags: int) -> int:
    # A pipe would wait for somebody to write to it: opened, it is seen to be no file.
    return os.open(path, flags | os.O_NONBLOCK)


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnusableKeys(f"{str(path)!r} is not a file")
    # Containers mount secrets for a group to read: that much is left to the operator.
    if stat.S_IMODE(mode) & 0o027:
        raise UnusableKeys(
            f"{str(path)!r} can be read by everybody or changed by a group (mode {stat.S_IMODE(mode):04o}): "
            "run chmod 600 on it"
        )


def change(path: Path, edit: Callable[[KeyList], KeyList]) -> None:
    """Replace what a file says; there need not be one yet. One program at a time.

    :raises UnusableKeys: it cannot be read or written.
    """
    try:
        with _alone_in(path.parent):
            known = read(path) if path.exists() else KeyList(version=1)
            _replace(path, msgspec.json.format(msgspec.json.encode(edit(known))) + b"\n")
    except OSError as error:
        raise UnusableKeys(f"cannot write {str(path)!r}: {error.strerror}") from error


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _replace(path: Path, content: bytes) -> None:
    # A link goes on pointing at what is replaced.
    path = path.resolve()
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            _keep_owner(path, file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _keep_owner(path: Path, new: int) -> None:
    """Let who could read the old file read the new one: the gateway need not run as who runs this."""
    if path.exists():
        old = path.stat()
        os.fchmod(new, stat.S_IMODE(old.st_mode))
        with contextlib.suppress(PermissionError):
            os.fchown(new, old.st_uid, old.st_gid)
