"""Metrics that clients push: with the official exporter, and by hand."""

import gzip
import json
import sys
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from fakes.gateway import FakeGateway, Reply
from fakes.metrics import Scrape
from fakes.process import running
from inference_gateway.server.configuration import load
from inference_gateway.server.listening import CannotServe
from inference_gateway.server.serve import open_gateway
from inference_gateway.server.telemetry.totals import Totals

Start = Callable[..., FakeGateway]
ON = {
    "TELEMETRY_ENABLED": "true",
    "TELEMETRY_METRICS_PORT": "0",
    "TELEMETRY_METRICS_PUSH_ENABLED": "true",
}
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
DELTA, CUMULATIVE = 1, 2
SECONDS = [0.01 * 2**step for step in range(14)]
BOMB = gzip.compress(b" " * (40 * 1024 * 1024))
USAGE, DURATION, CALLS = (
    "gen_ai.client.token.usage",
    "gen_ai.server.request.duration",
    "inference_gateway.tool_calls",
)


@pytest.fixture
def gateway(start_gateway: Start) -> FakeGateway:
    return start_gateway(**ON)


def attributes(labels: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]


def export(*metrics: dict[str, Any], service: str = "app") -> dict[str, Any]:
    resource = {"attributes": attributes({"service.name": service})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": list(metrics)}]}]}


def number(
    name: str, value: object, *, temporality: int = DELTA, monotonic: bool = True, **labels: str
) -> dict[str, Any]:
    spelled = {name.replace("_", "."): value for name, value in labels.items()}
    point = {"attributes": attributes(spelled), "asInt": value}
    total = {"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": monotonic}
    return {"name": name, "sum": total}


def distribution(
    name: str, bounds: list[Any], counts: list[int], *, temporality: int = DELTA, **point: Any
) -> dict[str, Any]:
    labels = point.pop("labels", {})
    histogram = {
        "count": str(sum(counts)),
        "bucketCounts": list(map(str, counts)),
        "explicitBounds": bounds,
        "attributes": attributes(labels),
        **point,
    }
    return {"name": name, "histogram": {"dataPoints": [histogram], "aggregationTemporality": temporality}}


def push(gateway: FakeGateway, body: object, **headers: str) -> Reply:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.request("POST", "/v1/metrics", body, {**JSON, **given})


def test_what_the_official_exporter_sends_is_counted(gateway: FakeGateway) -> None:
    delta = AggregationTemporality.DELTA
    exporter = OTLPMetricExporter(
        endpoint=f"{gateway.url}/v1/metrics",
        compression=Compression.Gzip,
        preferred_temporality={Counter: delta, Histogram: delta},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=600_000)
    provider = MeterProvider([reader], Resource({"service.name": "shop"}))
    meter = provider.get_meter("test")
    durations = meter.create_histogram("gen_ai.client.operation.duration", "s")
    labels = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "secret": "no label"}
    for seconds in (0.5, 1.5, 3.0):
        durations.record(seconds, labels)
    meter.create_counter(CALLS).add(3, {"gen_ai.tool.name": "look_up", "team": "blue"})
    assert reader.force_flush()
    durations.record(4.0, labels)
    provider.shutdown()
    found = gateway.metrics()
    known = {"source": "shop", "gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4o"}
    name = "gen_ai_client_operation_duration_seconds"
    assert found.total(f"{name}_count", team="unknown", **known) == 4
    assert found.total(f"{name}_sum") == 9
    assert found.total("inference_gateway_tool_calls_total", source="shop", team="blue") == 3
    assert "no label" not in found.text


def test_json_by_hand_is_counted_to_the_bucket(gateway: FakeGateway) -> None:
    counts = [1, 2, 3, *[0] * 12]
    metric = distribution(DURATION, SECONDS, counts, sum=0.15)
    reply = push(gateway, export(metric))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"{}", "application/json")
    found = gateway.metrics()
    name = "gen_ai_server_request_duration_seconds"
    within = {
        bound: found.total(f"{name}_bucket", source="app", le=bound) for bound in ("0.01", "0.02", "0.04")
    }
    assert within == {"0.01": 1, "0.02": 3, "0.04": 6}
    assert found.total(f"{name}_count") == 6
    assert found.total(f"{name}_sum") == 0.15


