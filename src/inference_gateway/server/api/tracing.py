"""Whether requests are traced, and where their spans go. The one file that imports what writes them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from inference_gateway._version import __version__
from inference_gateway.server.configuration.otel import pairs
from inference_gateway.server.extras import needed
from inference_gateway.server.settings import ClientSettings, Secret, Settings, TracingSettings
from inference_gateway.server.spans import Value
from inference_gateway.server.tracing.sampling import sampler
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.limits import PoolLimits
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.proxies import Proxies
from inference_gateway.server.transport.tls import ClientCertificate, client_context, identify, trust

if TYPE_CHECKING:
    from inference_gateway.server.tracing.tracer import Tracer

_NEEDED = frozenset({"google", "opentelemetry"})
_NAME = "inference-gateway"


class UnusableFile(Exception):
    """A file that a setting names cannot be used; the message says which and why."""


def open_tracing(settings: Settings) -> "Tracer | None":
    """Make ready what traces requests, None where that is off. Connects to nobody.

    :raises MissingExtra: the extra [otel] is not installed.
    :raises UnusableFile: a certificate or a key cannot be used.
    """
    tracing = settings.tracing
    if not tracing.active:
        return None
    with needed("TELEMETRY_TRACING_ENABLED", "otel", _NEEDED):
        from inference_gateway.server.tracing.export import Exporter, Terms
        from inference_gateway.server.tracing.tracer import Tracer
    headers = tracing.traces_headers or tracing.headers
    terms = Terms(
        url=tracing.url,
        headers={name.lower(): Secret(value) for name, value in pairs(headers.reveal() if headers else "")},
        gzip=(tracing.traces_compression or tracing.compression) == "gzip",
        timeout=tracing.traces_timeout or tracing.timeout,
        export_timeout=tracing.export_timeout,
        delay=tracing.schedule_delay,
        most_waiting=tracing.max_queue_size,
        most_at_once=tracing.max_export_batch_size,
    )
    exporter = Exporter(terms, _open_pool(tracing, settings.client), partial(_resource, tracing))
    return Tracer(
        sampler(tracing.sampler, tracing.sampler_arg),
        exporter,
        scheme="https" if settings.server.tls_cert_path else "http",
        propagates="tracecontext" in tracing.propagators,
        captures=tracing.content,
    )


def _resource(tracing: TracingSettings) -> dict[str, Value]:
    """Say who sends spans: this process.

    https://opentelemetry.io/docs/specs/semconv/resource/
    """
    own: dict[str, Value] = {
        "service.name": _NAME,
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "telemetry.sdk.name": _NAME,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
    }
    own |= dict(pairs(tracing.resource_attributes))
    return own | {"service.name": tracing.service_name} if tracing.service_name else own


def _open_pool(tracing: TracingSettings, client: ClientSettings) -> Pool:
    """Connections to the collector, apart from those to providers: they have certificates of their own."""
    context = client_context(
        ca_file=Path(client.ca_file) if client.ca_file else None, minimum=client.tls_min_version
    )
    authorities = tracing.traces_certificate or tracing.certificate
    if authorities is not None:
        with _usable("OTEL_EXPORTER_OTLP_CERTIFICATE", authorities):
            trust(context, Path(authorities))
    certificate = tracing.traces_client_certificate or tracing.client_certificate
    key = tracing.traces_client_key or tracing.client_key
    if certificate is not None:
        with _usable("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate):
            identify(context, ClientCertificate(Path(certificate), Path(key) if key else None))
    limits = PoolLimits(
        connect_timeout=inf, tls_handshake_timeout=client.tls_handshake_timeout or inf, idle_timeout=60.0
    )
    return Pool(limits, Connector({"": context}, proxies=Proxies.of(client)))


@contextmanager
def _usable(setting: str, path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise UnusableFile(f"{setting}: {path} cannot be used: {error}") from error
