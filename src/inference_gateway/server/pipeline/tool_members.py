"""JSON objects of chat completions, read member by member and no deeper than somebody looks. No I/O."""

import msgspec

Members = dict[str, msgspec.Raw]
"""An object whose values are the bytes that they came in."""

NULL = msgspec.Raw(b"null")

decode_members = msgspec.json.Decoder(Members).decode
decode_many = msgspec.json.Decoder(list[Members]).decode

_decode_text = msgspec.json.Decoder(str).decode


def text_of(value: msgspec.Raw | None) -> str:
    """Return a text; what is none is empty."""
    return _decode_text(value) if value is not None and bytes(value).startswith(b'"') else ""
