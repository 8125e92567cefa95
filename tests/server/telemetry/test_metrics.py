"""What is counted, as whoever scrapes it sees it."""

import asyncio
import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.chats import MESSAGES, body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.metrics import Scrape
from fakes.process import running
from fakes.prometheus import scraping
from fakes.provider import COMPLETION, DONE, STREAM, Call, FakeProvider, chunk

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 2},
}
ANSWER = {**COMPLETION, "usage": USAGE}
USAGE_EVENT = b'data: {"choices": [], "usage": ' + json.dumps(USAGE).encode() + b"}\n\n"
TOKENS = "gen_ai_client_token_usage_sum"
ENDED = "inference_gateway_requests_total"

Start = Callable[..., FakeGateway]


async def says_usage(call: Call) -> None:
    """Answer like a provider that says what it took, in a stream where it is asked."""
    asked = call.json()
    if not asked.get("stream"):
        await call.respond_json(ANSWER)
        return
    wanted = (asked.get("stream_options") or {}).get("include_usage")
    await call.stream([*STREAM[:-1], *([USAGE_EVENT] if wanted else []), DONE])


@pytest.fixture
def measured(start_gateway: Start, start_provider: Callable[..., FakeProvider]) -> Callable[..., FakeGateway]:
    """Start a gateway that counts, in front of a provider with this script."""

    def start(script: Any = says_usage, **environ: str) -> FakeGateway:
        on = {"TELEMETRY_ENABLED": "true", "TELEMETRY_METRICS_PORT": "0"}
        provider = {"OPENAI_API_KEY": "sk-test", "OPENAI_API_URL": start_provider(script).url}
        return start_gateway(**on, **provider, **environ)

    return start


def test_a_plain_answer_is_counted_with_all_its_tokens(measured: Start) -> None:
    gateway = measured()
    assert gateway.chat(body("openai/m")).status == 200
    found = gateway.metrics()
    labels = {
        "source": "gateway",
        "team": "unknown",
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "openai",
        "gen_ai_request_model": "openai/m",
    }
    assert found.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert found.total(TOKENS, gen_ai_token_type="input", **labels) == 10
    assert found.total(TOKENS, gen_ai_token_type="output", **labels) == 5
    assert found.total("gen_ai_server_request_duration_seconds_count", **labels) == 1
    assert found.total("inference_gateway_overhead_seconds_count", stream="false") == 1
    details = "inference_gateway_token_details_total"
    kinds = {"cached_input": 4, "audio_input": 1, "reasoning_output": 3, "audio_output": 2}
    assert {kind: found.total(details, gen_ai_token_type=kind) for kind in kinds} == kinds


def test_the_usage_of_a_stream_is_asked_for_counted_and_kept_from_a_client_that_did_not_ask(
    measured: Start,
) -> None:
    gateway = measured()
    got = stream(gateway)
    assert got.whole
    assert got.events == b"".join(STREAM)
    found = gateway.metrics()
    assert found.total(TOKENS, gen_ai_token_type="output") == 5
    assert found.total("gen_ai_server_time_to_first_token_seconds_count") == 1
    assert found.total("gen_ai_server_time_per_output_token_seconds_count") == 1
    assert found.total("inference_gateway_streams_open") == 0


def test_a_client_that_asks_for_usage_gets_it(measured: Start) -> None:
    gateway = measured()
    got = stream(gateway, body(stream=True, stream_options={"include_usage": True}))
    assert USAGE_EVENT in got.events
    assert gateway.metrics().total(TOKENS, gen_ai_token_type="output") == 5


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"other": 1}])
def test_what_a_client_says_in_stream_options_stays(measured: Start, options: object) -> None:
    asked: list[Any] = []

    async def script(call: Call) -> None:
        asked.append(call.json()["stream_options"])
        await says_usage(call)

    got = stream(measured(script), body(stream=True, stream_options=options))
    others = {name: value for name, value in dict(options or {}).items() if name != "include_usage"}  # type: ignore[call-overload]
    assert asked == [{**others, "include_usage": True}]
    assert USAGE_EVENT not in got.events


@pytest.mark.parametrize("pieces", [1, 7, 50, 10_000])
def test_usage_is_kept_from_a_client_however_the_stream_is_cut(measured: Start, pieces: int) -> None:
    async def script(call: Call) -> None:
        data = b"".join([*STREAM[:-1], USAGE_EVENT, DONE])
        await call.begin_stream()
        for begin in range(0, len(data), pieces):
            await call.piece(data[begin : begin + pieces])
        await call.end_stream()

    gateway = measured(script)
    assert stream(gateway).events == b"".join(STREAM)
    assert gateway.metrics().total(TOKENS, gen_ai_token_type="input") == 10


