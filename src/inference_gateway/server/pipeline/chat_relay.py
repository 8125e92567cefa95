"""A provider's chat stream on its way to the client: whole events, and an honest end."""

from inference_gateway.server.chat_stream import ChatStream, error_event
from inference_gateway.server.encodings import Decoder
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError, UpstreamTimeout
from inference_gateway.server.inference import Measurement
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline import tool_names
from inference_gateway.server.providers.backend import ProviderAnswer
from inference_gateway.server.transport.messages import Sink


class ToldInStream(UpstreamError):
    """The provider's own error event has told the reader already."""


class ChatRelay:
    """Stands between an answer and a client: source to the one, sink to the other.

    :param decoder: undoes the coding of an answer that came encoded.
    :param omits_finish_reason: see `ChatStream`.
    :param measurement: takes note of what the stream says of its usage, and of the tools it calls, where
        somebody counts.
    :ivar stream: what is known of the answer so far.
    """

    __slots__ = ("_answer", "_decoder", "_measurement", "_sink", "stream")

    def __init__(
        self,
        answer: ProviderAnswer,
        *,
        decoder: Decoder | None,
        omits_finish_reason: bool,
        measurement: Measurement | None = None,
    ) -> None:
        self._answer = answer
        self._decoder = decoder
        keeps_usage = measurement is not None and measurement.asks_usage
        self.stream = ChatStream(omits_finish_reason=omits_finish_reason, keeps_usage=keeps_usage)
        self._measurement = measurement
        if measurement is not None:
            measurement.streams.append(self.stream)
        self._sink: Sink | None = None

    # Called by the client's side.

    def start(self, sink: Sink) -> None:
        """Begin to relay."""
        self._sink = sink
        self._answer.start(self)

    def pause(self) -> None:
        """Hold the provider."""
        self._answer.pause()

    def resume(self) -> None:
        """Let the provider go on."""
        self._answer.resume()

    def close(self) -> None:
        """Hang up: nobody reads on."""
        self._sink = None
        self._answer.close()

    # Called by the provider's side.

    def write(self, data: bytes) -> None:
        """Take bytes, pass on the events that they complete."""
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except GatewayError as error:
                self._answer.close()
                self.abort(error)
                return
        sink, stream = self._sink, self.stream
        passed = stream.feed(data)
        if self._measurement is not None and tool_names.SIGN in passed:
            tool_names.note_in_events(self._measurement, passed)
        if passed and sink is not None:
            sink.write(passed)
        if stream.outcome is not None:
            self._conclude()

    def finish(self) -> None:
        """Take the proper end of the body."""
        if self._decoder is not None and not self._decoder.whole:
            self.abort(UpstreamCut("the provider's answer broke off"))
            return
        last = self.stream.end()
        if last and self._sink is not None:
            self._sink.write(last)
        self._conclude()

    def abort(self, error: Exception) -> None:
        """Take a break in the body."""
        self.stream.fail(error)
        self._conclude()

    def _conclude(self) -> None:
        """Tell both sides, once."""
        sink, self._sink = self._sink, None
        stream = self.stream
        assert stream.outcome is not None
        if sink is None:
            return
        if stream.outcome is Outcome.COMPLETE:
            self._answer.drain()
            sink.finish()
        else:
            self._answer.close()
            sink.abort(_reason(stream))


_REASONS: dict[Outcome, type[GatewayError]] = {
    Outcome.PROVIDER_ERROR: UpstreamError,
    Outcome.CUT: UpstreamCut,
    Outcome.STALLED: UpstreamTimeout,
}


def _reason(stream: ChatStream) -> GatewayError:
    if not stream.problem:
        return ToldInStream("the provider ended the stream with an error")
    assert stream.outcome is not None
    return _REASONS.get(stream.outcome, GatewayError)(stream.problem)


def ending(error: Exception) -> bytes:
    """Write the last event of a stream that ends early."""
    return b"" if isinstance(error, ToldInStream) else error_event(error)
