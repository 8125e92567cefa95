"""What every endpoint has in common: names of requests, errors and CORS."""

from collections.abc import Callable
from importlib.resources import files

import pytest

from fakes.chats import body, stream
from fakes.collector import Collector
from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider
from inference_gateway.server.access_log import AccessLog

Start = Callable[..., FakeGateway]


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_told(gateway: FakeGateway, provider: FakeProvider, prefix: str, path: str) -> None:
    reply = gateway.request("GET", prefix + path)
    assert (reply.status, reply.json()) == (200, {"message": "OK"})
    head = gateway.request("HEAD", prefix + path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(reply.body))
    assert provider.calls == []


def test_a_gateway_that_is_draining_lives_and_is_not_ready(gateway: FakeGateway) -> None:
    gateway.server._gateway.ready = False
    assert gateway.request("GET", "/health/live").status == 200
    reply = gateway.request("GET", "/health/ready")
    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"


def test_the_contract_is_served(gateway: FakeGateway) -> None:
    reply = gateway.request("GET", "/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.body == files("inference_gateway.server.api").joinpath("openapi.json").read_bytes()


def test_tools_are_not_exposed(gateway: FakeGateway) -> None:
    reply = gateway.request("GET", "/v1/mcp/tools")
    assert (reply.status, reply.json()) == (403, {"error": "mcp tools endpoint is not exposed"})


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/models", "/health/", "/v1/chat/completions/", "/models", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_a_404(gateway: FakeGateway, method: str, path: str) -> None:
    reply = gateway.request(method, path)
    assert reply.status == 404
    assert list(reply.json()) == ["error"]
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("OPTIONS", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/openai/x", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("TRACE", "/proxy/openai/x", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_a_405_that_says_which_are_right(
    gateway: FakeGateway, method: str, path: str, allow: str
) -> None:
    reply = gateway.request(method, path)
    assert reply.status == 405
    assert reply.headers["allow"] == allow
    assert allow in reply.json()["error"]


ANSWERS = [
    ("GET", "/health", None, 200),
    ("GET", "/v1/models", None, 200),
    ("GET", "/nowhere", None, 404),
    ("POST", "/health", None, 405),
    ("POST", "/v1/chat/completions", b"{", 400),
    ("POST", "/v1/chat/completions", body(), 200),
    ("POST", "/v1/chat/completions", body(stream=True), 200),
    ("GET", "/proxy/openai/models", None, 200),
    ("GET", "/proxy/nowhere/models", None, 400),
]


@pytest.mark.parametrize(("method", "path", "sent", "status"), ANSWERS)
def test_every_answer_names_its_request(
    gateway: FakeGateway, method: str, path: str, sent: bytes | None, status: int
) -> None:
    own = [gateway.request(method, path, sent) for _ in range(2)]
    assert [reply.status for reply in own] == [status, status]
    names = {reply.headers["x-request-id"] for reply in own}
    assert len(names) == 2
    assert all(name.startswith("req_") for name in names)
    given = gateway.request(method, path, sent, {"X-Request-Id": "trace:A-1_b.2"})
    assert given.headers["x-request-id"] == "trace:A-1_b.2"


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "a,b", "<script>", "\xe9", '"'])
def test_a_name_that_is_not_sane_is_replaced(gateway: FakeGateway, name: str) -> None:
    reply = gateway.request("GET", "/health", headers={"X-Request-Id": name})
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.own_server(reason="what is no request never reaches an ASGI application")
def test_bytes_that_are_no_request_get_a_name_as_well(gateway: FakeGateway) -> None:
    received = gateway.exchange(b"nonsense\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nx-request-id: req_" in received
    assert b'{"error":' in received


def test_without_origins_there_is_no_cors(gateway: FakeGateway) -> None:
    reply = gateway.request("GET", "/health", headers={"Origin": "https://a.example"})
    assert not any(name.startswith("access-control-") for name in reply.headers)


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [("*", "*"), ("https://a.example, https://b.example", "https://a.example")],
)
@pytest.mark.parametrize(("method", "path", "sent", "status"), ANSWERS)
def test_a_page_of_an_allowed_origin_may_read_every_answer(
    start_gateway: Start,
    provider: FakeProvider,
    origins: str,
    allowed: str,
    method: str,
    path: str,
    sent: bytes | None,
    status: int,
) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_CORS_ORIGINS=origins)
    reply = gateway.request(method, path, sent, {"Origin": "https://a.example"})
    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == allowed
    assert "retry-after" in reply.headers["access-control-expose-headers"]
    assert reply.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in reply.headers


def test_a_page_of_another_origin_may_not(start_gateway: Start) -> None:
    gateway = start_gateway(SERVER_CORS_ORIGINS="https://a.example")
    for origin in ("https://evil.example", "https://a.example.evil", "http://a.example", "null"):
        reply = gateway.request("GET", "/health", headers={"Origin": origin})
        assert not any(name.startswith("access-control-") for name in reply.headers)
        assert reply.headers["vary"] == "origin"


def test_a_preflight_is_answered_before_anything_else(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_CORS_ORIGINS="https://a.example"
    )
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-a"}
    for path in ("/v1/chat/completions", "/proxy/openai/x"):
        reply = gateway.request("OPTIONS", path, headers={"Origin": "https://a.example", **asked})
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["access-control-allow-origin"] == "https://a.example"
        assert reply.headers["access-control-allow-headers"] == "authorization, x-a"
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert reply.headers["access-control-max-age"] == "600"
        refused = gateway.request("OPTIONS", path, headers={"Origin": "https://evil.example", **asked})
        assert not any(name.startswith("access-control-") for name in refused.headers)
    assert provider.calls == []


def test_whoever_fails_to_note_an_end_holds_up_nobody(
    start_gateway: Start,
    provider: FakeProvider,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no clock")

    monkeypatch.setattr(AccessLog, "ended", fail)
    gateway = start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        LOG_ACCESS="true",
        TELEMETRY_TRACING_ENABLED="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="10",
    )
    assert gateway.chat(body()).status == 200
    assert stream(gateway).whole
    assert gateway.chat(b"{").status == 400
    assert len(collector.wait(5)) == 5, "whoever listens behind the one that fails hears of them all"
    told = [record for record in caplog.records if "was not noted" in record.getMessage()]
    assert len(told) == 3
    assert all(record.exc_info for record in told)