def test_without_telemetry_a_stream_is_asked_for_as_the_client_did(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    asked: list[Any] = []

    async def script(call: Call) -> None:
        asked.append(call.json())
        await says_usage(call)

    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(script).url)
    assert stream(gateway).whole
    assert "stream_options" not in asked[0]


def test_a_provider_that_does_not_understand_the_wish_is_not_asked(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    asked: list[Any] = []

    async def script(call: Call) -> None:
        asked.append(call.json())
        await call.stream([*STREAM[:-1], USAGE_EVENT, DONE])

    on = {"TELEMETRY_ENABLED": "true", "TELEMETRY_METRICS_PORT": "0"}
    gateway = start_gateway(MISTRAL_API_KEY="k", MISTRAL_API_URL=start_provider(script).url, **on)
    assert USAGE_EVENT in stream(gateway, body("mistral/m", stream=True)).events
    assert "stream_options" not in asked[0]
    assert gateway.metrics().total(TOKENS, gen_ai_token_type="output") == 5


async def _errs(call: Call) -> None:
    await call.respond_json({"error": "no"}, 500)


async def _cuts(call: Call) -> None:
    await call.begin_stream()
    await call.piece(chunk({"content": "x"}))
    await call.piece(USAGE_EVENT)
    call.reset()


async def _errs_in_stream(call: Call) -> None:
    await call.stream([STREAM[0], b'data: {"error": "no"}\n\n'])


async def _stalls(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[0])
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("script", "outcome", "error"),
    [
        (_errs, "provider_error", "500"),
        (_cuts, "cut", "cut"),
        (_errs_in_stream, "provider_error", "provider_error"),
        (_stalls, "stalled", "stalled"),
    ],
)
def test_each_bad_end_is_counted_once_by_its_name(
    measured: Start, script: Any, outcome: str, error: str
) -> None:
    gateway = measured(script, CLIENT_STREAM_IDLE_TIMEOUT="100ms")
    data, head = body(stream=True), b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    gateway.exchange(head + b"content-length: %d\r\n\r\n" % len(data) + data)
    found = gateway.metrics()
    streamed = "false" if error == "500" else "true"
    assert found.total(ENDED) == found.total(ENDED, outcome=outcome, stream=streamed) == 1
    assert found.total("gen_ai_server_request_duration_seconds_count", error_type=error) == 1
    assert found.total("inference_gateway_upstream_errors_total", gen_ai_provider_name="openai") == 1


def test_tokens_of_a_stream_that_was_cut_are_counted_and_marked(measured: Start) -> None:
    gateway = measured(_cuts)
    stream(gateway)
    assert gateway.metrics().total(TOKENS, gen_ai_token_type="output", error_type="cut") == 5


def test_a_client_that_leaves_is_counted_as_gone(measured: Start) -> None:
    gateway = measured(_stalls)
    with gateway.connect() as client:
        data = body(stream=True)
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(data) + data
        )
        client.recv(1)
        eventually(lambda: gateway.metrics().total("inference_gateway_streams_open") == 1)
    eventually(lambda: gateway.metrics().total(ENDED, outcome="client_gone") == 1)
    assert gateway.metrics().total("inference_gateway_requests_open") == 0


def test_tools_that_models_ask_for_are_counted_whole_and_streamed(measured: Start) -> None:
    calls = [{"index": 0, "id": "1", "type": "function", "function": {"name": "mcp_time", "arguments": ""}}]

    async def script(call: Call) -> None:
        if call.json().get("stream"):
            more = [{"index": 0, "function": {"arguments": "{}"}}]
            await call.stream(
                [chunk({"tool_calls": calls}), chunk({"tool_calls": more}), chunk({}, "stop"), DONE]
            )
        else:
            asked = [{**calls[0], "function": {"name": name}} for name in ("add", "a2a_submit_task")]
            message = {"role": "assistant", "tool_calls": asked}
            await call.respond_json({**ANSWER, "choices": [{"message": message, "finish_reason": "stop"}]})

    gateway = measured(script)
    gateway.chat(body())
    stream(gateway)
    found, name = gateway.metrics(), "inference_gateway_tool_calls_total"
    assert found.total(name, gen_ai_tool_name="mcp_time", gen_ai_tool_type="mcp") == 1
    assert found.total(name, gen_ai_tool_name="add", gen_ai_tool_type="standard_tool_use") == 1
    assert found.total(name, gen_ai_tool_name="a2a_submit_task", gen_ai_tool_type="a2a") == 1
    assert found.total(name) == 3


