"""How many tokens a provider says that an answer took. No I/O."""

import msgspec

from inference_gateway.server import codec


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Answer(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw()


class _Wire(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    # As OpenAI's Responses and Anthropic's Messages say it.
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    # Anthropic's, beside `input_tokens` and not part of it.
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


_decode = msgspec.json.Decoder(_Wire).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_NO_INPUT_DETAILS = _InputDetails()
_NO_OUTPUT_DETAILS = _OutputDetails()


class Usage(msgspec.Struct):
    """Tokens of a request, over all calls of a provider that it took.

    Cached and audio input are part of `input`, reasoning and audio output are part of `output`.
    https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    audio_input: int = 0
    reasoning_output: int = 0
    audio_output: int = 0

    def add(self, raw: bytes) -> bool:
        """Add what one `usage` object says; false where it is none."""
        try:
            wire = _decode(raw)
        except codec.UNREADABLE:
            return False
        inputs = wire.prompt_tokens_details or wire.input_tokens_details or _NO_INPUT_DETAILS
        outputs = wire.completion_tokens_details or wire.output_tokens_details or _NO_OUTPUT_DETAILS
        if wire.prompt_tokens is not None or wire.completion_tokens is not None:
            self.input += _count(wire.prompt_tokens)
            self.output += _count(wire.completion_tokens)
        elif wire.input_tokens is not None or wire.output_tokens is not None:
            cached = _count(wire.cache_read_input_tokens)
            self.input += _count(wire.input_tokens) + cached + _count(wire.cache_creation_input_tokens)
            self.output += _count(wire.output_tokens)
            self.cached_input += cached
        else:
            return False
        self.cached_input += _count(inputs.cached_tokens)
        self.audio_input += _count(inputs.audio_tokens)
        self.reasoning_output += _count(outputs.reasoning_tokens)
        self.audio_output += _count(outputs.audio_tokens)
        return True


_MOST = 2**40
"""Tokens that one answer may claim: beyond it, a total would lose its precision."""


def _count(tokens: int | None) -> int:
    return min(max(tokens, 0), _MOST) if tokens is not None else 0


def usage_in(body: bytes) -> bytes:
    """Return what an answer says of its usage; empty where it says nothing that can be read."""
    if b'"usage"' not in body:
        return b""
    try:
        return bytes(_decode_answer(body).usage)
    except codec.UNREADABLE:
        return b""
