"""TLS towards clients: the certificate that is shown, renewed while serving, and the handshake.

The TLS state machine is OpenSSL's, fed from memory: what is encrypted and what is on the wire stay
two things, so that write buffers are counted exactly and an end is said in order or not at all.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import msgspec

from inference_gateway.server.errors import GatewayError
from inference_gateway.server.transport.connections import Connections
from inference_gateway.server.transport.secured import SecuredTransport
from inference_gateway.server.transport.server import ServerConnection

logger = logging.getLogger("inference_gateway.tls")

_RECORD = 16_384
"""Bytes of the largest TLS record."""
_TURNED_AWAY = 100
"""Clients above the cap on connections that are shaken hands with, only to be told so."""


class UnusableFiles(Exception):
    """TLS files cannot be read or used; the message names them and says why."""


class UnusableCertificate(UnusableFiles):
    """It is the certificate, its key, or that the two do not match."""


class UnusableAuthorities(UnusableFiles):
    """It is the authorities of clients."""


class TLSFiles(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files, and what is asked of clients."""

    certificate: Path
    """The certificate, and those that lead to its authority."""
    key: Path
    client_authorities: Path | None = None
    """Where given, a client must show a certificate of one of these."""
    minimum: Literal["TLS12", "TLS13"] = "TLS12"

    def stamp(self) -> tuple[object, ...]:
        """Return what changes with the files, whether or not they can be read."""
        paths = (self.certificate, self.key, self.client_authorities)
        return tuple(_stamp(path) for path in paths if path is not None)


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_ino, status.st_size


def server_context(files: TLSFiles) -> ssl.SSLContext:
    """Context that shows the certificate.

    :raises UnusableFiles: a file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if files.minimum == "TLS13" else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password, OpenSSL would ask for one at the terminal and wait.
        context.load_cert_chain(files.certificate, files.key, password="")
    except OSError as error:  # ssl.SSLError is one
        raise UnusableCertificate(f"{files.certificate} with {files.key}: {error}") from error
    if files.client_authorities is not None:
        _verify_clients(context, files.client_authorities)
    return context


def _verify_clients(context: ssl.SSLContext, authorities: Path) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cafile=authorities)
    except OSError as error:
        raise UnusableAuthorities(f"{authorities}: {error}") from error


class Certificates:
    """The context for new connections; those that are open keep theirs.

    :raises UnusableFiles: a file cannot be read or used.
    """

    def __init__(self, files: TLSFiles) -> None:
        self._files = files
        self._stamp = files.stamp()
        self.context = server_context(files)

    def refresh(self) -> None:
        """Read the files anew if they changed; what cannot be used is logged, and the old ones stay."""
        if self._files.stamp() != self._stamp:
            self.reload()

    def reload(self) -> None:
        """Read the files anew; what cannot be used is logged, and the old ones stay."""
        self._stamp = self._files.stamp()
        try:
            self.context = server_context(self._files)
        except UnusableFiles as error:
            logger.error("the renewed TLS files cannot be used, the old ones stay in use: %s", error)
        else:
            logger.info("the TLS files were read anew: %s", self._files.certificate)


class TLSConnection(asyncio.Protocol):
    """One client's connection below its HTTP: shakes hands, then decrypts.

    :param shared: what counts the connection until HTTP begins.
    :param connect: makes the HTTP side, once the handshake is done.
    :param patience: seconds that the handshake may take; None is no bound.
    """

    def __init__(
        self,
        shared: Connections,
        connect: Callable[[], ServerConnection],
        loop: asyncio.AbstractEventLoop,
        *,
        context: ssl.SSLContext,
        patience: float | None,
    ) -> None:
        self._shared = shared
        self._connect = connect
        self._loop = loop
        self._patience = patience
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._timer: asyncio.TimerHandle | None = None
        self._raw: asyncio.Transport
        # After the handshake
        self._secured: SecuredTransport | None = None
        self._http: ServerConnection

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client's hello."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self._raw = cast("asyncio.Transport", transport)
        if len(self._shared.open) >= self._shared.limits.max_connections + _TURNED_AWAY:
            self._raw.abort()
            return
        self._shared.add(self)
        if self._patience is not None:
            self._timer = self._loop.call_later(self._patience, self._raw.abort)

    def data_received(self, data: bytes) -> None:
        """Decrypt what arrived."""
        if self._secured is not None and self._secured.ended:
            self._http.data_received(data)  # only thrown away: nobody need decrypt it
            return
        self._incoming.write(data)
        secured = self._secured or self._shake_hands()
        if secured is not None:
            self._read(secured)

    def eof_received(self) -> None:
        """Pass on that the client sends no more, be it said in order or not."""
        if self._secured is not None:
            self._http.eof_received()
            self._secured.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free what there is."""
        self._cancel_timer()
        if self._secured is None:
            self._shared.remove(self)
        else:
            self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the client takes nothing."""
        if self._secured is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client takes again."""
        if self._secured is not None:
            self._http.resume_writing()

    # Called by the server, as long as there is no HTTP.

    def drain(self) -> None:
        """Let the handshake go on: a request is on its way."""

    def drain_gently(self) -> None:
        """Let the handshake go on: a request is on its way."""

    def end(self, error: GatewayError) -> None:
        """Close: there is nobody yet who could be told why."""
        self._raw.abort()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()

    def unsent(self) -> int:
        """Bytes that wait for the client to take them: none of an answer."""
        return 0

    # The rest is nobody's business.

    def _shake_hands(self) -> SecuredTransport | None:
        if self._raw.is_closing():
            return None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return None
        except ssl.SSLError as error:
            logger.debug("a client's TLS handshake failed: %s", error)
            self._flush()  # the alert that says why
            self._raw.close()
            return None
        self._cancel_timer()
        self._flush()
        return self._begin_http()

    def _begin_http(self) -> SecuredTransport:
        self._secured = SecuredTransport(self._raw, self._tls, self._outgoing)
        self._http = self._connect()
        # From here on the HTTP side is the one that counts.
        self._shared.open.discard(self)
        self._http.connection_made(self._secured)
        return self._secured

    def _read(self, secured: SecuredTransport) -> None:
        pieces, ended = self._decrypt()
        secured.flush()
        if pieces:
            self._http.data_received(b"".join(pieces))
        if ended and not secured.is_closing():
            self._http.eof_received()
            secured.close()

    def _decrypt(self) -> tuple[list[bytes], bool]:
        """Return what can be read, and whether that was the last."""
        pieces = []
        try:
            while piece := self._tls.read(_RECORD):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return pieces, False
        except ssl.SSLError as error:
            logger.debug("a client's TLS broke: %s", error)
        return pieces, True

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
