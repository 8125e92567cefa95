"""Request bodies that come as they come: framing, early answers, backpressure, broken ones."""

import asyncio

import pytest

from fakes.upstream import CHUNKED, OK, GivenBody, Peer, Taken, ask, call, on_uvloop, pooling, serving
from inference_gateway.server.errors import BodyTooLarge
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.upstream import Answer

PIECE = b"p" * 65536


def sending(group: asyncio.TaskGroup, pool: Pool, *args: object, **options: object) -> asyncio.Task[Answer]:
    return group.create_task(pool.send(call(*args, method="POST", **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("length", "framing", "body"),
    [
        (6, b"content-length: 6", b"abcdef"),
        (None, b"transfer-encoding: chunked", b"2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n"),
    ],
)
@on_uvloop
async def test_a_streamed_body_is_framed_by_its_length_or_in_chunks(
    length: int | None, framing: bytes, body: bytes
) -> None:
    async def talk(peer: Peer) -> None:
        heads.append(await peer.head())
        bodies.append(await peer.reader.readexactly(len(body)))
        await peer.send(OK)
        await peer.gone()

    heads: list[bytes] = []
    bodies: list[bytes] = []
    async with serving(talk) as provider, pooling() as pool, asyncio.TaskGroup() as group:
        source = GivenBody()
        task = sending(group, pool, provider, body=source, length=length)
        await source.started.wait()
        source.give(b"ab")
        source.give(b"cdef")
        source.finish()
        assert await (await task).read(10) == b"ok"
        assert framing in heads[0]
        assert bodies == [body]
        assert not source.closed.is_set()


@on_uvloop
async def test_an_answer_before_the_end_of_the_upload_is_taken_and_the_connection_is_not() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await peer.gone()

    async with serving(talk) as provider, pooling(max_per_origin=1) as pool, asyncio.TaskGroup() as group:
        for count in (1, 2):
            source = GivenBody()
            task = sending(group, pool, provider, body=source, length=1 << 20)
            await source.started.wait()
            source.give(b"begin")
            answer = await task
            assert answer.status == 413
            assert await answer.read(10) == b"big"
            assert source.closed.is_set()
            await provider.all_gone()
            assert provider.connections == count


@on_uvloop
async def test_an_early_answer_to_a_body_that_is_stuck_frees_the_connection_at_once() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await released.wait()  # takes nothing more, and does not close either

    released = asyncio.Event()
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for count in (1, 2):
            assert await ask(pool, provider, method="POST", body=b"x" * (1 << 25)) == b"ok"
            assert provider.connections == count
        released.set()


@on_uvloop
async def test_an_answer_may_stream_while_the_upload_still_does() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED)
        for _ in range(3):
            piece = await peer.reader.readexactly(1)
            await peer.send(b"1\r\n" + piece + b"\r\n")
        await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool, asyncio.TaskGroup() as group:
        source = GivenBody()
        task = sending(group, pool, provider, body=source, length=3)
        await source.started.wait()
        taken = Taken.of(await task)
        for number, piece in enumerate((b"a", b"b"), 1):
            source.give(piece)
            await taken.at_least(number)
        source.give(b"c")
        source.finish()
        assert (await taken.end()).finished
        assert taken.body == b"abc"


@on_uvloop
async def test_a_provider_that_reads_slowly_holds_the_client_and_lets_it_go_on() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await reading.wait()
        await peer.reader.readexactly(sent)
        await peer.send(OK)
        await peer.gone()

    reading = asyncio.Event()
    sent = 0
    async with serving(talk) as provider, pooling() as pool, asyncio.TaskGroup() as group:
        source = GivenBody()
        task = sending(group, pool, provider, body=source, length=1 << 30)
        await source.started.wait()
        while not source.held.is_set():
            source.give(PIECE)
            sent += len(PIECE)
            await asyncio.sleep(0)
        assert sent < 1 << 27
        reading.set()
        await source.flowing.wait()
        assert (await task).status == 200


@on_uvloop
async def test_a_body_that_breaks_off_takes_its_connection_along() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        received.append(await peer.gone())

    received: list[bytes] = []
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for _ in range(2):
            source = GivenBody()
            task = asyncio.ensure_future(pool.send(call(provider, method="POST", body=source)))
            await source.started.wait()
            source.give(b"begin")
            await asyncio.sleep(0)
            source.abort(BodyTooLarge("too large"))
            with pytest.raises(BodyTooLarge):
                await task
            await provider.all_gone()
        assert not any(b"0\r\n\r\n" in each for each in received)


class Broken(GivenBody):
    """A source that fails as soon as it is started."""

    def start(self, sink: object) -> None:
        sink.abort(BodyTooLarge("too large"))  # type: ignore[attr-defined]


@on_uvloop
async def test_a_body_that_is_broken_from_the_start_is_its_own_error() -> None:
    async def talk(peer: Peer) -> None:
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        with pytest.raises(BodyTooLarge):
            await pool.send(call(provider, method="POST", body=Broken()))
        await provider.all_gone()


@on_uvloop
async def test_a_provider_that_goes_away_during_the_upload_closes_its_source() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    async with serving(talk) as provider, pooling() as pool:
        source = GivenBody()
        task = asyncio.ensure_future(pool.send(call(provider, method="POST", body=source)))
        with pytest.raises(Exception, match="without an answer"):
            await task
        assert source.closed.is_set()
