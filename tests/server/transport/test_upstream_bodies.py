"""Bodies of answers over real sockets: backpressure, breaks, giving up, and what a rest is worth."""

import asyncio

import pytest

from fakes.upstream import CHUNKED, OK, Peer, Taken, Talk, ask, call, on_uvloop, pooling, replying, serving
from inference_gateway.server.errors import UpstreamCut, UpstreamError
from inference_gateway.server.transport import upstream
from inference_gateway.server.transport.messages import Source

HUGE = 200_000_000
BLOCK = b"b" * 1_000_000


def with_length(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size


class Flood:
    """A provider that sends a huge body, and says when it cannot get rid of more."""

    def __init__(self) -> None:
        self.sent = 0
        self.stuck = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        peer.writer.write(with_length(HUGE))
        while self.sent < HUGE:
            peer.writer.write(BLOCK)
            self.sent += len(BLOCK)
            try:
                await asyncio.wait_for(asyncio.shield(peer.writer.drain()), 0.2)
            except TimeoutError:
                self.stuck.set()
                await peer.writer.drain()
        await peer.gone()


class Counting(Taken):
    """A sink that counts and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def write(self, data: bytes) -> None:
        self.count += len(data)


@on_uvloop
async def test_a_sink_that_pauses_stops_the_provider_and_gets_everything_in_the_end() -> None:
    flood = Flood()
    async with serving(flood) as provider, pooling() as pool:
        answer = await pool.send(call(provider))
        sink = Counting()
        answer.start(sink)
        answer.pause()
        await flood.stuck.wait()
        assert sink.count < 1_000_000
        assert flood.sent < 40_000_000
        answer.resume()
        await sink.end()
        assert sink.finished
        assert sink.count == HUGE


@on_uvloop
async def test_an_answer_that_nobody_has_asked_for_yet_is_not_taken_in() -> None:
    flood = Flood()
    async with serving(flood) as provider, pooling() as pool:
        answer = await pool.send(call(provider))
        await flood.stuck.wait()
        assert flood.sent < 40_000_000
        sink = Counting()
        answer.start(sink)
        await sink.end()
        assert sink.count == HUGE


@on_uvloop
async def test_a_body_larger_than_what_is_read_whole_is_refused_and_hung_up_on() -> None:
    flood = Flood()
    async with serving(flood) as provider, pooling(max_per_origin=1) as pool:
        answer = await pool.send(call(provider))
        with pytest.raises(UpstreamError, match="larger than the 1000000 bytes"):
            await answer.read(1_000_000)
        await provider.all_gone()
        provider.talk = replying(OK)
        assert await ask(pool, provider) == b"ok"


@on_uvloop
async def test_a_body_of_just_the_size_taken_is_read() -> None:
    async with serving(replying(OK, OK)) as provider, pooling() as pool:
        answer = await pool.send(call(provider))
        assert await answer.read(2) == b"ok"
        answer = await pool.send(call(provider))
        with pytest.raises(UpstreamError):
            await answer.read(1)


CUT_BODIES = [
    with_length(10) + b"half",
    CHUNKED + b"4\r\nhalf",
    CHUNKED + b"4\r\nhalf\r\n",
    CHUNKED + b"4\r\nhalf\r\n0\r\n",
    CHUNKED + b"4\r\nhalf\r\n0\r\nx-trailer: 1\r\n",
]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("answer", CUT_BODIES)
@on_uvloop
async def test_a_body_that_breaks_off_is_reported_to_its_sink(answer: bytes, reset: bool) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await arrived.wait()
        if reset:
            peer.reset()

    arrived = asyncio.Event()
    async with serving(talk) as provider, pooling() as pool:
        taken = Taken.of(await pool.send(call(provider)))
        await taken.at_least(4)
        arrived.set()
        await taken.end()
        assert taken.body == b"half"
        assert isinstance(taken.error, UpstreamCut)


@on_uvloop
async def test_a_reset_of_a_body_that_ends_with_its_connection_is_a_break() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await arrived.wait()
        peer.reset()

    arrived = asyncio.Event()
    async with serving(talk) as provider, pooling() as pool:
        taken = Taken.of(await pool.send(call(provider)))
        await taken.at_least(4)
        arrived.set()
        await taken.end()
        assert isinstance(taken.error, UpstreamCut)


@on_uvloop
async def test_closing_an_answer_in_the_middle_hangs_up() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"4\r\nhalf\r\n")
        await peer.gone()

    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for count in (1, 2):
            answer = await pool.send(call(provider))
            taken = Taken.of(answer)
            await taken.at_least(4)
            answer.close()
            answer.close()
            await provider.all_gone()
            assert not taken.ended
            assert provider.connections == count


async def never_reached(peer: Peer) -> None:
    await peer.gone()


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def halfway(peer: Peer) -> None:
    await peer.request()
    await peer.send(with_length(10) + b"half")
    await peer.gone()


@pytest.mark.parametrize("talk", [silent, halfway])
@pytest.mark.parametrize("body", [None, b"x" * (1 << 24)])
@on_uvloop
async def test_cancelling_a_call_hangs_up_at_once_and_frees_its_place(talk: Talk, body: bytes | None) -> None:
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for count in (1, 2):
            task = asyncio.ensure_future(ask(pool, provider, body=body))
            await provider.visited(count)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await provider.all_gone()
        provider.talk = replying(OK)
        assert await ask(pool, provider) == b"ok"


@on_uvloop
async def test_cancelling_the_reading_of_a_body_hangs_up() -> None:
    async with serving(halfway) as provider, pooling(max_per_origin=1) as pool:
        answer = await pool.send(call(provider))
        task = asyncio.ensure_future(answer.read(1000))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.all_gone()
        provider.talk = replying(OK)
        assert await ask(pool, provider) == b"ok"


@pytest.mark.parametrize("steps", range(8))
@on_uvloop
async def test_cancelling_while_connecting_leaves_no_connection_behind(steps: int) -> None:
    async with serving(never_reached) as provider, pooling(max_per_origin=1) as pool:
        task = asyncio.ensure_future(ask(pool, provider))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        provider.talk = replying(OK)
        assert await ask(pool, provider) == b"ok"
        await provider.only(1)


@on_uvloop
async def test_draining_saves_a_connection_whose_answer_has_a_short_rest() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"4\r\nhalf\r\n")
        await drained.wait()
        await peer.send(b"4\r\nrest\r\n0\r\n\r\n")
        await replying(OK)(peer)

    drained = asyncio.Event()
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        answer = await pool.send(call(provider))
        taken = Taken.of(answer)
        await taken.at_least(4)
        answer.drain()
        drained.set()
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 1
        assert taken.body == b"half"
        assert not taken.ended


@on_uvloop
async def test_draining_gives_up_on_a_long_rest() -> None:
    flood = Flood()
    async with serving(flood) as provider, pooling() as pool:
        answer = await pool.send(call(provider))
        answer.drain()
        await provider.all_gone()
        assert flood.sent < HUGE


@pytest.mark.parametrize("paused", [False, True])
@on_uvloop
async def test_draining_gives_up_on_a_late_rest(paused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_REST_PATIENCE", 0.02)
    async with serving(halfway) as provider, pooling() as pool:
        answer = await pool.send(call(provider, idle_timeout=600))
        taken = Taken.of(answer)
        await taken.at_least(4)
        if paused:
            answer.pause()
        answer.drain()
        await provider.all_gone()
        assert not taken.ended


class Quitting(Taken):
    """A sink that has had enough with the first piece."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def write(self, data: bytes) -> None:
        super().write(data)
        self._source.close()


@on_uvloop
async def test_a_sink_that_closes_its_source_in_the_middle_of_a_piece_gets_no_more() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await started.wait()
        await peer.send(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        await peer.gone()

    started = asyncio.Event()
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        answer = await pool.send(call(provider))
        sink = Quitting(answer)
        answer.start(sink)
        started.set()
        await provider.all_gone()
        assert sink.body == b"one"
        assert not sink.ended
