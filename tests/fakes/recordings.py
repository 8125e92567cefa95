"""Chat streams as providers write them, byte for byte in their shape: fields, spacing, what comes last."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

DONE = b"data: [DONE]\n\n"
_TIGHT = (",", ":")


class Recording(NamedTuple):
    """One whole stream.

    `text` is what its first choice says; `answer_end` is the offset behind which every choice has
    finished, so that a body that ends in order from there on is a whole answer.
    """

    name: str
    events: tuple[bytes, ...]
    text: str
    answered: int
    """Events up to the last finish_reason."""

    @property
    def data(self) -> bytes:
        """All bytes."""
        return b"".join(self.events)

    @property
    def answer_end(self) -> int:
        """Offset of the first byte behind the JSON of the last finish_reason's event."""
        return len(b"".join(self.events[: self.answered])) - len(b"\n\n")


def _event(frame: dict[str, Any], choices: list[dict[str, Any]], **more: Any) -> bytes:
    return b"data: " + json.dumps({**frame, "choices": choices, **more}, separators=_TIGHT).encode() + b"\n\n"


def _choice(delta: dict[str, Any], reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, **more, "finish_reason": reason}


def _recording(name: str, events: Iterable[bytes], text: str) -> Recording:
    whole = tuple(events)
    finished = [n for n, event in enumerate(whole, 1) if b'"finish_reason":"' in event]
    return Recording(name, whole, text, finished[-1])


_OPENAI = {
    "id": "chatcmpl-BxT0PqH2aWz",
    "object": "chat.completion.chunk",
    "created": 1752566400,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_07871e2ad8",
}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}

OPENAI_CHAT = _recording(
    "openai chat, usage in a chunk of its own",
    [
        _event(
            _OPENAI,
            [_choice({"role": "assistant", "content": "", "refusal": None}, logprobs=None)],
            usage=None,
        ),
        _event(_OPENAI, [_choice({"content": "Grüße"}, logprobs=None)], usage=None, obfuscation="kQ3"),
        _event(_OPENAI, [_choice({"content": ", \U0001f30d!"}, logprobs=None)], usage=None, obfuscation="Zw"),
        _event(_OPENAI, [_choice({}, "stop", logprobs=None)], usage=None),
        _event(_OPENAI, [], usage=_USAGE),
        DONE,
    ],
    "Grüße, \U0001f30d!",
)


def _call(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": function}]}


OPENAI_TOOLS = _recording(
    "openai tools",
    [
        _event(
            _OPENAI,
            [
                _choice(
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": "call_8pJ",
                                "type": "function",
                                "function": {"name": "get_weather", "arguments": ""},
                            }
                        ],
                    }
                )
            ],
        ),
        _event(_OPENAI, [_choice(_call(arguments='{"city":'))]),
        _event(_OPENAI, [_choice(_call(arguments='"Köln\\n\\n"}'))]),
        _event(_OPENAI, [_choice({}, "tool_calls")]),
        DONE,
    ],
    "",
)

OPENAI_CHOICES = _recording(
    "openai, two choices",
    [
        _event(_OPENAI, [_choice({"role": "assistant", "content": ""})]),
        _event(_OPENAI, [_choice({"role": "assistant", "content": ""}, index=1)]),
        _event(_OPENAI, [_choice({"content": "yes"})]),
        _event(_OPENAI, [_choice({}, "stop")]),
        _event(_OPENAI, [_choice({"content": "no"}, index=1)]),
        _event(_OPENAI, [_choice({}, "length", index=1)]),
        DONE,
    ],
    "yes",
)

_CLAUDE = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "object": "chat.completion.chunk",
    "created": 1752566401,
    "model": "claude-sonnet-4-20250514",
}

ANTHROPIC = _recording(
    "anthropic, spoken as openai",
    [
        _event(_CLAUDE, [_choice({"role": "assistant", "content": "Hel"})]),
        _event(_CLAUDE, [_choice({"content": "lo"})]),
        _event(_CLAUDE, [_choice({"content": ""}, "stop")]),
        _event(_CLAUDE, [], usage=_USAGE),
        DONE,
    ],
    "Hello",
)

_GROQ = {
    "id": "chatcmpl-6d1c",
    "object": "chat.completion.chunk",
    "created": 1752566402,
    "model": "qwen/qwen3-32b",
    "system_fingerprint": "fp_5cf921caa2",
}

GROQ_REASONING = _recording(
    "groq, reasoning",
    [
        _event(
            _GROQ, [_choice({"role": "assistant", "content": ""}, logprobs=None)], x_groq={"id": "req_01"}
        ),
        _event(_GROQ, [_choice({"reasoning": "Two and "}, logprobs=None)]),
        _event(_GROQ, [_choice({"reasoning": "two."}, logprobs=None)]),
        _event(_GROQ, [_choice({"content": "4"}, logprobs=None)]),
        _event(
            _GROQ,
            [_choice({}, "stop", logprobs=None)],
            x_groq={"id": "req_01", "usage": {**_USAGE, "queue_time": 0.016}},
        ),
        DONE,
    ],
    "4",
)

_OLLAMA = {
    "id": "chatcmpl-409",
    "object": "chat.completion.chunk",
    "created": 1752566403,
    "model": "llama3.2",
    "system_fingerprint": "fp_ollama",
}

OLLAMA = _recording(
    "ollama, no usage",
    [
        _event(_OLLAMA, [_choice({"role": "assistant", "content": "Hi"})]),
        _event(_OLLAMA, [_choice({"role": "assistant", "content": " there"})]),
        _event(_OLLAMA, [_choice({"role": "assistant", "content": ""}, "stop")]),
        DONE,
    ],
    "Hi there",
)

_DEEPSEEK = {
    "id": "30f6413a-a827-4cf3",
    "object": "chat.completion.chunk",
    "created": 1752566404,
    "model": "deepseek-reasoner",
    "system_fingerprint": "fp_393bca965e_prod0623",
}


def _thinks(content: str | None, reasoning: str | None, reason: str | None = None) -> dict[str, Any]:
    return _choice({"content": content, "reasoning_content": reasoning}, reason, logprobs=None)


DEEPSEEK = _recording(
    "deepseek, keep-alives, reasoning, usage with the last word",
    [
        b": keep-alive\n\n",
        _event(_DEEPSEEK, [_thinks(None, "Hmm")]),
        b": keep-alive\n\n",
        _event(_DEEPSEEK, [_thinks("Ok", None)]),
        _event(_DEEPSEEK, [_thinks("", None, "stop")], usage={**_USAGE, "prompt_cache_hit_tokens": 0}),
        DONE,
    ],
    "Ok",
)

RECORDINGS = (OPENAI_CHAT, OPENAI_TOOLS, OPENAI_CHOICES, ANTHROPIC, GROQ_REASONING, OLLAMA, DEEPSEEK)
