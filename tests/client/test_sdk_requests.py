"""What clients send: arguments checked before anything goes out, options merged, URLs put together."""

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import requests
from facade import Clients
from hypothesis import given
from hypothesis import strategies as st

import inference_gateway as sdk
from fakes.provider import Call, FakeProvider
from inference_gateway.client.body import chat_body, encode_fields

MESSAGES = [sdk.Message(role="user", content="x")]
CHAT = "create_chat_completion"


async def lists(call: Call) -> None:
    await call.respond_json({"object": "list", "data": []})


@pytest.fixture
def lister(start_provider: Any) -> FakeProvider:
    """A provider that answers everything with an empty list."""
    provider: FakeProvider = start_provider(lists)
    return provider


def sent(provider: FakeProvider) -> Call:
    return provider.calls[-1]


# ---- arguments -----------------------------------------------------------------------------------------

WRONG_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": None}),
    ("model", {"model": 7}),
    ("messages", {"messages": []}),
    ("messages", {"messages": None}),
    ("messages", {"messages": "hi"}),
    ("messages.0.role", {"messages": [{"role": "wizard", "content": "x"}]}),
    ("messages.0", {"messages": [{"role": "user"}]}),
    ("messages.0", {"messages": [7]}),
    ("temperature", {"temperature": 3}),
    ("temperature", {"temperature": "hot"}),
    ("temperature", {"temperature": float("nan")}),
    ("top_p", {"top_p": -0.1}),
    ("n", {"n": 0}),
    ("n", {"n": 129}),
    ("stop", {"stop": ["a", "b", "c", "d", "e"]}),
    ("logit_bias.5", {"logit_bias": {"5": 101}}),
    ("top_logprobs", {"top_logprobs": 21}),
    ("response_format", {"response_format": {"type": "xml"}}),
    ("tool_choice", {"tool_choice": "maybe"}),
    ("tools", {"tools": "hammer"}),
    ("tools.0", {"tools": [{"type": "function"}]}),
    ("reasoning_effort", {"reasoning_effort": "huge"}),
    ("max_tokens", {"max_tokens": "many"}),
    ("provider", {"provider": ""}),
    ("provider", {"provider": 3}),
    ("stream", {"stream": True}),
    ("anything", {"anything": object()}),
    ("user", {"user": "\ud800"}),
    ("extra_body", {"extra_body": [1]}),
    ("extra_body.stream", {"extra_body": {"stream": True}}),
    ("x", {"extra_body": {"x": float("inf")}}),
    ("extra_headers", {"extra_headers": "x"}),
    ("extra_headers.A", {"extra_headers": {"A": "b\r\nc: d"}}),
    ("extra_headers.A", {"extra_headers": {"A": "☃"}}),
    ("extra_headers", {"extra_headers": {"a b": "c"}}),
    ("extra_query.a", {"extra_query": {"a": object()}}),
    ("timeout", {"timeout": 0}),
    ("timeout", {"timeout": "soon"}),
    ("middleware_options", {"middleware_options": {"skip_mcp": True}}),
    ("idempotency_key", {"idempotency_key": "a\nb"}),
]


@pytest.mark.parametrize(("field", "arguments"), WRONG_FIELDS, ids=lambda value: str(value)[:40])
def test_a_wrong_argument_is_named_and_nothing_is_sent(
    client: Any, provider: FakeProvider, field: str, arguments: dict[str, Any]
) -> None:
    given = {"model": "m", "messages": MESSAGES, **arguments}
    with pytest.raises(
        sdk.InferenceGatewayValidationError, match=r"^Request/response validation failed"
    ) as caught:
        client.create_chat_completion(**given)
    assert caught.value.field.startswith(field)
    assert provider.calls == []


