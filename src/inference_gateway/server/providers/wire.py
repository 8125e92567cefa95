"""How a call to one provider is written: where it goes, what identifies it, what never changes.

Everything that is the same for each call is put together once, at start-up.
"""

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

from inference_gateway._version import __version__
from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.transport.messages import Header
from inference_gateway.server.transport.origin import Origin

_USER_AGENT = f"inference-gateway/{__version__}".encode("ascii")
_VERSION_SEGMENT = re.compile(rb"/v\d+[a-z0-9]*\Z")


class Wire:
    """Request heads for one provider. Holds its key: never print it."""

    def __init__(self, provider: Provider) -> None:
        self.origin = Origin.of(provider.base_url, identity=provider.tls_identity)
        path = urlsplit(provider.base_url).path
        self.base_path = quote(path, safe="/%:@!$&'()*+,;=~-._").encode("ascii")
        self._key_query = _key_query(provider)
        self.query_secrets: tuple[bytes, ...] = ()
        if provider.key is not None and self._key_query:
            self.query_secrets = (
                self._key_query.removeprefix(b"key="),
                provider.key.reveal().encode("latin-1"),
            )
        self._host = b"host: %b\r\n" % self.origin.authority.encode("ascii")
        self._fixed = _fixed(provider)
        self._fixed_names = frozenset(name for name, _ in self._fixed)
        self._usual = [
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in provider.headers.items()
            if name.encode("ascii") not in self._fixed_names
        ]
        self._own = _lines(self._usual + self._fixed)

    def inference_head(self, path: str, headers: list[Header]) -> bytes:
        """Head of an inference request to a path of the provider's row: JSON in, no content coding out."""
        headers = [header for header in headers if header[0] != b"content-type"]
        return self._head(b"POST", self.base_path + path.encode("ascii"), _JSON, headers)

    def listing_head(self, target: str) -> bytes:
        """Head of a request for a list."""
        return self._head(b"GET", self.base_path + target.encode("ascii"), _LISTING, [])

    def raw_head(self, method: str, path: bytes, query: bytes, headers: list[Header]) -> bytes:
        """Head of a raw request; `path` begins with a slash, is below the base path, and is checked."""
        target = self._joined(path)
        if self._key_query:
            # The key stands alone: a client's own `key` would be read in its place.
            query = b"&".join(p for p in query.split(b"&") if p and not _names_key(p))
        return self._head(method.encode("ascii"), target + b"?" + query if query else target, b"", headers)

    def _joined(self, path: bytes) -> bytes:
        """Join, with a version that base and path both name written once."""
        version = _VERSION_SEGMENT.search(self.base_path)
        if version is not None and (path + b"/").startswith(version[0] + b"/"):
            path = path[len(version[0]) :]
        return self.base_path + path or b"/"

    def _head(self, method: bytes, target: bytes, fields: bytes, headers: list[Header]) -> bytes:
        if self._key_query:
            target += (b"&" if b"?" in target else b"?") + self._key_query
        own = self._own if not headers else self._beside(headers)
        return b"".join((method, b" ", target, b" HTTP/1.1\r\n", self._host, fields, own))

    def _beside(self, headers: list[Header]) -> bytes:
        """Write a client's fields with ours: it may say better what is usual, never what is fixed."""
        given = {name for name, _ in headers}
        usual = [header for header in self._usual if header[0] not in given]
        return _lines([h for h in headers if h[0] not in self._fixed_names] + usual + self._fixed)


def _lines(headers: list[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_JSON = _lines([(b"content-type", b"application/json"), (b"accept-encoding", b"identity")])
_LISTING = _lines([(b"accept", b"application/json"), (b"accept-encoding", b"identity")])


def _fixed(provider: Provider) -> list[Header]:
    """Fields that no client changes: what the operator set, and the credentials, last."""
    fields = [(b"user-agent", _USER_AGENT)]
    for name, value in provider.operator_headers.items():
        fields.append((name.lower().encode("ascii"), value.reveal().encode("latin-1")))
    if provider.key is not None:
        key = provider.key.reveal().encode("latin-1")
        if provider.auth == "bearer":
            fields.append((b"authorization", b"Bearer " + key))
        elif provider.auth == "xheader":
            fields.append((b"x-api-key", key))
    return fields


def _names_key(parameter: bytes) -> bool:
    return unquote_to_bytes(parameter.partition(b"=")[0]) == b"key"


def _key_query(provider: Provider) -> bytes:
    if provider.auth != "query" or provider.key is None:
        return b""
    return b"key=" + quote(provider.key.reveal(), safe="").encode("ascii")


_SEPARATORS = re.compile(rb"[/\\]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_DECODINGS = 3
"""How often a path is decoded in search of a dot segment: as often as a chain of servers might."""


def checked_path(path: bytes) -> bytes:
    """Return a path that stays below whatever it is joined to.

    :raises BadRequest: a dot segment or a control character in it, however it is encoded.
    """
    plain = path
    for _ in range(_DECODINGS + 1):
        # `..;x` is a dot segment to servers that strip path parameters.
        segments = [segment.partition(b";")[0] for segment in _SEPARATORS.split(plain)]
        if b".." in segments or b"." in segments or _CONTROL.search(plain):
            raise BadRequest("the path must not contain dot segments or control characters")
        plain = unquote_to_bytes(plain)
    return path
