"""An agent's stream as bytes: wherever it is cut, it says the same."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.client.a2a_stream import A2AStreamReader
from inference_gateway.client.errors import IncompleteStreamError, InferenceGatewayError

SSE = {"content-type": "text/event-stream"}


def event(result: object) -> bytes:
    return b"data: " + json.dumps({"jsonrpc": "2.0", "id": "n", "result": result}).encode() + b"\r\n\r\n"


def status(state: str, **more: object) -> dict[str, object]:
    return {"kind": "status-update", "taskId": "t", "status": {"state": state}, **more}


def read_all(reader: A2AStreamReader, data: bytes) -> None:
    assert list(reader.feed(data)) == []
    reader.finish()


STREAM = b": hello\n\n" + b"".join(
    map(
        event,
        [status("working", final=False), status("completed", final=False), status("completed", final=True)],
    )
)


@given(st.lists(st.integers(0, len(STREAM))))
def test_where_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    reader = A2AStreamReader("n", 200, SSE)
    edges = [0, *sorted(cuts), len(STREAM)]
    events = [each for a, b in pairwise(edges) for each in reader.feed(STREAM[a:b])]
    assert [each.status.state for each in events] == ["working", "completed", "completed"]  # type: ignore[union-attr]
    assert reader.ended


@given(st.integers(0, len(STREAM) - 1))
def test_a_stream_without_its_end_is_whole_only_once_the_task_has_ended(length: int) -> None:
    reader = A2AStreamReader("n", 200, SSE)
    states = [each.status.state for each in reader.feed(STREAM[:length])]  # type: ignore[union-attr]
    if states and states[-1] == "completed" and not reader._parser.pending:
        reader.finish()
        assert reader.ended
    else:
        with pytest.raises(IncompleteStreamError):
            reader.finish()


@given(
    st.binary()
    | st.lists(st.sampled_from([b"data: ", b"{}", b"[", b'"', b"\n", b"\n\n", event({})])).map(b"".join)
)
def test_nonsense_is_an_error_of_ours_or_nothing(data: bytes) -> None:
    reader = A2AStreamReader("n", 200, SSE)
    with pytest.raises(InferenceGatewayError):
        read_all(reader, data)


@pytest.mark.parametrize("state", ["input-required", "auth-required"])
def test_a_task_that_waits_for_its_caller_may_end_its_stream(state: str) -> None:
    reader = A2AStreamReader("n", 200, SSE)
    list(reader.feed(event(status(state))))
    assert not reader.ended
    reader.finish()
    assert reader.ended


def test_a_task_that_goes_on_after_waiting_may_not() -> None:
    reader = A2AStreamReader("n", 200, SSE)
    list(reader.feed(event(status("input-required")) + event(status("working"))))
    with pytest.raises(IncompleteStreamError):
        reader.finish()
