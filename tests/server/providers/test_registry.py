"""Providers: every built-in row, and those that an operator adds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.chats import MESSAGES, body
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider
from inference_gateway.server.providers.registry import ROWS, Provider
from inference_gateway.server.settings import BUILT_IN_PROVIDERS

Start = Callable[..., FakeGateway]
Configured = Callable[..., FakeGateway]


@pytest.fixture
def configured(start_gateway: Start, provider: FakeProvider, tmp_path: Path) -> Configured:
    """Start a gateway with the custom provider `own`, made of these settings."""

    def start(settings: dict[str, object], **environ: str) -> FakeGateway:
        config = tmp_path / "gateway.yaml"
        config.write_text(json.dumps({"providers": {"own": {"url": provider.url, **settings}}}))
        return start_gateway(config=str(config), **environ)

    return start


def test_there_is_one_row_for_each_built_in_provider() -> None:
    assert tuple(row.id for row in ROWS) == BUILT_IN_PROVIDERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_provider_is_called_at_its_paths_with_its_key(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], row: Provider
) -> None:
    provider = start_provider()
    id, name = row.id, row.id.upper()
    gateway = start_gateway(**{f"{name}_API_KEY": "k-1", f"{name}_API_URL": provider.url})
    assert gateway.chat(body(f"{id}/m")).status == 200
    [call] = provider.calls
    path = {"cloudflare": "/v1/chat/completions", "cohere": "/compatibility/v1/chat/completions"}
    assert call.target == "/v1" + path.get(id, "/chat/completions")
    if id == "anthropic":
        assert call.headers["x-api-key"] == "k-1"
        assert call.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in call.headers
    else:
        assert call.headers["authorization"] == "Bearer k-1"
        assert "x-api-key" not in call.headers


@pytest.mark.parametrize("id", ["ollama", "llamacpp"])
def test_a_provider_that_needs_no_key_is_configured_by_its_url(
    start_gateway: Start, provider: FakeProvider, id: str
) -> None:
    assert start_gateway(**{f"{id.upper()}_API_URL": provider.url}).chat(body(f"{id}/m")).status == 200
    assert "authorization" not in provider.calls[0].headers


def test_an_account_gets_into_the_url(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(
        CLOUDFLARE_API_KEY="k",
        CLOUDFLARE_ACCOUNT_ID="acc1",
        CLOUDFLARE_API_URL=f"{provider.url}/{{ACCOUNT_ID}}/ai",
    )
    assert gateway.chat(body("cloudflare/@cf/m")).status == 200
    [call] = provider.calls
    assert call.target == "/v1/acc1/ai/v1/chat/completions"
    assert call.json()["model"] == "@cf/m"


def test_a_key_without_the_account_that_its_url_needs_is_said_and_not_used(
    start_gateway: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = start_gateway(CLOUDFLARE_API_KEY="k")
    assert "CLOUDFLARE_ACCOUNT_ID" in caplog.text
    reply = gateway.chat(body("cloudflare/@cf/m"))
    assert reply.status == 400
    assert "CLOUDFLARE_ACCOUNT_ID" in reply.json()["error"]


@pytest.mark.parametrize(
    ("auth", "header", "target"),
    [
        ("bearer", ("authorization", "Bearer k/1"), "/v1/chat/completions"),
        ("xheader", ("x-api-key", "k/1"), "/v1/chat/completions"),
        ("x-header", ("x-api-key", "k/1"), "/v1/chat/completions"),
        ("query", None, "/v1/chat/completions?key=k%2F1"),
        ("none", None, "/v1/chat/completions"),
    ],
)
def test_a_custom_provider_gets_its_key_as_it_wants_it(
    configured: Configured, provider: FakeProvider, auth: str, header: tuple[str, str] | None, target: str
) -> None:
    gateway = configured({"auth": auth, "api_key": "k/1"})
    assert gateway.chat(body("own/a/b")).status == 200
    [call] = provider.calls
    sent = [field for field in call.fields if field[0] in ("authorization", "x-api-key")]
    assert sent == ([header] if header else [])
    assert call.target == target
    assert call.json()["model"] == "a/b"


def test_a_custom_provider_has_paths_and_headers_of_its_own(
    configured: Configured, provider: FakeProvider
) -> None:
    settings = {
        "headers": {"X-Team": "a b", "Anthropic-Version": "operator", "OpenAI-Beta": "operator"},
        "chat_path": "/talk?api-version=1",
        "models_path": "/shelf/models",
        "accepts_stream_options": False,
        "reasoning_format": True,
    }
    gateway = configured(settings)
    fields = {"Anthropic-Version": "client", "OpenAI-Beta": "client"}
    request = body("own/m", stream_options={}, reasoning_format="raw")
    assert gateway.chat(request, headers=fields).status == 200
    assert gateway.request("POST", "/proxy/own/x", b"{}", fields).status == 200
    assert gateway.request("GET", "/v1/models").json()["data"][0]["id"] == "own/m"
    assert [call.target for call in provider.calls] == ["/v1/talk?api-version=1", "/v1/x", "/v1/shelf/models"]
    for call in provider.calls:
        values = dict(call.fields)
        assert len(values) == len(call.fields)
        assert [values[n] for n in ("x-team", "anthropic-version", "openai-beta")] == [
            "a b",
            *["operator"] * 2,
        ]
    assert provider.calls[0].json() == {"model": "m", "messages": MESSAGES, "reasoning_format": "raw"}


def test_the_key_in_the_query_stands_alone(configured: Configured, provider: FakeProvider) -> None:
    gateway = configured({"auth": "query", "api_key": "k1"})
    assert gateway.request("GET", "/proxy/own/x?a=1&key=client&%6Bey=client&b=2&keys=3").status == 200
    assert provider.calls[0].target == "/v1/x?a=1&b=2&keys=3&key=k1"
    assert gateway.request("GET", "/proxy/own/x").status == 200
    assert provider.calls[1].target == "/v1/x?key=k1"


def test_a_key_is_taken_from_the_variable_that_is_named(
    configured: Configured, provider: FakeProvider
) -> None:
    gateway = configured({"api_key_env": "OWN_KEY"}, OWN_KEY="k-2")
    assert gateway.chat(body("own/m")).status == 200
    assert provider.calls[0].headers["authorization"] == "Bearer k-2"


def test_a_provider_whose_key_is_not_set_is_not_configured(
    configured: Configured, provider: FakeProvider
) -> None:
    gateway = configured({"api_key_env": "OWN_KEY"})
    for reply in (gateway.chat(body("own/m")), gateway.chat(body("m"), "?provider=own")):
        assert reply.status == 400
        assert "has no API key here" in reply.json()["error"]
    assert provider.calls == []


def test_a_custom_provider_without_a_key_needs_none(configured: Configured, provider: FakeProvider) -> None:
    assert configured({}).chat(body("own/m")).status == 200
    assert "authorization" not in provider.calls[0].headers


@pytest.mark.parametrize("url", ["{url}/", "{url}//", "{host}", "{host}/a%20b/v2/"])
def test_a_base_url_is_joined_with_one_slash(
    configured: Configured, provider: FakeProvider, url: str
) -> None:
    host = provider.url.removesuffix("/v1")
    url = url.format(url=provider.url, host=host)
    assert configured({"url": url}).chat(body("own/m")).status == 200
    assert provider.calls[0].target == url.removeprefix(host).rstrip("/") + "/chat/completions"


def test_the_mock_answers_where_nothing_else_could_and_steps_back_where_something_can(
    start_gateway: Start, provider: FakeProvider
) -> None:
    request = body("mock/echo")
    key = {"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url}
    assert start_gateway().chat(request).status == 200
    assert start_gateway(**key).chat(request).status == 400
    assert start_gateway(**key, MOCK_ENABLED="true").chat(request).status == 200
    assert start_gateway(MOCK_ENABLED="false").chat(request).status == 400


def test_a_model_list_is_asked_for_with_the_key_too(configured: Configured, provider: FakeProvider) -> None:
    calls: list[Call] = provider.calls
    gateway = configured({"auth": "query", "api_key": "k1", "models_path": "/models?a=1"})
    assert gateway.request("GET", "/v1/models").status == 200
    assert calls[0].target == "/v1/models?a=1&key=k1"
