"""A provider's chat stream on its way to the client: whole events, and an honest end."""

from inference_gateway.server.chat_stream import ChatStream, error_event
from inference_gateway.server.encodings import Decoder
from inference_gateway.server.inference import Measurement
from inference_gateway.server.pipeline import tool_names
from inference_gateway.server.providers.backend import ProviderAnswer
from inference_gateway.server.transport.relay import Relay, ToldInStream


class _Counted(ChatStream):
    """A stream whose calls of tools are taken note of."""

    __slots__ = ("_measurement",)

    def __init__(self, measurement: Measurement, *, omits_finish_reason: bool) -> None:
        super().__init__(omits_finish_reason=omits_finish_reason, keeps_usage=measurement.asks_usage)
        self._measurement = measurement

    def feed(self, data: bytes) -> bytes:
        passed = super().feed(data)
        if tool_names.SIGN in passed:
            tool_names.note_in_events(self._measurement, passed)
        return passed


class ChatRelay(Relay):
    """Relays a stream of chat completion chunks.

    :param decoder: undoes the coding of an answer that came encoded.
    :param omits_finish_reason: see `ChatStream`.
    :param measurement: takes note of what the stream says of its usage, and of the tools it calls, where
        somebody counts.
    :ivar stream: what is known of the answer so far.
    """

    __slots__ = ("stream",)

    def __init__(
        self,
        answer: ProviderAnswer,
        *,
        decoder: Decoder | None,
        omits_finish_reason: bool,
        measurement: Measurement | None = None,
    ) -> None:
        self.stream: ChatStream
        if measurement is None:
            self.stream = ChatStream(omits_finish_reason=omits_finish_reason)
        else:
            self.stream = _Counted(measurement, omits_finish_reason=omits_finish_reason)
            measurement.streams.append(self.stream)
        super().__init__(answer, self.stream, decoder=decoder)


def ending(error: Exception) -> bytes:
    """Write the last event of a stream that ends early."""
    return b"" if isinstance(error, ToldInStream) else error_event(error)
