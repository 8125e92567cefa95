"""One token held to an issuer's keys and the operator's terms. No I/O.

https://www.rfc-editor.org/rfc/rfc8725 is what it follows. Of a token's header only `alg`, `kid` and `typ`
are looked at: keys, and places to fetch keys from, that a token brings along (`jwk`, `jku`, `x5c`, `x5u`)
are as good as not there.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any

import jwt
import msgspec

from inference_gateway.server.errors import Unauthorized
from inference_gateway.server.oidc.key_set import ALGORITHMS, Key
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.principal import Principal

LONGEST = 16 * 1024
"""Bytes of the longest token that is looked at."""

_SHAPE = re.compile(rb"[A-Za-z0-9_-]{2,4096}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,2048}")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# Without an id, any key might be meant; each try costs.
_MOST_TRIES = 4
_LONGEST_NAME = 256


class Header(msgspec.Struct, frozen=True):
    """What is looked at of a token's header."""

    alg: str
    kid: str = ""
    typ: str = "JWT"
    crit: object = None


class Verified(msgspec.Struct, frozen=True):
    """A token that is genuine and good, and until when, in Unix seconds."""

    principal: Principal
    expires: float


class UnknownKey(Unauthorized):
    """The key that a token names is not among those known: the issuer may have a new one."""


_decode_header = msgspec.json.Decoder(Header).decode


def header_of(token: bytes) -> Header:
    """Read a token's header.

    :raises Unauthorized: this is no token that is taken here.
    """
    if len(token) > LONGEST or not _SHAPE.fullmatch(token):
        raise Unauthorized("the token is neither a JWT nor a known API key")
    encoded = token.partition(b".")[0]
    try:
        header = _decode_header(urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        raise Unauthorized("the token has no readable header") from None
    if header.alg not in ALGORITHMS:
        raise Unauthorized("the token is signed in a way that is not taken here")
    if header.typ.lower() not in _TYPES:
        raise Unauthorized("the token is of another kind than is taken here")
    if header.crit is not None:
        raise Unauthorized("the token asks for an extension that is not understood here")
    return header


def fitting_keys(header: Header, keys: Sequence[Key], algorithms: frozenset[str]) -> list[Key]:
    """Return the keys that may have signed a token.

    :raises UnknownKey: the one that it names is not there.
    :raises Unauthorized: none of those there are could have.
    """
    if header.alg not in algorithms:
        raise Unauthorized("the token is signed in a way that the issuer does not use")
    named = [key for key in keys if key.id == header.kid] if header.kid else list(keys)
    if not named:
        raise UnknownKey("the token is signed with a key that the issuer does not have")
    fitting = [key for key in named if header.alg in key.algorithms]
    if not fitting:
        raise Unauthorized("the token is signed in a way that does not fit its key")
    return fitting[:_MOST_TRIES]


def verify(token: bytes, header: Header, keys: Sequence[Key], policy: Policy) -> Verified:
    """Check a token against keys that may have signed it.

    :raises Unauthorized: it is not genuine, not meant for us, or not good now.
    :raises InsufficientScope: it does not grant what it must.
    """
    claims, expires = _claims(token, header, keys, policy)
    subject, name = claims["sub"], _name(claims)
    if not subject or len(subject) > _LONGEST_NAME or not subject.isprintable():
        raise Unauthorized("the token names nobody")
    policy.check_grants(claims)
    principal = Principal(kind="oidc", subject=subject, name=name or subject, claims=claims)
    return Verified(principal, expires + policy.leeway)


def _claims(
    token: bytes, header: Header, keys: Sequence[Key], policy: Policy
) -> tuple[dict[str, Any], float]:
    """Return what a genuine token says, and when it expires in Unix seconds."""
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public.key,
                algorithms=[header.alg],
                issuer=policy.issuer,
                audience=policy.audiences,
                leeway=policy.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            # A time may be written as text, or be too large for a clock.
            return claims, float(claims["exp"])
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(_reason(error)) from None
    raise Unauthorized("the token's signature is not the issuer's")


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not good yet"),
    (jwt.InvalidIssuedAtError, "the token does not say well when it was issued"),
    (jwt.InvalidIssuerError, "the token is of another issuer"),
    (jwt.InvalidAudienceError, "the token is meant for somebody else"),
    (jwt.MissingRequiredClaimError, "the token lacks one of exp, iss, aud and sub"),
)


def _reason(error: Exception) -> str:
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the token cannot be read")


def _name(claims: dict[str, Any]) -> str:
    for claim in ("name", "preferred_username", "email"):
        found = claims.get(claim)
        if isinstance(found, str) and found.isprintable():
            return found[:_LONGEST_NAME]
    return ""
