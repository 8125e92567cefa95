"""The same promises against an issuer that somebody else wrote."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway, Reply
from fakes.node_issuer import AUDIENCE, NodeIssuer, needs_node_issuer
from fakes.provider import FakeProvider
from inference_gateway.server.oidc import issuer as issuer_module

pytestmark = needs_node_issuer
Start = Callable[..., FakeGateway]


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[NodeIssuer]:
    """An issuer of tokens."""
    started = NodeIssuer(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def start(start_gateway: Start, provider: FakeProvider, issuer: NodeIssuer) -> Start:
    """Start gateways that trust the issuer."""
    return lambda **environ: start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        AUTH_ENABLED="true",
        AUTH_OIDC_ISSUER=issuer.url,
        AUTH_OIDC_CLIENT_ID=AUDIENCE,
        **environ,
    )


def ask(gateway: FakeGateway, token: str) -> Reply:
    return gateway.chat(body(), headers={"Authorization": f"Bearer {token}"})


def test_its_tokens_are_taken_in_each_way_that_it_signs(start: Start, issuer: NodeIssuer) -> None:
    gateway = start(AUTH_REQUIRED_SCOPES="llm", AUTH_OIDC_AUDIENCES="second")
    for algorithm in ("RS256", "PS256", "ES256", "EdDSA"):
        assert ask(gateway, issuer.token(algorithm=algorithm)).status == 200
    assert ask(gateway, issuer.token(audience="second")).status == 200
    assert ask(gateway, issuer.token(audience="third")).status == 401
    assert ask(gateway, issuer.token(scope="other")).status == 403


def test_an_expired_token_and_one_of_another_issuer_are_refused(
    start: Start, issuer: NodeIssuer, tmp_path: Path
) -> None:
    gateway = start(AUTH_OIDC_LEEWAY="0s")
    short = issuer.token(seconds=1)
    deadline = time.monotonic() + 20
    while (reply := ask(gateway, short)).status == 200:
        assert time.monotonic() < deadline
    assert "has expired" in reply.headers["www-authenticate"]
    (tmp_path / "other").mkdir()
    other = NodeIssuer(tmp_path / "other")
    try:
        assert ask(gateway, other.token()).status == 401
    finally:
        other.stop()


def test_keys_rotate_and_a_withdrawn_one_is_not_taken_any_more(
    start: Start, issuer: NodeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "COOL_DOWN", 0.0)
    gateway = start()
    first = issuer.token()
    assert ask(gateway, first).status == 200
    issuer.order("both")
    second = issuer.token()
    assert [ask(gateway, token).status for token in (second, first)] == [200, 200]
    issuer.order("rotate")
    assert ask(gateway, issuer.token()).status == 200
    assert [ask(gateway, token).status for token in (second, first)] == [401, 401]


def test_it_may_be_down_when_the_gateway_starts_and_go_down_later(
    start: Start, issuer: NodeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "RETRY", 0.2)
    token = issuer.token()
    issuer.stop()
    gateway = start()
    assert ask(gateway, token).status == 503
    issuer.start()
    deadline = time.monotonic() + 20
    while ask(gateway, token).status == 503:
        assert time.monotonic() < deadline
    assert ask(gateway, token).status == 200
    fresh = issuer.token(algorithm="ES256")
    issuer.stop()
    assert ask(gateway, fresh).status == 200
