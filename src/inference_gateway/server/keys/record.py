"""API keys as they are kept: their hash, never themselves. No I/O.

A key is 256 random bits, so that a plain SHA-256 of it cannot be turned back by guessing; salts and slow
hashes are for what people think up. Looking a hash up tells an attacker nothing by its timing either: to
choose how far a comparison gets, one would have to choose what SHA-256 yields.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from inference_gateway.server.principal import Principal

PREFIX = "igw_"
"""How keys made here begin, so that scanners for leaked secrets know one."""

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key of a file.

    :raises ValueError: a field is not what it should be; the message names it.
    """

    name: str
    sha256: str
    """SHA-256 of the key, in lower-case hexadecimal."""
    created: datetime
    expires: datetime | None = None
    """When it stops working; None is never."""
    allowed_models: tuple[str, ...] = ()
    """The only models it is good for, `id` or `provider/id`; none means all."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("a key's name is 1 to 64 of A-Z, a-z, 0-9, '.', '_', '@' and '-'")
        if not _HASH.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("expires must say its time zone, such as 2030-01-01T00:00:00Z")
        if not all(model.strip() for model in self.allowed_models):
            raise ValueError("allowed_models has a blank name")

    @property
    def digest(self) -> bytes:
        """The hash as bytes."""
        return bytes.fromhex(self.sha256)

    @property
    def principal(self) -> Principal:
        """Who uses this key."""
        models = frozenset(model.lower() for model in self.allowed_models)
        return Principal(kind="api_key", subject=self.name, name=self.name, allowed_models=models)


class KeyList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file of keys says.

    :raises ValueError: two keys have one name, or one hash.
    """

    version: int
    keys: tuple[KeyRecord, ...] = ()

    def __post_init__(self) -> None:
        if self.version != 1:
            raise ValueError("version must be 1")
        if len({key.name for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same name")
        if len({key.sha256 for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same hash")


def create(name: str, *, expires: datetime | None, allowed_models: Iterable[str]) -> tuple[str, KeyRecord]:
    """Make a key; return it and what is kept of it.

    :raises ValueError: the name or a model's name cannot be one.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    record = KeyRecord(
        name=name,
        sha256=sha256(key.encode("ascii")).hexdigest(),
        created=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
        allowed_models=tuple(allowed_models),
    )
    return key, record


def principal_of(key: str) -> tuple[bytes, Principal]:
    """Hash of a key from the settings, and who uses it: it goes by the beginning of its hash."""
    digest = sha256(key.encode("ascii")).digest()
    subject = f"key-{digest.hex()[:8]}"
    return digest, Principal(kind="api_key", subject=subject, name=subject)
