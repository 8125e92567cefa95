"""Every row of the corpus: taken as the request that it is, or refused with nothing behind it believed."""

from collections.abc import Iterator

import pytest

from conformance.corpus import EVIL, NEXT, REFUSED, ROWS, TAKEN, Refused, Taken, name_of
from conformance.oracle import answers_in, judge
from conformance.reading import OurServer, Reading


@pytest.fixture(scope="module")
def server() -> Iterator[OurServer]:
    server = OurServer()
    yield server
    server.close()


def cuts_of(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """The whole, single bytes where there are not too many, and a few pieces."""
    yield (data,)
    if len(data) < 2000:
        yield tuple(data[at : at + 1] for at in range(len(data)))
    yield tuple(data[at : at + 700] for at in range(0, len(data), 700))


def statuses(reading: Reading) -> list[int]:
    methods = [asked.method for asked in reading.asked]
    return [answer.status for answer in answers_in(reading.answers, methods, closed=reading.closed)]


@pytest.mark.parametrize("row", REFUSED, ids=name_of)
def test_what_breaks_a_rule_is_refused_and_the_connection_closed(server: OurServer, row: Refused) -> None:
    for pieces in cuts_of(row.whole):
        reading = server.read(*pieces)
        assert statuses(reading) == [row.status]
        assert reading.closed
        # A body may break a rule after its head was handed on; it is then never handed on whole.
        assert [asked.body for asked in reading.asked] in ([], [None])
        assert all(asked.path != EVIL for asked in reading.asked)


@pytest.mark.parametrize("row", TAKEN, ids=name_of)
def test_what_keeps_the_rules_is_taken_and_ends_where_it_ends(server: OurServer, row: Taken) -> None:
    for pieces in cuts_of(row.whole):
        reading = server.read(*pieces)
        first, *rest = reading.asked
        assert (first.path, first.body) == (b"/proxy/openai/first", row.body)
        assert [asked.path for asked in rest] == ([NEXT] if row.persists else [])
        assert statuses(reading) == [200] * len(reading.asked)
        assert reading.closed != row.persists


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_an_independent_parser_reads_the_same_requests_or_we_refused(
    server: OurServer, row: Refused | Taken
) -> None:
    for pieces in cuts_of(row.whole):
        judge(row.whole, server.read(*pieces))
