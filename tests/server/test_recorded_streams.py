"""Recorded streams cut at every byte and in every chunking: the outcome is right and always the same."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.recordings import DONE, RECORDINGS, Recording
from inference_gateway.server.chat_stream import ChatStream
from inference_gateway.server.errors import UpstreamCut
from inference_gateway.server.outcome import Outcome

recorded = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)

Verdict = tuple[bytes, Outcome | None, str]


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def ended(parts: Iterable[bytes]) -> Verdict:
    """Judge a body that ends in order."""
    stream = ChatStream()
    sent = b"".join([stream.feed(part) for part in parts]) + stream.end()
    return sent, stream.outcome, stream.problem


def broken(parts: Iterable[bytes]) -> Verdict:
    """Judge a body that breaks off."""
    stream = ChatStream()
    sent = b"".join([stream.feed(part) for part in parts])
    stream.fail(UpstreamCut("broke off"))
    return sent, stream.outcome, stream.problem


def passed(recording: Recording) -> bytes:
    """What is to leave of a whole recording: all but comments."""
    return b"".join(event for event in recording.events if event.startswith(b"data:"))


@recorded
def test_whole_in_two_pieces_at_every_offset_and_byte_by_byte(recording: Recording) -> None:
    data = recording.data
    whole = (passed(recording), Outcome.COMPLETE, "")
    for cut in range(len(data) + 1):
        assert ended(pieces(data, [cut])) == whole, cut
    assert ended(pieces(data, range(1, len(data)))) == whole


@recorded
def test_a_body_that_breaks_off_anywhere_is_cut_unless_done_was_heard(recording: Recording) -> None:
    data, leaves = recording.data, passed(recording)
    done = len(data) - len("\n\n")  # the blank line behind [DONE] ends its event
    for offset in range(len(data)):
        sent, outcome, _ = verdict = broken([data[:offset]])
        assert outcome is Outcome.CUT, (offset, done)
        assert DONE not in sent
        assert leaves.startswith(sent)
        assert sent.endswith(b"\n\n") or not sent
        for again in ([1], [offset // 2], [max(offset - 1, 0)]):
            cuts = [cut for cut in again if cut < offset]
            assert broken(pieces(data[:offset], cuts)) == verdict, (offset, cuts)


@recorded
def test_a_body_that_ends_anywhere_is_whole_only_behind_every_finish_reason(recording: Recording) -> None:
    data, leaves = recording.data, passed(recording)
    for offset in range(len(data)):
        sent, outcome, problem = verdict = ended([data[:offset]])
        if outcome is Outcome.COMPLETE:
            assert offset >= recording.answer_end
            assert sent.endswith(DONE)
            assert leaves.startswith(sent.removesuffix(DONE))
        else:
            assert outcome is Outcome.CUT
            assert problem
            assert DONE not in sent
            assert leaves.startswith(sent)
        assert ended(pieces(data[:offset], range(1, offset))) == verdict, offset
        assert ended(pieces(data[:offset], [offset // 2])) == verdict, offset


@recorded
def test_a_body_that_ends_between_its_events_behind_the_answer_is_whole(recording: Recording) -> None:
    for count in range(recording.answered, len(recording.events)):
        sent, outcome, _ = ended(recording.events[:count])
        assert outcome is Outcome.COMPLETE
        assert sent.endswith(DONE)


@given(st.data())
def test_several_cuts_change_nothing(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(RECORDINGS))
    end = data.draw(st.integers(0, len(recording.data)))
    cuts = data.draw(st.lists(st.integers(0, end), max_size=12))
    stream = recording.data[:end]
    assert ended(pieces(stream, cuts)) == ended([stream])
    assert broken(pieces(stream, cuts)) == broken([stream])


@given(st.data())
def test_line_ends_and_comments_change_nothing(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(RECORDINGS))
    line_end = data.draw(st.sampled_from([b"\r\n", b"\r"]))
    foreign = b": hello\n\n" + recording.data.replace(b"data: ", b"id: 7\ndata:")
    foreign = foreign.replace(b"\n", line_end)
    cuts = data.draw(st.lists(st.integers(0, len(foreign)), max_size=12))
    assert ended(pieces(foreign, cuts)) == (passed(recording), Outcome.COMPLETE, "")
