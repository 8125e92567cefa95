"""Where a model's reasoning goes: its own field (`parsed`), inline `<think>` (`raw`), nowhere (`hidden`).

Works on decoded chat completions and their stream chunks, and never changes one in place: unknown fields
and the order of keys are kept, and what needs no change comes back as the same object, so that its bytes
can be passed on as they came. No I/O.

One leading block counts, with white space before it. White space after either of its tags is dropped; a
block without end is all reasoning. Some prompt templates open the block themselves, so that an answer has
only `</think>`: everything before a lone one is reasoning too, but in whole answers only, because a stream
has already shown that text as content. A field of the provider's wins over its inline text.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias, assert_never

Object: TypeAlias = dict[str, object]
"""A decoded JSON object."""
Format: TypeAlias = Literal["parsed", "raw", "hidden"]
FORMATS: Final[tuple[Format, ...]] = ("parsed", "raw", "hidden")

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"
_FIELDS: Final = ("reasoning_content", "reasoning")
_MAX_SPACE: Final = 256
"""White space before a block, in characters; a stream does not hold more of it."""
_BLOCK: Final = re.compile(rf"\s{{0,{_MAX_SPACE}}}{_OPEN}\s*(.*?)(?:{_CLOSE}\s*|\Z)", re.DOTALL)
_ENVELOPE: Final = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier"})
_CHOICE: Final = frozenset({"index", "delta", "finish_reason"})


def convert_answer(answer: Object, format: Format) -> Object | None:  # noqa: A002 - the API's own word
    """Convert a whole chat completion; None where nothing changes."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    converted = [_convert_choice(choice, format) for choice in choices]
    changed = any(new is not old for new, old in zip(converted, choices, strict=True))
    return {**answer, "choices": converted} if changed else None


def _convert_choice(choice: object, wanted: Format) -> object:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return choice
    converted = _convert_message(message, wanted)
    return choice if converted == message else {**choice, "message": converted}


def _convert_message(message: Object, wanted: Format) -> Object:
    match wanted:
        case "parsed":
            return _parsed(message)
        case "raw":
            return _raw(message)
        case "hidden":
            content = message.get("content")
            shown = _split(content)[1] if isinstance(content, str) else content
            kept = {key: message[key] for key in message if key not in _FIELDS}
            return {**kept, "content": shown} if "content" in kept else kept
        case _:
            assert_never(wanted)


def _parsed(message: Object) -> Object:
    given = _reasoning(message)
    content = message.get("content")
    if given:
        own = {name: message[name] for name in _FIELDS if message.get(name)}
        return {**message, **dict.fromkeys(_FIELDS, given), **own}
    if not isinstance(content, str):
        return message
    thought, said = _split(content)
    mirrored = dict.fromkeys(_FIELDS, thought) if thought else {}
    return {**message, "content": said, **mirrored}


def _raw(message: Object) -> Object:
    thought = _reasoning(message)
    content = message.get("content")
    if not isinstance(content, str | None):
        return message
    kept = {key: message[key] for key in message if key not in _FIELDS}
    if not thought or _BLOCK.match(content or ""):
        return kept
    return {**kept, "content": f"{_OPEN}{thought}{_CLOSE}{content or ''}"}


def _reasoning(message: Object) -> str:
    """Read the provider's own reasoning, whichever name it goes by."""
    found = (message.get(name) for name in _FIELDS)
    return next((text for text in found if isinstance(text, str) and text), "")


def _split(content: str) -> tuple[str, str]:
    """Split the content of a whole answer into reasoning and answer."""
    block = _BLOCK.match(content)
    if block is not None:
        return block[1], content[block.end() :]
    if content.count(_CLOSE) == 1 and _OPEN not in content:
        thought, _, said = content.partition(_CLOSE)
        return thought.lstrip(), said.lstrip()
    return "", content


class _Track(Protocol):
    """What one choice of a stream has said so far. Texts are pairs of reasoning and content."""

    def take(self, content: str, reasoning: str) -> tuple[str, str]:
        """Take the next texts; give what is certain."""

    def interrupt(self) -> tuple[str, str]:
        """A tool call comes: give what has to stand before it."""

    def end(self) -> tuple[str, str]:
        """Nothing more comes: give what was held."""


class _Split:
    """Inline reasoning is taken out. Tags may be cut anywhere: what could begin one is held."""

    def __init__(self) -> None:
        self._state: Literal["before", "opened", "inside", "closed", "after"] = "before"
        self._held = ""

    def take(self, content: str, reasoning: str) -> tuple[str, str]:
        said = ""
        if reasoning and self._state == "before":
            # The provider has a field for it, so its content is left alone.
            said, self._held, self._state = self._held, "", "after"
        thought, more = self._read(content)
        return reasoning + thought, said + more

    def interrupt(self) -> tuple[str, str]:
        return "", ""

    def end(self) -> tuple[str, str]:
        held, self._held = self._held, ""
        inside = self._state == "inside"
        self._state = "after"
        return (held, "") if inside else ("", held)

    def _read(self, content: str) -> tuple[str, str]:
        text, self._held = self._held + content, ""
        thought = ""
        if self._state == "before":
            text = self._find_opening(text)
        if self._state == "opened":
            text = text.lstrip()
            self._state = "inside" if text else "opened"
        if self._state == "inside":
            thought, text = self._find_closing(text)
        if self._state == "closed":
            text = text.lstrip()
            self._state = "after" if text else "closed"
        return thought, text

    def _find_opening(self, text: str) -> str:
        begun = text.lstrip()
        if begun.startswith(_OPEN) and len(text) - len(begun) <= _MAX_SPACE:
            self._state = "opened"
            return begun.removeprefix(_OPEN)
        if _OPEN.startswith(begun) and len(text) - len(begun) <= _MAX_SPACE:
            self._held = text
            return ""
        self._state = "after"
        return text

    def _find_closing(self, text: str) -> tuple[str, str]:
        thought, tag, rest = text.partition(_CLOSE)
        if tag:
            self._state = "closed"
            return thought, rest
        sizes = range(len(_CLOSE) - 1, 0, -1)
        size = next((size for size in sizes if text.endswith(_CLOSE[:size])), 0)
        self._held = text[len(text) - size :]
        return text[: len(text) - size], ""


