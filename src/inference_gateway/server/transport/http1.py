"""HTTP/1.1 on the server side, sans I/O: what a request head must satisfy, how a response head is written.

https://www.rfc-editor.org/rfc/rfc9112. The grammar itself (line ends, tokens, lengths, chunk sizes) is
enforced by llhttp in strict mode; this module adds what llhttp leaves to its caller.
"""

import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from inference_gateway.server.errors import BadRequest, NotImplementedHere, VersionNotSupported
from inference_gateway.server.transport.messages import Header

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
JOIN = 16 * 1024
"""Up to this size in bytes, copying a body behind its head is cheaper than a second buffer."""

_STATUS_LINES = {s.value: b"HTTP/1.1 %d %b\r\n" % (s.value, s.phrase.encode("ascii")) for s in HTTPStatus}
# Letters of a host and port in a URL. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2
_IN_HOST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:[]"
_NO_CONTENT = frozenset({204, 304})
# Numbers: a byte looked for as bytes is first taken for a number, in vain, and takes five times as long.
_NUL, _HASH = b"\0#"
_ONE_HOST = "a request needs exactly one Host header"


def check_request_line(method: str, version: str) -> None:
    """Refuse what is not HTTP/1.0 or 1.1, and to be a tunnel.

    :raises VersionNotSupported: another version.
    :raises BadRequest: the method asks for a tunnel.
    """
    if method == "CONNECT":
        raise BadRequest("this server opens no tunnels")
    if version not in ("1.1", "1.0"):
        raise VersionNotSupported("this server speaks HTTP/1.1 and HTTP/1.0")


def check_protocol(raw: bytes, target: bytes, start: int) -> int:
    """Refuse a request line that does not have HTTP for its protocol, one space behind its target.

    :param raw: what the line is in, from `start` on.
    :returns: from where on the next line is in it.
    :raises BadRequest: it is not there.
    """
    found = raw.find(b" %b HTTP/" % target, start)
    if found < 0:
        raise BadRequest("a request must begin with a line such as 'GET / HTTP/1.1'")
    return found + len(target)


def check_framing(headers: list[Header], index: Mapping[bytes, bytes], *, version: str) -> int | None:
    """Check what decides how long a request is and whom it is for.

    :param index: value of the first field of each name.

    :returns: the body's length in bytes, 0 without a body, None when it is chunked.
    :raises BadRequest: not exactly one `Host` in HTTP/1.1, not a host in it, or a length that is none.
    :raises NotImplementedHere: a transfer coding other than `chunked`.
    """
    host = index.get(b"host")
    if host is None:
        if version == "1.1":
            raise BadRequest(_ONE_HOST)
    elif host.translate(None, _IN_HOST):
        raise BadRequest("the Host header is not the name of a host")
    if len(index) < len(headers) and [name for name, _ in headers].count(b"host") > 1:
        raise BadRequest(_ONE_HOST)
    if b"transfer-encoding" in index:
        if any(name == b"transfer-encoding" and value.lower() != b"chunked" for name, value in headers):
            raise NotImplementedHere("the only transfer coding understood here is 'chunked'")
        if version == "1.0":
            raise BadRequest("HTTP/1.0 has no Transfer-Encoding")
        return None
    # The parser takes no second length, nor one beside a transfer coding.
    length = index.get(b"content-length")
    return 0 if length is None else _length(length)


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise BadRequest("Content-Length must be a decimal number")
    return int(value)


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target in origin or absolute form.

    :raises BadRequest: another form, or a fragment.
    """
    if target[:1] != b"/" and target != b"*":
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise BadRequest("the request target must be a path")
        authority, slash, path = rest.partition(b"/")
        if not authority or b"?" in authority:
            raise BadRequest("the request target must be a path")
        target = slash + path or b"/"
    if _HASH in target:
        raise BadRequest("the request target must not have a fragment")
    path, _, query = target.partition(b"?")
    return path, query


def lead_in(length: int | None) -> bytes:
    """Request head that brings a new parser to the beginning of a body: `length` bytes, None is chunked."""
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing


def has_content(status: int) -> bool:
    """Whether an answer of this status has a body."""
    return status not in _NO_CONTENT and status >= 200


def response_head(status: int, headers: list[Header], framing: bytes) -> bytes:
    """Status line, fields, `framing` (whole lines that say the length and the connection's fate), blank line.

    :raises ValueError: a field with a line break in it, which would end the head early.
    """
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status
    fields = b"".join([b"%b: %b\r\n" % header for header in headers])
    count = len(headers)
    if fields.count(b"\n") != count or fields.count(b"\r") != count or _NUL in fields:
        raise ValueError("a response header contains a line break")
    return b"".join((line, fields, _dates.line(), framing, b"\r\n"))


class _Dates:
    """The Date line, written anew once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._line = b"date: %b\r\n" % formatdate(now, usegmt=True).encode("ascii")
        return self._line


_dates = _Dates()