OTHER_CALLS: list[tuple[str, Callable[[Any], Any]]] = [
    ("provider", lambda client: client.list_models(provider=7)),
    ("include", lambda client: client.list_models(include=7)),
    ("limit", lambda client: client.list_models(limit=7)),
    ("model_id", lambda client: client.get_model("")),
    ("model_id", lambda client: client.get_model("../models")),
    ("timeout", lambda client: client.health_check(timeout=-1)),
    ("provider", lambda client: client.proxy_request(None, "x")),
    ("path", lambda client: client.proxy_request("openai", "")),
    ("path", lambda client: client.proxy_request("openai", 7)),
    ("path", lambda client: client.proxy_request("openai", "../anthropic/x")),
    ("path", lambda client: client.proxy_request("openai", "a/%2e%2E/x")),
    ("path", lambda client: client.proxy_request("openai", "a%2f..%2fx")),
    ("method", lambda client: client.proxy_request("openai", "x", "BREW")),
    ("method", lambda client: client.proxy_request("openai", "x", 7)),
    ("json_data", lambda client: client.proxy_request("openai", "x", "POST", {1, 2})),
    ("content", lambda client: client.proxy_request("openai", "x", "POST", {}, content=b"")),
    ("content", lambda client: client.proxy_request("openai", "x", "POST", content="text")),
    ("params.a", lambda client: client.proxy_request("openai", "x", params={"a": {}})),
    ("headers.a", lambda client: client.proxy_request("openai", "x", headers={"a": 1})),
    ("stream", lambda client: client.create_chat_completion_stream("m", MESSAGES, stream=False)),
    ("response_format", lambda client: client.parse_chat_completion("m", MESSAGES, dict)),
    ("max_iterations", lambda client: client.run_tools("m", MESSAGES, [], max_iterations=0)),
    ("color", lambda client: client.with_options(color="red")),
    ("retry", lambda client: client.with_options(retry="often")),
    ("timeout", lambda client: client.with_options(timeout=-1)),
    ("default_headers", lambda client: client.with_options(default_headers=["x"])),
]


@pytest.mark.parametrize(("field", "call"), OTHER_CALLS)
def test_a_wrong_argument_of_any_call_is_named_and_nothing_is_sent(
    client: Any, provider: FakeProvider, field: str, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        call(client)
    assert isinstance(caught.value, sdk.InferenceGatewayValidationError)
    assert caught.value.field == field
    assert provider.calls == []


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("base_url", {"base_url": None}),
        ("base_url", {"base_url": ""}),
        ("base_url", {"base_url": "localhost:8080/v1"}),
        ("base_url", {"base_url": "ftp://x/v1"}),
        ("base_url", {"base_url": "http://"}),
        ("base_url", {"base_url": "http://x:99999/v1"}),
        ("base_url", {"base_url": "http://x/v1?a=b"}),
        ("base_url", {"base_url": "http://x/v1\n"}),
        ("base_url", {"base_url": "http://user:hunter2@x/v1"}),
        ("token", {"token": "a\nb"}),
        ("token", {"token": 7}),
        ("timeout", {"timeout": float("nan")}),
        ("stream_idle_timeout", {"stream_idle_timeout": 0}),
        ("retry.max_attempts", {"retry": -1}),
        ("default_headers.A", {"default_headers": {"A": 1}}),
        ("default_query", {"default_query": "a=b"}),
        ("middleware_options", {"middleware_options": True}),
        ("http_client", {"http_client": object()}),
    ],
)
def test_a_wrong_argument_of_a_client_is_named(
    make_client: Clients, field: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError) as caught:
        make_client(**{"base_url": "http://x/v1", **arguments})
    assert caught.value.field == field
    assert "hunter2" not in str(caught.value)


def test_messages_tools_and_choices_may_be_plain_dicts(client: Any, provider: FakeProvider) -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "web_search", "size": 3}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "stream_options": {"include_usage": True},
    }
    client.create_chat_completion(**body)
    assert sent(provider).json() == {**body, "stream": False}


