"""The soak in its short form; `make soak` is the long one."""

import asyncio

from soak.run import soak


def test_random_faults_leave_nothing_behind_and_no_request_without_an_outcome() -> None:
    report = asyncio.run(soak(4, 40, seed=7))
    assert report.problems() == []
    assert report.tally.sent > 100
    assert report.tally.whole
