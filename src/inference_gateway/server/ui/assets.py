"""The files of the status page, read once, under names that change with what is in them.

A browser runs what is in these files and nothing else: https://www.w3.org/TR/CSP3/
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

import msgspec

from inference_gateway.server.transport.messages import Header

_KINDS: Final[Mapping[str, bytes]] = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
SAFE: Final[tuple[Header, ...]] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""What keeps the page to itself."""
_REVALIDATED: Header = (b"cache-control", b"no-cache")
_IMMUTABLE: Header = (b"cache-control", b"public, max-age=31536000, immutable")
_SHELL = "index.html"
_PLACE = b"{{static}}"
"""Stands in the shell for the folder of the other files, relative so that a prefix does no harm."""


class Asset(msgspec.Struct, frozen=True):
    """One file as it is served."""

    body: bytes
    headers: tuple[Header, ...]
    tag: bytes
    """Its ETag."""


class Assets(msgspec.Struct, frozen=True):
    """All files. `digest` says which version of the page they are."""

    digest: str
    shell: Asset
    by_path: Mapping[bytes, Asset]


def load() -> Assets:
    """Read the files from the package."""
    found = dict(_files(files("inference_gateway.server.ui").joinpath("static"), ""))
    digest = sha256(b"".join(name.encode() + body for name, body in sorted(found.items()))).hexdigest()[:16]
    folder = f"ui/static/{digest}"
    shell = found.pop(_SHELL).replace(_PLACE, folder.encode())
    return Assets(
        digest=digest,
        shell=_asset(_SHELL, shell, _REVALIDATED),
        by_path={
            f"/{folder}/{name}".encode(): _asset(name, body, _IMMUTABLE) for name, body in found.items()
        },
    )


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, f"{prefix}{each.name}/")
        elif PurePosixPath(each.name).suffix in _KINDS:
            yield prefix + each.name, each.read_bytes()


def _asset(name: str, body: bytes, caching: Header) -> Asset:
    tag = b'"%b"' % sha256(body).hexdigest()[:32].encode()
    kind = _KINDS[PurePosixPath(name).suffix]
    return Asset(body, ((b"content-type", kind), caching, (b"etag", tag), *SAFE), tag)
