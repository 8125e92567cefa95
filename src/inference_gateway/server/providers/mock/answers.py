"""The mock's chat completions: a request's bytes in, an answer's or a stream's bytes out. No I/O.

The same request gets the same bytes. Whatever can be wrong with a request is found by `parse`.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, assert_never

import msgspec

from inference_gateway.server.errors import BadRequest, NotFound
from inference_gateway.server.providers.mock import tool_script
from inference_gateway.server.providers.mock.fault_grammar import names_faults
from inference_gateway.server.providers.mock.reply import Call, Reply, compose, pieces, text_of, words
from inference_gateway.server.providers.mock.wire import ChatRequest, decode
from inference_gateway.server.providers.translators.reasoning import Format

MODELS: Final[tuple[str, ...]] = ("echo", tool_script.MODEL)

CREATED: Final = 1_735_689_600
"""Always the same moment, 2025-01-01T00:00:00Z, in seconds."""

DONE: Final = b"data: [DONE]\n\n"

_MOST_SAID: Final = 2_000_000
"""Characters that the choices of an answer say all together."""

# Some clients take these for line ends, though only CR and LF end a line of a stream.
_LINE_ENDS: Final = re.compile(rb"\xc2\x85|\xe2\x80[\xa8\xa9]")


class MockRequest(msgspec.Struct, frozen=True):
    """A request that was understood, with all that is needed to answer it."""

    model: str
    stream: bool
    include_usage: bool
    n: int
    prompt_tokens: int
    reasoning_format: Format
    reply: Reply
    digest: str


def parse(body: bytes) -> MockRequest:
    """Read a chat completion request and decide what to say.

    :raises NotFound: the mock has no such model.
    :raises BadRequest: the request is malformed or asks for what cannot be met; the text names the field.
    """
    request = decode(body)
    n = request.n or 1
    if request.model not in MODELS and not names_faults(request.model):
        raise NotFound(f"model: the mock has no model {request.model!r}")
    reply = _composed(request)
    check_size(reply, n)
    return MockRequest(
        model=request.model,
        stream=bool(request.stream),
        include_usage=request.stream_options is not None and bool(request.stream_options.include_usage),
        n=n,
        prompt_tokens=sum(words(text_of(message)) for message in request.messages),
        reasoning_format=request.reasoning_format or "parsed",
        reply=reply,
        digest=blake2b(body, digest_size=12).hexdigest(),
    )


def _composed(request: ChatRequest) -> Reply:
    try:
        return compose(request)
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error


def check_size(reply: Reply, n: int) -> None:
    """Bound what is said.

    :raises BadRequest: it is more than the mock says.
    """
    said = len(reply.thought) + len(reply.text) + sum(len(call.arguments) for call in reply.calls)
    if n * said > _MOST_SAID:
        raise BadRequest(f"n: {n} choices of {said} characters are more than the {_MOST_SAID} that are said")


def answer(request: MockRequest) -> bytes:
    """Write a whole chat completion."""
    completion = _envelope(request, "chat.completion")
    completion["choices"] = [
        {"index": index, "message": _message(request), "finish_reason": request.reply.finish_reason}
        for index in range(request.n)
    ]
    completion["usage"] = _usage(request)
    return msgspec.json.encode(completion)


def events(request: MockRequest) -> Iterator[bytes]:
    """Write a stream, one event per item, with the end of the stream as the last.

    The choices take turns: piece by piece, each gets the same.
    """
    for delta in _deltas(request):
        for index in range(request.n):
            yield _chunk(request, {"index": index, "delta": delta, "finish_reason": None})
    for index in range(request.n if request.reply.finish_reason else 0):
        last = {"index": index, "delta": {"content": ""}, "finish_reason": request.reply.finish_reason}
        yield _chunk(request, last)
    if request.include_usage:
        yield _event({**_envelope(request, "chat.completion.chunk"), "choices": [], "usage": _usage(request)})
    yield DONE


def choiceless_event(request: MockRequest) -> bytes:
    """Write an event that has no choice in it, as some providers send first."""
    return _event({**_envelope(request, "chat.completion.chunk"), "choices": []})


def _envelope(request: MockRequest, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{request.digest}",
        "object": kind,
        "created": CREATED,
        "model": request.model,
    }


def _event(value: dict[str, object]) -> bytes:
    return b"data: %b\n\n" % _LINE_ENDS.sub(_escaped, msgspec.json.encode(value))


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def _chunk(request: MockRequest, choice: dict[str, object]) -> bytes:
    return _event({**_envelope(request, "chat.completion.chunk"), "choices": [choice]})


def _message(request: MockRequest) -> dict[str, object]:
    """Write the message of a whole answer. Its content is a text even beside a call: clients rely on it."""
    thought, text = _shown(request)
    message: dict[str, object] = {"role": "assistant", "content": text}
    if thought:
        message["reasoning_content"] = message["reasoning"] = thought
    if request.reply.calls:
        message["tool_calls"] = [_tool_call(request, *each) for each in enumerate(request.reply.calls)]
    return message


def _shown(request: MockRequest) -> tuple[str, str]:
    """Put the thought where the caller wants it: what goes into its field, and what into the content."""
    thought, text = request.reply.thought, request.reply.text
    match request.reasoning_format:
        case "parsed":
            return thought, text
        case "raw":
            return "", f"<think>{thought}</think>{text}" if thought else text
        case "hidden":
            return "", text
        case _:
            assert_never(request.reasoning_format)


def _tool_call(request: MockRequest, place: int, call: Call) -> dict[str, object]:
    return {
        "id": f"call_{request.digest}_{place}" if place else f"call_{request.digest}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _deltas(request: MockRequest) -> Iterator[dict[str, object]]:
    """Cut a reply into deltas, in the order in which it is said.

    Every delta has a content and every part of a call a name, be they empty, because some clients
    require them. The role comes once: others join what they get of it.
    """
    thought, text = _shown(request)
    yield {"role": "assistant", "content": ""}
    for piece in pieces(thought):
        yield {"content": "", "reasoning_content": piece}
    for piece in pieces(text):
        yield {"content": piece}
    for place, call in enumerate(request.reply.calls):
        opening = _tool_call(request, place, Call(name=call.name, arguments=""))
        yield {"content": "", "tool_calls": [{"index": place, **opening}]}
        for piece in pieces(call.arguments):
            part = {"index": place, "function": {"name": "", "arguments": piece}}
            yield {"content": "", "tool_calls": [part]}


def _usage(request: MockRequest) -> dict[str, object]:
    reply = request.reply
    reasoning = request.n * words(reply.thought)
    completion = reasoning + request.n * words(reply.text)
    completion += request.n * sum(1 + words(call.arguments) for call in reply.calls)
    usage: dict[str, object] = {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": request.prompt_tokens + completion,
    }
    if reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage
