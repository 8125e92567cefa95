"""A collector of traces on a loopback port: decodes what it is sent with OpenTelemetry's own messages."""

import gzip
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes.loops import PATIENCE


class Seen(NamedTuple):
    """A span as it arrived, its attributes in plain values."""

    name: str
    kind: str
    trace_id: str
    id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool
    start: int
    end: int
    resource: dict[str, Any]
    state: str


class Collector:
    """Takes spans.

    :param answers: statuses to answer with before 200, in order.
    :param content: what it answers with, in place of what it should.
    :param tls: makes it speak TLS.
    """

    def __init__(
        self, *answers: int, rejects: int = 0, content: bytes | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.spans: list[Seen] = []
        self.heads: list[tuple[str, dict[str, str]]] = []
        """Path and header fields of each request."""
        self.bodies: list[bytes] = []
        self._news = threading.Condition()
        collector = self
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = left.pop(0) if left else 200
                collector._take(self.path, dict(self.headers), body, keeps=status == 200)
                answer = ExportTraceServiceResponse()
                if rejects:
                    answer.partial_success.rejected_spans = rejects
                said = content or (answer.SerializeToString() if status == 200 else b"no")
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _take(self, path: str, headers: dict[str, str], body: bytes, *, keeps: bool) -> None:
        with self._news:
            self.heads.append((path, {name.lower(): value for name, value in headers.items()}))
            self.bodies.append(body)
            if keeps:
                self.spans += _spans(body)
            self._news.notify_all()

    def until(self, holds: Callable[[list[Seen]], object]) -> list[Seen]:
        """Wait until something holds of the spans that came; return them."""
        limit = time.monotonic() + PATIENCE
        with self._news:
            while not holds(self.spans):
                assert self._news.wait(limit - time.monotonic()), [each.name for each in self.spans]
            return list(self.spans)

    def wait(self, count: int) -> list[Seen]:
        """Wait for so many spans; return them by their beginning."""
        return sorted(self.until(lambda spans: len(spans) >= count), key=lambda span: span.start)

    def asked(self, count: int) -> None:
        """Wait for so many requests, whatever they were answered."""
        limit = time.monotonic() + PATIENCE
        with self._news:
            while len(self.heads) < count:
                assert self._news.wait(limit - time.monotonic()), len(self.heads)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _spans(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _seen(span, _plain_all(of_resource.resource.attributes))
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _seen(span: Span, resource: dict[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_plain_all(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        resource=resource,
        state=span.trace_state,
    )


def _plain_all(attributes: Any) -> dict[str, Any]:
    return {each.key: _plain(each.value) for each in attributes}


def _plain(value: AnyValue) -> Any:
    if value.HasField("array_value"):
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, str(value.WhichOneof("value")))
