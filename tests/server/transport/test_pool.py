"""Which connections are used again, how many there are, and who gets the next one."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from fakes.upstream import OK, Peer, Provider, Taken, ask, call, on_uvloop, pooling, replying, serving
from inference_gateway.server.errors import Overloaded, UpstreamError, UpstreamUnreachable
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.pool import Pool

HEAD_ONLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        CHUNKED_OK,
        CHUNKED_OK[:-2] + b"x-trailer: 1\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    ],
)
@on_uvloop
async def test_a_connection_is_used_again_after_an_answer_that_was_read_whole(answer: bytes) -> None:
    async with serving(replying(*[answer] * 3)) as provider, pooling() as pool:
        bodies = [await ask(pool, provider) for _ in range(3)]
        assert len(set(bodies)) == 1
        assert provider.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: foo, Close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n" + CHUNKED_OK.partition(b"\r\n")[2],
        OK + b"x",
        OK + OK,
        OK + b"HTTP/1.1 2",
        CHUNKED_OK + b"garbage",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok",
    ],
)
@on_uvloop
async def test_a_connection_is_not_used_again_when_its_end_is_announced_or_uncertain(answer: bytes) -> None:
    async with serving(replying(answer)) as provider, pooling() as pool:
        assert await ask(pool, provider) in (b"ok", b"")
        assert await ask(pool, provider) in (b"ok", b"")
        assert provider.connections == 2
        await provider.all_gone()


@on_uvloop
async def test_a_body_that_ends_with_its_connection_is_whole_and_the_connection_gone() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")

    async with serving(talk) as provider, pooling() as pool:
        assert await ask(pool, provider) == b"until the end"
        assert await ask(pool, provider) == b"until the end"
        assert provider.connections == 2


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1),
        (HEAD_ONLY, 2),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\n\r\n", 2),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno", 2),
    ],
)
@on_uvloop
async def test_an_answer_to_head_has_no_body_whatever_it_announces(answer: bytes, connections: int) -> None:
    async with serving(replying(answer, answer)) as provider, pooling() as pool:
        for _ in range(2):
            assert await ask(pool, provider, method="HEAD") == b""
        assert provider.connections == connections


@on_uvloop
async def test_an_idle_connection_that_says_something_is_dropped() -> None:
    unasked = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await unasked.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await peer.gone()

    async with serving(talk) as provider, pooling() as pool:
        await ask(pool, provider)
        unasked.set()
        await provider.all_gone()
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 2


@on_uvloop
async def test_an_idle_connection_is_closed_when_its_time_is_up() -> None:
    async with serving(replying(OK)) as provider, pooling(idle_timeout=0.02) as pool:
        await ask(pool, provider)
        await provider.all_gone()
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 2


class Together:
    """A provider that answers once so many requests wait, so that they need as many connections."""

    def __init__(self, count: int) -> None:
        self._barrier = asyncio.Barrier(count)

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            await self._barrier.wait()
            await peer.send(OK)


@on_uvloop
async def test_no_more_connections_are_kept_idle_for_an_origin_than_its_cap() -> None:
    async with serving(Together(5)) as provider, pooling(max_idle_per_origin=2) as pool:
        await asyncio.gather(*(ask(pool, provider) for _ in range(5)))
        await provider.only(2)
        await asyncio.gather(*(ask(pool, provider) for _ in range(5)))
        assert provider.connections == 8


@on_uvloop
async def test_no_more_connections_are_kept_idle_than_the_cap_over_all_origins() -> None:
    async with serving(Together(2)) as one, serving(Together(2)) as other, pooling(max_idle=3) as pool:
        for provider in (one, other):
            await asyncio.gather(*(ask(pool, provider) for _ in range(2)))
        await other.only(1)
        assert one.open == 2


@on_uvloop
async def test_nothing_is_kept_where_nothing_may_be_idle() -> None:
    async with serving(replying(OK)) as provider, pooling(max_idle=0) as pool:
        await ask(pool, provider)
        await provider.all_gone()
        await ask(pool, provider)
        assert provider.connections == 2


class Gate:
    """A provider that answers each request when it is told to, and notes the order of the paths."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []
        self.arrived = asyncio.Semaphore(0)
        self.answer = asyncio.Semaphore(0)

    async def __call__(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            self.paths.append(request.split()[1])
            self.arrived.release()
            await self.answer.acquire()
            await peer.send(OK)


@on_uvloop
async def test_calls_beyond_the_cap_wait_and_are_served_in_order() -> None:
    gate = Gate()
    async with serving(gate) as provider, pooling(max_per_origin=1) as pool, asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(ask(pool, provider, path=f"/{number}"))
        for number in range(6):
            await gate.arrived.acquire()
            gate.answer.release()
            # A newcomer that is just in time for the free connection still stands behind the others.
            group.create_task(ask(pool, provider, path=f"/late{number}"))
        for _ in range(6):
            await gate.arrived.acquire()
            gate.answer.release()
    assert gate.paths == [b"/%d" % n for n in range(6)] + [b"/late%d" % n for n in range(6)]
    assert provider.connections == 1


class Hurrying(Taken):
    """A sink that starts another call when the last piece comes, just before the connection is free."""

    def __init__(self, start: Callable[[], object]) -> None:
        super().__init__()
        self._start = start

    def write(self, data: bytes) -> None:
        super().write(data)
        self._start()


@on_uvloop
async def test_a_newcomer_does_not_overtake_a_call_whose_turn_has_come() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD_ONLY)
        while True:
            asked.append((await peer.request()).split()[1])
            await peer.send(OK)

    asked: list[bytes] = []
    async with (
        serving(talk) as provider,
        pooling(max_per_origin=1) as pool,
        asyncio.TaskGroup() as group,
    ):
        first = await pool.send(call(provider))
        waiting = group.create_task(ask(pool, provider, path="/waiting"))
        await asyncio.sleep(0)
        hurry = Hurrying(lambda: group.create_task(ask(pool, provider, path="/newcomer")))
        first.start(hurry)
        await provider.peers[0].send(b"ok")
        await hurry.end()
        await waiting
    assert asked == [b"/waiting", b"/newcomer"]


