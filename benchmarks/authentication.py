"""What knowing a caller costs, and what bad tokens leave behind: `python -m benchmarks.authentication`.

Needs nothing but the project's environment. Prints the time that a request with a known token or key takes
beyond one that nobody asks, and the growth of memory over a million bad ones (`--flood` sets how many).
"""

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from inference_gateway.server.api.authentication import Guard
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.keys.ring import KeyRing
from inference_gateway.server.oidc import key_set
from inference_gateway.server.oidc.issuer import Issuer
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.oidc.tokens import Tokens
from inference_gateway.server.serve import open_pool
from inference_gateway.server.settings import Settings
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.messages import Request

ISSUER = "https://issuer.example"
API_KEY = "igw_benchmark-key-that-is-long-enough"
ROUNDS, CALLS = 9, 20_000


class FixedIssuer(Issuer):
    """An issuer whose keys need not be fetched."""

    async def ready(self) -> None:
        """Be ready."""


def guard() -> tuple[Guard, Callable[..., str]]:
    """Make a guard, and what signs tokens for it."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key())
    issuer = FixedIssuer(ISSUER, open_pool(Settings()), Background())
    issuer.keys = key_set.parse(b'{"keys": [%b]}' % public.encode())
    issuer.algorithms = frozenset({"RS256"})
    policy = Policy(issuer=ISSUER, audiences=frozenset({"gateway"}))

    def sign(**claims: object) -> str:
        said = {"iss": ISSUER, "aud": "gateway", "sub": "alice", "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(said, private, "RS256")

    return Guard(KeyRing([API_KEY], None), Tokens(policy, issuer)), sign


def request_with(token: str) -> Request:
    """A request as clients send it."""
    names = (b"host", b"user-agent", b"accept", b"content-type", b"accept-encoding", b"connection")
    headers = [*((name, b"x") for name in names), (b"authorization", b"Bearer " + token.encode())]
    body = IncomingBody(None, length=0, limit=0)  # type: ignore[arg-type]  # nobody reads it
    return Request("POST", b"/v1/chat/completions", headers=headers, body=body)


def microseconds(work: Callable[[], object]) -> float:
    """Fastest of some rounds, per call."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            work()
        best = min(best, time.perf_counter() - began)
    return best / CALLS * 1e6


async def flood(watch: Guard, good: str, count: int) -> float:
    """Show that many bad tokens, half of them down to the signature; return the growth in MB."""
    head, payload, signature = good.split(".")

    async def show(numbers: range) -> None:
        for n in numbers:
            bad = f"{head}.{payload[:-8]}{n:08d}.{signature}" if n % 2 else f"unknown-{n:024d}"
            try:
                await watch.admit(request_with(bad))
            except GatewayError:
                continue
            raise AssertionError("a bad token was let in")

    await show(range(2000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await show(range(2000, 2000 + count))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


async def main(count: int) -> None:
    """Measure and print."""
    watch, sign = guard()
    claims = {"email": "alice@example.test", "scope": "openid profile llm", "groups": ["a" * 20] * 10}
    token = sign(**claims)
    first = request_with(token)
    await watch.admit(first)
    asked, keyed = request_with(token), request_with(API_KEY)
    assert watch.recall(asked) is not None
    assert watch.recall(keyed) is not None
    print(f"a known token of {len(token)} bytes   {microseconds(lambda: watch.recall(asked)):6.2f} µs")
    print(f"a known API key               {microseconds(lambda: watch.recall(keyed)):6.2f} µs")
    began = time.perf_counter()
    grown = await flood(watch, token, count)
    taken = (time.perf_counter() - began) / count * 1e6 if count else 0.0
    print(f"{count} bad tokens          {taken:6.2f} µs each, memory grew by {grown:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flood", type=int, default=1_000_000, help="bad tokens to show (%(default)s)")
    asyncio.run(main(parser.parse_args(sys.argv[1:]).flood))
