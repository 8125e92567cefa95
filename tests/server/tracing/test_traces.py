"""What a collector is told of requests, and what goes along to providers."""

import json
from collections.abc import Callable

import pytest

from fakes.chats import body, stream
from fakes.collector import Collector, Seen
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.provider import COMPLETION, DONE, Call, FakeProvider, chunk

Start = Callable[..., FakeGateway]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
OUTCOME = "inference_gateway.outcome"


def pair(spans: list[Seen]) -> tuple[Seen, Seen]:
    """A request's own span, and that of its one call."""
    [server] = [span for span in spans if span.kind == "server"]
    [call] = [span for span in spans if span.kind == "client"]
    return server, call


def test_a_request_is_a_span_with_the_call_of_its_provider_below(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    gateway = traced()
    reply = gateway.chat(body(temperature=0.5, max_tokens=7, n=1, top_p="odd"))
    server, call = pair(collector.wait(2))
    assert (server.name, call.name) == ("POST /v1/chat/completions", "chat m")
    assert (server.parent_id, call.parent_id) == ("", server.id)
    assert server.trace_id == call.trace_id
    assert server.start <= call.start < call.end <= server.end
    assert server.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "openai/m",
        "inference_gateway.request_id": reply.headers["x-request-id"],
        OUTCOME: "complete",
    }
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 1,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": provider.port,
        "inference_gateway.provider": "openai",
        OUTCOME: "complete",
    }
    assert not server.failed
    assert not call.failed


@pytest.mark.parametrize("number", ["9" * 30, "-9223372036854775809", "1" + "0" * 400, "1e30", "1e400", "-"])
def test_numbers_that_nobody_can_hold_are_left_out_and_lose_no_span(
    traced: Start, collector: Collector, number: str
) -> None:
    gateway = traced()
    messages = '"messages":[{"role":"user","content":"hi"}]'
    sent = f'{{"model":"openai/m",{messages},"seed":{number},"temperature":{number}}}'
    assert gateway.chat(sent.encode()).status == (400 if number == "-" else 200)
    assert gateway.chat(body(seed=-7)).status == 200
    spans = collector.wait(3 if number == "-" else 4)
    seeds = [span.attributes.get("gen_ai.request.seed") for span in spans if span.kind == "client"]
    assert [seed for seed in seeds if seed is not None] == [-7]