async def _under_way(
    group: asyncio.TaskGroup, gate: Gate, pool: Pool, provider: Provider
) -> asyncio.Task[bytes]:
    task = group.create_task(ask(pool, provider, path="/first"))
    await gate.arrived.acquire()
    return task


@on_uvloop
async def test_a_call_that_waits_too_long_for_a_connection_is_told_to_come_back() -> None:
    gate = Gate()
    async with (
        serving(gate) as provider,
        pooling(max_per_origin=1, connect_timeout=0.05) as pool,
        asyncio.TaskGroup() as group,
    ):
        first = await _under_way(group, gate, pool, provider)
        with pytest.raises(Overloaded) as caught:
            await ask(pool, provider)
        assert caught.value.status == 503
        assert caught.value.retry_after == 1
        gate.answer.release()
        assert await first == b"ok"
        gate.answer.release()
        assert await ask(pool, provider) == b"ok"
        assert provider.connections == 1


class Cancelling(Taken):
    """A sink that cancels a task once the answer is whole."""

    def __init__(self, doomed: asyncio.Task[bytes]) -> None:
        super().__init__()
        self._doomed = doomed

    def finish(self) -> None:
        super().finish()
        self._doomed.cancel()


@on_uvloop
async def test_a_cancelled_waiter_does_not_take_the_turn_of_the_next_one_with_it() -> None:
    provider_answers = replying(HEAD_ONLY, OK)
    async with (
        serving(provider_answers) as provider,
        pooling(max_per_origin=1) as pool,
        asyncio.TaskGroup() as group,
    ):
        first = await pool.send(call(provider))
        doomed = [group.create_task(ask(pool, provider)) for _ in range(3)]
        patient = group.create_task(ask(pool, provider))
        await asyncio.sleep(0)
        doomed[1].cancel()
        # The first in line is cancelled after its turn has come, and before it could take it.
        first.start(Cancelling(doomed[0]))
        doomed[2].cancel()
        await provider.peers[0].send(b"ok")
        assert await patient == b"ok"
        assert [task.cancelled() for task in doomed] == [True] * 3
        assert provider.connections == 1


@on_uvloop
async def test_a_waiter_gets_the_room_of_a_connection_that_was_lost() -> None:
    async def talk(peer: Peer) -> None:
        if (await peer.request()).startswith(b"GET /bad"):
            peer.reset()
        else:
            await peer.send(OK)
            await peer.gone()

    async with serving(talk) as provider, pooling(max_per_origin=1) as pool:
        bad = [ask(pool, provider, path="/bad") for _ in range(3)]
        results = await asyncio.gather(*bad, ask(pool, provider), return_exceptions=True)
        assert [type(result) for result in results] == [UpstreamError] * 3 + [bytes]


def closed_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("host", "said"),
    [("127.0.0.1", "connection refused"), ("provider.invalid", "its name cannot be resolved")],
)
@on_uvloop
async def test_a_provider_that_cannot_be_reached_is_named_with_the_reason(host: str, said: str) -> None:
    port = closed_port()
    origin = Origin(tls=False, host=host, port=port)
    async with pooling(max_per_origin=1) as pool:
        for _ in range(2):  # the second shows that the first left no connection counted
            with pytest.raises(UpstreamUnreachable) as caught:
                await pool.send(Call(origin, b"GET /secret HTTP/1.1\r\nauthorization: secret\r\n", None))
            assert caught.value.message == f"cannot connect to {host}:{port}: {said}"
            assert caught.value.status == 502


@on_uvloop
async def test_a_pool_that_closes_ends_what_is_under_way_and_keeps_nothing() -> None:
    gate = Gate()
    async with serving(gate) as provider, pooling() as pool:
        task = asyncio.ensure_future(pool.send(call(provider)))
        await gate.arrived.acquire()
        pool.close()
        with pytest.raises(UpstreamError):
            await task
        gate.answer.release()
        gate.answer.release()
        assert await ask(pool, provider) == b"ok"
        await provider.all_gone()


@on_uvloop
async def test_a_streamed_answer_gives_its_connection_back_at_its_end() -> None:
    async with serving(replying(CHUNKED_OK, OK)) as provider, pooling() as pool:
        taken = Taken.of(await pool.send(call(provider)))
        assert (await taken.end()).finished
        assert taken.body == b"ok"
        await ask(pool, provider)
        assert provider.connections == 1
