"""Whether clients may push metrics. The one file that imports what takes them, if they may."""

from typing import TYPE_CHECKING

from inference_gateway.server.extras import needed
from inference_gateway.server.settings import TelemetrySettings
from inference_gateway.server.telemetry.recorder import Recorder
from inference_gateway.server.telemetry.totals import Totals

if TYPE_CHECKING:
    from inference_gateway.server.telemetry.push import Push

_NEEDED = frozenset({"google", "opentelemetry"})


def open_push(settings: TelemetrySettings, totals: Totals | None, recorder: Recorder | None) -> "Push | None":
    """Make ready what takes pushes, None where they are not taken.

    :raises MissingExtra: the extra [otel] is not installed.
    """
    if totals is None or recorder is None or not settings.metrics_push_enabled:
        return None
    with needed("TELEMETRY_METRICS_PUSH_ENABLED", "otel", _NEEDED):
        from inference_gateway.server.telemetry.otlp_protobuf import ProtobufEncoding
    from inference_gateway.server.telemetry.ingest import Ingest
    from inference_gateway.server.telemetry.otlp import JSONEncoding
    from inference_gateway.server.telemetry.push import Push

    ingest = Ingest(totals, recorder.region, max_models=settings.max_models)
    return Push(ingest, {each.content_type: each for each in (JSONEncoding(), ProtobufEncoding())})
