"""How spans get to a collector, and what happens where it is slow, down, or of another mind."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from fakes.chats import body
from fakes.collector import Collector
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.process import running
from fakes.provider import FakeProvider
from inference_gateway.server.serve import Server
from inference_gateway.server.tracing import export, otlp

Start = Callable[..., FakeGateway]


def lost(gateway: FakeGateway) -> int:
    assert isinstance(gateway.server, Server)
    tracer = gateway.server._gateway.tracer
    assert tracer is not None
    return tracer.exporter.dropped


def test_spans_come_with_who_sends_them_and_the_headers_of_the_settings(
    traced: Start, collector: Collector
) -> None:
    gateway = traced(
        OTEL_EXPORTER_OTLP_HEADERS="x-key=se%20cret,Authorization=Bearer canary",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_SERVICE_NAME="edge",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment=t%C3%A9st,service.name=other",
    )
    gateway.chat(body())
    server, _ = collector.wait(2)
    assert server.resource["service.name"] == "edge"
    assert server.resource["deployment.environment"] == "tést"
    assert server.resource["service.instance.id"]
    path, fields = collector.heads[0]
    assert path == "/v1/traces"
    assert (fields["x-key"], fields["authorization"]) == ("se cret", "Bearer canary")
    assert (fields["content-type"], fields["content-encoding"]) == ("application/x-protobuf", "gzip")


@pytest.mark.parametrize(
    ("variable", "path", "arrives"),
    [
        ("TELEMETRY_TRACING_OTLP_ENDPOINT", "/", "/v1/traces"),
        ("TELEMETRY_TRACING_OTLP_ENDPOINT", "/own/path", "/own/path"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "/below/", "/below/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/exactly/", "/exactly/"),
    ],
)
def test_each_endpoint_means_what_its_specification_says(
    start_gateway: Start, collector: Collector, variable: str, path: str, arrives: str
) -> None:
    given = {variable: collector.url + path, "OTEL_BSP_SCHEDULE_DELAY": "10"}
    start_gateway(TELEMETRY_TRACING_ENABLED="true", **given).request("GET", "/v1/models")
    collector.wait(1)
    assert collector.heads[0][0] == arrives


def test_a_collector_that_is_busy_is_asked_again(
    traced: Start, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_FIRST_PAUSE", 0.01)
    collector = Collector(503, 429)
    gateway = traced(TELEMETRY_TRACING_OTLP_ENDPOINT=collector.url)
    gateway.chat(body())
    collector.wait(2)
    assert len(collector.heads) == 3
    assert lost(gateway) == 0
    collector.close()


@pytest.mark.parametrize("status", [307, 400, 500])
def test_a_collector_that_refuses_is_not_asked_again_nor_followed(
    traced: Start, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    collector = Collector(status, status, status)
    gateway = traced(TELEMETRY_TRACING_OTLP_ENDPOINT=collector.url)
    for number in range(1, 4):
        gateway.request("GET", "/v1/models")
        collector.asked(number)
    gateway.request("GET", "/v1/models")
    collector.wait(1)
    assert lost(gateway) == 3
    assert len(collector.heads) == 4
    told = [record.getMessage() for record in caplog.records if record.name == "inference_gateway.tracing"]
    assert [f"status {status}" in line for line in told] == [True], "one line, however often it fails"
    collector.close()


def test_a_collector_may_have_its_own_authority_and_ask_for_a_certificate(
    traced: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    authority, ours = trustme.CA(), trustme.CA()
    authorities, shown = tmp_path / "ca.pem", tmp_path / "shown.pem"
    authority.cert_pem.write_to_path(str(authorities))
    ours.issue_cert("gateway").private_key_and_cert_chain_pem.write_to_path(str(shown))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ours.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    collector = Collector(tls=context)
    trusting = {
        "TELEMETRY_TRACING_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authorities),
    }
    knowing = {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(shown),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(shown),
    }
    traced(**trusting, **knowing).request("GET", "/v1/models")
    collector.wait(1)
    for settings in ({**trusting, **knowing, "OTEL_EXPORTER_OTLP_CERTIFICATE": ""}, trusting):
        caplog.clear()
        gateway = traced(**settings)
        gateway.request("GET", "/v1/models")
        gateway.thread.call(gateway._stop())
        assert "did not reach 127.0.0.1" in caplog.text
    assert len(collector.spans) == 1
    collector.close()


@pytest.mark.parametrize("content", [b"x" * 100_000, b"<html>"])
def test_a_collector_that_answers_what_it_should_not_is_survived(traced: Start, content: bytes) -> None:
    collector = Collector(content=content)
    gateway = traced(TELEMETRY_TRACING_OTLP_ENDPOINT=collector.url)
    for number in (1, 2):
        gateway.request("GET", "/v1/models")
        collector.wait(number)
    collector.close()


def test_spans_that_cannot_be_written_keep_no_others_back(
    traced: Start, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("no ink")

    gateway = traced()
    with monkeypatch.context() as broken:
        broken.setattr(otlp, "request", fail)
        gateway.request("GET", "/v1/models")
        eventually(lambda: lost(gateway) == 1)
    gateway.request("GET", "/v1/models")
    collector.wait(1)
    assert "1 spans cannot be sent" in caplog.text


def test_spans_that_a_collector_leaves_out_are_counted(traced: Start) -> None:
    collector = Collector(rejects=1)
    gateway = traced(TELEMETRY_TRACING_OTLP_ENDPOINT=collector.url)
    gateway.request("GET", "/v1/models")
    collector.wait(1)
    eventually(lambda: lost(gateway) == 1)
    collector.close()


def test_lost_spans_are_among_the_metrics(traced: Start) -> None:
    collector = Collector(400)
    gateway = traced(
        TELEMETRY_TRACING_OTLP_ENDPOINT=collector.url, TELEMETRY_ENABLED="true", TELEMETRY_METRICS_PORT="0"
    )
    gateway.request("GET", "/v1/models")
    eventually(lambda: gateway.metrics().total("inference_gateway_spans_dropped_total") == 1)
    collector.close()


def test_a_collector_that_is_down_costs_spans_and_nothing_else(
    traced: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_LAST_WORDS", 0.2)
    gateway = traced(
        TELEMETRY_TRACING_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_BSP_MAX_QUEUE_SIZE="4",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="2",
    )
    for _ in range(20):
        assert gateway.chat(body()).status == 200
    assert lost(gateway) >= 34, "two spans are being sent, four wait"
    told = [record.getMessage() for record in caplog.records if record.name == "inference_gateway.tracing"]
    assert [line for line in told if "more spans end" in line] == told


def test_a_collector_that_does_not_answer_holds_up_no_end(
    traced: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "_LAST_WORDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = traced(TELEMETRY_TRACING_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        gateway.chat(body())
        with silent.accept()[0]:
            gateway.chat(body())
            gateway.thread.call(gateway._stop())
    assert lost(gateway) == 4
    assert "2 spans were lost" in caplog.text


def test_what_waits_is_sent_when_the_gateway_ends(traced: Start, collector: Collector) -> None:
    gateway = traced(OTEL_BSP_SCHEDULE_DELAY="3600000")
    gateway.chat(body())
    assert not collector.spans
    gateway.thread.call(gateway._stop())
    assert len(collector.spans) == 2


def test_a_full_batch_does_not_wait(traced: Start, collector: Collector) -> None:
    gateway = traced(OTEL_BSP_SCHEDULE_DELAY="3600000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4")
    for _ in range(2):
        gateway.chat(body())
    collector.wait(4)


def test_workers_send_their_spans_under_names_of_their_own(
    collector: Collector, provider: FakeProvider, tmp_path: Path
) -> None:
    environ = {
        "OPENAI_API_KEY": "k",
        "OPENAI_API_URL": provider.url,
        "TELEMETRY_TRACING_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "10",
    }
    with running("--workers", "2", home=tmp_path, **environ) as process:
        port = process.port()

        def instances() -> set[str]:
            # Each connection goes to whichever worker takes it.
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                while client.recv(65536):
                    pass
            return {span.resource["service.instance.id"] for span in collector.spans}

        eventually(lambda: len(instances()) == 2)
        assert len({span.trace_id for span in collector.spans}) == len(collector.spans)
