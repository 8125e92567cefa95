"""Which trace a request belongs to, as W3C writes it in header fields. No I/O.

https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"
SAMPLED: Final = 1

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_MEMBER = re.compile(
    rb"(?P<key>[a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    rb"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
_MOST_MEMBERS = 32
_KNOWN_FLAGS = 3
"""Sampled, and that the trace's id is random."""
_NOBODY = b"0" * 32


class TraceContext(msgspec.Struct, frozen=True):
    """Where in which trace somebody is."""

    trace_id: bytes
    """16 bytes."""
    span_id: bytes
    """8 bytes."""
    flags: int = 0
    state: bytes = b""
    """What other systems pass along, as `tracestate` has it."""

    @property
    def is_sampled(self) -> bool:
        """Whether whoever asks keeps this trace."""
        return bool(self.flags & SAMPLED)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Header fields that make a request part of the trace, below the span."""
        ids = (self.trace_id.hex().encode("ascii"), self.span_id.hex().encode("ascii"))
        fields = [(TRACEPARENT, b"00-%b-%b-%02x" % (*ids, self.flags))]
        if self.state:
            fields.append((TRACESTATE, self.state))
        return fields


def without(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the fields that say nothing of a trace."""
    return [header for header in headers if header[0] not in (TRACEPARENT, TRACESTATE)]


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """Read whose part of which trace a request is; None where it does not say, or not well."""
    parents = [value for name, value in headers if name == TRACEPARENT]
    found = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if trace_id == _NOBODY or span_id == _NOBODY[:16]:
        return None
    states = b",".join([value for name, value in headers if name == TRACESTATE])
    return TraceContext(
        bytes.fromhex(trace_id.decode("ascii")),
        bytes.fromhex(span_id.decode("ascii")),
        int(flags, 16) & _KNOWN_FLAGS,
        _checked(states) if states else b"",
    )


def _checked(states: bytes) -> bytes:
    """Return a `tracestate` that is one, else nothing: it is to be dropped as a whole.

    https://www.w3.org/TR/trace-context/#tracestate-header
    """
    members = [member for part in states.split(b",") if (member := part.strip(b" \t"))]
    matches = [_MEMBER.fullmatch(member) for member in members]
    keys = {match["key"] for match in matches if match is not None}
    if len(members) > _MOST_MEMBERS or len(keys) < len(members):
        return b""
    return b",".join(members)
