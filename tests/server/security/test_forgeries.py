"""Tokens made without the issuer's private key: each known way of confusing a verifier, and random ones."""

import contextlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.gateway import FakeGateway
from fakes.issuer import AUDIENCE, FakeIssuer, SigningKey, ec_key, ed_key, rsa_key
from inference_gateway.server.errors import GatewayError, InsufficientScope, Unauthorized
from inference_gateway.server.oidc import key_set
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.oidc.verification import fitting_keys, header_of, verify
from inference_gateway.server.principal import Principal

Start = Callable[..., FakeGateway]
ISSUER = "https://issuer.test"
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": 4_000_000_000}
PUBLIC = [rsa_key().public(), ec_key().public(), ed_key().public()]
KEYS = key_set.parse(json.dumps({"keys": PUBLIC}).encode())
POLICY = Policy(issuer=ISSUER, audiences=frozenset({AUDIENCE}))


def encoded(value: object) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


def made(header: dict[str, object], signature: Callable[[bytes], bytes], claims: object = CLAIMS) -> bytes:
    signed = encoded(header) + b"." + encoded(claims)
    return signed + b"." + encoded(signature(signed))


def by_password(password: bytes, digest: str) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(password, signed, digest)


def check(token: bytes) -> Principal:
    header = header_of(token)
    keys = fitting_keys(header, KEYS, key_set.ALGORITHMS)
    return verify(token, header, keys, POLICY).principal


PEM = rsa_key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = rsa_key().private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
GOOD = jwt.encode(CLAIMS, rsa_key().private, "RS256", headers={"kid": "one"}).encode()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(b".")
FORGED = {
    "none": made({"alg": "none", "kid": "one"}, lambda _: b""),
    "None with a signature": made({"alg": "None", "kid": "one"}, lambda _: b"xx"),
    "nOnE": made({"alg": "nOnE"}, lambda _: b"x"),
    "no alg": made({"kid": "one"}, lambda _: b"x"),
    "alg is a list": made({"alg": ["RS256"], "kid": "one"}, lambda _: b"x"),
    "rs256 in lower case": made({"alg": "rs256", "kid": "one"}, lambda _: b"x"),
    "HS256 with the public key as PEM": made({"alg": "HS256", "kid": "one"}, by_password(PEM, "sha256")),
    "HS384 with it stripped": made({"alg": "HS384", "kid": "one"}, by_password(PEM.strip(), "sha384")),
    "HS512 with it as DER": made({"alg": "HS512", "kid": "one"}, by_password(DER, "sha512")),
    "HS256 with it as JWK": made({"alg": "HS256"}, by_password(json.dumps(PUBLIC[0]).encode(), "sha256")),
    "HS256 with nothing": made({"alg": "HS256", "kid": ""}, by_password(b"", "sha256")),
    "an RSA signature by an EC key's name": made({"alg": "ES256", "kid": "one"}, lambda _: b"x" * 64),
    "ES256 of zeros": made({"alg": "ES256", "kid": "curve"}, lambda _: b"\0" * 64),
    "EdDSA of zeros": made({"alg": "EdDSA", "kid": "edwards"}, lambda _: b"\0" * 64),
    "an EC key of another curve": made({"alg": "ES384", "kid": "curve"}, lambda _: b"x" * 96),
    "an empty signature": HEAD + b"." + PAYLOAD + b".",
    "no signature": HEAD + b"." + PAYLOAD,
    "other claims": HEAD + b"." + encoded({**CLAIMS, "sub": "root"}) + b"." + SIGNATURE,
    "another header": encoded({"alg": "RS256", "kid": "one", "x": 1}) + b"." + PAYLOAD + b"." + SIGNATURE,
    "another's key": jwt.encode(CLAIMS, rsa_key(number=1).private, "RS256", headers={"kid": "one"}).encode(),
    "PS256 claimed for RS256": encoded({"alg": "PS256", "kid": "one"}) + b"." + PAYLOAD + b"." + SIGNATURE,
    "five parts": b".".join([HEAD, b"xx", b"xx", b"xx", b"xx"]),
    "nested too deeply": encoded(b"[" * 3000) + b"." + PAYLOAD + b"." + SIGNATURE,
    "too long": HEAD + b"." + b"A" * 20_000 + b"." + SIGNATURE,
    "twice the name": encoded(b'{"alg":"none","alg":"RS256","kid":"two"}') + b"." + PAYLOAD + b".xx",
    "padding": HEAD + b"==." + PAYLOAD + b"." + SIGNATURE,
    "white space": HEAD + b" ." + PAYLOAD + b"." + SIGNATURE,
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(token: bytes) -> None:
    assert check(GOOD).subject == "alice"
    with pytest.raises(Unauthorized):
        check(token)


def test_forged_tokens_are_refused_over_the_wire(trusting: Start, issuer: FakeIssuer) -> None:
    gateway = trusting()
    claims = {**CLAIMS, "iss": issuer.url, "exp": int(time.time()) + 60}
    for header, signature in (
        ({"alg": "none"}, b""),
        ({"alg": "none", "kid": "one"}, b"xx"),
        ({"alg": "HS256", "kid": "one"}, None),
    ):
        sign = by_password(PEM, "sha256") if signature is None else lambda _, s=signature: s
        token = made(header, sign, claims).decode()
        reply = gateway.request("GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})
        assert (reply.status, reply.json()) == (401, {"error": "unauthorized"})


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_no_byte_of_a_token_can_be_changed(place: int, byte: int) -> None:
    changed = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    if changed == GOOD:
        assert check(changed).subject == "alice"
        return
    with pytest.raises(Unauthorized):
        check(changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["alg", "kid", "typ", "crit", "exp", "nbf", "iat", "iss", "aud", "sub", "scope", "scp", "name", "jti"]
)


@given(st.dictionaries(NAMES, JSON), st.dictionaries(NAMES, JSON))
@settings(max_examples=200, deadline=None)
def test_whatever_a_token_says_it_is_let_in_or_refused(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    """A token that the issuer itself signed, saying anything: no other exception comes out."""
    signer = SigningKey("one", rsa_key().private, "RS256")

    def sign(signed: bytes) -> bytes:
        return jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(signed, signer.private)

    token = made({"alg": "RS256", "kid": "one", **header}, sign, {**CLAIMS, **claims})
    with contextlib.suppress(Unauthorized, InsufficientScope):
        assert check(token).subject


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_token_are_refused(noise: bytes) -> None:
    with pytest.raises(Unauthorized):
        check(noise)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kty", "crv", "kid", "alg", "use", "n", "e", "x", "y", "key_ops"]),
            JSON | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "AQAB", "sig"]),
        )
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_a_key_set_says_it_is_read_or_refused(found: list[dict[str, object]]) -> None:
    try:
        keys = key_set.parse(json.dumps({"keys": [*found, PUBLIC[1]]}).encode())
    except GatewayError:
        return
    assert all(key.algorithms <= key_set.ALGORITHMS for key in keys)
