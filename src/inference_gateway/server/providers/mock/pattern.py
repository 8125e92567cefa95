"""The part of the regular expressions of JSON Schema that the mock reads: match a text, make up a text.

Not built on `re`: a pattern comes from the caller, and here it can neither run for minutes nor ask for
a gigabyte. Look-behind, back references and Unicode properties are not read.

https://json-schema.org/understanding-json-schema/reference/regular_expressions
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from string import ascii_letters, digits, hexdigits, punctuation
from typing import Final, TypeAlias

import msgspec

MAX_PATTERN: Final = 1000
"""Characters of a pattern that is read."""
MAX_TEXT: Final = 10_000
"""Characters of a text that is made up."""
_MAX_DEPTH: Final = 40
_LAST: Final = 0x10FFFF

Spend: TypeAlias = Callable[[int], None]
"""Told how many steps of work come; raises when there were too many."""
_Ranges: TypeAlias = tuple[tuple[int, int], ...]
_Positions: TypeAlias = frozenset[int]


class PatternError(Exception):
    """The pattern is no regular expression, or one that is not read here."""


class _Character(msgspec.Struct, frozen=True):
    ranges: _Ranges

    def __contains__(self, character: str) -> bool:
        code = ord(character)
        return any(low <= code <= high for low, high in self.ranges)


class _Sequence(msgspec.Struct, frozen=True):
    parts: tuple["_Node", ...]


class _Choice(msgspec.Struct, frozen=True):
    options: tuple["_Node", ...]


class _Repeat(msgspec.Struct, frozen=True):
    part: "_Node"
    least: int
    most: int | None


class _Look(msgspec.Struct, frozen=True):
    part: "_Node"
    wanted: bool


class _Edge(msgspec.Struct, frozen=True):
    kind: str


_Node: TypeAlias = _Character | _Sequence | _Choice | _Repeat | _Look | _Edge


def _complement(ranges: _Ranges) -> _Ranges:
    gaps: list[tuple[int, int]] = []
    free = 0
    for low, high in sorted(ranges):
        if low > free:
            gaps.append((free, low - 1))
        free = max(free, high + 1)
    if free <= _LAST:
        gaps.append((free, _LAST))
    return tuple(gaps)


def _spans(*spans: str) -> _Ranges:
    return tuple((ord(span[0]), ord(span[-1])) for span in spans)


_DIGIT: Final = _spans("09")
_WORD: Final = _spans("az", "AZ", "09", "_")
_SPACE: Final = _spans(
    "\t\r", " ", "\u00a0", "\u1680", "\u2000\u200a", "\u2028\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"
)
_CLASSES: Final = {
    "d": _DIGIT,
    "D": _complement(_DIGIT),
    "w": _WORD,
    "W": _complement(_WORD),
    "s": _SPACE,
    "S": _complement(_SPACE),
}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_NOT_A_LINE_END: Final = _complement(_spans("\n", "\r", "\u2028\u2029"))
_WORD_CHARACTER: Final = _Character(_WORD)
_PLEASANT: Final = ascii_letters + digits + punctuation + " "


class Pattern:
    """A compiled pattern. Like every `pattern` of a schema, it may match anywhere in a text."""

    def __init__(self, source: str) -> None:
        """Compile.

        :raises PatternError: it is not read here.
        """
        if len(source) > MAX_PATTERN:
            raise PatternError("too long")
        self._root = _Parser(source).parse()
        self._cost = len(source)

    def matches(self, text: str, spend: Spend) -> bool:
        """Whether the pattern is found in the text; what `spend` raises ends the search."""
        spend(len(text))
        everywhere = frozenset(range(len(text) + 1))
        return bool(_Matcher(text, spend).ends(self._root, everywhere))

    def samples(self, growths: Iterable[int], spend: Spend) -> Iterator[str]:
        """Texts that probably match, one per growth: the surplus of every open repetition.

        A look-ahead is not obeyed, so ask `matches`.
        """
        for growth in growths:
            spend(self._cost)
            text = _sample(self._root, growth)
            if text is not None:
                yield text


class _Parser:
    """Recursive descent: choice, sequence, repetition, atom."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0

    def parse(self) -> _Node:
        node = self._choice()
        if self._at < len(self._source):
            raise PatternError("unbalanced parenthesis")
        return node

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise PatternError("ends too early")
        self._at += 1
        return character

    def _accept(self, text: str) -> bool:
        if not self._source.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _choice(self) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PatternError("nested too deeply")
        options = [self._sequence()]
        while self._accept("|"):
            options.append(self._sequence())
        self._depth -= 1
        return options[0] if len(options) == 1 else _Choice(tuple(options))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repetition())
        return _Sequence(tuple(parts))

    def _repetition(self) -> _Node:
        atom = self._atom()
        bounds = self._bounds()
        if bounds is None:
            return atom
        if isinstance(atom, (_Edge, _Look)):
            raise PatternError("nothing to repeat")
        # Lazy or not, the same texts match; possessive ones differ.
        self._accept("?")
        if self._peek() in {"*", "+", "?"}:
            raise PatternError("multiple repeat")
        return _Repeat(atom, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        return self._counts() if self._accept("{") else None

    def _counts(self) -> tuple[int, int | None]:
        text = ""
        while not self._accept("}"):
            text += self._take()
        least, comma, most = text.partition(",")
        if not _is_count(least) or not (most == "" or _is_count(most)):
            raise PatternError("a repetition that is not {m}, {m,} or {m,n}")
        low, high = int(least), (int(most) if most else None) if comma else int(least)
        if high is not None and high < low:
            raise PatternError("a repetition with its bounds reversed")
        return low, high

    def _atom(self) -> _Node:
        character = self._take()
        if character in "^$":
            return _Edge(character)
        if character == ".":
            return _Character(_NOT_A_LINE_END)
        if character == "(":
            return self._group()
        if character == "[":
            return _Character(self._set())
        if character in "*+?{":
            raise PatternError("nothing to repeat")
        if character != "\\":
            return _Character(_spans(character))
        if self._peek() in {"b", "B"}:
            return _Edge(self._take())
        return _Character(self._escape())

    def _group(self) -> _Node:
        wanted = True if self._accept("?=") else False if self._accept("?!") else None
        if wanted is None and self._accept("?") and not self._accept(":"):
            self._name()
        node = self._choice()
        if not self._accept(")"):
            raise PatternError("unbalanced parenthesis")
        return node if wanted is None else _Look(node, wanted)

    def _name(self) -> None:
        self._accept("P")
        if not self._accept("<") or self._peek() in {"=", "!"}:
            raise PatternError("a group of an unknown kind")
        while not self._accept(">"):
            self._take()

    def _set(self) -> _Ranges:
        negated = self._accept("^")
        ranges: list[tuple[int, int]] = []
        while not self._accept("]"):
            ranges += self._member()
        return _complement(tuple(ranges)) if negated else tuple(ranges)

    def _member(self) -> _Ranges:
        first = self._single()
        if self._peek() != "-" or self._source[self._at + 1 : self._at + 2] in {"", "]"}:
            return first
        self._take()
        last = self._single()
        if not (_is_one(first) and _is_one(last)):
            # As in `[\\w-.]`: a dash beside a class is a dash.
            return (*first, *_spans("-"), *last)
        if first[0][0] > last[0][0]:
            raise PatternError("a range of characters with its ends reversed")
        return ((first[0][0], last[0][0]),)

    def _single(self) -> _Ranges:
        character = self._take()
        if character != "\\":
            return _spans(character)
        return _spans("\b") if self._accept("b") else self._escape()

    def _escape(self) -> _Ranges:
        character = self._take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _spans(_CONTROLS[character])
        if character in "xu":
            code = "".join(self._take() for _ in range(2 if character == "x" else 4))
            if not set(code) <= set(hexdigits):
                raise PatternError("a bad escape")
            return ((int(code, 16), int(code, 16)),)
        if character.isalnum():
            raise PatternError("an unknown escape")
        return _spans(character)


def _is_one(ranges: _Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


class _Matcher:
    """Where may a part of a pattern end, given where it may begin? All ways at once, so never exponential."""

    def __init__(self, text: str, spend: Spend) -> None:
        self._text = text
        self._spend = spend

    def ends(self, node: _Node, starts: _Positions) -> _Positions:
        self._spend(1 + len(starts))
        match node:
            case _Character():
                size = len(self._text)
                return frozenset(at + 1 for at in starts if at < size and self._text[at] in node)
            case _Sequence():
                for part in node.parts:
                    starts = self.ends(part, starts)
                return starts
            case _Choice():
                return frozenset().union(*(self.ends(option, starts) for option in node.options))
            case _Repeat():
                return self._repeated(node, starts)
            case _Look():
                return frozenset(
                    at for at in starts if bool(self.ends(node.part, frozenset((at,)))) == node.wanted
                )
            case _Edge():
                return frozenset(filter(_EDGES[node.kind](self._text), starts))

    def _repeated(self, node: _Repeat, starts: _Positions) -> _Positions:
        for _ in range(node.least):
            if not starts:
                return starts
            starts = self.ends(node.part, starts)
        reached = fresh = starts
        count = node.least
        while fresh and count != node.most:
            fresh = self.ends(node.part, fresh) - reached
            reached |= fresh
            count += 1
        return reached


def _at_word_edge(text: str) -> Callable[[int], bool]:
    def is_word(at: int) -> bool:
        return 0 <= at < len(text) and text[at] in _WORD_CHARACTER

    return lambda at: is_word(at - 1) != is_word(at)


def _inside_or_outside_a_word(text: str) -> Callable[[int], bool]:
    at_edge = _at_word_edge(text)
    return lambda at: not at_edge(at)


_EDGES: Final[dict[str, Callable[[str], Callable[[int], bool]]]] = {
    "^": lambda _text: lambda at: at == 0,
    "$": lambda text: lambda at: at == len(text),
    "b": _at_word_edge,
    "B": _inside_or_outside_a_word,
}


def _sample(node: _Node, growth: int) -> str | None:
    """Make up a text; None where the node has none or it would be too long."""
    match node:
        case _Character():
            return _pleasant(node, growth)
        case _Sequence():
            texts = [_sample(part, growth) for part in node.parts]
            whole = "".join(text for text in texts if text is not None)
            return whole if None not in texts and len(whole) <= MAX_TEXT else None
        case _Choice():
            return _sample(node.options[growth % len(node.options)], growth)
        case _Repeat():
            return _repeat(node, growth)
        case _Look() | _Edge():
            return ""


def _repeat(node: _Repeat, growth: int) -> str | None:
    times = node.least + growth
    if node.most is not None:
        times = min(times, node.most)
    if times == 0:
        return ""
    text = _sample(node.part, growth)
    return text * times if text is not None and len(text) * times <= MAX_TEXT else None


def _pleasant(node: _Character, growth: int) -> str | None:
    """Choose a character, readable where there is one; another for another growth."""
    allowed = _allowed(node.ranges)
    return allowed[growth % len(allowed)] if allowed else None


@lru_cache(maxsize=256)
def _allowed(ranges: _Ranges) -> str:
    pleasant = "".join(filter(_Character(ranges).__contains__, _PLEASANT))
    # Half of a surrogate pair is no character.
    return pleasant or "".join(chr(low) for low, high in ranges if not 0xD800 <= low <= 0xDFFF)
