"""Descriptions found in docstrings of the usual styles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.client.docstrings import described

GOOGLE = """Find the weather.

    It asks the service: slowly.

    Args:
        city: Name of the city,
            in English.
        days (int, optional): How far ahead.

            At most seven.
        *places: More places.

    Returns:
        dict: The weather.

    Raises:
        LookupError: No such city.
    """
NUMPY = """
    Find the weather.

    It asks the service: slowly.

    Parameters
    ----------
    city : str
        Name of the city,
        in English.
    days : int, optional
        How far ahead.

        At most seven.
    *places
        More places.

    Returns
    -------
    dict
        The weather.
    """
SPHINX = """Find the weather.

    It asks the service: slowly.

    :param city: Name of the city,
        in English.
    :param int days: How far ahead.
        At most seven.
    :type city: str
    :param places: More places.
    :returns: The weather.
    :raises LookupError: No such city.
    """
PARAMETERS = {
    "city": "Name of the city, in English.",
    "days": "How far ahead. At most seven.",
    "places": "More places.",
}


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_text_and_parameters_are_told_apart(docstring: str) -> None:
    assert described(docstring) == ("Find the weather.\n\nIt asks the service: slowly.", PARAMETERS)


@pytest.mark.parametrize("docstring", ["", "   \n  "])
def test_nothing_said_is_nothing_described(docstring: str) -> None:
    assert described(docstring) == ("", {})


def test_a_text_alone_is_the_description() -> None:
    text = "Add.\n\nNote: the sum\n  - of a\n  - of b"
    assert described(text) == (text, {})


def test_text_after_a_google_section_belongs_to_the_description() -> None:
    assert described("Add.\n\nArgs:\n    a: One.\n\nFast.") == ("Add.\n\nFast.", {"a": "One."})


def test_several_numpy_parameters_share_a_description() -> None:
    text = "Add.\n\nParameters\n----------\na, b : int\n    A summand.\n"
    assert described(text) == ("Add.", {"a": "A summand.", "b": "A summand."})


def test_a_parameter_without_words_is_not_described() -> None:
    assert described("Add.\n\nArgs:\n    a:\n    b: Two.") == ("Add.", {"b": "Two."})


def test_a_field_of_another_kind_is_not_a_parameter() -> None:
    assert described("Add.\n\n:rtype: int\n    or so\n:param: nobody") == ("Add.", {})


def test_a_colon_in_a_description_does_not_begin_a_parameter() -> None:
    text = "Add.\n\nArgs:\n    a: One of\n        x: first\n        y: second"
    assert described(text) == ("Add.", {"a": "One of x: first y: second"})


LINES = st.sampled_from(
    ["Args:", "Parameters", "----------", "  a: b", "    c", ":param x: y", "a : int", "", "Returns:", "text"]
)


@given(st.text() | st.lists(LINES, max_size=12).map("\n".join))
def test_any_text_is_read(docstring: str) -> None:
    text, parameters = described(docstring)
    assert text == text.strip()
    assert all(parameters.values())
