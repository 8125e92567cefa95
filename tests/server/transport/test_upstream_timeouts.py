"""How long a provider may take, and whose time counts."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fakes.upstream import (
    CHUNKED,
    OK,
    GivenBody,
    Peer,
    Taken,
    ask,
    call,
    on_uvloop,
    pooling,
    replying,
    serving,
)
from inference_gateway.server.errors import UpstreamTimeout
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.origin import Origin

TICK = 0.05


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


@on_uvloop
async def test_a_provider_that_never_answers_is_given_up() -> None:
    async with serving(silent) as provider, pooling(max_per_origin=1) as pool:
        with pytest.raises(UpstreamTimeout, match=r"no answer for 0\.05 s") as caught:
            await ask(pool, provider, first_byte_timeout=TICK)
        assert caught.value.status == 504
        await provider.all_gone()
        provider.talk = replying(OK)
        assert await ask(pool, provider) == b"ok"


@pytest.mark.parametrize("begun", [b"HTTP/1.1 20", b"HTTP/1.1 100 Continue\r\n\r\n"])
@on_uvloop
async def test_a_head_that_never_ends_is_no_answer(begun: bytes) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(begun)
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        with pytest.raises(UpstreamTimeout):
            await ask(pool, provider, first_byte_timeout=TICK)
        await provider.all_gone()


@on_uvloop
async def test_a_used_connection_that_stays_silent_is_given_up_and_not_asked_again() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await silent(peer)

    async with serving(talk) as provider, pooling() as pool:
        await ask(pool, provider, first_byte_timeout=600)
        with pytest.raises(UpstreamTimeout):
            await ask(pool, provider, first_byte_timeout=TICK)
        assert provider.connections == 1


@on_uvloop
async def test_a_head_alone_is_no_first_byte() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        with pytest.raises(UpstreamTimeout, match=r"no answer for 0\.05 s"):
            await ask(pool, provider, first_byte_timeout=TICK, idle_timeout=600)
        await provider.all_gone()


async def stalling(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED + b"4\r\nhalf\r\n")
    await peer.gone()


@on_uvloop
async def test_a_body_that_stalls_is_given_up_with_the_reason() -> None:
    async with serving(stalling) as provider, pooling() as pool:
        taken = Taken.of(await pool.send(call(provider, first_byte_timeout=600, idle_timeout=TICK)))
        await taken.end()
        assert taken.body == b"half"
        assert isinstance(taken.error, UpstreamTimeout)
        assert taken.error.message == "the provider sent nothing for 0.05 s"
        await provider.all_gone()


@on_uvloop
async def test_a_body_that_stalls_while_it_is_read_whole_is_given_up() -> None:
    async with serving(stalling) as provider, pooling() as pool:
        with pytest.raises(UpstreamTimeout):
            await ask(pool, provider, idle_timeout=TICK)
        await provider.all_gone()


async def trickling(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED)
    for _ in range(12):
        await asyncio.sleep(TICK / 2)
        await peer.send(b"1\r\nx\r\n")
    await peer.send(b"0\r\n\r\n")
    await peer.gone()


@on_uvloop
async def test_a_slow_trickle_is_no_stall() -> None:
    async with serving(trickling) as provider, pooling() as pool:
        assert await ask(pool, provider, idle_timeout=4 * TICK, first_byte_timeout=4 * TICK) == b"x" * 12


@on_uvloop
async def test_the_limit_of_the_whole_call_ends_a_trickle() -> None:
    async with serving(trickling) as provider, pooling() as pool:
        expires_at = asyncio.get_running_loop().time() + 3 * TICK
        with pytest.raises(UpstreamTimeout, match="longer than its limit"):
            await ask(pool, provider, expires_at=expires_at)
        await provider.all_gone()


@on_uvloop
async def test_the_limit_of_the_whole_call_ends_the_wait_for_an_answer() -> None:
    async with serving(silent) as provider, pooling() as pool:
        expires_at = asyncio.get_running_loop().time() + TICK
        with pytest.raises(UpstreamTimeout, match="longer than its limit"):
            await ask(pool, provider, expires_at=expires_at, first_byte_timeout=600)


@on_uvloop
async def test_the_limit_of_the_whole_call_ends_one_that_a_slow_client_holds() -> None:
    async with serving(stalling) as provider, pooling() as pool:
        expires_at = asyncio.get_running_loop().time() + TICK
        answer = await pool.send(call(provider, expires_at=expires_at))
        taken = Taken.of(answer)
        answer.pause()
        await taken.end()
        assert isinstance(taken.error, UpstreamTimeout)


@on_uvloop
async def test_time_in_which_the_client_takes_nothing_does_not_count_against_the_provider() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"4\r\nhalf\r\n")
        await resumed.wait()
        await peer.send(b"4\r\nrest\r\n0\r\n\r\n")
        await peer.gone()

    resumed = asyncio.Event()
    async with serving(talk) as provider, pooling() as pool:
        answer = await pool.send(call(provider, idle_timeout=TICK))
        taken = Taken.of(answer)
        await taken.at_least(4)
        answer.pause()
        await asyncio.sleep(3 * TICK)  # the time that must not count
        answer.resume()
        resumed.set()
        await taken.end()
        assert taken.finished
        assert taken.body == b"halfrest"


@on_uvloop
async def test_each_piece_of_an_upload_gives_the_provider_new_time() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(12)
        await peer.send(OK)
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        source = GivenBody()
        sent = call(provider, method="POST", body=source, length=12, first_byte_timeout=4 * TICK)
        task = asyncio.ensure_future(pool.send(sent))
        await source.started.wait()
        for _ in range(12):
            await asyncio.sleep(TICK / 2)
            source.give(b"x")
        source.finish()
        assert (await task).status == 200


@on_uvloop
async def test_an_upload_that_the_provider_does_not_take_is_given_up() -> None:
    async def talk(peer: Peer) -> None:
        await over.wait()

    over = asyncio.Event()
    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        for _ in range(2):
            with pytest.raises(UpstreamTimeout):
                await ask(pool, provider, method="POST", body=b"x" * (1 << 25), first_byte_timeout=TICK)
        over.set()


@on_uvloop
async def test_an_upload_does_not_lengthen_the_wait_for_more_of_an_answer_that_has_begun() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"4\r\nhalf\r\n")
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        source = GivenBody()
        sent = call(provider, method="POST", body=source, first_byte_timeout=600, idle_timeout=TICK)
        task = asyncio.ensure_future(pool.send(sent))
        await source.started.wait()
        taken = Taken.of(await task)
        await taken.at_least(4)
        source.give(b"x")
        await taken.end()
        assert isinstance(taken.error, UpstreamTimeout)
        assert source.closed.is_set()


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that it takes no more and refuses none."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        while True:
            caller = sockets.enter_context(socket.socket())
            caller.settimeout(TICK)
            try:
                caller.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        yield port


@on_uvloop
async def test_a_provider_that_takes_no_connection_is_given_up(full_port: int) -> None:
    origin = Origin(tls=False, host="127.0.0.1", port=full_port)
    async with pooling(connect_timeout=TICK, max_per_origin=1) as pool:
        for _ in range(2):
            with pytest.raises(UpstreamTimeout, match=r"cannot connect to 127\.0\.0\.1:"):
                await pool.send(Call(origin, b"GET / HTTP/1.1\r\n", None))
    async with pooling(connect_timeout=600) as pool:
        expires_at = asyncio.get_running_loop().time() + TICK
        for own in ({"expires_at": expires_at}, {"connect_timeout": TICK}):
            with pytest.raises(UpstreamTimeout):
                await pool.send(Call(origin, b"GET / HTTP/1.1\r\n", None, **own))
