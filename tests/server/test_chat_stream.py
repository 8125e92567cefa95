"""Streams as bytes: what passes, and what is said of their ends."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes.provider import DONE, STREAM, chunk
from inference_gateway.server.chat_stream import ChatStream, error_event
from inference_gateway.server.errors import UpstreamCut, UpstreamError, UpstreamTimeout
from inference_gateway.server.outcome import Outcome

USAGE = b'data: {"id":"c","choices":[],"usage":{"total_tokens":3}}\n\n'
RECORDED = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Grüße, \u2028 und \U0001f600"}),
    b'data: {"choices": [{"index":1,"delta":{"content":"[DONE]\\n\\ndata: x"}}], "x": [1.0, {"a": 0}]}\n\n',
    chunk({}, "stop"),
    chunk({}, "length", index=1),
    USAGE,
    DONE,
)
WHOLE = b"".join(RECORDED)
FOREIGN = (
    b"\xef\xbb\xbf: welcome\r\n\r\nevent: message\r\nid: 7\r\nretry: 100\r\n"
    b'data:{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\r\n\r\n'
    b': ping\n\ndata: {"choices":\ndata: [{"index":0,"delta":{},"finish_reason":"stop"}]}\r\rdata:\n\n'
    b"data:  [DONE] \n\n"
)
FOREIGN_AS_OURS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    b'data: {"choices": [{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


def read(data: bytes, cuts: list[int] | None = None) -> tuple[bytes, ChatStream]:
    """Feed a stream that ends properly, cut at these offsets."""
    stream = ChatStream()
    edges = [0, *sorted(cuts or []), len(data)]
    sent = b"".join([stream.feed(data[a:b]) for a, b in pairwise(edges)])
    return sent + stream.end(), stream


@given(st.lists(st.integers(0, len(WHOLE))))
def test_a_plain_stream_leaves_as_it_came_however_it_is_cut(cuts: list[int]) -> None:
    sent, stream = read(WHOLE, cuts)
    assert sent == WHOLE
    assert stream.outcome is Outcome.COMPLETE


@given(st.lists(st.integers(0, len(FOREIGN))))
@example([FOREIGN.index(b"data:  [DONE]")])
@example([219])
def test_other_writings_leave_as_the_one_that_clients_know_however_they_are_cut(cuts: list[int]) -> None:
    sent, stream = read(FOREIGN, cuts)
    assert sent == FOREIGN_AS_OURS
    assert stream.outcome is Outcome.COMPLETE


FINISHED = chunk({"content": "a"}) + chunk({}, "stop")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (b'{"error":{"message":"full"},"choices":"none"}', b'{"error":{"message":"full"},"choices":"none"}'),
        (b'{"error":"full","choices":[{"index":[]}]}', b'{"error":"full","choices":[{"index":[]}]}'),
        (b'[{"error":{"code":429}}]', b'{"error":{"code":429}}'),
        (b'{"error":""}', b'{"error":{"error":""}}'),
        (b'[{"error":1},{"error":2}]', b'{"error":[{"error":1},{"error":2}]}'),
    ],
)
def test_an_error_counts_in_whatever_shape_it_comes(event: bytes, told: bytes) -> None:
    sent, stream = read(FINISHED + b"data: " + event + b"\n\n" + DONE)
    assert sent == FINISHED + b"data: " + told + b"\n\n"
    assert stream.outcome is Outcome.PROVIDER_ERROR
    assert stream.problem == ""


def test_an_answer_that_the_provider_calls_failed_is_not_whole() -> None:
    begun = chunk({"content": "a"})
    sent, stream = read(begun + chunk({}, "error") + DONE)
    assert sent == begun
    assert stream.outcome is Outcome.PROVIDER_ERROR
    assert stream.problem == "the provider ended its answer with an error"


@pytest.mark.parametrize("index", [b'"0"', b"0.0", b"[0]"])
def test_a_choice_is_known_by_an_index_of_any_type(index: bytes) -> None:
    odd = FINISHED.replace(b'"index": 0', b'"index": ' + index)
    assert odd != FINISHED
    sent, stream = read(odd + DONE)
    assert (sent, stream.outcome) == (odd + DONE, Outcome.COMPLETE)
    only_begun = odd.partition(b"\n\n")[0] + b"\n\n"
    assert read(only_begun + DONE)[1].outcome is Outcome.CUT


def test_a_choice_that_begins_in_an_odd_event_has_to_end() -> None:
    begun = b'data: {"choices":[{"index":1,"delta":{"content":"\\ud83d"}}],"usage":[]}\n\n'
    odd = begun.replace(b'"index":1', b'"index":"1"')
    for event in (begun, odd):
        assert read(FINISHED + event + DONE)[1].outcome is Outcome.CUT


def test_a_stream_that_breaks_off_anywhere_passes_whole_events_and_is_called_cut() -> None:
    for offset in range(len(WHOLE)):
        stream = ChatStream()
        sent = stream.feed(WHOLE[:offset])
        stream.fail(UpstreamCut("the provider closed the connection"))
        assert WHOLE.startswith(sent)
        assert DONE not in sent
        assert sent == b"" or sent.endswith(b"\n\n")
        assert stream.outcome is Outcome.CUT
        assert stream.problem == "the provider closed the connection"


def test_a_body_that_ends_anywhere_is_complete_only_with_every_finish_reason() -> None:
    answer = b"".join(RECORDED[:5])
    for offset in range(len(WHOLE)):
        sent, stream = read(WHOLE[:offset])
        if stream.outcome is Outcome.COMPLETE:
            assert sent in (answer + DONE, WHOLE)
            assert offset >= len(answer) - len("\n\n")
        else:
            assert stream.outcome is Outcome.CUT
            assert stream.problem
            assert DONE not in sent
            assert WHOLE.startswith(sent)


def test_a_tail_that_is_half_an_event_is_a_cut_even_behind_the_finish_reason() -> None:
    sent, stream = read(chunk({}, "stop") + USAGE[:-10])
    assert sent == chunk({}, "stop")
    assert stream.outcome is Outcome.CUT
    assert "in the middle of an event" in stream.problem


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DO", b"data: [DONE]\n", b": bye", b""])
def test_a_missing_or_half_written_done_is_written_behind_a_finished_answer(tail: bytes) -> None:
    sent, stream = read(chunk({"content": "a"}) + chunk({}, "stop") + tail)
    assert sent == chunk({"content": "a"}) + chunk({}, "stop") + DONE
    assert stream.outcome is Outcome.COMPLETE


def test_done_without_a_finish_reason_is_not_believed() -> None:
    sent, stream = read(chunk({"content": "a"}) + DONE)
    assert sent == chunk({"content": "a"})
    assert stream.outcome is Outcome.CUT


def test_done_alone_is_believed_of_a_provider_that_omits_the_reason() -> None:
    stream = ChatStream(omits_finish_reason=True)
    assert stream.feed(chunk({"content": "a"}) + DONE) == chunk({"content": "a"}) + DONE
    assert stream.outcome is Outcome.COMPLETE
    ended = ChatStream(omits_finish_reason=True)
    ended.feed(chunk({"content": "a"}))
    assert ended.end() == b""
    assert ended.outcome is Outcome.CUT


def test_one_choice_of_two_that_did_not_finish_is_a_cut() -> None:
    sent, stream = read(chunk({"content": "a"}) + chunk({"content": "b"}, index=1) + chunk({}, "stop") + DONE)
    assert DONE not in sent
    assert stream.outcome is Outcome.CUT


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "overloaded", "code": 529}}\n\n',
        b'data: {"error":"overloaded","choices":[]}\n\n',
        b'event: error\ndata: {"error": "overloaded"}\n\n',
    ],
)
@pytest.mark.parametrize("follows", [DONE, b"", chunk({}, "stop") + DONE])
def test_the_providers_own_error_passes_and_ends_the_stream(event: bytes, follows: bytes) -> None:
    for data in (chunk({}) + event + follows, event + follows):
        sent, stream = read(data)
        told = event.removeprefix(b"event: error\n")
        assert sent == data[: data.index(event)] + told
        assert stream.outcome is Outcome.PROVIDER_ERROR
        assert stream.problem == ""


def test_an_event_named_error_without_the_word_gets_it() -> None:
    sent, stream = read(b'event: error\ndata: {"type":"overloaded_error"}\n\n')
    assert sent == b'data: {"error":{"type":"overloaded_error"}}\n\n'
    assert stream.outcome is Outcome.PROVIDER_ERROR


@pytest.mark.parametrize("cut", range(len(b'event: error\ndata: {"type":"overloaded_error"}\n\n')))
def test_an_event_named_error_is_one_however_it_is_cut(cut: int) -> None:
    sent, stream = read(STREAM[0] + b'event: error\ndata: {"type":"x"}\n\n', [len(STREAM[0]) + cut])
    assert sent == STREAM[0] + b'data: {"error":{"type":"x"}}\n\n'
    assert stream.outcome is Outcome.PROVIDER_ERROR


@pytest.mark.parametrize("odd", [b"data: [DONE] \n\n", b"data:  [DONE]\n\n", b"data: \n\ndata: [DONE]\t\n\n"])
def test_white_space_around_data_does_not_depend_on_the_cut(odd: bytes) -> None:
    answer = chunk({"content": "a"}) + chunk({}, "stop")
    for offset in range(len(answer + odd) + 1):
        sent, stream = read(answer + odd, [offset])
        assert sent == answer + DONE
        assert stream.outcome is Outcome.COMPLETE
    assert read(answer + odd, [len(answer), len(answer) + odd.index(b"\n\n") + 2])[0] == answer + DONE


def test_a_null_error_is_none() -> None:
    event = b'data: {"error":null,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    sent, stream = read(event + DONE)
    assert sent == event + DONE
    assert stream.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    "data",
    [b"{broken", b"<html>", b"[DONE", b"{} {}", b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 5000 + b"]" * 5000],
    ids=["half", "html", "half done", "two", "nan", "not utf-8", "deep"],
)
def test_an_event_that_is_not_json_ends_the_stream_and_does_not_pass(data: bytes) -> None:
    for cuts in ([], [len(STREAM[0]) + 9]):
        sent, stream = read(STREAM[0] + b"data: " + data + b"\n\n" + STREAM[1] + DONE, cuts)
        assert sent == STREAM[0]
        assert stream.outcome is Outcome.PROVIDER_ERROR
        assert "not JSON" in stream.problem


def test_an_event_of_unknown_shape_passes() -> None:
    odd = b'data: {"choices": "none", "type": "ping"}\n\ndata: [1, 2]\n\n'
    sent, stream = read(odd + chunk({}, "stop") + DONE)
    assert sent == odd + chunk({}, "stop") + DONE
    assert stream.outcome is Outcome.COMPLETE


def test_an_event_with_half_of_a_surrogate_pair_passes() -> None:
    events = chunk({"content": "\ud83d"}) + chunk({"content": "\ude00"}) + chunk({}, "stop") + DONE
    assert b"\\ud83d" in events
    assert read(events)[0] == events
    error = b'event: error\ndata: {"error": "\\ud83d"}\n\n'
    assert read(error)[0] == b'data: {"error": "\\ud83d"}\n\n'


@pytest.mark.parametrize("index", [b"", b'"index":null,', b'"index":0,'])
def test_a_choice_needs_no_index(index: bytes) -> None:
    events = b'data: {"choices":[{%b"delta":{},"finish_reason":"stop"}]}\n\n' % index
    sent, stream = read(events + DONE)
    assert sent == events + DONE
    assert stream.outcome is Outcome.COMPLETE


def test_nothing_passes_behind_the_end() -> None:
    sent, _ = read(chunk({}, "stop") + DONE + chunk({"content": "more"}))
    assert sent == chunk({}, "stop") + DONE


def test_an_event_without_end_is_not_collected_for_ever() -> None:
    stream = ChatStream()
    assert stream.feed(b"data: " + b"x" * (17 * 1024 * 1024)) == b""
    assert stream.outcome is Outcome.PROVIDER_ERROR
    assert "larger than" in stream.problem


def test_silence_is_called_stalled() -> None:
    stream = ChatStream()
    stream.feed(STREAM[0])
    stream.fail(UpstreamTimeout("no byte for 5 s"))
    assert stream.outcome is Outcome.STALLED


def test_the_last_event_of_a_stream_that_failed_is_one_that_clients_read() -> None:
    assert error_event(UpstreamError('a "b"')) == b'data: {"error":"a \\"b\\""}\n\n'


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_no_bytes_make_it_fail_or_invent_an_answer(pieces: list[bytes]) -> None:
    stream = ChatStream()
    sent = b"".join([stream.feed(piece) for piece in pieces]) + stream.end()
    assert stream.outcome is not Outcome.COMPLETE
    assert DONE not in sent
