"""What is read of chat bodies, and no more: of a request's messages, of an answer, of a stream's chunks."""

import msgspec


class Message(msgspec.Struct):
    """A message of a request."""

    role: str
    content: msgspec.Raw = msgspec.Raw()


class Part(msgspec.Struct):
    """A part of a message that is more than text."""

    type: str = ""
    image_url: msgspec.Raw = msgspec.Raw()


MESSAGES: msgspec.json.Decoder[list[Message] | None] = msgspec.json.Decoder(list[Message] | None)
decode_parts = msgspec.json.Decoder(list[Part]).decode


class Answer(msgspec.Struct):
    """An answer: any object."""


class Choice(msgspec.Struct):
    """A choice in a chunk of a stream."""

    index: int | None = 0
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """A chunk of a stream."""

    choices: list[Choice] | None = None
    error: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()


decode_answer = msgspec.json.Decoder(Answer).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode
