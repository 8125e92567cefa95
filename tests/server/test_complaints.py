"""How often the log speaks of trouble that lasts."""

import logging

import pytest

from inference_gateway.server.complaints import EVERY, Complaints

logger = logging.getLogger("inference_gateway.test_complaints")


def test_trouble_is_told_when_it_begins_once_a_minute_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = 1000.0
    complaints = Complaints(logger, clock=lambda: now)
    complaints.well("well")
    for number in range(130):
        complaints.trouble("trouble %d", number)
        now += 1.0
    complaints.well("well after %s", "all")
    complaints.well("well")
    complaints.trouble("anew")
    told = [record.getMessage() for record in caplog.records]
    assert told == ["trouble 0", f"trouble {EVERY:.0f}", f"trouble {2 * EVERY:.0f}", "well after all", "anew"]
