"""Inputs that once failed, or that reach far, through the entry of the fuzzer; without the fuzzer itself."""

from pathlib import Path

import pytest

from conformance.corpus import get
from fuzz.entry import one_input, seeds

FOUND = sorted((Path(__file__).parent / "regressions").iterdir())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_an_input_that_was_found_is_read_as_it_should(path: Path) -> None:
    one_input(path.read_bytes())


def test_the_seeds_are_read_as_they_should() -> None:
    for seed in seeds():
        one_input(seed)


@pytest.mark.parametrize("data", [b"", b"\0", b"\1", b"\0\r\n", b"\xff" + get()])
def test_inputs_of_any_length_are_inputs(data: bytes) -> None:
    one_input(data)
