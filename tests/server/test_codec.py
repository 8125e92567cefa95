"""Bodies that are looked at and changed without being decoded."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.codec import Document, DuplicateMember
from inference_gateway.server.errors import BadRequest

# Most often as encoders write it: what is usual has a way of its own.
_space = st.one_of(st.just(""), st.just(" "), st.text(" \t\n\r", max_size=3))
_numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0.10", "-0", "1E400", "123456789012345678901234567890", "1.000000000000000000001"]),
)


def _escaped(text: str, escape: list[bool]) -> str:
    """Write a string's literal with some characters as \\u escapes."""
    plain = (json.dumps(c, ensure_ascii=False)[1:-1] for c in text)
    codes = ("".join(f"\\u{unit:04x}" for unit in _utf16(c)) for c in text)
    return '"' + "".join(e if flag else p for p, e, flag in zip(plain, codes, escape, strict=True)) + '"'


def _utf16(character: str) -> list[int]:
    encoded = character.encode("utf-16-be")
    return [int.from_bytes(encoded[i : i + 2], "big") for i in range(0, len(encoded), 2)]


def _literal(text: str) -> st.SearchStrategy[str]:
    flags = st.lists(st.booleans(), min_size=len(text), max_size=len(text))
    return st.one_of(st.just([False] * len(text)), flags).map(lambda escape: _escaped(text, escape))


_names = st.one_of(st.sampled_from(["model", "messages", "stream", "a", ""]), st.text(max_size=6))
_names = _names.filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
_strings = _names.flatmap(_literal)


def _object(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects with names given twice, too, and white space wherever it may be."""
    member = st.tuples(_space, _strings, _space, _space, values, _space).map(
        lambda m: f"{m[0]}{m[1]}{m[2]}:{m[3]}{m[4]}{m[5]}"
    )
    return st.lists(member, max_size=4).map(lambda members: "{" + ",".join(members) + "}")


def _array(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    item = st.tuples(_space, values, _space).map("".join)
    return st.lists(item, max_size=4).map(lambda items: "[" + ",".join(items) + "]")


_scalars = st.one_of(st.sampled_from(["true", "false", "null"]), _numbers, _strings)
_values = st.recursive(_scalars, lambda inner: _object(inner) | _array(inner), max_leaves=8)


class Written:
    """An object as text, in pieces: for each member what stands before its value, the value, what follows."""

    def __init__(self, members: dict[str, tuple[str, str, str]], lead: str, trail: str) -> None:
        self.members = members
        self.lead = lead
        self.trail = trail

    def text(self, changes: dict[str, str] | None = None) -> bytes:
        changes = changes or {}
        members = [
            f"{before}{changes.get(name, value)}{after}"
            for name, (before, value, after) in self.members.items()
        ]
        return (self.lead + "{" + ",".join(members) + "}" + self.trail).encode()

    def __repr__(self) -> str:
        return repr(self.text())


@st.composite
def _documents(draw: st.DrawFn) -> Written:
    members = {}
    for name in draw(st.lists(_names, unique=True, max_size=5)):
        before = f"{draw(_space)}{draw(_literal(name))}{draw(_space)}:{draw(_space)}"
        members[name] = before, draw(_values), draw(_space)
    return Written(members, draw(_space), draw(_space))


@given(_documents(), _strings)
def test_replacing_a_member_changes_the_bytes_of_its_value_alone(written: Written, value: str) -> None:
    document = Document(written.text())
    assert document.edited({}) == written.text()
    for name in written.members:
        assert document.edited({name: value.encode()}) == written.text({name: value})


@given(_documents())
def test_each_member_is_found_with_the_bytes_of_its_value(written: Written) -> None:
    document = Document(written.text())
    found = {name: bytes(value).decode() for name, value in document.values.items()}
    assert found == {name: value for name, (_, value, _) in written.members.items()}


@given(_documents(), st.data())
def test_adding_and_removing_keep_the_bytes_of_every_other_member(written: Written, data: Any) -> None:
    removed = data.draw(st.sets(st.sampled_from(sorted(written.members)))) if written.members else set()
    changes: dict[str, bytes | None] = {**dict.fromkeys(removed), "added": b"[1, 2]"}
    edited = Document(written.text()).edited(changes)
    kept = {name: value for name, (_, value, _) in written.members.items() if name not in changes}
    members = {name: bytes(value).decode() for name, value in Document(edited).values.items()}
    assert members == {**kept, "added": "[1, 2]"}
    assert list(members) == [*(name for name in written.members if name not in changes), "added"] or (
        "added" in written.members
    )


@given(_documents().filter(lambda written: written.members), st.data())
def test_a_name_given_twice_is_refused_wherever_and_however_it_is_written(
    written: Written, data: Any
) -> None:
    names = list(written.members)
    repeated = data.draw(st.sampled_from(names))
    pieces = [f"{before}{value}{after}" for before, value, after in written.members.values()]
    again = f"{data.draw(_literal(repeated))}:{data.draw(_values)}"
    pieces.insert(data.draw(st.integers(0, len(pieces))), again)
    with pytest.raises(DuplicateMember, match="is given twice"):
        Document(("{" + ",".join(pieces) + "}").encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 1, "n": 1}',
        b'{"n": 1, "n": 12}',
        b'{"n": 12, "n": 1}',
        b'{"n": 1, "o": 2, "n": 1}',
        b'{"n": 1, "o": 2, "o": 2, "n": 1}',
        b'{"n": {"n": 1}, "\\u006e": {"n": 1}}',
    ],
)
def test_a_repeated_name_is_found_whatever_its_values(body: bytes) -> None:
    with pytest.raises(DuplicateMember):
        Document(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": 01}',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": {"b": ["\xc3\x28"]}}',
        b'{"\xff": 1}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_object_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        Document(body)


def test_deep_nesting_is_taken_or_refused_and_never_an_accident() -> None:
    for depth in (100, *range(900, 1010), 100_000):
        body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        with contextlib.suppress(BadRequest):
            assert Document(body).edited({"a": b"1"}) == b'{"a":1}'
    with pytest.raises(BadRequest, match="nested too deeply"):
        Document(body)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_a_bad_request(body: bytes) -> None:
    try:
        document = Document(b"{" + body)
    except BadRequest:
        return
    assert document.edited({}) == b"{" + body


def test_an_object_has_a_thousand_members_at_most() -> None:
    members = [f'"{number}": 1' for number in range(1001)]
    assert len(Document(("{" + ",".join(members[:-1]) + "}").encode()).values) == 1000
    with pytest.raises(BadRequest, match="more than 1000 members"):
        Document(("{" + ",".join(members) + "}").encode())


def test_a_member_of_the_wrong_type_is_named_and_not_shown() -> None:
    document = Document(b'{"model": ["secret"]}')
    decoder: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
    with pytest.raises(BadRequest, match="'model' must be a string") as refused:
        document.get("model", decoder, expected="a string")
    assert "secret" not in refused.value.message


def test_spellings_of_a_name_are_found_whatever_their_case() -> None:
    assert Document(b'{"Model": 1, "a": 2, "model": 3, "MODE\\u004c": 4}').spellings("model") == [
        "Model",
        "model",
        "MODEL",
    ]
    assert Document('{"me\u017f\u017fages": 1}'.encode()).spellings("messages") == ["me\u017f\u017fages"]
