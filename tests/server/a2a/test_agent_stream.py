"""What of an agent's stream may pass, and how it ended."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.a2a import agent_stream
from inference_gateway.server.a2a.agent_stream import AgentStream
from inference_gateway.server.a2a.jsonrpc import AgentRefused, Unreadable
from inference_gateway.server.errors import UpstreamCut, UpstreamTimeout
from inference_gateway.server.outcome import Outcome


def written(result: object = None, *, newline: str = "\n", **more: Any) -> bytes:
    """An event with a reply."""
    reply = {"jsonrpc": "2.0", "id": 1, **({} if result is None else {"result": result}), **more}
    return f"data: {json.dumps(reply)}{newline * 2}".encode()


def status(state: str, **more: Any) -> dict[str, Any]:
    """News of a task in A2A 1.0."""
    return {"statusUpdate": {"taskId": "t", "status": {"state": f"TASK_STATE_{state}"}}, **more}


def old_status(state: str, *, final: bool) -> dict[str, Any]:
    """The same in A2A 0.3."""
    return {"kind": "status-update", "taskId": "t", "status": {"state": state}, "final": final}


WORKING = written(status("WORKING"))
ARTIFACT = written({"artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a"}}})
COMPLETED = written(status("COMPLETED"))
REFUSED = written(error={"code": -32001, "message": "no"})
OLD_CANCELED = written(old_status("canceled", final=True))
WHOLE = b"".join(
    [
        b": hello\r\n\r\n",
        b"event: message\nid: 4\n" + WORKING,
        ARTIFACT.replace(b"\n\n", b"\r\n\r\n"),
        b"retry: 5\n\n",
        COMPLETED.replace(b"\n\n", b"\r\r"),
        b"\n",
    ]
)


def ended(*pieces: bytes) -> AgentStream:
    """A stream after these pieces and the proper end of its body."""
    stream = AgentStream()
    for piece in pieces:
        stream.feed(piece)
    stream.end()
    return stream


@given(st.lists(st.integers(0, len(WHOLE))))
def test_chunk_boundaries_do_not_change_what_passes(cuts: list[int]) -> None:
    stream = AgentStream()
    edges = [0, *sorted(cuts), len(WHOLE)]
    passed = b"".join(stream.feed(WHOLE[a:b]) for a, b in pairwise(edges)) + stream.end()
    assert passed.rstrip() == WHOLE.rstrip()
    assert stream.outcome is Outcome.COMPLETE


@given(st.integers(1, len(WHOLE)))
def test_only_whole_events_pass(cut: int) -> None:
    passed = AgentStream().feed(WHOLE[:cut])
    assert WHOLE.startswith(passed)
    assert passed == b"" or passed.endswith((b"\n\n", b"\r\r", b"\r\r\n", b"\r\n\r\n"))


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([WORKING, COMPLETED], Outcome.COMPLETE),
        ([WORKING, written(status("INPUT_REQUIRED"))], Outcome.COMPLETE),
        ([WORKING, written(status("AUTH_REQUIRED"))], Outcome.COMPLETE),
        ([written({"message": {"messageId": "m"}})], Outcome.COMPLETE),
        ([written({"kind": "message", "messageId": "m"})], Outcome.COMPLETE),
        ([written({"task": {"id": "t", "status": {"state": "TASK_STATE_FAILED"}}})], Outcome.COMPLETE),
        ([written({"kind": "task", "id": "t", "status": {"state": "rejected"}})], Outcome.COMPLETE),
        (
            [written(old_status("working", final=False)), written(old_status("canceled", final=True))],
            "complete",
        ),
        ([written(old_status("input-required", final=True))], Outcome.COMPLETE),
        ([COMPLETED, ARTIFACT], Outcome.COMPLETE),
        ([WORKING], Outcome.CUT),
        ([WORKING, ARTIFACT], Outcome.CUT),
        ([written(status("INPUT_REQUIRED")), WORKING], Outcome.CUT),
        ([], Outcome.CUT),
        ([b": ping\n\n"], Outcome.CUT),
        ([WORKING, REFUSED], Outcome.PROVIDER_ERROR),
        ([WORKING, b"data: x\n\n"], Outcome.PROVIDER_ERROR),
        ([WORKING, written()], Outcome.PROVIDER_ERROR),
        ([WORKING, written(5)], Outcome.PROVIDER_ERROR),
        ([WORKING, b"data: \xff\n\n"], Outcome.PROVIDER_ERROR),
    ],
)
def test_a_stream_ends_as_its_last_word_says(events: list[bytes], outcome: Outcome) -> None:
    assert ended(*events).outcome == outcome


def test_what_is_no_reply_does_not_pass_and_nothing_after_it() -> None:
    stream = AgentStream()
    assert stream.feed(WORKING + b"data: nonsense\n\n" + COMPLETED) == WORKING
    assert stream.problem == "the agent sent an event that is no reply of the protocol"
    assert stream.feed(COMPLETED) == b""
    assert stream.end() == b""


def test_half_a_surrogate_pair_is_text_to_most_readers() -> None:
    event = b'data: {"jsonrpc":"2.0","id":1,"result":{"message":{"parts":[{"text":"\\ud83d"}]}}}\n\n'
    stream = AgentStream()
    assert stream.feed(event) == event
    stream.end()
    assert stream.outcome is Outcome.COMPLETE
    other = AgentStream(is_of_task=False)
    assert other.feed(event) == event


def test_a_last_event_may_lack_its_blank_line() -> None:
    stream = AgentStream()
    assert stream.feed(WORKING + COMPLETED[:-1]) == WORKING
    assert stream.end() == COMPLETED
    assert stream.outcome is Outcome.COMPLETE


def test_half_an_event_is_no_end() -> None:
    stream = ended(COMPLETED[:-9])
    assert stream.outcome is Outcome.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UpstreamCut("broken"), Outcome.CUT),
        (UpstreamTimeout("late"), Outcome.STALLED),
        (OSError("x"), Outcome.CUT),
    ],
)
def test_a_break_counts_unless_everything_was_said(error: Exception, outcome: Outcome) -> None:
    broken, whole, refused = AgentStream(), AgentStream(), AgentStream()
    broken.feed(WORKING)
    broken.fail(error)
    assert (broken.outcome, broken.problem) == (outcome, str(error))
    whole.feed(COMPLETED)
    whole.fail(error)
    assert whole.outcome is Outcome.COMPLETE
    refused.feed(REFUSED)
    refused.fail(error)
    assert (refused.outcome, refused.problem) == (Outcome.PROVIDER_ERROR, "")


def test_a_method_of_somebodys_own_need_not_tell_of_a_task() -> None:
    stream = AgentStream(is_of_task=False)
    assert stream.feed(written(["anything"])) == written(["anything"])
    stream.end()
    assert stream.outcome is Outcome.COMPLETE


def test_an_event_that_never_ends_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_stream, "LARGEST_EVENT", 1000)
    stream = AgentStream()
    assert stream.feed(WORKING + b"data: " + b"x" * 990) == WORKING
    assert stream.outcome is None
    stream.feed(b"x" * 10)
    assert stream.outcome is Outcome.PROVIDER_ERROR


def test_events_are_written_anew_where_that_is_wanted() -> None:
    stream = AgentStream(lambda data: b'{"told":%d}' % len(data))
    passed = stream.feed(b": ping\n\n" + b"event: x\nid: 3\n" + COMPLETED)
    assert passed == b":\n\n" + b'data: {"told":%d}\n\n' % len(COMPLETED[6:-2])


@pytest.mark.parametrize("error", [Unreadable("no event"), AgentRefused(-32004, "no words for it")])
def test_what_cannot_be_written_anew_ends_the_stream(error: Exception) -> None:
    def rewrite(data: bytes) -> bytes:
        raise error

    stream = AgentStream(rewrite)
    assert stream.feed(COMPLETED) == b""
    assert (stream.outcome, stream.problem) == (Outcome.PROVIDER_ERROR, str(error))
