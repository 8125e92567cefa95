"""What a provider's chat stream is, seen from its bytes: which events may pass, and how it ended.

No I/O. Only whole events pass, only events that are JSON, and `[DONE]` only behind a stream that said
of every choice why it ended. A stream that ends otherwise never looks as if it had ended well.
"""

from collections.abc import Iterator

import msgspec

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.chat_shapes import decode_chunk
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.outcome import Outcome

DONE = b"data: [DONE]\n\n"
_DONE_DATA = b"[DONE]"
_SPACE = 0x20
_RETURN = 0x0D
_FAILED = "error"
"""A `finish_reason` that says that there is no answer."""
_Index = int | float | str | None
_LARGEST_EVENT = 16 * 1024 * 1024
"""Bytes of one event that are held while it is not whole."""


_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class ChatStream:
    """Feed what the provider sends; get what may be sent on.

    :param omits_finish_reason: whether `[DONE]` alone makes an answer of this provider whole.
    :ivar outcome: how the stream ended, None while it has not.
    :ivar problem: what went wrong, for the caller; empty where the provider's own error event was
        sent on, and where nothing went wrong.
    :ivar usage: what the stream said last of the tokens it took, as JSON; empty where it said nothing.
    :param keeps_usage: whether an event that tells of nothing but usage is not to pass.
    """

    __slots__ = (
        "_finished",
        "_inside",
        "_keeps_usage",
        "_omits_finish_reason",
        "_open",
        "_parser",
        "_withheld",
        "outcome",
        "problem",
        "usage",
    )

    def __init__(self, *, omits_finish_reason: bool = False, keeps_usage: bool = False) -> None:
        self._omits_finish_reason = omits_finish_reason
        self._keeps_usage = keeps_usage
        self._withheld = False
        self.usage = b""
        self._parser = sse.Parser(_LARGEST_EVENT)
        self._inside = False
        self._open: set[_Index] = set()
        self._finished: dict[_Index, str] = {}
        self.outcome: Outcome | None = None
        self.problem = ""

    @property
    def finish_reasons(self) -> list[str]:
        """Why each choice ended, as far as they have."""
        return list(self._finished.values())

    def feed(self, data: bytes) -> bytes:
        """Take bytes cut anywhere; return whole events to pass on, often `data` itself."""
        if self.outcome is not None:
            return b""
        if not self._inside and data.startswith(b"data: ") and data.endswith(b"\n\n"):
            if data.find(b"\n") == len(data) - 2 and _RETURN not in data:
                # One whole event, plainly written: the usual case, where no white space is to be dropped.
                if data[6] > _SPACE and data[-3] > _SPACE:
                    if not self._see(data[6:-2]):
                        return self._last(data[6:-2])
                    return self._released(data) if self._withheld else data
            elif _RETURN not in data:
                return self._feed_plain(data)
        return self._feed_parsed(data)

    def end(self) -> bytes:
        """Take the proper end of the body; return what is to be sent last."""
        if self.outcome is not None:
            return b""
        return b"".join([self._pass_last(event) for event in self._parser.finish()]) + self._end_of_body()

    def fail(self, error: Exception) -> None:
        """Take note that the body broke off."""
        if self.outcome is None:
            self.outcome = error.outcome if isinstance(error, GatewayError) else Outcome.CUT
            self.problem = str(error)

    def _pass_last(self, event: sse.Event) -> bytes:
        """Pass an event that may lack its blank line; what is JSON to its end lacks nothing else."""
        if event.data == _DONE_DATA or _is_json(event.data):
            return self._pass(event)
        if not _DONE_DATA.startswith(event.data):
            self._break(Outcome.CUT, "the provider ended the stream in the middle of an event")
        return b""

    def _end_of_body(self) -> bytes:
        if self.outcome is not None:
            return b""
        self._conclude()
        return self._closing()

    def _feed_plain(self, data: bytes) -> bytes:
        """Take several events in one piece, as long as each is a single plain line."""
        events = data[:-2].split(b"\n\n")
        if not all(e.startswith(b"data: ") and b"\n" not in e and _is_bare(e[6:]) for e in events):
            return self._feed_parsed(data)
        sent = []
        for event in events:
            if not self._see(event[6:]):
                sent.append(self._last(event[6:]))
                return b"".join(sent)
            sent.append(self._released(event + b"\n\n"))
        return b"".join(sent) if self._keeps_usage else data

    def _feed_parsed(self, data: bytes) -> bytes:
        """Take bytes in any writing the specification allows; events leave in the plain one."""
        # Lines of an event may have come that hold no data yet, such as its name: a blank line ends it.
        self._inside = not data.endswith(b"\n\n")
        sent = []
        try:
            for event in self._parser.feed(data):
                sent.append(self._pass(event))
                if self.outcome is not None:
                    break
        except sse.EventTooLarge as error:
            self._break(Outcome.PROVIDER_ERROR, f"the provider's stream is not usable: {error}")
        return b"".join(sent)

    def _pass(self, event: sse.Event) -> bytes:
        # A line break between JSON tokens is white space; within a string it cannot be.
        data = event.data.replace(b"\n", b" ").strip()
        if not data:
            return b""  # a keep-alive
        if event.event == b"error" and _is_json(data):
            return self._pass_error(data)
        if self._see(data):
            return self._released(sse.encode(data))
        return self._last(data)

    def _pass_error(self, data: bytes) -> bytes:
        """Pass an event that is an error by its name, in the one form that clients know."""
        self._break(Outcome.PROVIDER_ERROR, "")
        return _as_error(data)

    def _see(self, data: bytes) -> bool:
        """Look at one event; false where the stream ends with it."""
        try:
            codec.check_text(data)
            chunk = decode_chunk(data)
        except codec.UNREADABLE:
            return self._see_otherwise(data)
        if chunk.error and bytes(chunk.error) != b"null":
            self._break(Outcome.PROVIDER_ERROR, "")
            return False
        if chunk.usage and bytes(chunk.usage) != b"null":
            self.usage = bytes(chunk.usage)
            self._withheld = self._keeps_usage and not chunk.choices
        for choice in chunk.choices or ():
            if choice.finish_reason:
                if not self._finish(choice.index, choice.finish_reason):
                    return False
            elif choice.index not in self._finished:
                self._open.add(choice.index)
        return True

    def _see_otherwise(self, data: bytes) -> bool:
        """Look at an event of another shape: what it says of an error or an end counts all the same."""
        try:
            value = codec.decode_leniently(data)
        except (ValueError, RecursionError):
            self._stop(data)
            return False
        if _names_error(value):
            self._break(Outcome.PROVIDER_ERROR, "")
            return False
        for index, reason in _choices(value):
            if not reason:
                self._open |= {index} - self._finished.keys()
            elif not self._finish(index, reason):
                return False
        return True

    def _finish(self, index: _Index, reason: str) -> bool:
        """Take note of why a choice ended; false where that is no end of an answer."""
        self._finished[index] = reason
        self._open.discard(index)
        if reason == _FAILED:
            self._break(Outcome.PROVIDER_ERROR, "the provider ended its answer with an error")
            return False
        return True

    def _released(self, event: bytes) -> bytes:
        """Let an event pass that was seen last, or not."""
        withheld, self._withheld = self._withheld, False
        return b"" if withheld else event

    def _stop(self, data: bytes) -> None:
        if data == _DONE_DATA:
            self._conclude(said_so=True)
        else:
            self._break(Outcome.PROVIDER_ERROR, "the provider sent an event that is not JSON")

    def _conclude(self, *, said_so: bool = False) -> None:
        """Judge a stream that ended in order: with `[DONE]`, or with the body alone."""
        if (self._finished and not self._open) or (said_so and self._omits_finish_reason):
            self.outcome = Outcome.COMPLETE
        else:
            self._break(Outcome.CUT, "the provider ended the stream before its answer was finished")

    def _last(self, data: bytes) -> bytes:
        """Write what is left to be sent of the event that ended the stream."""
        if self.outcome is Outcome.PROVIDER_ERROR and not self.problem:
            return _as_error(data)
        return self._closing()

    def _closing(self) -> bytes:
        return DONE if self.outcome is Outcome.COMPLETE else b""

    def _break(self, outcome: Outcome, problem: str) -> None:
        self.outcome = outcome
        self.problem = problem


