"""Names with several addresses: whichever answers first serves, and a dead one costs little."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.upstream import OK, Provider, ask, on_uvloop, pooling, replying, serving
from inference_gateway.server.errors import UpstreamError, UpstreamTimeout
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.happy_eyeballs import ATTEMPT_DELAY, Address, connect, interleaved
from inference_gateway.server.transport.origin import Origin

V4, V6 = socket.AF_INET, socket.AF_INET6


def v4(port: int) -> Address:
    return Address(V4, ("127.0.0.1", port))


def v6(port: int) -> Address:
    return Address(V6, ("::1", port, 0, 0))


class Names:
    """A resolver that knows one answer, and counts the questions."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = list(addresses)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append((host, port))
        return self.addresses


def knowing(names: Names) -> Connector:
    return Connector({}, resolve=names)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port whose queue of connections is full, so that it takes no more and refuses none."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        while True:
            caller = sockets.enter_context(socket.socket())
            caller.settimeout(0.05)
            try:
                caller.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        yield port


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket; the system takes connections for it."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def named(provider: Provider) -> int:
    """Give a provider a name that only a test's resolver knows."""
    port = provider.origin.port
    provider.origin = Origin(tls=False, host="provider.test", port=port)
    return port


@given(st.lists(st.tuples(st.sampled_from([V4, V6]), st.integers(0, 9))))
def test_families_take_turns_and_keep_their_order(given_: list[tuple[socket.AddressFamily, int]]) -> None:
    addresses = [Address(family, ("x", number)) for family, number in given_]
    order = interleaved(addresses)
    for family in (V4, V6):
        assert [a for a in order if a.family == family] == [a for a in addresses if a.family == family]
    shared = 2 * min(sum(a.family == family for a in addresses) for family in (V4, V6))
    assert all(one.family != next_.family for one, next_ in pairwise(order[:shared]))
    assert order[:1] == addresses[:1]


@on_uvloop
async def test_a_provider_that_listens_on_one_family_only_is_found() -> None:
    async with serving(replying(OK, OK)) as provider:
        port = named(provider)
        names = Names(v6(port), v4(port))
        async with pooling(connector=knowing(names)) as pool:
            assert await ask(pool, provider) == b"ok"
            assert await ask(pool, provider) == b"ok"
        assert names.asked == [("provider.test", port)]


@on_uvloop
async def test_an_address_that_says_nothing_is_passed_by_after_a_moment(black_hole: int) -> None:
    loop = asyncio.get_running_loop()
    async with serving(replying(OK)) as provider:
        names = Names(v4(black_hole), v4(named(provider)))
        async with pooling(connector=knowing(names), connect_timeout=5) as pool:
            before = loop.time()
            assert await ask(pool, provider) == b"ok"
            assert ATTEMPT_DELAY <= loop.time() - before < 2


@on_uvloop
async def test_an_address_that_refuses_is_passed_by_at_once(
    closed_port: int, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    with await connect([v4(closed_port), v4(closed_port), v4(port)], delay=600) as made:
        assert made.getpeername()[1] == port


@on_uvloop
async def test_only_one_connection_is_kept_of_those_that_raced(
    black_hole: int, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    with await connect([v4(black_hole), *[v4(port)] * 3], delay=0) as made:
        assert open_peers(listener) == [made.getsockname()]


def open_peers(listener: socket.socket) -> list[object]:
    """Take every connection that came; tell who is still there."""
    found = []
    while True:
        try:
            accepted, peer = listener.accept()
        except BlockingIOError:
            return found
        with accepted:
            accepted.setblocking(False)
            try:
                accepted.recv(1)
            except BlockingIOError:
                found.append(peer)


@on_uvloop
async def test_the_connect_timeout_is_one_for_all_addresses(black_hole: int) -> None:
    origin = Origin(tls=False, host="provider.test", port=1)
    provider = Provider(replying())
    provider.origin = origin
    names = Names(*[v4(black_hole)] * 3)
    async with pooling(connector=knowing(names), connect_timeout=0.05, max_per_origin=1) as pool:
        for _ in range(2):
            with pytest.raises(UpstreamTimeout, match=r"cannot connect to provider\.test:1 in time"):
                await ask(pool, provider)
    assert len(names.asked) == 2  # nothing is remembered of an attempt that failed


@on_uvloop
async def test_a_call_cancelled_while_addresses_race_leaves_nothing_open(black_hole: int) -> None:
    task = asyncio.ensure_future(connect([v4(black_hole)] * 3, delay=0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_uvloop
async def test_addresses_that_all_fail_alike_are_one_reason(closed_port: int) -> None:
    provider = Provider(replying())
    provider.origin = Origin(tls=False, host="provider.test", port=80)
    async with pooling(connector=knowing(Names(v4(closed_port), v4(closed_port)))) as pool:
        with pytest.raises(UpstreamError) as caught:
            await ask(pool, provider)
    assert caught.value.message == "cannot connect to provider.test: connection refused"


@on_uvloop
async def test_addresses_that_fail_each_in_its_way_are_said_to_be_out_of_reach(closed_port: int) -> None:
    provider = Provider(replying())
    provider.origin = Origin(tls=False, host="provider.test", port=80)
    broadcast = Address(V4, ("255.255.255.255", 9))
    async with pooling(connector=knowing(Names(v4(closed_port), broadcast))) as pool:
        with pytest.raises(UpstreamError, match="none of its addresses can be reached"):
            await ask(pool, provider)


@on_uvloop
async def test_a_name_that_is_none_cannot_be_resolved() -> None:
    provider = Provider(replying())
    async with pooling() as pool:
        for host in ("a" * 64 + ".test", "a..test"):
            provider.origin = Origin(tls=False, host=host, port=80)
            with pytest.raises(UpstreamError, match="its name cannot be resolved"):
                await ask(pool, provider)


@on_uvloop
async def test_small_writes_leave_at_once_and_reading_does_not_block(listener: socket.socket) -> None:
    with await connect([v4(listener.getsockname()[1])]) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not made.getblocking()
