"""Tokens of an issuer: which are taken, which are not and why, and what happens as keys change."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.chats import body
from fakes.gateway import FakeGateway, Reply
from fakes.issuer import AUDIENCE, FakeIssuer, SigningKey, ec_key, ed_key, rsa_key
from fakes.provider import FakeProvider
from inference_gateway.server.cli import cli
from inference_gateway.server.oidc import issuer as issuer_module
from inference_gateway.server.oidc import tokens as tokens_module
from inference_gateway.server.oidc import verification

Start = Callable[..., FakeGateway]


def ask(gateway: FakeGateway, token: str, scheme: str = "Bearer") -> Reply:
    return gateway.chat(body(), headers={"Authorization": f"{scheme} {token}"})


def refusal(gateway: FakeGateway, token: str) -> str:
    """Why a token is refused, in the words of the challenge."""
    reply = ask(gateway, token)
    assert (reply.status, reply.json()) == (401, {"error": "unauthorized"})
    challenge = reply.headers["www-authenticate"]
    start = 'Bearer realm="inference-gateway", error="invalid_token", error_description="'
    assert challenge.startswith(start)
    assert challenge.endswith('"')
    return challenge.removeprefix(start)[:-1]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR "])
def test_a_good_token_is_taken_however_its_scheme_is_written(
    trusting: Start, issuer: FakeIssuer, provider: FakeProvider, scheme: str
) -> None:
    assert ask(trusting(), issuer.token(), scheme).status == 200
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    "key",
    [rsa_key(), rsa_key(algorithm="PS256"), ec_key(), ed_key()],
    ids=lambda key: key.algorithm,
)
def test_each_kind_of_signature_that_the_issuer_offers_is_taken(
    trusting: Start, issuer: FakeIssuer, key: SigningKey
) -> None:
    issuer.keys = [key]
    assert ask(trusting(), issuer.token()).status == 200


def test_without_a_list_of_algorithms_the_issuer_uses_the_one_that_all_must(
    trusting: Start, issuer: FakeIssuer
) -> None:
    issuer.algorithms, issuer.keys = None, [rsa_key(), ec_key()]
    gateway = trusting()
    assert ask(gateway, issuer.token()).status == 200
    assert "does not use" in refusal(gateway, issuer.token(ec_key()))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "has expired"),
        ({"exp": None}, "lacks one of"),
        ({"exp": "soon"}, "cannot be read"),
        ({"exp": [1]}, "cannot be read"),
        ({"exp": 10**400}, "cannot be read"),
        ({"nbf": 4_000_000_000}, "not good yet"),
        ({"iat": 4_000_000_000}, "not good yet"),
        ({"iat": "x"}, "when it was issued"),
        ({"iss": "https://other.test"}, "another issuer"),
        ({"iss": None}, "lacks one of"),
        ({"aud": "somebody-else"}, "for somebody else"),
        ({"aud": [AUDIENCE.upper()]}, "for somebody else"),
        ({"aud": None}, "lacks one of"),
        ({"sub": None}, "lacks one of"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "two\nlines"}, "names nobody"),
        ({"sub": 7}, "cannot be read"),
    ],
)
def test_a_token_that_says_something_wrong_is_refused_with_the_reason(
    trusting: Start, issuer: FakeIssuer, provider: FakeProvider, claims: dict[str, object], why: str
) -> None:
    assert why in refusal(trusting(), issuer.token(**claims))
    assert not provider.calls


def test_clocks_may_differ_by_the_leeway_and_no_more(trusting: Start, issuer: FakeIssuer) -> None:
    gateway = trusting(AUTH_OIDC_LEEWAY="60s")
    now = int(time.time())
    assert ask(gateway, issuer.token(exp=now - 30)).status == 200
    assert ask(gateway, issuer.token(nbf=now + 30)).status == 200
    assert "has expired" in refusal(gateway, issuer.token(exp=now - 90))
    assert "not good yet" in refusal(gateway, issuer.token(nbf=now + 90))


def test_several_audiences_may_be_taken_and_a_token_may_have_several(
    trusting: Start, issuer: FakeIssuer
) -> None:
    gateway = trusting(AUTH_OIDC_AUDIENCES="api://llm, other")
    for audience in (AUDIENCE, "api://llm", ["x", "other"]):
        assert ask(gateway, issuer.token(aud=audience)).status == 200
    assert "for somebody else" in refusal(gateway, issuer.token(aud=["x", "y"]))


@pytest.mark.parametrize("claims", [{"scope": "a llm b"}, {"scp": "llm"}, {"scp": ["x", "llm"]}])
def test_a_scope_may_be_granted_in_each_way_that_issuers_have(
    trusting: Start, issuer: FakeIssuer, claims: dict[str, object]
) -> None:
    assert ask(trusting(AUTH_REQUIRED_SCOPES="llm"), issuer.token(**claims)).status == 200


@pytest.mark.parametrize("claims", [{}, {"scope": "llm2"}, {"scp": ["LLM"]}, {"scope": ["l", "m"]}])
def test_without_a_scope_a_known_caller_is_forbidden(
    trusting: Start, issuer: FakeIssuer, claims: dict[str, object]
) -> None:
    reply = ask(trusting(AUTH_REQUIRED_SCOPES="llm"), issuer.token(**claims))
    assert (reply.status, reply.json()) == (403, {"error": "the token does not grant 'llm'"})
    assert reply.headers["www-authenticate"] == (
        'Bearer realm="inference-gateway", error="insufficient_scope", '
        'error_description="the token does not grant \'llm\'", scope="llm"'
    )


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"groups": ["a", "llm"], "verified": True}, 200),
        ({"groups": "llm", "verified": "true"}, 200),
        ({"groups": ["llm"]}, 403),
        ({"groups": ["llm-admins"], "verified": True}, 403),
        ({"groups": {"llm": 1}, "verified": True}, 403),
    ],
)
def test_claims_may_be_required(
    trusting: Start, issuer: FakeIssuer, claims: dict[str, object], status: int
) -> None:
    gateway = trusting(AUTH_REQUIRED_CLAIMS="groups=llm,verified=true")
    assert ask(gateway, issuer.token(**claims)).status == status


# ---- confusion -----------------------------------------------------------------------------------------


def test_keys_that_a_token_brings_along_are_ignored(trusting: Start, issuer: FakeIssuer) -> None:
    stranger = FakeIssuer()
    try:
        forged = rsa_key("one", number=1)
        gateway = trusting()
        for extra in (
            {"jwk": forged.public()},
            {"jku": f"{stranger.url}/jwks"},
            {"x5u": f"{stranger.url}/cert"},
            {"x5c": ["MIIB"]},
        ):
            assert "signature" in refusal(gateway, issuer.token(forged, headers=extra))
            assert ask(gateway, issuer.token(headers=extra)).status == 200
        assert stranger.asked == []
    finally:
        stranger.stop()


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"kid": "../../etc/passwd"}, "does not have"),
        ({"kid": "' or 1=1"}, "does not have"),
        ({"kid": "curve"}, "does not fit its key"),
        ({"typ": "logout+jwt"}, "another kind"),
        ({"crit": ["exp"]}, "extension"),
        ({"b64": False, "crit": ["b64"]}, "neither a JWT"),
        ({"kid": "x" * 5000}, "neither a JWT"),
    ],
)
def test_tricks_in_the_header_do_not_work(
    trusting: Start, issuer: FakeIssuer, headers: dict[str, object], why: str
) -> None:
    issuer.keys.append(ec_key())
    assert why in refusal(trusting(), issuer.token(headers=headers))


def test_a_token_without_a_key_id_is_held_to_each_key(trusting: Start, issuer: FakeIssuer) -> None:
    issuer.keys = [ec_key(), rsa_key("two", number=1), rsa_key()]
    gateway = trusting()
    nameless = SigningKey("", rsa_key().private, "RS256")
    assert ask(gateway, issuer.token(nameless)).status == 200


def test_a_known_token_is_no_pass_for_one_that_begins_alike(trusting: Start, issuer: FakeIssuer) -> None:
    gateway = trusting()
    good = issuer.token()
    assert ask(gateway, good).status == 200
    tampered = good[:-8] + ("A" * 8 if not good.endswith("A" * 8) else "B" * 8)
    assert "signature" in refusal(gateway, tampered) or "cannot be read" in refusal(gateway, tampered)
    assert ask(gateway, good).status == 200


# ---- keys that change, issuers that are down -----------------------------------------------------------


def test_a_new_key_is_found_when_a_token_names_it(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "COOL_DOWN", 0.0)
    gateway = trusting()
    assert ask(gateway, issuer.token()).status == 200
    issuer.keys.append(rsa_key("two", number=1))
    assert ask(gateway, issuer.token(issuer.keys[1])).status == 200


def test_a_key_that_is_withdrawn_takes_the_tokens_along_that_were_remembered(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "COOL_DOWN", 0.0)
    gateway = trusting()
    old = issuer.token()
    assert ask(gateway, old).status == 200
    issuer.keys = [rsa_key("two", number=1)]
    assert ask(gateway, issuer.token()).status == 200
    assert "does not have" in refusal(gateway, old)


def test_a_flood_of_unknown_keys_asks_the_issuer_once(trusting: Start, issuer: FakeIssuer) -> None:
    gateway = trusting()
    assert ask(gateway, issuer.token()).status == 200
    for number in range(20):
        refusal(gateway, issuer.token(headers={"kid": f"unknown-{number}"}))
    assert issuer.asked.count("/jwks") <= 2
    assert issuer_module.COOL_DOWN <= 30


def test_the_gateway_starts_without_its_issuer_and_recovers_with_it(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "RETRY", 1.0)
    issuer.stop()
    gateway = trusting()
    token = issuer.token()
    reply = ask(gateway, token)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert gateway.request("GET", "/health").status == 200
    assert ask(gateway, "no-token").status == 401
    issuer.start()
    deadline = time.monotonic() + 20
    while ask(gateway, token).status == 503:
        assert time.monotonic() < deadline
    assert ask(gateway, token).status == 200
    issuer.stop()
    assert ask(gateway, issuer.token(sub="bob")).status == 200, "keys that are known serve on"


def test_an_issuer_that_stays_down_is_told_of_once_a_minute(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(issuer_module, "RETRY", 0.01)
    caplog.set_level(logging.INFO)
    issuer.stop()
    gateway = trusting()
    for number in range(20):
        # What is wrong with an issuer may be another thing each time.
        assert ask(gateway, issuer.token(sub=f"number {number}")).status == 503
        if number == 10:
            issuer.changes = {"issuer": "https://somebody.example"}
            issuer.start()
    issuer.changes = {}
    deadline = time.monotonic() + 20
    while ask(gateway, issuer.token()).status == 503:
        assert time.monotonic() < deadline
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    told = [line for line in told if "issuer" in line]
    assert [line.partition(issuer.url)[2][:14] for line in told] == [
        " did not come:",
        " are known",
        " come again",
    ]


def test_check_tries_the_issuer(issuer: FakeIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"AUTH_OIDC_ISSUER": issuer.url, "AUTH_OIDC_CLIENT_ID": AUDIENCE}
    result = CliRunner(env=environ).invoke(cli, ["check"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "issuer of tokens: its keys are known")
    issuer.changes = {"issuer": issuer.url + "/"}
    result = CliRunner(env=environ).invoke(cli, ["check"])
    assert result.exit_code == 1
    assert "issuer of tokens: failed: the issuer calls itself" in result.output


def test_a_key_that_may_be_new_is_not_called_unknown_while_the_issuer_is_down(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "COOL_DOWN", 0.0)
    gateway = trusting()
    assert ask(gateway, issuer.token()).status == 200
    issuer.stop()
    new = issuer.token(rsa_key("two", number=1))
    for cool_down in (0.0, 3600.0):
        monkeypatch.setattr(issuer_module, "COOL_DOWN", cool_down)
        reply = ask(gateway, new)
        assert (reply.status, bool(reply.headers["retry-after"])) == (503, True)
    assert ask(gateway, issuer.token(sub="bob")).status == 200
    monkeypatch.setattr(issuer_module, "COOL_DOWN", 0.0)
    issuer.start()
    assert "does not have" in refusal(gateway, new)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.test"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user@host.test/jwks"},
        {"jwks_uri": "https://"},
        {"jwks_uri": "http://127.0.0.1:99999/"},
        {"jwks_uri": 7},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_an_issuer_that_says_what_cannot_be_trusted_is_not_trusted(
    trusting: Start, issuer: FakeIssuer, changes: dict[str, object]
) -> None:
    issuer.changes = changes
    assert ask(trusting(), issuer.token()).status == 503
    assert "/jwks" not in issuer.asked


def test_redirects_of_the_issuer_are_not_followed(trusting: Start, issuer: FakeIssuer) -> None:
    stranger = FakeIssuer()
    try:
        issuer.redirect = f"{stranger.url}/.well-known/openid-configuration"
        assert ask(trusting(), issuer.token()).status == 503
        assert stranger.asked == []
    finally:
        stranger.stop()


# ---- cost ----------------------------------------------------------------------------------------------


def test_a_token_is_verified_once(
    trusting: Start, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[bytes] = []
    real = verification.verify

    def count(token: bytes, *arguments: object) -> object:
        verified.append(token)
        return real(token, *arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(tokens_module, "verify", count)
    gateway = trusting()
    one, other = issuer.token(), issuer.token(sub="bob")
    for token in (one, one, other, one, other):
        assert ask(gateway, token).status == 200
    assert verified == [one.encode(), other.encode()]
