"""What an agent's stream is, seen from its bytes: which events may pass, and how it ended. No I/O.

Events hold JSON-RPC replies. A stream has ended well after a message, after a state that ends its task, or
when its body ended in order while the task waits for its caller. An error of the agent's own is told in full.
https://a2a-protocol.org/latest/specification/#352-streaming-event-delivery
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.a2a.jsonrpc import AgentRefused, Unreadable
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.outcome import Outcome
from inference_gateway.types.a2a import TaskState

LARGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event that are held while it is not whole."""

# A CR at the end may be half of a CRLF: what it ends is taken as ended with the next byte.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_LONGEST_BLANK_LINE: Final = 4
_PING: Final = b":\n\n"

_TERMINAL: Final = ("completed", "canceled", "failed", "rejected")
_INTERRUPTED: Final = ("input-required", "auth-required")


def _writings(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset({*words, *(other for other, word in TaskState.synonyms.items() if word in words)})


_ENDS: Final = _writings(_TERMINAL)
_WAITS: Final = _writings(_INTERRUPTED)


class _Status(msgspec.Struct):
    state: str | None = None


class _Task(msgspec.Struct):
    status: _Status | None = None


class _Message(msgspec.Struct):
    pass


class _News(msgspec.Struct, rename="camel"):
    kind: str | None = None
    final: bool | None = None
    status: _Status | None = None
    task: _Task | None = None
    status_update: _Task | None = None
    message: _Message | None = None


class _Event(msgspec.Struct):
    """What an event of a task says, as far as it matters here."""

    result: _News | msgspec.UnsetType = msgspec.UNSET
    error: object = None


class _AnyEvent(msgspec.Struct):
    """What an event says that need not be of a task."""

    result: object = msgspec.UNSET
    error: object = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_any_event = msgspec.json.Decoder(_AnyEvent).decode

Rewrite = Callable[[bytes], bytes]


class AgentStream:
    """Feed what the agent sends; get what may be sent on.

    :param rewrite: writes the data of an event anew; None leaves every byte as it came. It raises
        `Unreadable` for what is no event, and `AgentRefused` for what the caller's dialect cannot say.
    :param is_of_task: whether the stream tells of a task, so that it must say how that stands in the end.
    :ivar outcome: how the stream ended, None while it has not.
    :ivar problem: what went wrong, for the caller; empty where nothing did, or the agent's own error told it.
    """

    __slots__ = (
        "_ended",
        "_held",
        "_is_of_task",
        "_may_end",
        "_parser",
        "_refused",
        "_rewrite",
        "outcome",
        "problem",
    )

    def __init__(self, rewrite: Rewrite | None = None, *, is_of_task: bool = True) -> None:
        self._rewrite = rewrite
        self._is_of_task = is_of_task
        self._parser = sse.Parser(LARGEST_EVENT)
        self._held = bytearray()
        self._may_end = False
        self._ended = False
        self._refused = False
        self.outcome: Outcome | None = None
        self.problem = ""

    def feed(self, data: bytes) -> bytes:
        """Take bytes cut anywhere; return whole events to pass on."""
        if self.outcome is not None:
            return b""
        passed = b"".join(self._passed(data))
        if len(self._held) > LARGEST_EVENT:
            self._break(f"the agent sent an event larger than {LARGEST_EVENT} bytes")
        return passed

    def end(self) -> bytes:
        """Take the proper end of the body; return what is to be sent last."""
        if self.outcome is not None:
            return b""
        # An event that lacks no more than its blank line is whole; it is sent on with one.
        last = b"".join(self._passed(b"\n\n")) if self._held.strip() else b""
        self._finish()
        return last

    def fail(self, error: Exception) -> None:
        """Take note that the body broke off; where everything was said before, nothing is lost by it."""
        if self.outcome is not None:
            return
        if self._ended or self._refused:
            self._finish()
            return
        self.outcome = error.outcome if isinstance(error, GatewayError) else Outcome.CUT
        self.problem = str(error)

    def _finish(self) -> None:
        if self.outcome is not None:
            return
        if self._refused:
            self.outcome = Outcome.PROVIDER_ERROR
        elif self._ended or self._may_end or not self._is_of_task:
            self.outcome = Outcome.COMPLETE
        else:
            self.outcome = Outcome.CUT
            self.problem = "the agent ended the stream before the task did"

    def _passed(self, data: bytes) -> Iterator[bytes]:
        for written in self._whole_events(data):
            yield self._pass(written)
            if self.outcome is not None:
                return

    def _whole_events(self, data: bytes) -> Iterator[bytes]:
        # Looked at only where bytes are new, so that a large event in small pieces costs its length once.
        start = max(0, len(self._held) - _LONGEST_BLANK_LINE)
        self._held += data
        while (found := _BLANK_LINE.search(self._held, start)) is not None:
            written = bytes(self._held[: found.end()])
            del self._held[: found.end()]
            start = 0
            yield written

    def _pass(self, written: bytes) -> bytes:
        """Look at what stands before a blank line: an event, a comment, or both."""
        try:
            events = [event.data for event in self._parser.feed(written) if event.data.strip()]
            for event in events:
                self._see(event)
            if self._rewrite is None:
                return written
            return b"".join([sse.encode(self._rewrite(event)) for event in events]) or _PING
        except sse.EventTooLarge as error:
            self._break(f"the agent's stream is not usable: {error}")
        except Unreadable as error:
            self._break(str(error))
        except AgentRefused as error:
            self._break(error.message)
        return b""

    def _see(self, data: bytes) -> None:
        """Look at an event.

        :raises Unreadable: it is no reply.
        """
        said = self._read(data)
        if said.error is not None:
            self._refused = True
        elif said.result is msgspec.UNSET:
            raise Unreadable("the agent sent an event that has neither a result nor an error")
        elif isinstance(said.result, _News):
            self._judge(said.result)

    def _read(self, data: bytes) -> _Event | _AnyEvent:
        try:
            codec.check_text(data)
            return _decode_event(data) if self._is_of_task else _decode_any_event(data)
        except codec.UNREADABLE:
            return self._read_leniently(data)

    def _read_leniently(self, data: bytes) -> _Event | _AnyEvent:
        """Read what has half a surrogate pair in it: text that was cut into pieces often has."""
        try:
            value = codec.decode_leniently(data)
            return msgspec.convert(value, _Event) if self._is_of_task else msgspec.convert(value, _AnyEvent)
        except (ValueError, RecursionError):
            raise Unreadable("the agent sent an event that is no reply of the protocol") from None

    def _judge(self, news: _News) -> None:
        if news.kind == "message" or (news.kind is None and news.message is not None):
            self._ended = True
            return
        status = news.status
        if status is None:
            told = news.task or news.status_update
            status = told.status if told is not None else None
        if status is None or status.state is None:
            return  # an artifact
        self._ended = bool(news.final) or (status.state in _ENDS and news.final is None)
        self._may_end = status.state in _ENDS or status.state in _WAITS

    def _break(self, problem: str) -> None:
        self.outcome = Outcome.PROVIDER_ERROR
        self.problem = problem
