"""An OpenID Connect issuer that does what a test tells it to: signs, rotates, lies, goes down, comes back."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "gateway"

_RSA = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
"""Making them takes long: all tests share them."""
_EC = ec.generate_private_key(ec.SECP256R1())
_ED = ed25519.Ed25519PrivateKey.generate()


class SigningKey:
    """A private key under a name."""

    def __init__(self, kid: str, private: Any, algorithm: str) -> None:
        self.kid = kid
        self.private = private
        self.algorithm = algorithm

    def public(self) -> dict[str, Any]:
        """The other half, as a key set has it."""
        of: Callable[..., Any] = RSAAlgorithm.to_jwk
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            of = ECAlgorithm.to_jwk
        elif isinstance(self.private, ed25519.Ed25519PrivateKey):
            of = OKPAlgorithm.to_jwk
        return {**of(self.private.public_key(), as_dict=True), "kid": self.kid, "use": "sig"}


def rsa_key(kid: str = "one", *, number: int = 0, algorithm: str = "RS256") -> SigningKey:
    """One of two RSA keys, under any name."""
    return SigningKey(kid, _RSA[number], algorithm)


def ec_key(kid: str = "curve") -> SigningKey:
    return SigningKey(kid, _EC, "ES256")


def ed_key(kid: str = "edwards") -> SigningKey:
    return SigningKey(kid, _ED, "EdDSA")


class FakeIssuer:
    """An issuer on loopback, on a port that it keeps when it goes down."""

    def __init__(self) -> None:
        self.keys = [rsa_key()]
        self.algorithms: list[str] | None = ["RS256", "PS256", "ES256", "EdDSA"]
        self.changes: dict[str, object] = {}
        """What its discovery document says otherwise."""
        self.asked: list[str] = []
        self.redirect = ""
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    def start(self) -> None:
        """Answer."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def token(
        self, key: SigningKey | None = None, *, headers: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """Sign a token that is good but for what is said otherwise; a claim that is None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, **claims}
        payload = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(payload, key.private, key.algorithm, headers={"kid": key.kid, **(headers or {})})

    def answer(self, path: str) -> object:
        """What it says at a path; None for nothing."""
        if path == "/.well-known/openid-configuration":
            document: dict[str, object] = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
            if self.algorithms is not None:
                document["id_token_signing_alg_values_supported"] = self.algorithms
            return {**document, **self.changes}
        return {"keys": [key.public() for key in self.keys]} if path == "/jwks" else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                answer = issuer.answer(self.path)
                if issuer.redirect:
                    self.send_response(302)
                    self.send_header("Location", issuer.redirect)
                else:
                    self.send_response(404 if answer is None else 200)
                body = json.dumps(answer).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return Handler