def test_other_buckets_count_where_their_middles_are_and_the_sum_is_kept(gateway: FakeGateway) -> None:
    assert (
        push(gateway, export(distribution(DURATION, [0, 5, 10], [1, 20_000, 3, 4], sum=77.5))).body == b"{}"
    )
    assert push(gateway, export(distribution(DURATION, [], [], count=2, sum=3))).body == b"{}"
    found = gateway.metrics()
    name = "gen_ai_server_request_duration_seconds"
    places = {
        b: found.total(f"{name}_bucket", le=b) for b in ("0.01", "1.28", "2.56", "5.12", "10.24", "+Inf")
    }
    assert places == {"0.01": 1, "1.28": 1, "2.56": 20_003, "5.12": 20_003, "10.24": 20_010, "+Inf": 20_010}
    assert found.total(f"{name}_sum") == 80.5


def test_a_sum_of_tokens_is_one_observation(gateway: FakeGateway) -> None:
    metric = number(USAGE, "42", gen_ai_token_type="input")
    metric["sum"]["dataPoints"][0]["attributes"] = attributes({"gen_ai.token.type": "input"})
    assert push(gateway, export(metric)).body == b"{}"
    found = gateway.metrics()
    assert found.total("gen_ai_client_token_usage_count", gen_ai_token_type="input", source="app") == 1
    assert found.total("gen_ai_client_token_usage_sum", gen_ai_token_type="input", source="app") == 42


_AGREE = "the buckets and the count do not agree"
_RANGE = "the value is out of range"
_RISE = "the bounds do not rise"
_MONOTONIC = "only delta monotonic sums are supported"
_UNIT = {"unit": "ms"}


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (number(USAGE, 1, temporality=CUMULATIVE), "only delta temporality is supported"),
        (
            distribution(DURATION, [1], [1, 0], temporality=CUMULATIVE),
            "only delta temporality is supported",
        ),
        (number(DURATION, 1), "only histogram data is supported"),
        (distribution(CALLS, [1], [1, 0]), "only sum data is supported"),
        (number(CALLS, 1, monotonic=False), _MONOTONIC),
        (number(CALLS, 1, temporality=CUMULATIVE), _MONOTONIC),
        ({"name": USAGE, "gauge": {"dataPoints": [{"asInt": "1"}]}}, "unsupported data type"),
        (number(CALLS, -1), _RANGE),
        (number(CALLS, 2**60), _RANGE),
        (distribution(DURATION, [1, 2], [1, 0]), "there must be one bucket more than bounds"),
        (distribution(DURATION, [2, 1], [1, 0, 0]), _RISE),
        (distribution(DURATION, ["NaN"], [1, 0]), _RISE),
        (distribution(DURATION, [-1], [1, 0]), "a bound is below zero"),
        (distribution(DURATION, [1], [2, -1]), "the count is out of range"),
        (distribution(DURATION, [1], [1, 0], count=7), _AGREE),
        (distribution(DURATION, [1], [1, 0], sum="Infinity"), _RANGE),
        (distribution(DURATION, [1], [1, 0]) | _UNIT, "the unit must be s"),
    ],
)
def test_what_is_not_taken_is_told_with_the_reason(
    gateway: FakeGateway, metric: dict[str, Any], reason: str
) -> None:
    partial = push(gateway, export(metric)).json()["partialSuccess"]
    why = f'metric "{metric["name"]}": {reason}'
    assert partial == {"rejectedDataPoints": "1", "errorMessage": why}
    assert 'source="app"' not in gateway.metrics().text


def test_the_answer_comes_in_the_encoding_of_the_push(gateway: FakeGateway) -> None:
    body = ExportMetricsServiceRequest()
    metric = body.resource_metrics.add().scope_metrics.add().metrics.add(name="strange")
    metric.gauge.data_points.add(as_int=1)
    metric.gauge.data_points.add(as_int=2)
    reply = push(gateway, body.SerializeToString(), content_type="application/x-protobuf; charset=x")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-protobuf")
    answer = ExportMetricsServiceResponse.FromString(reply.body).partial_success
    assert (answer.rejected_data_points, answer.error_message) == (2, 'unsupported metric "strange"')