class _Drop(_Split):
    """Reasoning is taken out of content and field, and thrown away."""

    def take(self, content: str, reasoning: str) -> tuple[str, str]:
        return "", self._read(content)[1]

    def end(self) -> tuple[str, str]:
        return "", super().end()[1]


class _Inline:
    """Reasoning of its own field becomes a block of the content."""

    def __init__(self) -> None:
        self._open = False

    def take(self, content: str, reasoning: str) -> tuple[str, str]:
        said = ""
        if reasoning:
            said = reasoning if self._open else _OPEN + reasoning
            self._open = True
        if content:
            said += self.end()[1] + content
        return "", said

    def interrupt(self) -> tuple[str, str]:
        return self.end()

    def end(self) -> tuple[str, str]:
        closing = _CLOSE if self._open else ""
        self._open = False
        return "", closing


_TRACKS: Final[dict[Format, Callable[[], _Track]]] = {"parsed": _Split, "raw": _Inline, "hidden": _Drop}


class StreamConverter:
    """Converts the chunks of one chat completion stream. What may be half a tag is held until it is known."""

    def __init__(self, format: Format) -> None:  # noqa: A002 - the API's own word
        self._format = format
        self._tracks: dict[int, _Track] = {}
        self._envelope: Object = {}

    def feed(self, chunk: Object) -> list[Object]:
        """Convert a chunk: none, one or, where something held comes first, several come out."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return [chunk]
        self._envelope = {key: chunk[key] for key in chunk if key in _ENVELOPE}
        early: list[Object] = []
        kept: list[object] = []
        for choice in choices:
            converted = self._convert(choice, early) if isinstance(choice, dict) else choice
            if converted is not None:
                kept.append(converted)
        return [*early, *self._rebuilt(chunk, choices, kept)]

    def finish(self) -> list[Object]:
        """Give what is still held when the stream ends."""
        return [
            self._chunk(index, self._written({}, *texts))
            for index, track in self._tracks.items()
            if any(texts := track.end())
        ]

    def _rebuilt(self, chunk: Object, choices: list[object], kept: list[object]) -> list[Object]:
        if len(kept) == len(choices) and all(new is old for new, old in zip(kept, choices, strict=True)):
            return [chunk]
        extra = any(chunk[key] is not None for key in chunk if key not in _ENVELOPE and key != "choices")
        return [{**chunk, "choices": kept}] if kept or extra else []

    def _convert(self, choice: Object, early: list[Object]) -> Object | None:
        """Convert one choice of a chunk; None where nothing is left of it."""
        delta, index = choice.get("delta"), choice.get("index", 0)
        if not isinstance(delta, dict) or not isinstance(index, int):
            return choice
        track = self._track(index)
        content = delta.get("content")
        thought, said = track.take(content if isinstance(content, str) else "", _reasoning(delta))
        more_thought, more_said = _held_back(track, choice, delta)
        if more_thought or more_said:
            first = {"role": delta["role"]} if "role" in delta else {}
            texts = thought + more_thought, said + more_said
            early.append(self._chunk(index, self._written(first, *texts)))
            rest = {key: delta[key] for key in delta if key != "role"}
            converted = self._written(rest, "", "")
        else:
            converted = self._written(delta, thought, said)
        if converted == delta:
            return choice
        return {**choice, "delta": converted} if _says_something(choice, converted) else None

    def _track(self, index: int) -> _Track:
        if index not in self._tracks:
            self._tracks[index] = _TRACKS[self._format]()
        return self._tracks[index]

    def _chunk(self, index: int, delta: Object) -> Object:
        return {**self._envelope, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}

    def _written(self, delta: Object, thought: str, said: str) -> Object:
        """Put texts into a delta in place of its own."""
        written = dict(delta)
        if self._format != "parsed" or (_reasoning(delta) and not thought):
            written = {key: delta[key] for key in delta if key not in _FIELDS}
        if said or isinstance(written.get("content"), str):
            written["content"] = said
        if self._format == "parsed" and thought:
            written["reasoning_content"] = thought
        return written


def _held_back(track: _Track, choice: Object, delta: Object) -> tuple[str, str]:
    if choice.get("finish_reason") is not None:
        return track.end()
    return track.interrupt() if delta.get("tool_calls") else ("", "")


def _says_something(choice: Object, delta: Object) -> bool:
    if any(value not in (None, "") for value in delta.values()):
        return True
    return choice.get("finish_reason") is not None or any(
        choice[key] is not None for key in choice if key not in _CHOICE
    )
