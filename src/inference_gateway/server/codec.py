"""JSON bodies: look at a few fields, change a few bytes, leave the rest as it came.

`Document` reads the top level of an object without decoding what is inside, knows where each member
stands, and writes the object anew with some members replaced or removed, every other byte unchanged.
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn, TypeVar

import msgspec

from inference_gateway.server.errors import BadRequest

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises: not JSON or not of the type, not UTF-8, nested too deeply."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_name = msgspec.json.Decoder(str).decode

_MOST_MEMBERS = 1000

# One step from the end of a value (or the very beginning) to the beginning of the next value.
_STEP = re.compile(rb'[ \t\n\r]*[{,][ \t\n\r]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*')
_END = re.compile(rb"[ \t\n\r]*\{?[ \t\n\r]*\}[ \t\n\r]*\Z")

# Names that requests are made of: where they are written as most encoders do, no pattern has to be matched.
_USUAL = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "reasoning_format",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
)
_OPENINGS, _LEADS = (
    tuple({name: f'{before}"{name}"{behind}'.encode("ascii") for name in _USUAL} for before, behind in styles)
    for styles in ((("{", ":"), ("{", ": ")), ((",", ":"), (", ", ": ")))
)
"""What stands before the first value, and between one and the next: each without spaces, and with them."""
_SPACE = 0x20


class DuplicateMember(BadRequest):
    """An object says one thing twice, so that two readers may understand two things."""

    code = "duplicate_member"


class Document:
    """The top level of a JSON object.

    :param body: the object, in UTF-8.
    :raises BadRequest: not a JSON object, or it has a name twice, or more than 1,000 of them.
    """

    __slots__ = ("_spans", "body", "values")

    def __init__(self, body: bytes) -> None:
        self.body = body
        try:
            check_text(body)
            self.values: dict[str, msgspec.Raw] = _decode_members(body)
        except msgspec.ValidationError:
            raise BadRequest("the request body must be a JSON object") from None
        except msgspec.DecodeError as error:
            raise BadRequest(f"the request body is not valid JSON: {error}") from None
        except UnicodeDecodeError:
            raise BadRequest("the request body is not UTF-8") from None
        except RecursionError:
            raise BadRequest("the request body is nested too deeply") from None
        if len(self.values) > _MOST_MEMBERS:
            raise BadRequest(f"the request body has more than {_MOST_MEMBERS} members")
        self._spans = _locate(body, self.values)

    def get(self, name: str, decoder: msgspec.json.Decoder[T | None], *, expected: str) -> T | None:
        """Decode one member; None where it is absent.

        :param expected: what a right value looks like, for the error.
        :raises BadRequest: another value.
        """
        raw = self.values.get(name)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except msgspec.ValidationError as error:
            # Names the place and the types, never a value.
            place = str(error).replace("`$", f"`{name}")
            raise BadRequest(f"{name!r} must be {expected}: {place}") from None
        except UNREADABLE:
            raise BadRequest(f"{name!r} must be {expected}") from None

    def spellings(self, name: str) -> list[str]:
        """Names that a reader which ignores case takes for this (lower-case) one."""
        return [given for given in self.values if given.casefold() == name]

    def edited(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Write the object with members replaced, added, or (None) removed.

        Replacing touches the bytes of the values alone. Adding and removing keep the bytes of every
        other name and value, and drop the white space between members.
        """
        if not changes:
            return self.body
        if len(changes) == 1:
            [(name, value)] = changes.items()
            if value is not None and name in self._spans:
                _, start, end = self._spans[name]
                return b"".join((self.body[:start], value, memoryview(self.body)[end:]))
        if all(value is not None and name in self._spans for name, value in changes.items()):
            return self._replaced(changes)
        members = []
        for name, (start, value_start, end) in self._spans.items():
            if name not in changes:
                members.append(self.body[start:end])
            elif (value := changes[name]) is not None:
                members.append(self.body[start:value_start] + value)
        for name, value in changes.items():
            if name not in self._spans and value is not None:
                members.append(encode(name) + b":" + value)
        return b"{" + b",".join(members) + b"}"

    def _replaced(self, changes: Mapping[str, bytes | None]) -> bytes:
        pieces: list[bytes] = []
        position = 0
        for name, (_, start, end) in self._spans.items():
            value = changes.get(name)
            if value is None:
                continue
            pieces += self.body[position:start], value
            position = end
        pieces.append(self.body[position:])
        return b"".join(pieces)


def decode_leniently(data: bytes) -> object:
    """Decode as most readers do, to whom half a surrogate pair is text. Slow: for what `decode` refuses.

    :raises ValueError: not JSON.
    :raises RecursionError: nested too deeply.
    """
    value: object = json.loads(data.decode(), parse_constant=_refuse)
    return value


def encode_leniently(value: object) -> bytes:
    """Encode what `decode_leniently` gave, half surrogate pairs as escapes. Slow.

    :raises ValueError: a number that JSON cannot write.
    :raises RecursionError: nested too deeply.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def check_text(data: bytes) -> None:
    """Check what no decoder does for the values that it leaves undecoded.

    :raises UnicodeDecodeError: not UTF-8.
    """
    if not data.isascii():
        data.decode()


Span = tuple[int, int, int]
"""Offsets in bytes: of the name's opening quote, of the value, behind the value."""


def _locate(body: bytes, values: dict[str, msgspec.Raw]) -> dict[str, Span]:
    """Find where each member stands, by stepping from value to value.

    The decoder kept one value per name. As long as each name is met in the decoder's order, with just
    that value behind it, the walk is at a true member: a JSON value cannot be the beginning of another,
    but for numbers, and those the next step settles. The first difference therefore is a repeated name.
    """
    spans: dict[str, Span] = {}
    previous = ""
    end = 0
    is_at = body.startswith
    loose = body[body.find(b":") + 1] == _SPACE
    leads, before = _OPENINGS[loose], 1
    for name, raw in values.items():
        lead = leads.get(name)
        start = end if lead is None else end + len(lead)
        if lead is not None and body[end:start] == lead and body[start] > _SPACE:
            name_start = end + before
        else:
            name_start, start = _step(body, end, name=name, previous=previous)
        leads, before = _LEADS[loose], 1 + loose
        # Compared where it stands: a body may be one large value.
        if not is_at(raw, start):
            raise _duplicate(name)
        end = start + len(raw)
        spans[name] = name_start, start, end
        previous = name
    if body[end:] != b"}" and _END.match(body, end) is None:
        found = _STEP.match(body, end)
        raise _duplicate(_decode_name(found[1]) if found is not None else previous)
    return spans


def _step(body: bytes, end: int, *, name: str, previous: str) -> tuple[int, int]:
    """Step from the end of a value to the next member, which must have this name, however it is written.

    :returns: offsets of the name's opening quote and of the value.
    """
    found = _STEP.match(body, end)
    if found is None:
        raise _duplicate(previous)
    if found[1] != b'"%b"' % name.encode() and (met := _decode_name(found[1])) != name:
        raise _duplicate(met)
    return found.start(1), found.end()


def _duplicate(name: str) -> DuplicateMember:
    return DuplicateMember(f"{name!r} is given twice")