def test_fields_that_the_sdk_does_not_know_are_sent(client: Any, provider: FakeProvider) -> None:
    client.create_chat_completion(
        "m", MESSAGES, metadata={"a": "b"}, x=[1], extra_body={"y": None, "model": "z"}
    )
    body = sent(provider).json()
    assert (body["metadata"], body["x"], body["y"], body["model"]) == ({"a": "b"}, [1], None, "z")


def test_none_is_not_given(client: Any, provider: FakeProvider) -> None:
    client.create_chat_completion("m", MESSAGES, None, None, temperature=None, tools=None, user=None)
    assert sent(provider).json() == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "stream": False,
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_arrives_as_it_is(text: str) -> None:
    body = encode_fields(chat_body({"model": "m", "messages": [{"role": "user", "content": text}]}))
    assert json.loads(body)["messages"][0]["content"] == text


@given(st.text(st.characters(categories=["Cs"]), min_size=1))
def test_half_a_character_cannot_be_sent(text: str) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match="messages"):
        encode_fields(chat_body({"model": "m", "messages": [{"role": "user", "content": text}]}))


# ---- headers, query, options ---------------------------------------------------------------------------


def test_headers_are_merged_the_most_particular_last(make_client: Clients, provider: FakeProvider) -> None:
    client = make_client(provider.url, "t", default_headers={"X-Tenant": "a", "X-Trace": "1"})
    client.list_models(extra_headers={"x-tenant": "b", "X-Trace": None})
    headers = sent(provider).headers
    assert headers["x-tenant"] == "b"
    assert "x-trace" not in headers
    assert headers["authorization"] == "Bearer t"
    assert headers["user-agent"].startswith("inference-gateway-python/")


def test_an_authorization_of_the_callers_own_goes_before_the_token(
    make_client: Clients, provider: FakeProvider
) -> None:
    client = make_client(provider.url, "t")
    client.list_models(extra_headers={"authorization": "Basic x"})
    assert sent(provider).headers["authorization"] == "Basic x"
    client.list_models(extra_headers={"Authorization": None})
    assert "authorization" not in sent(provider).headers


def test_a_body_is_json_and_a_get_has_none(client: Any, provider: FakeProvider) -> None:
    client.list_models()
    assert "content-type" not in sent(provider).headers
    assert sent(provider).headers["accept"] == "application/json"
    client.create_chat_completion("m", MESSAGES)
    assert sent(provider).headers["content-type"] == "application/json"


def test_query_parameters_are_merged(make_client: Clients, lister: FakeProvider) -> None:
    client = make_client(lister.url, default_query={"tenant": "ä b", "debug": True})
    client.list_models("groq", ["pricing", "modalities"], extra_query={"debug": None, "id": ["1", "2&3"]})
    assert sent(lister).target == (
        "/v1/models?tenant=%C3%A4%20b&provider=groq&include=pricing,modalities&id=1&id=2%263"
    )


def test_a_derived_client_differs_and_the_original_does_not(
    make_client: Clients, lister: FakeProvider
) -> None:
    client = make_client(lister.url, "one", default_headers={"X-A": "1"}, default_query={"q": "1"})
    derived = client.with_options(
        token="two", timeout=5.0, default_headers={"X-B": "2"}, default_query={"p": 1}
    )
    derived.list_models()
    assert (sent(lister).target, derived.timeout) == ("/v1/models?q=1&p=1", 5.0)
    headers = sent(lister).headers
    assert (headers["x-a"], headers["x-b"], headers["authorization"]) == ("1", "2", "Bearer two")
    client.list_models()
    assert "x-b" not in sent(lister).headers
    assert (sent(lister).headers["authorization"], client.timeout) == ("Bearer one", 30.0)
    client.with_options(token=None).list_models()
    assert "authorization" not in sent(lister).headers


def test_a_derived_client_shares_the_connection_and_leaves_it_open(
    make_client: Clients, provider: FakeProvider
) -> None:
    client = make_client(provider.url)
    with client.with_options(timeout=5.0) as derived:
        derived.list_models()
    client.list_models()
    assert provider.connections == 1


