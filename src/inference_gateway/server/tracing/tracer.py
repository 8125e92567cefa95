"""A request's own span: begun and ended. What happens in between is noted where it happens.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
"""

from inference_gateway.server.outcome import Outcome
from inference_gateway.server.spans import (
    ERROR_TYPE,
    Passage,
    Span,
    Trace,
    Tracing,
    Value,
    new_span_id,
    new_trace_id,
)
from inference_gateway.server.trace_context import SAMPLED, TRACEPARENT, TraceContext, context_of
from inference_gateway.server.tracing.export import Exporter
from inference_gateway.server.tracing.sampling import Sampler
from inference_gateway.server.transport.messages import Request

_LONGEST = 200
"""Characters of what clients write that a span holds."""
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Tracer:
    """Begins and ends the traces of requests.

    :param scheme: of the URLs that clients ask for, where a request does not say.
    :param propagates: whether a client's context is taken, and ours passed on.
    :param captures: whether spans may hold what people write.
    """

    def __init__(
        self, sampler: Sampler, exporter: Exporter, *, scheme: str, propagates: bool, captures: bool
    ) -> None:
        self.exporter = exporter
        self.propagates = propagates
        self._captures = captures
        self._sampler = sampler
        self._scheme = scheme

    def begin(self, request: Request) -> Tracing:
        """Begin the trace of a request, or go on with the one that it is part of."""
        given = None
        if self.propagates and request.header(TRACEPARENT) is not None:
            given = context_of(request.headers)
        trace_id = given.trace_id if given is not None else new_trace_id()
        if self._sampler(given, trace_id):
            return Trace(
                given or TraceContext(trace_id, b""),
                self.exporter.take,
                request.method,
                captures=self._captures,
                propagates=self.propagates,
            )
        if given is None or given.is_sampled:
            flags, state = (given.flags & ~SAMPLED, given.state) if given is not None else (0, b"")
            given = TraceContext(trace_id, new_span_id(), flags, state)
        return Passage(given)

    def end(self, request: Request, trace: Trace, outcome: Outcome, *, route: str) -> None:
        """End the trace of a request, once.

        :param route: template of its path, empty where there is none.
        """
        root = trace.root
        method = request.method if request.method in _METHODS else "_OTHER"
        # A path may be anything: no name is made of it.
        shown = method if method in _METHODS else "HTTP"
        root.name = f"{shown} {route}" if route else shown
        attributes: dict[str, Value] = {
            "http.request.method": method,
            "url.scheme": request.scheme or self._scheme,
            "url.path": request.path[:_LONGEST].decode("latin-1"),
            "inference_gateway.request_id": request.request_id,
        }
        if route:
            attributes["http.route"] = route
        if request.inference is not None:
            attributes["gen_ai.operation.name"] = request.inference.operation.name
            attributes["gen_ai.request.model"] = request.inference.model[:_LONGEST]
        root.attributes.update(attributes)
        _judge(root, request.status, outcome)
        trace.close(outcome)


def _judge(root: Span, status: int, outcome: Outcome) -> None:
    """Say what went wrong; what a client did wrong is no failure of the server.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
    """
    if status:
        root.attributes["http.response.status_code"] = status
    if status >= 500:
        root.fail(str(status))
    elif status >= 400:
        root.attributes[ERROR_TYPE] = str(status)
    elif outcome is not Outcome.COMPLETE:
        root.fail(outcome.value)
