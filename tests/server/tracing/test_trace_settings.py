"""The settings of tracing: whose they are, what they take, and what is missing."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from fakes.gateway import FakeGateway
from inference_gateway.server import tracing
from inference_gateway.server.api.tracing import open_tracing
from inference_gateway.server.configuration import SettingsError, load
from inference_gateway.server.extras import MissingExtra
from inference_gateway.server.listening import CannotServe
from inference_gateway.server.serve import open_gateway
from inference_gateway.server.settings import Settings
from inference_gateway.server.settings_reference import table

Start = Callable[..., FakeGateway]
WRONG = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317",
    "OTEL_EXPORTER_OTLP_HEADERS": "no-value",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10s",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem",
    "OTEL_TRACES_SAMPLER": "sometimes",
    "OTEL_TRACES_SAMPLER_ARG": "2",
    "OTEL_PROPAGATORS": "b3",
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_RESOURCE_ATTRIBUTES": "=x",
    "OTEL_BSP_MAX_QUEUE_SIZE": "0",
    "OTEL_SDK_DISABLED": "perhaps",
}


def settings(**environ: str) -> Settings:
    return load(environ=environ, dotenv=None).settings


@pytest.mark.parametrize("variable", WRONG)
def test_a_wrong_standard_variable_counts_only_where_requests_are_traced(variable: str) -> None:
    wrong = {variable: WRONG[variable]}
    assert not settings(**wrong).tracing.active
    with pytest.raises(SettingsError) as caught:
        settings(TELEMETRY_TRACING_ENABLED="true", **wrong)
    [problem] = caught.value.problems
    assert problem.startswith(f"environment: {variable}: ")


def test_batches_fit_into_the_queue_and_a_key_has_its_certificate() -> None:
    given = {"TELEMETRY_TRACING_ENABLED": "true", "OTEL_BSP_MAX_QUEUE_SIZE": "100"}
    with pytest.raises(SettingsError, match="give 100 at most"):
        settings(**given)
    with pytest.raises(SettingsError, match="no OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it"):
        settings(TELEMETRY_TRACING_ENABLED="true", OTEL_EXPORTER_OTLP_CLIENT_KEY=__file__)


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {}])
def test_standard_switches_switch_off_too(switch: dict[str, str]) -> None:
    given = settings(TELEMETRY_TRACING_ENABLED="true" if switch else "false", **switch)
    assert not given.tracing.active
    assert open_tracing(given) is None


def test_times_are_milliseconds_and_headers_are_secret() -> None:
    environ = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1500", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=canary"}
    loaded = load(environ=environ, dotenv=None)
    assert loaded.settings.tracing.timeout == 1.5
    shown = table(loaded)
    assert "canary" not in shown + repr(loaded.settings)
    rows = {line.split()[0]: line.split()[1] for line in shown.splitlines()}
    assert rows["OTEL_EXPORTER_OTLP_HEADERS"] == "********"
    assert rows["OTEL_EXPORTER_OTLP_TIMEOUT"] == "1500"


def test_no_message_shows_a_header() -> None:
    given = {"TELEMETRY_TRACING_ENABLED": "true", "OTEL_EXPORTER_OTLP_HEADERS": "a=b,canary"}
    with pytest.raises(SettingsError) as caught:
        settings(**given)
    assert "canary" not in str(caught.value)
    given["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=canary\u00e9"
    with pytest.raises(SettingsError) as caught:
        settings(**given)
    assert "canary" not in str(caught.value)


def test_a_certificate_that_is_none_stops_the_start() -> None:
    given = {"TELEMETRY_TRACING_ENABLED": "true", "OTEL_EXPORTER_OTLP_CERTIFICATE": __file__}
    with pytest.raises(CannotServe, match=r"OTEL_EXPORTER_OTLP_CERTIFICATE: .* cannot be used"):
        open_gateway(settings(**given))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("inference_gateway.server.tracing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(tracing, "otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.trace.v1.trace_pb2", None)
    with pytest.raises(MissingExtra, match=r"install the extra \[otel\]"):
        open_tracing(settings(TELEMETRY_TRACING_ENABLED="true"))


def test_off_it_imports_nothing() -> None:
    program = (
        "import sys; from inference_gateway.server.configuration import load;"
        "from inference_gateway.server.serve import open_gateway;"
        "open_gateway(load(environ={}, dotenv=None).settings);"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google'))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