def test_middleware_can_be_left_out(make_client: Clients, provider: FakeProvider) -> None:
    client = make_client(provider.url)
    both = client.with_middleware_options(sdk.MiddlewareOptions(skip_mcp=True, direct_provider=True))
    both.create_chat_completion("m", MESSAGES)
    headers = sent(provider).headers
    assert (headers["x-mcp-bypass"], headers["x-direct-provider"]) == ("true", "true")
    assert "x-a2a-bypass" not in headers
    assert both.with_middleware_options(None).timeout == both.timeout
    for bare in (both.with_middleware_options(sdk.MiddlewareOptions()), client):
        bare.create_chat_completion("m", MESSAGES)
        assert not {"x-mcp-bypass", "x-direct-provider"} & sent(provider).headers.keys()
    client.list_models(middleware_options=sdk.MiddlewareOptions(skip_mcp=True))
    assert sent(provider).headers["x-mcp-bypass"] == "true"
    client.list_models(middleware_options=sdk.MiddlewareOptions(skip_a2a=True))
    assert sent(provider).headers["x-a2a-bypass"] == "true"


def test_a_token_provider_is_asked_before_every_attempt(make_client: Clients, start_provider: Any) -> None:
    async def failing_once(call: Call) -> None:
        await call.respond_json({"data": []}, 503 if len(provider.calls) == 1 else 200)

    provider: FakeProvider = start_provider(failing_once)
    tokens = iter(["one", "two"])
    retry = sdk.RetryConfig(initial_backoff_sec=0.001)
    make_client(provider.url, token_provider=lambda: next(tokens), retry=retry).list_models()
    assert [call.headers["authorization"] for call in provider.calls] == ["Bearer one", "Bearer two"]


def test_a_token_that_cannot_be_sent_is_named(make_client: Clients, provider: FakeProvider) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match="token"):
        make_client(provider.url, token_provider=lambda: "a\nb").list_models()
    assert provider.calls == []


async def test_an_async_token_provider_is_awaited(provider: FakeProvider) -> None:
    async def token() -> str:
        return "later"

    async with sdk.AsyncInferenceGatewayClient(provider.url, token_provider=token) as client:
        await client.list_models()
    assert sent(provider).headers["authorization"] == "Bearer later"


def test_the_answer_beside_the_result(make_client: Clients, start_provider: Any) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(
            {"object": "list", "data": []}, headers=[("X-Request-Id", "r-1"), ("X-A", "b")]
        )

    response = make_client(start_provider(script).url).with_raw_response.list_models("groq")
    assert response.parsed.data == []
    assert (response.status_code, response.request_id, response.headers["x-a"]) == (200, "r-1", "b")
    assert response.http.json() == {"object": "list", "data": []}


# ---- URLs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("/v1", ["/v1/models", "/health", "/proxy/openai/x"]),
        ("/v1/", ["/v1/models", "/health", "/proxy/openai/x"]),
        ("", ["/models", "/health", "/proxy/openai/x"]),
        ("/gw/v2", ["/gw/v2/models", "/gw/health", "/gw/proxy/openai/x"]),
        ("/v1/eu", ["/v1/eu/models", "/v1/eu/health", "/v1/eu/proxy/openai/x"]),
    ],
)
def test_health_and_proxy_are_at_the_root(
    make_client: Clients, lister: FakeProvider, suffix: str, expected: list[str]
) -> None:
    client = make_client(lister.url.removesuffix("/v1") + suffix)
    client.list_models()
    client.health_check()
    client.proxy_request("openai", "/x")
    assert [call.target for call in lister.calls] == expected


def test_an_id_is_a_path_and_cannot_leave_it(client: Any, provider: FakeProvider) -> None:
    client.get_model("openai/gpt 4?x#y")
    assert sent(provider).target == "/v1/models/openai/gpt%204%3Fx%23y"


# ---- libraries, environment, log -----------------------------------------------------------------------


