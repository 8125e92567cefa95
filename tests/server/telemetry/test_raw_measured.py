"""What is counted of requests to a provider's own API, and of those that never get as far as a model."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.provider import Call, FakeProvider

Start = Callable[..., FakeGateway]
ENDED = "inference_gateway_requests_total"
TOKENS = "gen_ai_client_token_usage_sum"
LABELS = {"gen_ai_operation_name": "proxy", "gen_ai_provider_name": "openai"}


@pytest.fixture
def gateway(start_gateway: Start, provider: FakeProvider) -> FakeGateway:
    return start_gateway(
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        SERVER_MAX_REQUEST_BODY_SIZE="1000",
    )


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


CHAT = {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}
RESPONSES = {"usage": {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 3}}}
MESSAGES = {"usage": {"input_tokens": 6, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 1, "output_tokens": 5}}  # fmt: skip  # noqa: E501

CODED = gzip.compress(json.dumps(CHAT).encode())


@pytest.mark.parametrize("answer", [CHAT, RESPONSES, MESSAGES])
def test_the_tokens_of_a_raw_answer_are_counted(
    gateway: FakeGateway, provider: FakeProvider, answer: dict[str, Any]
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({**answer, "padding": "x" * 100_000})

    provider.script = script
    assert gateway.request("POST", "/proxy/openai/x", {}).json()["usage"] == answer["usage"]
    found = gateway.metrics()
    assert found.total(ENDED, outcome="complete", stream="false", **LABELS) == 1
    assert found.total("gen_ai_server_request_duration_seconds_count", **LABELS) == 1
    assert found.total(TOKENS, gen_ai_token_type="input", **LABELS) == 10
    assert found.total(TOKENS, gen_ai_token_type="output", **LABELS) == 5
    assert found.total("inference_gateway_requests_open") == 0


@pytest.mark.parametrize(
    "events",
    [
        [event({"choices": []}), event({"choices": [], **CHAT}), b"data: [DONE]\n\n"],
        [event({"type": "response.created"}), event({"type": "response.completed", "response": RESPONSES})],
        [
            event({"type": "message_start", "message": {"usage": {**MESSAGES["usage"], "output_tokens": 1}}}),
            event({"type": "message_delta", "usage": {"output_tokens": 5}}),
        ],
    ],
    ids=["chat", "responses", "messages"],
)
@pytest.mark.parametrize("size", [7, 10_000])
def test_the_tokens_of_a_raw_stream_are_counted_however_it_is_cut(
    gateway: FakeGateway, provider: FakeProvider, events: list[bytes], size: int
) -> None:
    sent = b"".join(events)

    async def script(call: Call) -> None:
        await call.begin_stream()
        for begin in range(0, len(sent), size):
            await call.piece(sent[begin : begin + size])
        await call.end_stream()

    provider.script = script
    assert gateway.request("POST", "/v1/proxy/openai/x", {}).body == sent
    found = gateway.metrics()
    assert found.total(ENDED, outcome="complete", stream="true", **LABELS) == 1
    assert found.total(TOKENS, gen_ai_token_type="input", **LABELS) == 10
    assert found.total(TOKENS, gen_ai_token_type="output", **LABELS) == 5
    assert found.total("gen_ai_server_time_to_first_token_seconds_count", **LABELS) == 1
    assert found.total("inference_gateway_streams_open") == 0


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"content-type": "application/json", "content-encoding": "gzip"}, CODED),
        ({"content-type": "text/plain"}, json.dumps(CHAT).encode()),
        ({"content-type": "application/json"}, b'"usage" of nothing'),
        ({"content-type": "application/json"}, b'{"usage": 7}'),
        ({"content-type": "application/json"}, json.dumps({**CHAT, "padding": "x" * 2**20}).encode()),
        ({"content-type": "text/event-stream"}, b"data: " + b"x" * 2**21 + b"\n\n" + event(CHAT)),
    ],
    ids=["coded", "text", "broken", "strange", "large", "large event"],
)  # fmt: skip
def test_what_cannot_be_read_passes_as_it_is(
    gateway: FakeGateway, provider: FakeProvider, fields: dict[str, str], sent: bytes
) -> None:
    async def script(call: Call) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await call.raw(f"HTTP/1.1 200 OK\r\n{lines}content-length: {len(sent)}\r\n\r\n".encode() + sent)

    provider.script = script
    assert gateway.request("GET", "/proxy/openai/x").body == sent
    found = gateway.metrics()
    assert found.total(ENDED, outcome="complete", **LABELS) == 1
    assert found.total(TOKENS) == 0


def test_a_raw_error_is_the_providers(gateway: FakeGateway, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"error": "no"}, 429)

    provider.script = script
    assert gateway.request("POST", "/proxy/openai/x", {}).status == 429
    found = gateway.metrics()
    assert found.total(ENDED, outcome="provider_error", **LABELS) == 1
    assert found.total("gen_ai_server_request_duration_seconds_count", error_type="429", **LABELS) == 1
    assert found.total("inference_gateway_upstream_errors_total", kind="429") == 1


def test_a_provider_that_is_not_there_is_counted_for_raw_requests_too(start_gateway: Start) -> None:
    gateway = start_gateway(
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        OPENAI_API_KEY="k",
        OPENAI_API_URL="http://127.0.0.1:1/v1",
    )
    assert gateway.request("GET", "/proxy/openai/x").status == 502
    assert gateway.metrics().total(ENDED, outcome="provider_error", **LABELS) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"{}", body(padding="x" * 2000)])
def test_a_request_that_cannot_be_read_counts_as_one(gateway: FakeGateway, content: bytes) -> None:
    assert gateway.chat(content).status in {400, 413}
    found = gateway.metrics()
    assert found.total(ENDED) == found.total(ENDED, gen_ai_operation_name="chat", outcome="rejected") == 1
    assert found.values("gen_ai_provider_name") == set()


def test_a_caller_who_is_not_known_counts_and_makes_no_series_of_its_own(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(
        TELEMETRY_ENABLED="true",
        TELEMETRY_METRICS_PORT="0",
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        AUTH_API_KEYS="key:sixteen-letters-or-more",
    )
    before = len(gateway.metrics().samples)
    for number in range(20):
        gateway.chat(body(f"openai/made-up-{number}"), headers={"authorization": f"Bearer nobody-{number}"})
        gateway.request("GET", f"/v1/models/{number}", headers={"x-made-up": str(number)})
    found = gateway.metrics()
    assert found.total(ENDED, outcome="rejected") == 20
    assert found.total("inference_gateway_refused_total", code="unauthorized") == 40
    assert len(found.samples) == before + 2


@pytest.mark.parametrize("status", [401, 403, 422, 429, 500, 503])
def test_a_model_that_no_provider_ever_served_has_no_series(
    gateway: FakeGateway, provider: FakeProvider, status: int
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"error": "no"}, status)

    provider.script = script
    gateway.chat(body("openai/made-up"))
    assert gateway.metrics().values("gen_ai_request_model") == {"other"}


def test_a_raw_stream_that_a_client_leaves_is_counted_as_left(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(CHAT))
        await call.client_gone()

    provider.script = script
    with gateway.connect() as client:
        client.sendall(b"GET /proxy/openai/x HTTP/1.1\r\nhost: x\r\n\r\n")
        client.recv(1)
        eventually(lambda: gateway.metrics().total("inference_gateway_streams_open") == 1)
    eventually(lambda: gateway.metrics().total(ENDED, outcome="client_gone", **LABELS) == 1)
    assert gateway.metrics().total(TOKENS, gen_ai_token_type="output", error_type="client_gone") == 5
