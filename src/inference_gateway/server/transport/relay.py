"""An upstream's stream on its way to a client: whole events, and an honest end. Knows no protocol."""

from typing import Protocol

from inference_gateway.server.encodings import Decoder
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError, UpstreamTimeout
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.transport.messages import Sink, Source


class ToldInStream(UpstreamError):
    """The upstream's own error event has told the reader already."""


class Upstream(Source, Protocol):
    """An answer whose rest can be left to its end."""

    def drain(self) -> None:
        """Want no more, but save the connection if the end is near."""


class Judge(Protocol):
    """Sees a stream's bytes, and decides what may pass and how the stream ended.

    :ivar outcome: how it ended, None while it has not.
    :ivar problem: what went wrong, for the reader; empty where the upstream's own error event told it.
    """

    outcome: Outcome | None
    problem: str

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return what may pass."""

    def end(self) -> bytes:
        """Take the proper end of the body; return what is to be sent last."""

    def fail(self, error: Exception) -> None:
        """Take note that the body broke off."""


class Relay:
    """Stands between an answer and a client: source to the one, sink to the other.

    :param decoder: undoes the coding of an answer that came encoded.
    """

    __slots__ = ("_answer", "_decoder", "_sink", "_stream")

    def __init__(self, answer: Upstream, stream: Judge, *, decoder: Decoder | None) -> None:
        self._answer = answer
        self._decoder = decoder
        self._stream = stream
        self._sink: Sink | None = None

    # Called by the client's side.

    def start(self, sink: Sink) -> None:
        """Begin to relay."""
        self._sink = sink
        self._answer.start(self)

    def pause(self) -> None:
        """Hold the upstream."""
        self._answer.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        self._answer.resume()

    def close(self) -> None:
        """Hang up: nobody reads on."""
        self._sink = None
        self._answer.close()

    # Called by the upstream's side.

    def write(self, data: bytes) -> None:
        """Take bytes, pass on the events that they complete."""
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except GatewayError as error:
                self._answer.close()
                self.abort(error)
                return
        sink, stream = self._sink, self._stream
        passed = stream.feed(data)
        if passed and sink is not None:
            sink.write(passed)
        if stream.outcome is not None:
            self._conclude()

    def finish(self) -> None:
        """Take the proper end of the body."""
        if self._decoder is not None and not self._decoder.whole:
            self.abort(UpstreamCut("the answer broke off before its encoding ended"))
            return
        last = self._stream.end()
        if last and self._sink is not None:
            self._sink.write(last)
        self._conclude()

    def abort(self, error: Exception) -> None:
        """Take a break in the body."""
        self._stream.fail(error)
        self._conclude()

    def _conclude(self) -> None:
        """Tell both sides, once."""
        sink, self._sink = self._sink, None
        stream = self._stream
        assert stream.outcome is not None
        if sink is None:
            return
        if stream.outcome is Outcome.COMPLETE:
            self._answer.drain()
            sink.finish()
        else:
            self._answer.close()
            sink.abort(reason(stream))


_REASONS: dict[Outcome, type[GatewayError]] = {
    Outcome.PROVIDER_ERROR: UpstreamError,
    Outcome.CUT: UpstreamCut,
    Outcome.STALLED: UpstreamTimeout,
}


def reason(stream: Judge) -> GatewayError:
    """Say as an error why a stream did not end well."""
    if not stream.problem:
        return ToldInStream("the provider ended the stream with an error")
    assert stream.outcome is not None
    return _REASONS.get(stream.outcome, GatewayError)(stream.problem)
