"""What processes tell in words: notes that survive, stay apart from figures, and are bounded."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.telemetry.board import Board, Mishap, told
from inference_gateway.server.telemetry.instruments import DURATION, Histogram
from inference_gateway.server.telemetry.totals import Totals
from inference_gateway.server.telemetry.watch import Watch


def mishap(at: float, **texts: str) -> Mishap:
    return Mishap(**{"at": at, "request_id": "r", "path": "/", "outcome": "cut", **texts})  # type: ignore[arg-type]  # at


def test_the_newest_notes_of_all_processes_come_first_and_old_ones_go() -> None:
    shared = Totals()
    boards = [Board(shared.claim()) for _ in range(2)]
    for at in range(100):
        boards[at % 2].failed(mishap(float(at)))
        boards[at % 2].refused(mishap(float(at)))
    said = told(shared)
    shared.close()
    assert [each.at for each in said.failures] == [float(at) for at in range(99, 59, -1)]
    assert [each.at for each in said.refusals] == [float(at) for at in range(99, 79, -1)]


@given(texts=st.fixed_dictionaries({name: st.text() for name in ("path", "provider", "model", "message")}))
def test_any_text_is_read_as_it_was_written_as_far_as_there_is_room(texts: dict[str, str]) -> None:
    shared = Totals()
    Board(shared.claim()).failed(mishap(1.0, **texts))
    [found] = told(shared).failures
    shared.close()
    for name, text in texts.items():
        assert text.startswith(getattr(found, name))
        assert len(getattr(found, name)) in (len(text), 300) or len("".join(texts.values()).encode()) > 150


def test_a_note_that_is_half_written_is_not_read() -> None:
    shared = Totals()
    region = shared.claim()
    board = Board(region)
    board.failed(mishap(1.0))
    board.failed(mishap(2.0))
    # The first slot stands behind the head (16 bytes) and the ring's own (8).
    region.tail[24 : 24 + 8] = struct.pack("=I", 500) + b"\xff\xff\xff\xff"
    assert [each.at for each in told(shared).failures] == [2.0]
    shared.close()


def test_figures_never_reach_into_the_notes() -> None:
    shared = Totals()
    region = shared.claim()
    board = Board(region)
    board.failed(mishap(1.0, message="kept"))
    for number in range(20_000):
        Histogram(region, DURATION, model=f"m{number}" + "x" * 200).observe(1.0)
    assert [each.message for each in told(shared).failures] == ["kept"]
    shared.close()


def test_a_process_says_since_when_it_counts() -> None:
    shared = Totals()
    board = Board(shared.claim())
    assert [worker.counts_since for worker in told(shared).workers] == [0.0]
    board.start_counting()
    [worker] = told(shared).workers
    assert worker.counts_since >= shared.started
    board.stop_counting()
    assert told(shared).workers[0].counts_since == 0.0
    shared.close()


def test_a_look_is_known_until_it_is_forgotten() -> None:
    watch = Watch()
    assert not watch.is_on
    watch.look()
    assert watch.is_on
