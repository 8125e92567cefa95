"""What is noted of one request for those who follow it from system to system. No I/O; knows no protocol.

A trace here is one request's part in one. Its spans are handed over as they end; one whose end says nothing
of how it ended waits for the request's own outcome.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from random import getrandbits
from time import perf_counter_ns, time_ns

from inference_gateway.server.outcome import Outcome
from inference_gateway.server.trace_context import SAMPLED, TraceContext

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute may be."""

OUTCOME = "inference_gateway.outcome"
ERROR_TYPE = "error.type"


def new_span_id() -> bytes:
    """Make an id that others do not make: a process that is forked does not go on with its parent's."""
    return (getrandbits(64) or 1).to_bytes(8, "big")


def new_trace_id() -> bytes:
    """Make an id likewise."""
    return (getrandbits(128) or 1).to_bytes(16, "big")


class Kind(IntEnum):
    """What a span is seen from the outside, by the numbers of OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span:
    """Something that took time. `attributes` may be set until it ends.

    :ivar start: Unix time in nanoseconds; so is `end`, 0 while there is none.
    :ivar weight: bytes of what people wrote that it holds.
    """

    __slots__ = ("attributes", "end", "failed", "id", "kind", "name", "parent_id", "start", "trace", "weight")

    def __init__(self, trace: "Trace", name: str, kind: Kind, parent_id: bytes) -> None:
        self.trace = trace
        self.id = new_span_id()
        self.parent_id = parent_id
        self.name = name
        self.kind = kind
        self.start = trace.now()
        self.end = 0
        self.attributes: dict[str, Value] = {}
        self.failed = False
        self.weight = 0

    @property
    def context(self) -> TraceContext:
        """Where in the trace those stand whom this span asks."""
        return TraceContext(self.trace.id, self.id, self.trace.flags, self.trace.state)

    def fail(self, kind: str) -> None:
        """Mark it as failed; the kind of error that was told first counts."""
        self.failed = True
        self.attributes.setdefault(ERROR_TYPE, kind)

    def finish(self, outcome: Outcome | None = None) -> None:
        """End it. Ending twice is ending once.

        :param outcome: how it ended; None leaves it to the request's own outcome.
        """
        if not self.end:
            self.end = self.trace.now()
            self.trace.take(self, outcome)


class Trace:
    """One request's part in a trace that is kept.

    :param context: trace and flags, and the span of whoever asks; no bytes in its place where nobody does.
    :param keep: takes each span that has ended.
    :param captures: whether its spans may hold what people write.
    :param propagates: whether those who are asked are told of it.
    """

    __slots__ = (
        "_anchor",
        "_keep",
        "_outcome",
        "_waiting",
        "captures",
        "flags",
        "id",
        "propagates",
        "root",
        "state",
    )

    def __init__(
        self,
        context: TraceContext,
        keep: Callable[[Span], None],
        name: str,
        *,
        captures: bool,
        propagates: bool,
    ) -> None:
        self._keep = keep
        self._outcome: Outcome | None = None
        self._waiting: list[Span] = []
        # The clock that is right may jump; the one that does not jump measures.
        self._anchor = time_ns() - perf_counter_ns()
        self.id = context.trace_id
        self.flags = context.flags | SAMPLED
        self.state = context.state
        self.captures = captures
        self.propagates = propagates
        self.root = Span(self, name, Kind.SERVER, context.span_id)

    def now(self) -> int:
        """Unix time in nanoseconds; never goes back."""
        return self._anchor + perf_counter_ns()

    def child(self, name: str, kind: Kind) -> Span:
        """Begin a span below the request's own."""
        return Span(self, name, kind, self.root.id)

    def take(self, span: Span, outcome: Outcome | None) -> None:
        """Take a span that has ended."""
        outcome = outcome or self._outcome
        if outcome is None:
            self._waiting.append(span)
        else:
            self._hand_over(span, outcome)

    def close(self, outcome: Outcome) -> None:
        """End the request's own span, and with its outcome those that wait for one."""
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for span in waiting:
            self._hand_over(span, outcome)
        self.root.finish(outcome)

    def _hand_over(self, span: Span, outcome: Outcome) -> None:
        span.attributes[OUTCOME] = outcome.value
        # A request that was refused is no failure of the gateway: whoever ends its span knows.
        if outcome is not Outcome.COMPLETE and span is not self.root:
            span.fail(outcome.value)
        self._keep(span)


class Passage:
    """A request's part in a trace that is not kept: what is passed on, and nothing noted.

    :param context: the trace and the span to name to those who are asked.
    """

    __slots__ = ("context",)

    def __init__(self, context: TraceContext) -> None:
        self.context = context


Tracing = Trace | Passage
"""What a request knows of its trace."""

tool_call: ContextVar[Span | None] = ContextVar("tool_call", default=None)
"""The call of a tool that the task runs: who carries it out may say more of it, and pass its context on."""

LONGEST_NAME = 200
"""Characters of a name that somebody else gave."""
_TOOL = "gen_ai.tool.name"


def hold(span: Span, attribute: str, content: str) -> None:
    """Have a span hold what somebody wrote."""
    if content:
        span.attributes[attribute] = content
        span.weight += len(content)


def note(attributes: Mapping[str, Value]) -> None:
    """Say more of the tool call that the task runs, where it is traced."""
    span = tool_call.get()
    if span is not None:
        span.attributes.update(attributes)


def along() -> list[tuple[bytes, bytes]]:
    """Return fields that make what the task asks of others a part of its tool call's trace, if it has one."""
    span = tool_call.get()
    return span.context.fields() if span is not None and span.trace.propagates else []


@contextmanager
def tool_span(trace: Tracing | None, tool: str, **more: str) -> Iterator[Span | None]:
    """Note a call of a tool while the block runs it; give its span, or None where it is not traced.

    https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/#execute-tool-span

    :param more: what else is known of the call, by the last part of its attribute's name.
    """
    if not isinstance(trace, Trace):
        yield None
        return
    span = trace.child("execute_tool", Kind.INTERNAL)
    span.attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "function",
        _TOOL: tool[:LONGEST_NAME],
        **{f"gen_ai.tool.call.{name}": value[:LONGEST_NAME] for name, value in more.items()},
    }
    token = tool_call.set(span)
    outcome: Outcome | None = None
    try:
        yield span
        outcome = Outcome.COMPLETE
    finally:
        tool_call.reset(token)
        # Whoever ran it may know a better name.
        span.name = f"execute_tool {span.attributes[_TOOL]}"
        span.finish(outcome)