def _is_bare(data: bytes) -> bool:
    """Tell whether there is something, with no white space around it."""
    return bool(data) and data[0] > _SPACE and data[-1] > _SPACE


def _as_error(data: bytes) -> bytes:
    """Write an event that tells of an error in the one form that clients know: an object with an `error`."""
    try:
        parts = _decode_array(data)
    except codec.UNREADABLE:
        parts = []
    if len(parts) == 1:
        data = bytes(parts[0])  # one error in an array, as Google sends it
    value = codec.decode_leniently(data)
    named = isinstance(value, dict) and value.get("error")
    return sse.encode(data if named else b'{"error":' + data + b"}")


def _names_error(value: object) -> bool:
    if isinstance(value, list):
        return any(isinstance(part, dict) and _names_error(part) for part in value)
    return isinstance(value, dict) and value.get("error") is not None


def _choices(value: object) -> Iterator[tuple[_Index, str]]:
    """Say of each choice in an odd chunk which one it is and why it ended, if it did."""
    choices = value.get("choices") if isinstance(value, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            index, reason = choice.get("index", 0), choice.get("finish_reason")
            yield index if isinstance(index, _Index) else None, reason if isinstance(reason, str) else ""


def _is_json(data: bytes) -> bool:
    try:
        codec.decode_leniently(data)
    except (ValueError, RecursionError):
        return False
    return True


def error_event(error: Exception) -> bytes:
    """Write the event that tells a reader why the stream ends early."""
    return sse.encode(codec.encode({"error": str(error)}))