def test_the_attributes_that_old_code_reads() -> None:
    with sdk.InferenceGatewayClient("http://x/v1/", "t", 7.0) as client:
        assert (client.base_url, client.timeout, client.use_httpx) == ("http://x/v1", 7.0, False)
        assert client.session.headers["Authorization"] == "Bearer t"
        with pytest.raises(AttributeError):
            _ = client.client
    with sdk.InferenceGatewayClient("http://x/v1", "t", use_httpx=True) as client:
        assert client.use_httpx
        assert client.client.headers["Authorization"] == "Bearer t"
        with pytest.raises(AttributeError):
            _ = client.session


def test_a_client_of_your_own_carries_the_calls_and_stays_open(provider: FakeProvider) -> None:
    session = requests.Session()
    session.headers["X-Mine"] = "1"
    with sdk.InferenceGatewayClient(provider.url, "t", http_client=session) as client:
        client.list_models()
        assert client.session is session
    with httpx2.Client(headers={"X-Mine": "1"}) as http_client:
        with sdk.InferenceGatewayClient(provider.url, "t", http_client=http_client) as client:
            client.list_models()
        assert not http_client.is_closed
    session.close()
    assert [call.headers["x-mine"] for call in provider.calls] == ["1", "1"]
    assert "authorization" not in session.headers


async def test_an_async_client_of_your_own_carries_the_calls_and_stays_open(provider: FakeProvider) -> None:
    async with httpx2.AsyncClient(headers={"X-Mine": "1"}) as http_client:
        async with sdk.AsyncInferenceGatewayClient(provider.url, http_client=http_client) as client:
            await client.list_models()
            assert client.client is http_client
        assert not http_client.is_closed
    assert sent(provider).headers["x-mine"] == "1"


def test_a_password_file_does_not_take_the_place_of_the_token(
    provider: FakeProvider, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for token, expected in (("t", "Bearer t"), (None, None)):
        with sdk.InferenceGatewayClient(provider.url, token) as client:
            client.list_models()
        assert sent(provider).headers.get("authorization") == expected


def test_a_client_from_the_environment(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_GATEWAY_URL", provider.url)
    monkeypatch.setenv("INFERENCE_GATEWAY_TOKEN", "t")
    with sdk.InferenceGatewayClient.from_env(timeout=3.0) as client:
        client.list_models()
        assert client.timeout == 3.0
    assert sent(provider).headers["authorization"] == "Bearer t"
    monkeypatch.delenv("INFERENCE_GATEWAY_URL")
    monkeypatch.delenv("INFERENCE_GATEWAY_TOKEN")
    with sdk.InferenceGatewayClient.from_env() as client:
        assert client.base_url == "http://localhost:8080/v1"


def test_nothing_but_from_env_reads_url_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_GATEWAY_TOKEN", "t")
    with sdk.InferenceGatewayClient("http://x/v1") as client:
        assert "Authorization" not in client.session.headers


def test_the_token_is_masked_wherever_a_client_is_shown(make_client: Clients) -> None:
    client = make_client("http://x/v1", "hunter2")
    assert "hunter2" not in repr(client)
    assert "http://x/v1" in repr(client)


def test_the_log_says_what_happened_and_no_secrets(
    make_client: Clients, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(provider.url, "hunter2", default_headers={"X-Api-Key": "hunter2"})
    with caplog.at_level(logging.DEBUG, "inference_gateway"):
        client.create_chat_completion("m", [sdk.Message(role="user", content="private")], user="private")
    assert f"POST {provider.url}/chat/completions: 200" in caplog.text
    assert "Authorization: ***" in caplog.text
    assert "hunter2" not in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize(("value", "level"), [("info", "INFO"), ("DEBUG", "DEBUG"), ("loud", "NOTSET")])
def test_the_log_obeys_its_variable(value: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("inference_gateway")
    monkeypatch.setenv("INFERENCE_GATEWAY_LOG", value)
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "handlers", [])
    with sdk.InferenceGatewayClient("http://x/v1"):
        assert logging.getLevelName(logger.level) == level
