"""The judge judges: readings that differ from h11's are found, and h11 is asked about the right bytes."""

import h11
import pytest

from conformance.corpus import FOLLOWING, SMUGGLED, chunks, get, sized
from conformance.oracle import judge, requests_in
from conformance.reading import Asked, OurServer, Reading

TWO = sized(b" 5") + FOLLOWING


@pytest.fixture
def honest() -> Reading:
    server = OurServer()
    reading = server.read(TWO)
    server.close()
    return reading


def changed(reading: Reading, **parts: object) -> Reading:
    first = reading.asked[0]._replace(**parts)  # type: ignore[arg-type]
    return reading._replace(asked=[first, *reading.asked[1:]])


def test_the_same_reading_is_accepted(honest: Reading) -> None:
    judge(TWO, honest)


def test_one_request_too_many_is_found(honest: Reading) -> None:
    extra = Asked("GET", b"/proxy/openai/evil", b"", [(b"host", b"h")], b"")
    with pytest.raises(AssertionError, match="is no request to h11"):
        judge(TWO, honest._replace(asked=[*honest.asked, extra]))


def test_one_too_few_is_found_unless_the_connection_was_closed(honest: Reading) -> None:
    with pytest.raises(AssertionError, match="neither taken nor refused"):
        judge(TWO, honest._replace(asked=honest.asked[:1]))


@pytest.mark.parametrize(
    "parts",
    [
        {"method": "PUT"},
        {"path": b"/"},
        {"query": b"x"},
        {"headers": []},
        {"body": b"hell"},
        {"body": b"hello" + SMUGGLED},
    ],
)
def test_another_request_is_found(honest: Reading, parts: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        judge(TWO, changed(honest, **parts))


def test_answers_that_are_none_are_found(honest: Reading) -> None:
    for answers in (b"", honest.answers + honest.answers, honest.answers[:-5], b"\r\n" + honest.answers):
        with pytest.raises((AssertionError, h11.RemoteProtocolError)):
            judge(TWO, honest._replace(answers=answers))


def test_empty_lines_and_old_clients_that_stay_are_followed() -> None:
    old = b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    sent = b"\r\n" + get() + b"\r\n" + old + old.replace(b"keep-alive", b"x") + SMUGGLED
    assert [asked.path for asked in requests_in(sent)] == [b"/proxy/openai/first", b"/", b"/"]


def test_a_request_whose_body_breaks_a_rule_is_the_last() -> None:
    [asked] = requests_in(chunks(b"5\r\nhelloxx") + SMUGGLED)
    assert asked.body is None
