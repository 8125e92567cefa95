"""The sixteen scenarios through the gateway: the table in docs/reliability.md says what happens."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.chats import Streamed, body, stream
from fakes.gateway import FakeGateway
from fakes.outcomes import Outcomes
from fakes.provider import DONE

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
CELLS = re.compile(
    r"^\| \d+ \| `(mock/fault-\d+)` \|[^|]*\| (\d{3})([^|]*)\| `(\w+)` \| `(\w+)` \|", re.MULTILINE
)
ROWS = CELLS.findall(PAGE.read_text("utf-8"))
SOON = "400ms"


@pytest.fixture
def gateway(start_gateway: Callable[..., FakeGateway]) -> FakeGateway:
    return start_gateway(
        MOCK_ENABLED="true", CLIENT_RESPONSE_HEADER_TIMEOUT=SOON, CLIENT_STREAM_IDLE_TIMEOUT=SOON
    )


def test_the_table_has_all_sixteen() -> None:
    assert [model for model, *_ in ROWS] == [f"mock/fault-{number:02}" for number in range(1, 17)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_scenario_ends_as_the_table_says(gateway: FakeGateway, row: tuple[str, ...]) -> None:
    model, status, sees, outcome, following = row
    outcomes = Outcomes(gateway)
    got = stream(gateway, body(model, stream=True))
    assert got.status == int(status)
    assert outcomes.wait(1) == [outcome]
    assert got.whole == (outcome == "complete" or got.status != 200)
    assert (b"retry-after: 2" in got.head) == ("Retry-After" in sees)
    if got.status == 200:
        check_events(got, sees)
    again = stream(gateway, body(model, stream=True))
    assert outcomes.wait(2) == [outcome, following]
    assert (again.status == 200 and again.events.endswith(DONE)) == (following == "complete")


def check_events(got: Streamed, sees: str) -> None:
    *events, last = got.events.removesuffix(b"\n\n").split(b"\n\n")
    if "and `[DONE]`" in sees:
        assert last == b"data: [DONE]"
        assert json.loads(events[-1].removeprefix(b"data: "))["usage"]
        return
    assert DONE not in got.events
    assert got.error
    for event in events:
        json.loads(event.removeprefix(b"data: "))
    # The first event carries the role, each further one a token.
    for said, count in (("40 tokens", 41), ("20 tokens", 21), ("nine events", 9)):
        if said in sees:
            assert len(events) == count
