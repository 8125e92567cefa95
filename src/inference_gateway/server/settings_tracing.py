"""Settings of tracing: our own, and the standard ones of OpenTelemetry; `settings` says how they are read.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from inference_gateway.server.setting_kinds import LONGEST, Secret

SHARED_PREFIX: Final = "OTEL_"
"""Variables of this prefix are read by other programs too: a wrong one is no error while tracing is off."""

Milliseconds = Annotated[float, Meta(ge=0.001, le=LONGEST)]
"""Seconds; as a variable, a whole number of milliseconds."""


def _standard(variable: str, description: str, kind: str) -> Meta:
    return Meta(description=description, extra={"variable": SHARED_PREFIX + variable, "kind": kind})


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Traces."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether requests are traced and spans sent by OTLP; needs the extra [otel].",
            extra={"variable": "TELEMETRY_TRACING_ENABLED"},
        ),
    ] = False
    content: Annotated[
        bool,
        Meta(
            description="Whether spans hold what people write to models, what these answer, and what tools "
            "are given and return.",
            extra={"variable": "TELEMETRY_TRACING_CONTENT"},
        ),
    ] = False
    otlp_endpoint: Annotated[
        str | None,
        Meta(
            description="Where spans go, ahead of OTEL_EXPORTER_OTLP_ENDPOINT; without a path, to "
            "`/v1/traces` there. With neither, to http://localhost:4318.",
            extra={"variable": "TELEMETRY_TRACING_OTLP_ENDPOINT", "kind": "collector"},
        ),
    ] = None
    traces_endpoint: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_TRACES_ENDPOINT", "URL that spans go to as it is; it wins.", "collector"),
    ] = None
    endpoint: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_ENDPOINT", "URL that spans go to `/v1/traces` below.", "collector"),
    ] = None
    traces_headers: Annotated[
        Secret | None,
        _standard("EXPORTER_OTLP_TRACES_HEADERS", "In place of OTEL_EXPORTER_OTLP_HEADERS.", "header_pairs"),
    ] = None
    headers: Annotated[
        Secret | None,
        _standard(
            "EXPORTER_OTLP_HEADERS",
            "Comma list of `name=value` sent along with spans, values percent-encoded; never shown.",
            "header_pairs",
        ),
    ] = None
    traces_timeout: Annotated[
        Milliseconds | None,
        _standard("EXPORTER_OTLP_TRACES_TIMEOUT", "In place of OTEL_EXPORTER_OTLP_TIMEOUT.", "milliseconds"),
    ] = None
    timeout: Annotated[
        Milliseconds,
        _standard("EXPORTER_OTLP_TIMEOUT", "Time for one try to send spans, in ms.", "milliseconds"),
    ] = 10.0
    traces_compression: Annotated[
        Literal["none", "gzip"] | None,
        _standard("EXPORTER_OTLP_TRACES_COMPRESSION", "In place of OTEL_EXPORTER_OTLP_COMPRESSION.", "text"),
    ] = None
    compression: Annotated[
        Literal["none", "gzip"],
        _standard("EXPORTER_OTLP_COMPRESSION", "How what is sent is compressed.", "text"),
    ] = "none"
    traces_protocol: Annotated[
        Literal["http/protobuf"] | None,
        _standard("EXPORTER_OTLP_TRACES_PROTOCOL", "In place of OTEL_EXPORTER_OTLP_PROTOCOL.", "text"),
    ] = None
    protocol: Annotated[
        Literal["http/protobuf"],
        _standard("EXPORTER_OTLP_PROTOCOL", "How it is sent: there is one way.", "text"),
    ] = "http/protobuf"
    traces_certificate: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_TRACES_CERTIFICATE", "In place of OTEL_EXPORTER_OTLP_CERTIFICATE.", "file"),
    ] = None
    certificate: Annotated[
        str | None,
        _standard(
            "EXPORTER_OTLP_CERTIFICATE",
            "PEM file of certificate authorities to trust for the collector, beside the others.",
            "file",
        ),
    ] = None
    traces_client_certificate: Annotated[
        str | None,
        _standard(
            "EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "In place of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE.",
            "file",
        ),
    ] = None
    client_certificate: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_CLIENT_CERTIFICATE", "PEM certificate shown to the collector.", "file"),
    ] = None
    traces_client_key: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_TRACES_CLIENT_KEY", "In place of OTEL_EXPORTER_OTLP_CLIENT_KEY.", "file"),
    ] = None
    client_key: Annotated[
        str | None,
        _standard("EXPORTER_OTLP_CLIENT_KEY", "PEM key of that certificate, without a passphrase.", "file"),
    ] = None
    service_name: Annotated[
        str,
        _standard("SERVICE_NAME", "What spans call the gateway, ahead of `service.name` below.", "text"),
    ] = ""
    resource_attributes: Annotated[
        str,
        _standard(
            "RESOURCE_ATTRIBUTES",
            "Comma list of `name=value` that every span's resource has, values percent-encoded.",
            "attribute_pairs",
        ),
    ] = ""
    sampler: Annotated[
        Literal[
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
            "always_on",
            "always_off",
            "traceidratio",
        ],
        _standard("TRACES_SAMPLER", "Which requests are traced.", "text"),
    ] = "parentbased_always_on"
    sampler_arg: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        _standard("TRACES_SAMPLER_ARG", "The share that a ratio traces, from 0 to 1.", "ratio"),
    ] = 1.0
    propagators: Annotated[
        tuple[str, ...],
        _standard(
            "PROPAGATORS",
            "Comma list of `tracecontext` and `baggage`, or `none`. Baggage is never passed on.",
            "propagators",
        ),
    ] = ("tracecontext", "baggage")
    schedule_delay: Annotated[
        Milliseconds,
        _standard("BSP_SCHEDULE_DELAY", "Longest wait before spans are sent, in ms.", "milliseconds"),
    ] = 5.0
    max_queue_size: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        _standard("BSP_MAX_QUEUE_SIZE", "Spans that wait to be sent; further ones are dropped.", "integer"),
    ] = 2048
    max_export_batch_size: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)],
        _standard("BSP_MAX_EXPORT_BATCH_SIZE", "Most spans that are sent at once.", "integer"),
    ] = 512
    export_timeout: Annotated[
        Milliseconds,
        _standard("BSP_EXPORT_TIMEOUT", "Time to send spans, further tries included, in ms.", "milliseconds"),
    ] = 30.0
    exporter: Annotated[
        Literal["otlp", "none"],
        _standard("TRACES_EXPORTER", "What sends spans; with `none`, tracing is off.", "text"),
    ] = "otlp"
    sdk_disabled: Annotated[
        bool, _standard("SDK_DISABLED", "Whether tracing is off whatever else is said.", "switch")
    ] = False

    @property
    def active(self) -> bool:
        """Whether requests are traced."""
        return self.enabled and not self.sdk_disabled and self.exporter == "otlp"

    @property
    def url(self) -> str:
        """Where spans go."""
        if self.traces_endpoint is not None:
            return self.traces_endpoint
        if self.otlp_endpoint is not None:
            bare = self.otlp_endpoint.rstrip("/")
            return self.otlp_endpoint if bare.count("/") > 2 else f"{bare}/v1/traces"
        return (self.endpoint or "http://localhost:4318").rstrip("/") + "/v1/traces"
