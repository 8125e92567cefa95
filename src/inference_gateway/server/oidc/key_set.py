"""An issuer's public keys, each bound to the algorithms that it may be used with. No I/O.

That binding is what token confusion breaks on: an RSA key verifies RSA signatures, whatever a token's
header says, and no key verifies `none` or an HMAC. https://www.rfc-editor.org/rfc/rfc7517
"""

import logging
from typing import Any

import jwt
import msgspec
from jwt.algorithms import RSAAlgorithm

from inference_gateway.server.errors import UpstreamError

logger = logging.getLogger("inference_gateway.oidc")

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
    ("OKP", "Ed448"): frozenset({"EdDSA"}),
}
ALGORITHMS = _RSA.union(*_CURVES.values())
"""Every algorithm that is taken at all."""

_MOST_KEYS = 100
_SMALLEST_RSA = 2048
_LARGEST_RSA = 8192
_LONGEST_NUMBER = 2048
"""Characters of a number of a key: what is larger takes long to use."""


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


_decode = msgspec.json.Decoder(_Set).decode


class Key(msgspec.Struct, frozen=True):
    """One public key."""

    id: str
    """`kid`, empty where it has none."""
    algorithms: frozenset[str]
    public: jwt.PyJWK
    members: tuple[tuple[str, Any], ...]
    """The numbers that make the key."""


def parse(body: bytes) -> tuple[Key, ...]:
    """Read a key set; what cannot verify a signature of a token is left out.

    :raises UpstreamError: no key set, or no usable key in it.
    """
    try:
        found = _decode(body).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamError("the issuer's keys are not a key set") from None
    if len(found) > _MOST_KEYS:
        raise UpstreamError(f"the issuer has more than {_MOST_KEYS} keys")
    keys = tuple(key for each in found if (key := _key(each)) is not None)
    if not keys:
        raise UpstreamError("none of the issuer's keys can be used")
    return keys


def _key(found: dict[str, Any]) -> Key | None:
    id = found.get("kid", "")
    algorithms = _algorithms(found)
    if not algorithms or not isinstance(id, str) or not _is_for_signatures(found):
        return None
    if any(isinstance(value, str) and len(value) > _LONGEST_NUMBER for value in found.values()):
        return None
    # The private half and chains of certificates are none of our business.
    plain: dict[str, Any] = {
        name: found[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in found
    }
    try:
        public = jwt.PyJWK(plain, algorithm=min(algorithms))
    except (jwt.PyJWTError, ValueError, TypeError):
        logger.warning("the issuer's key %.64r cannot be read: left out", id)
        return None
    if isinstance(public.Algorithm, RSAAlgorithm):
        size: int = public.key.key_size
        if not _SMALLEST_RSA <= size <= _LARGEST_RSA:
            logger.warning("the issuer's key %.64r has %d bits: left out", id, size)
            return None
    return Key(id, algorithms, public, tuple(sorted(plain.items())))


def _is_for_signatures(found: dict[str, Any]) -> bool:
    operations = found.get("key_ops", ["verify"])
    return found.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _algorithms(found: dict[str, Any]) -> frozenset[str]:
    """Algorithms that a key may be used with: those of its type, or of these the one it names."""
    kind, curve = found.get("kty"), found.get("crv")
    fitting = _RSA if kind == "RSA" else _CURVES.get((str(kind), str(curve)), frozenset())
    named = found.get("alg")
    return fitting if named is None else fitting & {str(named)}