def test_protobuf_by_hand_is_counted(gateway: FakeGateway) -> None:
    body = ExportMetricsServiceRequest()
    scope = body.resource_metrics.add().scope_metrics.add()
    total = scope.metrics.add(name=CALLS).sum
    total.aggregation_temporality, total.is_monotonic = DELTA, True  # type: ignore[assignment]  # the number of it
    total.data_points.add(as_double=2.0)
    total.data_points.add(as_int=5, flags=1)
    histogram = scope.metrics.add(name=DURATION, unit="s").histogram
    histogram.aggregation_temporality = DELTA  # type: ignore[assignment]  # as above
    histogram.data_points.add(count=2, bucket_counts=[1, 1], explicit_bounds=[1.0])
    reply = push(gateway, body.SerializeToString(), **PROTOBUF)
    assert (reply.status, reply.body) == (200, b"")
    found = gateway.metrics()
    assert found.total("inference_gateway_tool_calls_total", source="unknown") == 2
    assert found.total("gen_ai_server_request_duration_seconds_sum", source="unknown") == 2


@pytest.mark.parametrize("service", ["gateway", ""])
def test_nobody_can_count_in_the_gateways_own_name(gateway: FakeGateway, service: str) -> None:
    point = number(CALLS, 3)
    point["sum"]["dataPoints"][0]["attributes"] = attributes({"source": "gateway"})
    push(gateway, export(point, service=service))
    assert gateway.metrics().total("inference_gateway_tool_calls_total", source="unknown") == 3