def test_models_beyond_the_limit_count_as_other(measured: Start) -> None:
    gateway = measured(TELEMETRY_MAX_MODELS="2")
    for number in range(5):
        gateway.chat(body(f"openai/m{number}"))
    found = gateway.metrics()
    assert found.values("gen_ai_request_model") == {"openai/m0", "openai/m1", "other"}
    assert found.total(TOKENS, gen_ai_token_type="input") == 50


def test_a_name_that_no_provider_knows_makes_no_series(measured: Start) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"error": "no such model"}, 404)

    gateway = measured(script)
    for number in range(5):
        gateway.chat(body(f"openai/made-up-{number}"))
        gateway.chat(body(f"made-up-{number}"))
    found = gateway.metrics()
    assert found.values("gen_ai_request_model") == {"other"}
    assert found.total(ENDED) == 10


def test_every_way_to_name_a_model_is_counted(measured: Start) -> None:
    async def script(call: Call) -> None:
        if call.method == "GET":
            await call.respond_json({"object": "list", "data": [{"id": "m", "object": "model"}]})
        else:
            await says_usage(call)

    gateway = measured(script)
    for model, query in (("openai/m", ""), ("m", ""), ("m", "?provider=openai")):
        assert gateway.chat(body(model), query).status == 200
    assert gateway.metrics().total(ENDED, gen_ai_provider_name="openai", outcome="complete") == 3


def test_requests_refused_by_a_limit_are_counted_by_its_code(measured: Start) -> None:
    gateway = measured(SERVER_MAX_REQUEST_BODY_SIZE="100")
    assert gateway.chat(body(padding="x" * 200)).status == 413
    assert gateway.metrics().total("inference_gateway_refused_total", code="body_too_large") == 1


def test_what_a_provider_did_is_not_counted_as_refused(start_gateway: Start) -> None:
    gateway = start_gateway(TELEMETRY_ENABLED="true", TELEMETRY_METRICS_PORT="0")
    assert gateway.chat(body("mock/lab:reset")).status == 502
    page = gateway.metrics()
    assert page.total("inference_gateway_upstream_errors_total", kind="502") == 1
    assert page.total("inference_gateway_refused_total") == 0


def test_the_metrics_port_has_one_page(measured: Start) -> None:
    gateway = measured()
    port = gateway.metrics_port
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models")
    with caught.value as error:
        assert error.code == 404
    assert gateway.request("GET", "/metrics").status == 404


def test_connections_are_told_by_their_state(measured: Start) -> None:
    gateway = measured()
    gateway.chat(body())
    found = gateway.metrics()
    assert found.total("inference_gateway_pool_connections", state="idle") == 1
    assert found.total("inference_gateway_pool_connections", state="busy") == 0


def ask(port: int, *, times: int) -> None:
    for _ in range(times):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body())
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["usage"]["prompt_tokens"] == 10


def test_totals_are_right_over_workers_and_over_one_that_is_killed(
    start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    environ = {"OPENAI_API_KEY": "k", "OPENAI_API_URL": start_provider(says_usage).url}
    metrics = {"TELEMETRY_ENABLED": "true", "TELEMETRY_METRICS_PORT": "0"}
    with running("--workers", "2", home=tmp_path, **environ, **metrics) as process:
        port = process.port()
        scraped = int(process.logged("metrics are at").rpartition(":")[2].removesuffix("/metrics\n"))
        ask(port, times=20)
        assert Scrape(scraped).total(ENDED) == 20
        before = process.children()
        subprocess.run(["kill", "-9", str(before[0])], check=True)
        process.logged("started worker")
        eventually(lambda: len(process.children()) == 2)
        ask(port, times=20)
        found = Scrape(scraped)
        assert found.total(ENDED) == found.total(ENDED, outcome="complete") == 40
        assert found.total(TOKENS, gen_ai_token_type="input") == 400
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus")
def test_prometheus_scrapes_it(measured: Start, tmp_path: Path) -> None:
    gateway = measured()
    for _ in range(7):
        gateway.chat({"model": "openai/m", "messages": MESSAGES})

    def total(expression: str) -> float:
        return sum(value for _, value in prometheus.query(expression))

    with scraping(gateway.metrics_port, tmp_path) as prometheus:
        eventually(lambda: total("gen_ai_client_token_usage_sum{gen_ai_token_type='input'}") == 70)
        assert total("inference_gateway_requests_total") == 7
        assert total("up") == 1
