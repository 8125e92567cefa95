"""TLS towards providers: verified, always."""

import ssl
from pathlib import Path
from typing import Literal, NoReturn

import msgspec


class ClientCertificate(msgspec.Struct, frozen=True):
    """What the gateway shows to a provider that asks who it is."""

    certificate: Path
    """PEM, followed by the authorities between it and the provider's root, if any."""
    key: Path | None = None
    """PEM without a passphrase; None where it stands in the certificate's file."""


def client_context(
    *, ca_file: Path | None = None, minimum: Literal["TLS12", "TLS13"] = "TLS12"
) -> ssl.SSLContext:
    """Context that verifies a provider's certificate and name.

    :param ca_file: certificates to trust beside the system's.
    :raises OSError: `ca_file` cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context()
    _trust_system(context)
    if ca_file is not None:
        trust(context, ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if minimum == "TLS13" else ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def trust(context: ssl.SSLContext, ca_file: Path) -> None:
    """Trust the authorities of a file beside those trusted already.

    :raises OSError: it cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    context.load_verify_locations(cafile=str(ca_file))


def identify(context: ssl.SSLContext, given: ClientCertificate) -> None:
    """Show a certificate to whoever asks for one.

    :raises OSError: a file cannot be read, or the two do not belong together (`ssl.SSLError`).
    :raises ValueError: the key has a passphrase.
    """

    def refuse() -> NoReturn:
        # Without this, OpenSSL would ask at the terminal.
        raise ValueError("the key has a passphrase; give one without")

    key = str(given.key) if given.key is not None else None
    context.load_cert_chain(str(given.certificate), key, password=refuse)


def _trust_system(context: ssl.SSLContext) -> None:
    """Trust the system's own authorities also where SSL_CERT_FILE made OpenSSL read that file instead."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile != paths.openssl_cafile and Path(paths.openssl_cafile).is_file():
        trust(context, Path(paths.openssl_cafile))
