"""What stands between a body's source and its sink."""

from inference_gateway.server.transport.messages import Sink, Source


class Passing:
    """Stands between a source and whoever takes its body, and passes everything on.

    What a subclass wants to look at, or to change, it takes and gives to `_sink` itself.
    """

    __slots__ = ("_sink", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sink: Sink | None = None

    def start(self, sink: Sink) -> None:
        """Begin."""
        self._sink = sink
        self._source.start(self)

    def pause(self) -> None:
        """Hold the source."""
        self._source.pause()

    def resume(self) -> None:
        """Let the source flow."""
        self._source.resume()

    def close(self) -> None:
        """Give up the source."""
        self._source.close()

    def write(self, data: bytes) -> None:
        """Pass a piece on."""
        assert self._sink is not None
        self._sink.write(data)

    def finish(self) -> None:
        """Pass the end on."""
        assert self._sink is not None
        self._sink.finish()

    def abort(self, error: Exception) -> None:
        """Pass a bad end on."""
        assert self._sink is not None
        self._sink.abort(error)
