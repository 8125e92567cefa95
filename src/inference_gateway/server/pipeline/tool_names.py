"""Which tools the model calls in an answer, for whoever counts. Nothing is decided by it."""

from typing import Final

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.inference import Measurement

SIGN: Final = b'"tool_calls"'
"""What an answer that calls a tool has in it."""
_MOST = 1000
"""Calls of one request that are taken note of."""


class _Function(msgspec.Struct):
    name: str | None = None


class _Call(msgspec.Struct):
    function: _Function | None = None


class _Words(msgspec.Struct):
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Words | None = None
    delta: _Words | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def note_in_events(measurement: Measurement, events: bytes) -> None:
    """Take note of the calls that begin in whole events, in their plain writing."""
    for event in events.split(b"\n\n"):
        if SIGN in event:
            note_in_answer(measurement, event.removeprefix(b"data: "))


def note_in_answer(measurement: Measurement, answer: bytes) -> None:
    """Take note of the calls in a whole answer."""
    if len(measurement.tools) >= _MOST:
        return
    try:
        choices = _decode(answer).choices
    except codec.UNREADABLE:
        return
    words = [each.message or each.delta for each in choices or ()]
    calls = [call for each in words if each is not None for call in each.tool_calls or ()]
    measurement.tools += [call.function.name for call in calls if call.function and call.function.name]