def test_an_explicit_source_counts_before_the_name_of_the_service(gateway: FakeGateway) -> None:
    point = number(CALLS, 3)
    point["sum"]["dataPoints"][0]["attributes"] = attributes({"source": "job"})
    push(gateway, export(point))
    assert gateway.metrics().total("inference_gateway_tool_calls_total", source="job") == 3


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{}", {"content_type": "text/plain"}, 415, "application/x-protobuf or application/json"),
        (b"{}", {"content_encoding": "zstd"}, 415, "gzip"),
        (zlib.compress(b"{}"), {"content_encoding": "deflate"}, 415, "gzip"),
        (b"{}", {"content_encoding": "gzip"}, 400, "Invalid gzip payload"),
        (gzip.compress(b"{}")[:-3], {"content_encoding": "gzip"}, 400, "Invalid gzip payload"),
        (gzip.compress(b"{}") + b"more", {"content_encoding": "gzip"}, 400, "Invalid gzip payload"),
        (b"{", {}, 400, "Failed to decode OTLP payload"),
        (b'{"resourceMetrics": [{"scopeMetrics": 7}]}', {}, 400, "scopeMetrics"),
        (b'{"a":' * 100_000, {}, 400, "Failed to decode OTLP payload"),
        (b"no protobuf", PROTOBUF, 400, "Failed to decode OTLP payload"),
        (b" " * (4 * 1024 * 1024 + 1), {}, 413, "Payload exceeds 4 MiB limit"),
        (BOMB, {"content_encoding": "gzip"}, 413, "Payload exceeds 4 MiB limit"),
    ],
    ids=lambda value: "" if isinstance(value, bytes | dict) else None,
)
def test_what_is_no_export_is_refused(
    gateway: FakeGateway, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    reply = push(gateway, body, **headers)
    assert reply.status == status
    assert words in reply.json()["error"]


def test_without_a_body_a_push_brings_nothing(gateway: FakeGateway) -> None:
    assert push(gateway, b"", **PROTOBUF).status == 200
    assert push(gateway, b"{}").body == b"{}"


@pytest.mark.parametrize("missing", ["TELEMETRY_ENABLED", "TELEMETRY_METRICS_PUSH_ENABLED"])
def test_pushes_are_refused_where_they_are_not_wanted(start_gateway: Start, missing: str) -> None:
    gateway = start_gateway(**{**ON, missing: "false"})
    reply = push(gateway, export(number(CALLS, 1)))
    assert reply.status == 403
    assert reply.json()["error"].startswith("Metrics push is not enabled")


def test_whoever_pushes_says_who_it_is_where_callers_must(start_gateway: Start) -> None:
    gateway = start_gateway(**ON, AUTH_API_KEYS="key:sixteen-letters-or-more")
    assert push(gateway, export(number(CALLS, 1))).status == 401
    assert gateway.metrics().total("inference_gateway_tool_calls_total") == 0


def test_values_of_labels_and_series_are_bounded(gateway: FakeGateway) -> None:
    several = []
    for place in range(300):
        metric = number(CALLS, 1)
        metric["sum"]["dataPoints"][0]["attributes"] = attributes(
            {"source": f"s{place}", "gen_ai.request.model": f"m{place}", "gen_ai.provider.name": "x" * 500}
        )
        several.append(metric)
    assert push(gateway, export(*several)).body == b"{}"
    found = gateway.metrics()
    assert len(found.values("source") - {"other", "gateway"}) == 100
    assert len(found.values("gen_ai_request_model") - {"other"}) == 200
    assert found.values("gen_ai_provider_name") == {"other"}
    assert found.total("inference_gateway_tool_calls_total") == 300


def test_series_that_find_no_room_are_refused(gateway: FakeGateway) -> None:
    metric = number(CALLS, 1)
    point = metric["sum"]["dataPoints"][0]
    metric["sum"]["dataPoints"] = [
        {**point, "attributes": attributes({"gen_ai.request.model": f"m{a}", "gen_ai.tool.name": f"t{b}"})}
        for a in range(40)
        for b in range(30)
    ]
    partial = push(gateway, export(metric)).json()["partialSuccess"]
    assert partial == {"rejectedDataPoints": "200", "errorMessage": f'metric "{CALLS}": too many series'}
    assert gateway.metrics().total("inference_gateway_tool_calls_total") == 1000


def test_names_of_models_that_are_pushed_crowd_out_none_of_the_gateways_own(start_gateway: Start) -> None:
    gateway = start_gateway(**ON, TELEMETRY_MAX_MODELS="1")
    metric = number(CALLS, 1)
    metric["sum"]["dataPoints"][0]["attributes"] = attributes({"gen_ai.request.model": "theirs"})
    push(gateway, export(metric))
    gateway.chat({"model": "mock/echo", "messages": [{"role": "user", "content": "x"}]})
    assert gateway.metrics().values("gen_ai_request_model") == {"theirs", "mock/echo"}


def test_points_beyond_what_a_push_may_bring_are_refused(gateway: FakeGateway) -> None:
    metric = number(CALLS, 1)
    metric["sum"]["dataPoints"] *= 10_001
    partial = push(gateway, export(metric)).json()["partialSuccess"]
    assert partial == {"rejectedDataPoints": "10001", "errorMessage": "more than 10000 data points"}


def test_a_label_is_written_so_that_it_ends_where_it_ends(gateway: FakeGateway) -> None:
    metric, evil = number(CALLS, 1), 'a"} 1\n# x \\ y'
    metric["sum"]["dataPoints"][0]["attributes"] = attributes({"team": evil})
    push(gateway, export(metric))
    assert r'team="a\"} 1\n# x \\ y"' in gateway.metrics().text


def test_what_several_workers_took_adds_up(tmp_path: Path) -> None:
    with running("--workers", "2", home=tmp_path, **ON) as process:
        port = process.port()
        scraped = int(process.logged("metrics are at").rpartition(":")[2].removesuffix("/metrics\n"))
        body = json.dumps(export(number(CALLS, 2), distribution(DURATION, [1], [1, 1], sum=3))).encode()
        for _ in range(20):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/metrics", body, JSON)
            with urllib.request.urlopen(request) as answer:
                assert answer.read() == b"{}"
        found = Scrape(scraped)
    assert found.total("inference_gateway_tool_calls_total", source="app") == 40
    assert found.total("gen_ai_server_request_duration_seconds_count", source="app") == 40
    assert found.total("gen_ai_server_request_duration_seconds_sum", source="app") == 60


def test_without_the_package_the_gateway_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "inference_gateway.server.telemetry.otlp_protobuf", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", None)
    totals = Totals()
    with pytest.raises(CannotServe, match=r"install the extra \[otel\]"):
        open_gateway(load(environ=ON, dotenv=None).settings, totals)
    totals.close()


def test_json_says_what_it_pushes_by_any_name_of_delta(gateway: FakeGateway) -> None:
    metric = number(CALLS, 1)
    metric["sum"]["aggregationTemporality"] = "AGGREGATION_TEMPORALITY_DELTA"
    assert json.loads(push(gateway, export(metric)).body) == {}
