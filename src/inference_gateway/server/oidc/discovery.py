"""What an issuer says of itself. No I/O.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
"""

import re
from urllib.parse import urlsplit

import msgspec

from inference_gateway.server.configuration.addresses import is_loopback
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.oidc.key_set import ALGORITHMS

_URL = re.compile(r"https?://[!-~]{1,2000}")
_NETLOC = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class _Document(msgspec.Struct):
    issuer: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str] = []


class Metadata(msgspec.Struct, frozen=True):
    """Where an issuer's keys are, and how it signs."""

    jwks_uri: str
    algorithms: frozenset[str]


_decode = msgspec.json.Decoder(_Document).decode


def discovery_url(issuer: str) -> str:
    """Where an issuer describes itself."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def parse(body: bytes, issuer: str) -> Metadata:
    """Read what an issuer says of itself.

    :raises UpstreamError: not such a document, or another issuer's, or no key of it could be trusted.
    """
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamError(f"the issuer {issuer} does not answer with a discovery document") from None
    if document.issuer != issuer:
        raise UpstreamError(
            f"the issuer calls itself {document.issuer[:200]!r}, not {issuer!r}: "
            "write AUTH_OIDC_ISSUER exactly as it does, with or without a slash at its end"
        )
    # RS256 is what every issuer must offer.
    offered = frozenset(document.id_token_signing_alg_values_supported or ["RS256"]) & ALGORITHMS
    if not offered:
        raise UpstreamError(f"the issuer {issuer} offers no algorithm that is taken here")
    return Metadata(_checked_location(document.jwks_uri, issuer), offered)


def _checked_location(uri: str, issuer: str) -> str:
    """Hold the place of the keys to what the issuer itself was held to: TLS, or loopback both.

    :raises UpstreamError: it is no such place.
    """
    try:
        parts = urlsplit(uri)
        well_formed = bool(_URL.fullmatch(uri) and _NETLOC.fullmatch(parts.netloc) and not parts.fragment)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        well_formed = port_fits = False
    if not (well_formed and port_fits):
        raise UpstreamError(f"the issuer {issuer} names no usable jwks_uri")
    if parts.scheme == "https":
        return uri
    if is_loopback(urlsplit(issuer).hostname or "") and is_loopback(parts.hostname or ""):
        return uri
    raise UpstreamError(f"the issuer {issuer} names a jwks_uri that is not https")
