"""A transport that encrypts: what an HTTP connection writes to when its client speaks TLS.

Over any stream transport. It never waits for the peer's own close_notify: most clients send none.
https://www.rfc-editor.org/rfc/rfc8446#section-6.1
"""

import asyncio
import contextlib
import ssl
from typing import Any


class SecuredTransport(asyncio.Transport):
    """Encrypts what is written; the rest is the raw transport's.

    :param tls: the connection's TLS state, its handshake done.
    :param outgoing: where that state leaves what is to be sent.
    """

    __slots__ = ("_outgoing", "_raw", "_tls", "ended")

    def __init__(self, raw: asyncio.Transport, tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
        self._raw = raw
        self._tls = tls
        self._outgoing = outgoing
        self.ended = False
        """Whether the client was told that nothing follows, or must not be told."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; after the end, and on a broken connection, they are dropped."""
        if self.ended:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError:
            self.abort()
        else:
            self.flush()

    def flush(self) -> None:
        """Send what the TLS state has to say."""
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def close(self) -> None:
        """Say that nothing follows, and close once everything was sent."""
        self._say_goodbye()
        self._raw.close()

    def break_off(self) -> None:
        """Close once everything was sent, in a way that no client can take for an answer's end."""
        self.ended = True
        self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        self.ended = True
        self._raw.abort()

    def can_write_eof(self) -> bool:
        """Tell that one side can be closed."""
        return self._raw.can_write_eof()

    def write_eof(self) -> None:
        """Say that nothing follows; what the client sends from now on is not decrypted any more."""
        self._say_goodbye()
        self._raw.write_eof()

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        """Take nothing from the client for now."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again."""
        self._raw.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bound the encrypted bytes that wait."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Count the encrypted bytes that wait."""
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> Any:
        """Return what is known of the connection."""
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def _say_goodbye(self) -> None:
        if self.ended:
            return
        self.ended = True
        # It sends our goodbye, and then complains that the other one is not there yet.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self.flush()
