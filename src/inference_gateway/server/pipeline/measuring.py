"""What telemetry wants to know of every request: when it began, what it waited for, what it took.

One stage is in the chain only where somebody counts or logs, the other only where telemetry is on.
"""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TypeVar

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.inference import InferenceRequest, Measured, Measurement
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.telemetry.recorder import Recorder
from inference_gateway.server.transport.messages import Header, Response, Source
from inference_gateway.server.transport.passing import Passing

_NOTHING = b"{}"
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


R = TypeVar("R", bound=Measured)


class Measuring:
    """Take note of every request; who counts hears elsewhere how it ended.

    :param recorder: counts; without one, notes are taken for the log alone.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

    async def __call__(self, request: R, call_next: Callable[[R], Awaitable[Response]]) -> Response:
        """Let the request on; look at its answer."""
        recorder = self._recorder
        measurement = request.measurement = Measurement(perf_counter())
        if recorder is not None:
            recorder.began()
        try:
            response = await call_next(request)
        except GatewayError as error:
            measurement.status = error.status
            raise
        measurement.status = response.status
        body = response.body
        measurement.streamed = _is_event_stream(response.headers)
        now = perf_counter()
        if recorder is not None:
            recorder.answered(measurement, now)
        if isinstance(body, bytes):
            measurement.first = now if measurement.streamed else 0.0
        elif measurement.streamed:
            response.body = _MeasuredStream(body, measurement)
        return response


def _is_event_stream(headers: list[Header]) -> bool:
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    return kind.lower().startswith(b"text/event-stream")


class _MeasuredStream(Passing):
    """A stream on its way out, looked at."""

    __slots__ = ("_measurement",)

    def __init__(self, source: Source, measurement: Measurement) -> None:
        super().__init__(source)
        self._measurement = measurement

    def write(self, data: bytes) -> None:
        """Pass whole events on."""
        if not self._measurement.first:
            self._measurement.first = perf_counter()
        assert self._sink is not None
        self._sink.write(data)


class UsageWish:
    """Ask every provider that understands it to say how many tokens a stream took."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on; what the client did not ask for is kept from it."""
        if request.stream and self._providers[request.provider_id].accepts_stream_options:
            _ask(request)
        return call_next(request)


def _ask(request: InferenceRequest) -> None:
    raw = bytes(request.document.values.get("stream_options", _NOTHING))
    try:
        options = _decode_members(_NOTHING if raw == b"null" else raw)
    except codec.UNREADABLE:
        return  # of another shape: the provider will say so
    given = bytes(options.get("include_usage", b"false"))
    if given not in (b"false", b"null"):
        return
    options["include_usage"] = msgspec.Raw(b"true")
    request.changes["stream_options"] = codec.encode(options)
    assert request.measurement is not None
    request.measurement.asks_usage = True
