"""The mock's own regular expressions: checked against `re`, where both read a pattern."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.providers.mock.pattern import MAX_PATTERN, Pattern, PatternError


def free(_steps: int) -> None:
    """Work that costs nothing."""


ATOMS = st.sampled_from(
    ["a", "b", "-", r"\d", r"\w", "[ab]", "[^a]", "[a-c1]", r"\.", ".", "^", "$", r"\b", "(?=a)"]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map("(?!{})".format),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("ab1-. ", max_size=6))
def test_it_finds_what_re_finds(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text, free) == bool(re.search(pattern, text))


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [
        ("abc", "abc"),
        (r"^\d{3}-\d{4}$", "000-0000"),
        ("^[A-Z]{2,3}[0-9]+$", "AA0"),
        ("^(?:one|two)$", "one"),
        (r"^#[0-9a-fA-F]{6}$", "#aaaaaa"),
        (r"^v?(?P<major>0|[1-9]\d*)\.\d+\x2e\u0030$", "0.0.0"),
        ("^[^a-zA-Z0-9!-~ ]$", "\0"),
        (r"^[\]\-\\\b]$", "-"),
        (r"^[\s-]$", "-"),
        (r"^[\d-.]{12}$", "0" * 12),
        (r"^[+-\d]$", "0"),
        ("^x{0}$", ""),
    ],
)
def test_the_first_sample_is_plain_and_matches(pattern: str, sample: str) -> None:
    compiled = Pattern(pattern)
    assert next(compiled.samples([0], free)) == sample
    assert compiled.matches(sample, free)


def test_samples_grow_and_differ() -> None:
    assert list(Pattern("^[a-z]+$").samples(range(3), free)) == ["a", "bb", "ccc"]


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "[a", "*", "a**", "a{", "a{x}", "a{3,2}", "{1}", "\\", r"\p{L}", r"\1", r"\xzz", "(?<=a)",
        "(?#a)", "^*", "[b-a]", "(?<n", "(" * 50 + ")" * 50, "a" * (MAX_PATTERN + 1), "a{999999}",
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["(((a{1000}){1000}){1000})", "[^\\s\\S]", "[\ud800-\udbff]"])
def test_a_sample_that_is_too_long_or_impossible_is_none(pattern: str) -> None:
    assert list(Pattern(pattern).samples(range(2), free)) == []


def test_a_pattern_that_makes_others_run_forever_is_cheap() -> None:
    steps = 0

    def spend(more: int) -> None:
        nonlocal steps
        steps += more

    assert not Pattern("^((a+)+)+$").matches("a" * 200 + "!", spend)
    assert steps < 10_000


def test_work_can_be_cut_short() -> None:
    class TooMuchError(Exception):
        pass

    def spend(_more: int) -> None:
        raise TooMuchError

    with pytest.raises(TooMuchError):
        Pattern("a").matches("a", spend)
