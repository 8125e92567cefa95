"""Bad credentials in numbers: they leave nothing behind, and teach nothing by how they are looked up."""

import asyncio
import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fakes.gateway import FakeGateway
from fakes.issuer import AUDIENCE, FakeIssuer
from inference_gateway.server.api.authentication import Guard, open_guard
from inference_gateway.server.configuration import load
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.keys.record import create
from inference_gateway.server.keys.ring import KeyRing
from inference_gateway.server.oidc import tokens as tokens_module
from inference_gateway.server.serve import open_pool
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.incoming import IncomingBody
from inference_gateway.server.transport.messages import Request

Start = Callable[..., FakeGateway]
KEY = "a-key-of-the-settings"


def request_with(token: str) -> Request:
    headers = [(b"host", b"h"), (b"authorization", b"Bearer " + token.encode())]
    body = IncomingBody(None, length=0, limit=0)  # type: ignore[arg-type]  # nobody reads it
    return Request("GET", b"/v1/models", headers=headers, body=body)


async def refused(guard: Guard, token: str) -> None:
    request = request_with(token)
    assert guard.recall(request) is None
    with pytest.raises(GatewayError):
        await guard.admit(request)


def in_loop(issuer: FakeIssuer, work: Callable[[Guard], Any]) -> None:
    """Run with a guard that knows a key and an issuer."""
    environ = {"AUTH_API_KEYS": KEY, "AUTH_OIDC_ISSUER": issuer.url, "AUTH_OIDC_CLIENT_ID": AUDIENCE}
    settings = load(environ=environ, dotenv=None).settings

    async def run() -> None:
        background, pool = Background(), open_pool(settings)
        guard = open_guard(settings.auth, pool, background)
        assert guard is not None
        try:
            await work(guard)
        finally:
            await background.close()
            pool.close()

    asyncio.run(run())


def test_bad_credentials_leave_no_memory_behind(issuer: FakeIssuer) -> None:
    good = issuer.token()
    head, payload, signature = good.split(".")
    # Half of them get as far as a signature, the others fall earlier.
    bad = [f"{head}.{payload[:-6]}{n:06d}.{signature}" for n in range(1000)]
    bad += [f"unknown-key-{n:012d}" for n in range(1000)]

    async def work(guard: Guard) -> None:
        for token in bad[::20]:
            await refused(guard, token)
        gc.collect()
        before = sys.getallocatedblocks()
        for token in bad:
            await refused(guard, token)
        gc.collect()
        assert sys.getallocatedblocks() - before < 200
        assert (await guard.admit(request_with(good))).subject == "alice"

    in_loop(issuer, work)


def test_good_tokens_are_remembered_up_to_a_bound(
    issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "MOST", 3)

    async def work(guard: Guard) -> None:
        tokens = [issuer.token(sub=f"user-{n}") for n in range(4)]
        for token in tokens[:3]:
            await guard.admit(request_with(token))
        assert guard.recall(request_with(tokens[0])) is not None
        await guard.admit(request_with(tokens[3]))
        remembered = [guard.recall(request_with(token)) is not None for token in tokens]
        assert remembered == [True, False, True, True], "the one not used for longest gave way"

    in_loop(issuer, work)


def test_a_remembered_token_ends_when_it_expires(issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(guard: Guard) -> None:
        request = request_with(issuer.token())
        await guard.admit(request)
        assert guard.recall(request) is not None
        later = tokens_module.time() + 331
        monkeypatch.setattr(tokens_module, "time", lambda: later)
        assert guard.recall(request) is None

    in_loop(issuer, work)


class Digest(bytes):
    """A hash that counts how it is looked at."""

    compared: ClassVar[Counter[str]] = Counter()

    def __eq__(self, other: object) -> bool:
        self.compared["eq"] += 1
        return bytes.__eq__(self, other)

    def __hash__(self) -> int:
        return bytes.__hash__(self)


def test_looking_a_key_up_compares_nothing_but_whole_hashes() -> None:
    """Of keys only SHA-256 is kept, and a table finds it: without a match there is no comparison to time."""
    given = [create(f"k{n}", expires=None, allowed_models=())[0] for n in range(500)]
    ring = KeyRing(given, None)
    digests = list(ring._entries)
    assert all(len(digest) == 32 for digest in digests)
    Digest.compared.clear()
    for digest in digests[:100]:
        # As near to a right one as can be: all but the last bit.
        near = Digest(digest[:-1] + bytes([digest[-1] ^ 1]))
        assert ring.find(near) is None
    assert Digest.compared["eq"] == 0
    assert not any(key in repr(vars(ring)) for key in given)


def test_nothing_of_the_oidc_part_is_imported_where_no_issuer_is_configured(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from inference_gateway.server import cli\n"
        "from inference_gateway.server.configuration import load\n"
        "from inference_gateway.server.serve import open_gateway\n"
        f"open_gateway(load(environ={{'AUTH_API_KEYS': '{KEY}'}}, dotenv=None).settings)\n"
        "assert not {'jwt', 'cryptography'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_without_the_extra_the_start_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['jwt'] = None\n"
        "sys.argv[1:] = ['serve', '--port', '0']\n"
        "from inference_gateway.server.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"AUTH_OIDC_ISSUER": "https://issuer.test", "AUTH_OIDC_CLIENT_ID": "c"},
    )
    assert ran.returncode == 2
    assert "'.[server,auth]'" in ran.stderr
