"""Text to value and back, for any text."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.catalogue import PROVIDER_FIELDS, SETTINGS, Field
from inference_gateway.server.configuration.values import duration, format_duration, integer, read, write

FIELDS = [setting.field for setting in SETTINGS] + [f for f in PROVIDER_FIELDS.values() if f.kind != "map"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        ("1h2m3s", 3723.0),
        ("0", 0.0),
        ("30", 30.0),
        ("2.5", 2.5),
        (".5", 0.5),
        ("+1s", 1.0),
        ("1.s", 1.0),
        ("1500us", 0.0015),
        ("1500µs", 0.0015),
        ("1500μs", 0.0015),
        ("2000000ns", 0.002),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1", "-1s", "1 s", "1d", "1S", ".", ".s", "1s2", "1e3", "inf", "nan", "٣s"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        duration(text)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([1, 60, 3600, 0.001, 0.5]))
def test_a_duration_is_written_so_that_it_is_read_back(count: int, unit: float) -> None:
    assert duration(format_duration(count * unit)) == pytest.approx(count * unit)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63), st.sampled_from(["d", "#x", "#o", "#b"]))
def test_a_whole_number_is_read_in_any_base(number: int, base: str) -> None:
    assert integer(format(number, base)) == number


@pytest.mark.parametrize("text", ["1.0", "1_000", "0x", "1e3", "٣", "9" * 5000, "--1", "08"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        integer(text)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
@settings(deadline=None)
@given(text=st.one_of(st.text(min_size=1), st.from_regex(r"\A[0-9a-z:/,*.-]{1,12}\Z"), st.tuples(st.text())))
def test_any_text_is_a_value_or_refused(field: Field, text: str | tuple[str, ...]) -> None:
    with contextlib.suppress(Refused):
        write(field, read(field, text))


@settings(deadline=None)
@given(st.lists(st.from_regex(r"\A[a-z0-9]([a-z0-9/.:-]{0,10}[a-z0-9])?\Z"), min_size=1))
def test_a_list_means_the_same_as_its_items_with_commas(items: list[str]) -> None:
    field = next(setting.field for setting in SETTINGS if setting.variable == "ALLOWED_MODELS")
    assert read(field, tuple(items)) == read(field, " , ".join(items)) == frozenset(items)
    assert read(field, write(field, read(field, tuple(items)))) == frozenset(items)
