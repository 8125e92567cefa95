"""A kept-alive connection that the provider has given up: what is asked again, and what is not."""

import asyncio

import pytest

from fakes.upstream import OK, GivenBody, Peer, Talk, ask, call, on_uvloop, pooling, serving
from inference_gateway.server.errors import UpstreamCut, UpstreamError

BODY = b"x" * 100_000
"""Larger than what is copied behind the head."""


class Ending:
    """A provider whose first connections answer once and then end in a way of the test's own."""

    def __init__(self, end: Talk, stale: int = 1) -> None:
        self._end = end
        self._stale = stale
        self.asked: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        ending, self._stale = self._stale > 0, self._stale - 1
        self.asked.append(await peer.request())
        await peer.send(OK)
        if ending:
            await self._end(peer)
            return
        while True:
            self.asked.append(await peer.request())
            await peer.send(OK)


async def closing_unread(peer: Peer) -> None:
    """Close when the next request begins to arrive."""
    await peer.reader.readexactly(1)


async def closing_after_the_head(peer: Peer) -> None:
    await peer.head()


async def closing_after_the_request(peer: Peer) -> None:
    await peer.request()


async def resetting_after_the_request(peer: Peer) -> None:
    await peer.request()
    peer.reset()


ENDS = [closing_unread, closing_after_the_head, closing_after_the_request, resetting_after_the_request]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("body", [None, b"", b"{}", BODY])
@on_uvloop
async def test_a_request_on_a_stale_connection_is_asked_again(end: Talk, body: bytes | None) -> None:
    provider_side = Ending(end)
    async with serving(provider_side) as provider, pooling() as pool:
        assert await ask(pool, provider) == b"ok"
        assert await ask(pool, provider, method="POST", body=body) == b"ok"
        assert provider.connections == 2
        assert provider_side.asked[-1].partition(b"\r\n\r\n")[2] == (body or b"")
        assert len(provider_side.asked) == 2
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 2


@on_uvloop
async def test_each_stale_connection_costs_one_try_and_the_request_goes_through() -> None:
    together = asyncio.Barrier(4)

    async def talk(peer: Peer) -> None:
        await peer.request()
        if provider.connections <= 4:
            await together.wait()
            await peer.send(OK)
            tried.append(await peer.request())
        else:
            await peer.send(OK)
            await peer.gone()

    tried: list[bytes] = []
    async with serving(talk) as provider, pooling(max_per_origin=4) as pool:
        await asyncio.gather(*(ask(pool, provider) for _ in range(4)))
        assert await ask(pool, provider) == b"ok"
        assert len(tried) == 4
        assert provider.connections == 5


@on_uvloop
async def test_a_connection_closed_while_idle_is_never_asked() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for count in (1, 2, 3):
            assert await ask(pool, provider) == b"ok"
            assert provider.connections == count
            await provider.all_gone()


@on_uvloop
async def test_a_request_that_arrives_just_as_the_connection_closes_is_asked_again() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if provider.connections == 1:
            peer.writer.close()  # no pause: the end is on its way while the next call begins

    async with serving(talk) as provider, pooling() as pool:
        for _ in range(3):
            assert await ask(pool, provider, method="POST", body=b"{}") == b"ok"


PARTIAL_HEADS = [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]


@pytest.mark.parametrize("sent", PARTIAL_HEADS)
@pytest.mark.parametrize("reset", [False, True])
@on_uvloop
async def test_nothing_is_asked_again_once_a_byte_of_an_answer_came(sent: bytes, reset: bool) -> None:
    async def end(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        if reset:
            peer.reset()

    async with serving(Ending(end)) as provider, pooling(max_per_origin=1) as pool:
        await ask(pool, provider)
        with pytest.raises(UpstreamError) as caught:
            await ask(pool, provider)
        assert caught.value.status == 502
        assert provider.connections == 1
        assert await ask(pool, provider) == b"ok"


@on_uvloop
async def test_a_broken_body_is_not_asked_for_again() -> None:
    async def end(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-1])

    async with serving(Ending(end)) as provider, pooling() as pool:
        await ask(pool, provider)
        with pytest.raises(UpstreamCut):
            await ask(pool, provider)
        assert provider.connections == 1


@pytest.mark.parametrize("reset", [False, True])
@on_uvloop
async def test_a_new_connection_that_closes_without_an_answer_is_an_error_at_once(reset: bool) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        if reset:
            peer.reset()

    async with serving(talk) as provider, pooling() as pool:
        with pytest.raises(UpstreamError) as caught:
            await pool.send(call(provider, method="POST", body=b"secret"))
        assert caught.value.message == "the provider closed the connection without an answer"
        assert provider.connections == 1


@on_uvloop
async def test_a_streamed_body_goes_over_a_new_connection_and_is_never_sent_twice() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.head()
        asked.append(provider.connections)

    asked: list[int] = []
    async with serving(talk) as provider, pooling() as pool:
        await ask(pool, provider)
        body = GivenBody()
        task = asyncio.ensure_future(pool.send(call(provider, method="POST", body=body, length=2)))
        await body.started.wait()
        body.give(b"ok")
        body.finish()
        answer = await task
        assert await answer.read(10) == b"ok"
        assert provider.connections == 2
        assert asked == []


@on_uvloop
async def test_at_the_cap_a_streamed_body_takes_the_place_of_an_idle_connection() -> None:
    async def talk(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(OK)

    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        await ask(pool, provider)
        body = GivenBody()
        task = asyncio.ensure_future(pool.send(call(provider, method="POST", body=body, length=2)))
        await body.started.wait()
        body.give(b"ok")
        body.finish()
        assert await (await task).read(10) == b"ok"
        assert provider.connections == 2
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 2
