"""The parser of events: what it holds while an event is not whole."""

import tracemalloc

from inference_gateway.sse import Event, Parser

SIZE = 400_000


def test_an_event_in_tiny_pieces_is_held_in_little_more_than_its_size() -> None:
    parser = Parser()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(SIZE // 2):
            assert list(parser.feed(b"%02d" % (number % 100))) == []
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert parser.pending
    assert held < 2 * SIZE


def test_a_line_end_in_two_pieces_is_one() -> None:
    parser = Parser()
    pieces = (b"data: a\r", b"\ndata: b\r", b"data: c\r", b"\n", b"\r", b"\n")
    assert [event for piece in pieces for event in parser.feed(piece)] == [Event(b"a\nb\nc")]
    assert not parser.pending