def test_a_trace_of_the_client_goes_on_through_the_gateway_to_the_provider(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    fields = {"traceparent": PARENT, "tracestate": "a=1, b@c=2"}
    traced().chat(body(), headers=fields)
    server, call = pair(collector.wait(2))
    assert (server.trace_id, server.parent_id, server.state) == (TRACE, SPAN, "a=1,b@c=2")
    [asked] = provider.calls
    assert asked.headers["traceparent"] == f"00-{TRACE}-{call.id}-01"
    assert asked.headers["tracestate"] == "a=1,b@c=2"
    assert len([name for name, _ in asked.fields if name == "traceparent"]) == 1


def test_a_context_that_is_none_begins_a_new_trace(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    gateway = traced()
    for parent in (PARENT.upper(), PARENT + "-more", "ff" + PARENT[2:], "nonsense"):
        gateway.chat(body(), headers={"traceparent": parent, "tracestate": "a=1"})
    spans = {span.id: span for span in collector.wait(8)}
    for call in provider.calls:
        version, trace, parent, flags = call.headers["traceparent"].split("-")
        server = spans[spans[parent].parent_id]
        assert (version, trace, flags) == ("00", server.trace_id, "01")
        assert (server.parent_id, server.state) == ("", "")
        assert "tracestate" not in call.headers
    assert len({span.trace_id for span in spans.values()} | {TRACE}) == 5


def test_a_later_version_of_the_context_is_understood(traced: Start, collector: Collector) -> None:
    traced().chat(body(), headers={"traceparent": f"01-{TRACE}-{SPAN}-07-more"})
    server, _ = pair(collector.wait(2))
    assert (server.trace_id, server.parent_id) == (TRACE, SPAN)


def test_what_a_client_does_not_trace_is_passed_on_and_not_noted(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    gateway = traced()
    gateway.chat(body(), headers={"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "a=1"})
    gateway.chat(body())
    collector.wait(2)
    assert TRACE not in {span.trace_id for span in collector.spans}
    assert provider.calls[0].headers["traceparent"] == f"00-{TRACE}-{SPAN}-00"
    assert provider.calls[0].headers["tracestate"] == "a=1"


def test_what_is_not_traced_here_is_passed_on_as_such(traced: Start, provider: FakeProvider) -> None:
    gateway = traced(OTEL_TRACES_SAMPLER="always_off")
    gateway.chat(body(), headers={"traceparent": PARENT})
    gateway.chat(body())
    of_client, of_nobody = (call.headers["traceparent"] for call in provider.calls)
    assert of_client.startswith(f"00-{TRACE}-")
    assert of_client.endswith("-00")
    assert SPAN not in of_client
    assert of_nobody.endswith("-00")


def test_the_sampler_of_the_settings_decides(traced: Start, collector: Collector) -> None:
    gateway = traced(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    low, high = f"{'1' * 16}{'0' * 15}1", f"{'1' * 16}{'f' * 16}"
    for trace in (high, low):
        gateway.chat(body(), headers={"traceparent": f"00-{trace}-{SPAN}-00"})
    assert {span.trace_id for span in collector.wait(2)} == {low}


def test_without_a_propagator_the_context_of_a_client_is_its_own_affair(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    traced(OTEL_PROPAGATORS="none").chat(body(), headers={"traceparent": PARENT})
    server, _ = pair(collector.wait(2))
    assert server.trace_id != TRACE
    assert provider.calls[0].headers["traceparent"] == PARENT


def test_a_stream_is_noted_to_its_end(traced: Start, collector: Collector, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        assert call.json()["stream_options"] == {"include_usage": True}
        usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
        said = (chunk({"content": "hi"}), chunk({}, "length"), f"data: {usage}\n\n".encode(), DONE)
        await call.stream(said)

    provider.script = script
    answer = stream(traced())
    assert answer.whole
    assert b"usage" not in answer.events
    server, call = pair(collector.wait(2))
    told = call.attributes
    assert told["gen_ai.request.stream"] is True
    assert told["gen_ai.response.finish_reasons"] == ["length"]
    assert told["gen_ai.response.model"] == "m"
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (3, 4)
    assert 0 < told["gen_ai.response.time_to_first_chunk"] < (call.end - call.start) / 1e9
    assert (told[OUTCOME], server.attributes[OUTCOME]) == ("complete", "complete")


async def _cut(call: Call) -> None:
    await call.begin_stream()
    await call.piece(chunk({"content": "hi"}))
    call.close()


async def _unfinished(call: Call) -> None:
    await call.stream([chunk({"content": "hi"})])


async def _errs(call: Call) -> None:
    await call.stream([chunk({"content": "hi"}), b'data: {"error": {"message": "no"}}\n\n'])


@pytest.mark.parametrize(
    ("script", "outcome"), [(_cut, "cut"), (_unfinished, "cut"), (_errs, "provider_error")]
)
def test_a_stream_that_breaks_off_is_marked(
    traced: Start, collector: Collector, provider: FakeProvider, script: Callable[..., object], outcome: str
) -> None:
    provider.script = script  # type: ignore[assignment]  # each is one
    assert not stream(traced()).whole
    for span in pair(collector.wait(2)):
        assert (span.attributes[OUTCOME], span.attributes["error.type"], span.failed) == (
            outcome,
            outcome,
            True,
        )


def test_a_client_that_leaves_is_marked(traced: Start, collector: Collector, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(chunk({"content": "hi"}))
        await call.client_gone()

    provider.script = script
    data = body(stream=True)
    with traced().connect() as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
            % (len(data), data)
        )
        client.recv(1)
    server, call = pair(collector.wait(2))
    assert (server.attributes[OUTCOME], call.attributes[OUTCOME]) == ("client_gone", "client_gone")
    assert server.failed


def test_a_client_that_leaves_before_the_answer_is_marked(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.client_gone()

    provider.script = script
    data = body()
    with traced().connect() as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
            % (len(data), data)
        )
        eventually(lambda: bool(provider.calls))
    server, call = pair(collector.wait(2))
    assert (server.attributes[OUTCOME], call.attributes[OUTCOME]) == ("client_gone", "client_gone")
    assert "http.response.status_code" not in server.attributes


@pytest.mark.parametrize(("status", "failed"), [(429, False), (503, True)])
def test_an_error_of_the_provider_fails_its_call(
    traced: Start, collector: Collector, provider: FakeProvider, status: int, failed: bool
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"error": "no"}, status)

    provider.script = script
    traced().chat(body())
    server, call = pair(collector.wait(2))
    for span in (server, call):
        assert span.attributes["http.response.status_code"] == status
        assert span.attributes["error.type"] == str(status)
        assert span.attributes[OUTCOME] == "provider_error"
    # What a server answers to a client's mistake is no failure of the server.
    assert (server.failed, call.failed) == (failed, True)


def test_a_provider_that_is_not_there_fails_its_call(traced: Start, collector: Collector) -> None:
    assert traced(OPENAI_API_URL="http://127.0.0.1:1/v1").chat(body()).status == 502
    server, call = pair(collector.wait(2))
    assert (call.attributes["error.type"], call.attributes["server.port"]) == ("upstream_error", 1)
    assert (server.attributes["error.type"], server.failed, call.failed) == ("502", True, True)


def test_requests_that_are_refused_are_noted_by_their_template(traced: Start, collector: Collector) -> None:
    gateway = traced()
    gateway.request("GET", "/v1/models/a/b?key=secret")
    gateway.request("GET", "/made-up/path")
    gateway.chat(b"{")
    by_path = {span.attributes["url.path"]: span for span in collector.wait(3)}
    listed = by_path["/v1/models/a/b"]
    assert (listed.name, listed.attributes["http.route"]) == ("GET /v1/models/{id}", "/v1/models/{id}")
    unknown = by_path["/made-up/path"]
    assert (unknown.name, unknown.attributes["error.type"], unknown.failed) == ("GET", "404", False)
    broken = by_path["/v1/chat/completions"]
    assert (broken.attributes["error.type"], broken.attributes[OUTCOME]) == ("400", "rejected")


def test_health_checks_are_not_traced(traced: Start, collector: Collector) -> None:
    gateway = traced()
    for path in ("/health", "/v1/health/ready", "/health/live"):
        assert gateway.request("GET", path).status == 200
    gateway.request("GET", "/v1/models")
    assert [span.name for span in collector.wait(1)] == ["GET /v1/models"]


def test_a_raw_call_is_noted_without_its_query(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await (call.stream() if "stream" in call.target else call.respond_json(COMPLETION))

    provider.script = script
    gateway = traced()
    for path in ("whole?key=canary", "stream?key=canary"):
        assert gateway.request("POST", f"/proxy/openai/{path}", {}, {"traceparent": PARENT}).status == 200
    spans = collector.wait(4)
    calls = [span for span in spans if span.kind == "client"]
    assert [(call.name, call.attributes["gen_ai.provider.name"]) for call in calls] == [
        ("POST", "openai")
    ] * 2
    assert {call.attributes[OUTCOME] for call in calls} == {"complete"}
    assert {span.name for span in spans if span.kind == "server"} == {"POST /proxy/{provider}/{path}"}
    assert {call.headers["traceparent"] for call in provider.calls} == {
        f"00-{TRACE}-{call.id}-01" for call in calls
    }
    assert "canary" not in str(spans)


def test_names_of_providers_are_those_that_opentelemetry_knows(
    traced: Start, collector: Collector, provider: FakeProvider
) -> None:
    gateway = traced(MISTRAL_API_KEY="k", MISTRAL_API_URL=provider.url)
    gateway.chat(body("mistral/m"))
    _, call = pair(collector.wait(2))
    assert call.attributes["gen_ai.provider.name"] == "mistral_ai"
    assert call.attributes["inference_gateway.provider"] == "mistral"


def test_the_mock_has_no_address(start_gateway: Start, collector: Collector) -> None:
    gateway = start_gateway(
        TELEMETRY_TRACING_ENABLED="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="10",
    )
    assert gateway.chat(body("mock/echo")).status == 200
    _, call = pair(collector.wait(2))
    assert "server.address" not in call.attributes


def test_under_an_asgi_server_it_is_the_same(provider: FakeProvider, collector: Collector) -> None:
    gateway = FakeGateway(
        {
            "OPENAI_API_KEY": "k",
            "OPENAI_API_URL": provider.url,
            "TELEMETRY_TRACING_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        },
        listener="uvicorn",
    )
    assert gateway.chat(body(), headers={"traceparent": PARENT}).status == 200
    assert stream(gateway).whole
    provider.script = _cut
    assert not stream(gateway).whole
    gateway.close()  # what waits to be sent is sent now
    assert len(collector.spans) == 6
    assert sorted(span.attributes[OUTCOME] for span in collector.spans) == ["complete"] * 4 + ["cut"] * 2


def test_without_tracing_a_context_is_passed_on_as_it_is(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    gateway.chat(body(), headers={"traceparent": "anything", "tracestate": "a"})
    assert provider.calls[0].headers["traceparent"] == "anything"
    assert provider.calls[0].headers["tracestate"] == "a"
