"""TLS towards providers: verified, always."""

import ssl
from pathlib import Path
from typing import Literal


def client_context(
    *, ca_file: Path | None = None, minimum: Literal["TLS12", "TLS13"] = "TLS12"
) -> ssl.SSLContext:
    """Context that verifies a provider's certificate and name.

    :param ca_file: certificates to trust beside the system's.
    :raises OSError: `ca_file` cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if minimum == "TLS13" else ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
