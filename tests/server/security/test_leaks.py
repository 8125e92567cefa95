"""Canaries: a marked provider key, token and prompt must turn up nowhere that they are not meant for."""

import http.client
import json
import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.collector import Collector
from fakes.gateway import FakeGateway, Reply
from fakes.issuer import FakeIssuer, rsa_key
from fakes.outcomes import Outcomes
from fakes.provider import Call, FakeProvider, Script, well_behaved
from inference_gateway.server.cli import cli
from inference_gateway.server.keys.record import create
from inference_gateway.server.principal import Principal

Start = Callable[..., FakeGateway]
PROVIDER_KEY = "canary-provider-key-5f1c"
OWN_KEY = "canary-own-key-77aa-0123456789"
COLLECTOR_KEY = "canary-collector-key-31d0"
IN_QUERY = "canary-in-query-88b1"
PROMPT = "canary-prompt-9b2e"
CLAIM = "canary-claim-c0de@example.test"


async def _refuses(call: Call) -> None:
    await call.respond_json({"error": "no"}, 401)


async def _breaks_off(call: Call) -> None:
    await call.begin_stream()
    await call.piece(b"data: {")
    call.close()


async def _speaks_nonsense(call: Call) -> None:
    await call.raw(b"nonsense\r\n\r\n")


def chat(**members: object) -> bytes:
    messages = [{"role": "user", "content": PROMPT}]
    return json.dumps({"model": "openai/m", "messages": messages, **members}).encode()


REQUESTS = [
    ("POST", "/v1/chat/completions", chat()),
    ("POST", "/v1/chat/completions", chat(stream=True)),
    ("POST", "/v1/chat/completions", chat(model="nobody/knows")),
    ("POST", "/v1/chat/completions", chat(messages=PROMPT)),
    ("POST", "/v1/chat/completions", chat()[:-1]),
    ("POST", "/v1/chat/completions", chat(stream="yes")),
    ("POST", "/proxy/openai/chat/completions", chat()),
    ("POST", f"/proxy/openai/chat/completions?key={IN_QUERY}", chat()),
    ("POST", "/proxy/openai/../x", chat()),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/none", None),
    ("GET", "/nothing", None),
    ("PATCH", "/v1/models", None),
]
"""Those that go well, and each way that they go wrong."""


def everything(gateway: FakeGateway, credentials: dict[str, str]) -> list[Reply]:
    replies = []
    for method, path, content in REQUESTS:
        try:
            replies.append(gateway.request(method, path, content, credentials))
        except http.client.IncompleteRead as cut:
            replies.append(Reply(0, {}, cut.partial))
    return replies


