"""One line of the log for each request, when it ends."""

import logging
from time import perf_counter
from typing import Final

from inference_gateway.server.inference import Measured
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.settings import Settings
from inference_gateway.server.spans import Passage, Trace
from inference_gateway.server.trace_context import TRACEPARENT, context_of
from inference_gateway.server.transport.messages import Request

logger = logging.getLogger("inference_gateway.access")

_UNLOGGED: Final = frozenset(
    prefix + path for prefix in (b"", b"/v1") for path in (b"/health", b"/health/live", b"/health/ready")
)
"""What machines ask all the time."""
_UNLOGGED_BELOW: Final = b"/ui/"
"""What the status page asks for all the time."""
_LONGEST_PATH = 200
_LONGEST_CONTENT = 65_536


def access_log(settings: Settings) -> "AccessLog | None":
    """Make one where it is wanted."""
    return AccessLog(content=settings.log_content) if settings.log_access else None


class AccessLog:
    """Logs each request with what is known of it: never a header's value, a query or an answer.

    :param content: whether the bodies of inference requests may be logged.
    """

    def __init__(self, *, content: bool) -> None:
        self._content = content

    def began(self, request: Request) -> None:
        """Take note of a request."""
        request.began = perf_counter()

    def ended(self, request: Request, outcome: Outcome, problem: str) -> None:
        """Log a request's end."""
        if (
            request.path in _UNLOGGED
            or request.path.startswith(_UNLOGGED_BELOW)
            or not logger.isEnabledFor(logging.INFO)
        ):
            return
        fields: dict[str, object] = {
            "request_id": request.request_id,
            "method": request.method,
            "path": request.path[:_LONGEST_PATH].decode("latin-1"),
            "outcome": outcome.value,
        }
        if request.status:
            fields["status"] = request.status
        if request.began:
            fields["duration_ms"] = _milliseconds(perf_counter() - request.began)
        if request.principal is not None:
            fields["principal"] = request.principal.subject
        if trace_id := trace_id_of(request):
            fields["trace_id"] = trace_id
        asked = request.inference or request.raw
        if asked is not None:
            fields |= _told(asked)
        if request.inference is not None:
            fields["stream"] = request.inference.stream
            if self._content:
                body = request.inference.document.body[:_LONGEST_CONTENT]
                fields["request_body"] = body.decode("utf-8", "replace")
        logger.info("request", extra={"fields": fields})


def trace_id_of(request: Request) -> str:
    """Return the id of the trace that a request is part of, as it is written; empty where there is none."""
    match request.trace:
        case Trace() as trace:
            return trace.id.hex()
        case Passage() as passage:
            return passage.context.trace_id.hex()
        case _:
            context = context_of(request.headers) if request.header(TRACEPARENT) is not None else None
            return context.trace_id.hex() if context is not None else ""


def _told(request: Measured) -> dict[str, object]:
    """Return what is known of a request to a provider."""
    fields: dict[str, object] = {"operation": request.operation.name, "provider": request.provider_id}
    if request.model:
        fields["model"] = request.model
    measurement = request.measurement
    if measurement is None:
        return fields
    measurement.settle()
    fields["provider_ms"] = _milliseconds(measurement.waited)
    if measurement.first:
        fields["first_event_ms"] = _milliseconds(measurement.first - measurement.began)
    if measurement.has_usage:
        fields["input_tokens"] = measurement.usage.input
        fields["output_tokens"] = measurement.usage.output
    if measurement.tools:
        fields["tool_calls"] = len(measurement.tools)
    return fields


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
