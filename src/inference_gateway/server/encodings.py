"""Content codings that a provider used unasked, undone with a bound on what comes out. No I/O."""

import zlib

from inference_gateway.server.errors import UpstreamError

_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class Decoder:
    """Undo gzip or deflate, piece by piece.

    :param coding: value of `Content-Encoding`.
    :param limit: most bytes that may come out of it all together.
    :raises UpstreamError: a coding that is not known.
    """

    def __init__(self, coding: bytes, *, limit: int) -> None:
        window = _WINDOWS.get(coding.strip().lower())
        if window is None:
            raise UpstreamError("the answer is encoded though it was asked to be plain")
        self._inflate = zlib.decompressobj(window)
        self._left = limit

    def feed(self, data: bytes) -> bytes:
        """Undo the coding of a piece.

        :raises UpstreamError: broken data, or more than the limit.
        """
        try:
            plain = self._inflate.decompress(data, self._left + 1)
        except zlib.error:
            raise UpstreamError("the answer is encoded and broken") from None
        if self._inflate.eof and self._inflate.unused_data:
            raise UpstreamError("the answer is encoded, and more follows behind its end")
        self._left -= len(plain)
        if self._left < 0:
            raise UpstreamError("the answer is larger than what is taken here")
        return plain

    @property
    def whole(self) -> bool:
        """Whether the coded data reached its own end."""
        return self._inflate.eof


def decoder(coding: bytes | None, *, limit: int) -> Decoder | None:
    """Decoder for a `Content-Encoding`, None where there is nothing to undo."""
    if coding is None or coding.strip().lower() in (b"", b"identity"):
        return None
    return Decoder(coding, limit=limit)