@pytest.mark.parametrize(
    "script",
    [well_behaved, _refuses, _breaks_off, _speaks_nonsense],
    ids=lambda script: script.__name__,
)
def test_canaries_turn_up_in_no_answer_log_metric_or_trace(
    trusting: Start,
    issuer: FakeIssuer,
    provider: FakeProvider,
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
    script: Script,
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.script = script
    gateway = trusting(
        OPENAI_API_KEY=PROVIDER_KEY,
        AUTH_API_KEYS=OWN_KEY,
        LOG_LEVEL="debug",
        LOG_ACCESS="true",
        MODELS_CACHE_TTL="0",
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        TELEMETRY_TRACING_ENABLED="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS=f"x-key={COLLECTOR_KEY}",
        OTEL_BSP_SCHEDULE_DELAY="10",
    )
    tokens = [
        OWN_KEY,
        issuer.token(email=CLAIM, name=CLAIM),
        issuer.token(exp=1, email=CLAIM),
        issuer.token(aud="else"),
        issuer.token(rsa_key("one", number=1)),
        issuer.token(headers={"kid": "unknown"}),
        "canary-unknown-key",
    ]
    replies = [r for token in tokens for r in everything(gateway, {"Authorization": f"Bearer {token}"})]
    assert {reply.status for reply in replies} >= {200, 400, 401, 404, 405} or script is not well_behaved
    shown = (
        gateway.metrics().text + caplog.text + "".join(f"{reply.headers}{reply.body!r}" for reply in replies)
    )
    assert "inference_gateway_requests_total{" in shown
    collector.until(lambda spans: sum(span.kind == "server" for span in spans) == len(replies))
    assert {fields["x-key"] for _, fields in collector.heads} == {COLLECTOR_KEY}
    shown += str(b"".join(collector.bodies)) + str(collector.spans)
    # A signature or a body of a token alone would do as much harm as all of it.
    parts = [part for token in tokens for part in token.split(".")[-2:]]
    digests = [sha256(token.encode()).hexdigest() for token in tokens]
    for canary in [PROVIDER_KEY, COLLECTOR_KEY, IN_QUERY, PROMPT, CLAIM, *tokens, *parts, *digests]:
        assert canary not in shown


def test_what_a_provider_says_in_an_error_turns_up_in_no_log_or_trace(
    trusting: Start, provider: FakeProvider, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(call: Call) -> None:
        error = {"error": {"message": f"{PROVIDER_KEY} may not say {PROMPT}"}}
        if call.json().get("stream"):
            await call.stream([b"data: " + json.dumps(error).encode() + b"\n\n"])
        else:
            await call.respond_json(error, 500)

    caplog.set_level(logging.DEBUG)
    provider.script = script
    gateway = trusting(
        OPENAI_API_KEY=PROVIDER_KEY,
        AUTH_API_KEYS=OWN_KEY,
        LOG_ACCESS="true",
        TELEMETRY_TRACING_ENABLED="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="10",
    )
    everything(gateway, {"Authorization": f"Bearer {OWN_KEY}"})
    collector.until(lambda spans: sum(span.kind == "server" for span in spans) == len(REQUESTS))
    shown = str(b"".join(collector.bodies)) + str(collector.spans) + caplog.text
    assert "provider_error" in shown
    for canary in (PROVIDER_KEY, PROMPT, IN_QUERY):
        assert canary not in shown


def test_credentials_of_a_caller_reach_no_provider_nor_its_identity(
    trusting: Start, issuer: FakeIssuer, provider: FakeProvider
) -> None:
    gateway = trusting(AUTH_API_KEYS=OWN_KEY, FORWARD_REQUEST_HEADERS="x-team", OPENAI_API_KEY=PROVIDER_KEY)
    for token in (OWN_KEY, issuer.token(sub="canary-subject", email=CLAIM)):
        fields = {"Authorization": f"Bearer {token}", "Cookie": f"session={token}", "X-Team": "search"}
        for reply in everything(gateway, fields):
            assert token not in str(reply)
        assert provider.calls
        for call in provider.calls:
            seen = call.head + call.body
            for canary in (token, "canary-subject", CLAIM):
                assert canary.encode() not in seen
            assert call.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
            assert len([name for name, _ in call.fields if name == "authorization"]) == 1


def test_the_log_names_a_caller_by_the_subject_alone(
    trusting: Start, issuer: FakeIssuer, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script = _speaks_nonsense
    token = issuer.token(sub="alice", email=CLAIM)
    gateway = trusting()
    outcomes = Outcomes(gateway)
    assert gateway.chat(chat(), headers={"Authorization": f"Bearer {token}"}).status == 502
    outcomes.wait()
    assert "of 'alice' to openai: provider_error:" in caplog.text
    assert CLAIM not in caplog.text


@pytest.mark.parametrize("command", [("check", "--offline"), ("check",), ("models",)])
def test_no_command_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "OPENAI_API_KEY": PROVIDER_KEY,
        "OPENAI_API_URL": provider.url,
        "AUTH_API_KEYS": f"{OWN_KEY},{OWN_KEY}2",
        "AUTH_OIDC_CLIENT_SECRET": "canary-client-secret",
    }
    result = CliRunner(env=environ).invoke(cli, command)
    assert result.exit_code == 0
    for canary in (PROVIDER_KEY, OWN_KEY, "canary-client-secret", sha256(OWN_KEY.encode()).hexdigest()):
        assert canary not in result.output
    assert command == ("models",) or "********,********" in result.output


def test_a_principal_shows_as_its_subject() -> None:
    principal = Principal(kind="oidc", subject="alice", name="Alice", claims={"email": CLAIM})
    assert f"{principal} {principal!r}" == "Principal(oidc, 'alice') Principal(oidc, 'alice')"
    key, record = create("bob", expires=None, allowed_models=())
    assert key not in repr(record)
