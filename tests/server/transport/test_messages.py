"""Bodies on their way: nobody is kept waiting, and nothing small is kept at a large price."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.messages import LOOSE, pack


class Taker:
    """A sink that never pauses."""

    def __init__(self) -> None:
        self.taken = 0
        self.ended = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.taken += len(data)

    def finish(self) -> None:
        self.ended.set()

    def abort(self, error: Exception) -> None:
        raise error


async def test_a_source_that_never_waits_lets_others_have_a_turn() -> None:
    sink = Taker()
    IterableSource(b"x" * 1024 for _ in range(1000)).start(sink)
    assert sink.taken == 64 * 1024
    turns = 0
    while not sink.ended.is_set():
        await asyncio.sleep(0)
        turns += 1
    assert sink.taken == 1000 * 1024
    assert turns >= 15


@given(st.lists(st.binary(max_size=3), max_size=2000))
def test_many_small_pieces_are_joined_and_none_is_lost(pieces: list[bytes]) -> None:
    kept: list[bytes] = []
    packed = 0
    for piece in pieces:
        kept.append(piece)
        if len(kept) - packed >= LOOSE:
            packed = pack(kept, packed)
    assert b"".join(kept) == b"".join(pieces)
    assert len(kept) <= len(pieces) // 256 + 256
