"""Numbers in shared memory: found again by whoever goes on, seen by everybody."""

import math
import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.telemetry.exposition import Page
from inference_gateway.server.telemetry.instruments import (
    DURATION,
    REQUESTS,
    REQUESTS_OPEN,
    Histogram,
    Number,
    forget_gauges,
)
from inference_gateway.server.telemetry.names import Names
from inference_gateway.server.telemetry.totals import Totals


@pytest.fixture
def totals() -> Iterator[Totals]:
    shared = Totals()
    yield shared
    shared.close()


def written(totals: Totals) -> str:
    """The page that is scraped."""
    page = Page()
    for key, numbers, lives in totals.read():
        page.add(key, numbers, lives=lives)
    return b"".join(page.pieces()).decode()


def in_a_process_that_dies(totals: Totals, count: int) -> None:
    """Count so many requests elsewhere, leave one open, and be killed."""
    pid = os.fork()
    if pid == 0:
        region = totals.claim()
        for _ in range(count):
            Number(region, REQUESTS, outcome="complete").add()
        Number(region, REQUESTS_OPEN).add()
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_a_process_counted_outlives_it_and_what_it_had_open_does_not(totals: Totals) -> None:
    in_a_process_that_dies(totals, 3)
    page = written(totals)
    assert 'inference_gateway_requests_total{outcome="complete"} 3\n' in page
    assert "\ninference_gateway_requests_open " not in page


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_next_process_goes_on_where_the_last_one_stopped(totals: Totals) -> None:
    in_a_process_that_dies(totals, 3)
    in_a_process_that_dies(totals, 4)
    Number(totals.claim(), REQUESTS, outcome="complete").add()
    [(_, numbers, lives)] = [each for each in totals.read() if b"requests_total" in each[0]]
    assert (numbers, lives) == ((8.0,), True)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_gauge_of_a_dead_process_says_nothing_to_the_next_one_until_that_sets_it(totals: Totals) -> None:
    in_a_process_that_dies(totals, 1)
    region = totals.claim()
    forget_gauges(region)
    assert "\ninference_gateway_requests_open " not in written(totals)
    Number(region, REQUESTS_OPEN).set(5)
    assert "\ninference_gateway_requests_open 5\n" in written(totals)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_another_process_has_named_takes_a_place_here_too(totals: Totals) -> None:
    totals.claim()
    names = Names(totals, "outcome", 2, lambda family, _: family == REQUESTS.name)
    assert names.learn("mine") == "mine"
    in_a_process_that_dies(totals, 1)
    assert [names.learn(name) for name in ("one more", "complete", "mine")] == ["other", "complete", "mine"]


def test_a_server_is_up_where_it_is_for_every_process() -> None:
    page, other = Page(), Page()
    key = b'["inference_gateway_tool_server_up",{"server":"s"}]'
    for value in (1.0, 0.0, 1.0):
        page.add(key, (value,), lives=True)
    for value, lives in ((1.0, True), (0.0, False)):
        other.add(key, (value,), lives=lives)
    assert b'\ninference_gateway_tool_server_up{server="s"} 0\n' in b"".join(page.pieces())
    assert b'\ninference_gateway_tool_server_up{server="s"} 1\n' in b"".join(other.pieces())


def test_series_without_room_are_not_counted_and_break_nothing(totals: Totals) -> None:
    region = totals.claim()
    for number in range(2000):
        Histogram(region, DURATION, model=f"m{number}" + "x" * 20_000).observe(1.0)
    page = written(totals)
    assert page.count("_count{") == 2000 - region.lost
    assert 0 < region.lost < 2000


@given(st.lists(st.floats(min_value=0, max_value=1e6, allow_nan=False), max_size=30))
def test_a_histogram_holds_each_value_in_the_right_bucket(values: list[float]) -> None:
    shared = Totals()
    histogram = Histogram(shared.claim(), DURATION)
    for value in values:
        histogram.observe(value)
    page = written(shared)
    shared.close()
    held = dict(re.findall(r'_bucket\{le="([^"]+)"\} (\d+)', page))
    assert {bound: int(count) for bound, count in held.items()} == {
        bound: sum(value <= float(bound) for value in values) for bound in held
    }
    [total] = re.findall(r"_sum (\S+)", page)
    assert math.isclose(float(total), math.fsum(values), rel_tol=1e-9)


@given(st.text(max_size=30))
def test_any_label_value_stays_on_its_line_and_in_its_quotes(value: str) -> None:
    shared = Totals()
    Number(shared.claim(), REQUESTS, outcome=value.encode("utf-8", "replace").decode()).add()
    lines = [each for each in written(shared).split("\n") if "requests_total" in each]
    shared.close()
    assert re.fullmatch(r'inference_gateway_requests_total(\{outcome="([^"\\]|\\["\\n])*"\})? 1', lines[-1])
