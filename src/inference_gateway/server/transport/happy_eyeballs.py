"""A name to a connected socket: all of its addresses, both families, without waiting for a dead one.

https://www.rfc-editor.org/rfc/rfc8305. The resolver asks for both families at once and answers once, in
the order of preference of the system; nothing is remembered beyond the attempt.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain, zip_longest
from typing import NamedTuple

ATTEMPT_DELAY = 0.25
"""Seconds that an address has before the next one is tried beside it."""


class Address(NamedTuple):
    """One address of a name, as the socket takes it."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    """Of IPv4, of IPv6, and of IPv6 where Python was built without it."""


Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Host and port to addresses, the best first; raises `socket.gaierror` where there are none."""


class Unreachable(OSError):
    """No address could be connected to, each for another reason."""


async def resolve(host: str, port: int) -> list[Address]:
    """Ask the system.

    :raises socket.gaierror: it knows no address.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label too long for a name
        raise socket.gaierror(socket.EAI_NONAME, "not a name") from error
    return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Order addresses so that the families take turns, beginning with that of the first."""
    by_family: dict[int, list[Address]] = {}
    for address in addresses:
        by_family.setdefault(address.family, []).append(address)
    turns = zip_longest(*by_family.values())
    return [address for address in chain.from_iterable(turns) if address is not None]


async def connect(addresses: Iterable[Address], *, delay: float = ATTEMPT_DELAY) -> socket.socket:
    """Return a socket connected to whichever address answers first, tried in this order.

    :param delay: seconds that an address has before the next one is tried beside it.
    :raises OSError: none can be connected to.
    """
    in_turn = deque(addresses)
    if len(in_turn) == 1:
        return await _connect_to(in_turn[0])
    race = _Race()
    try:
        await race.run(in_turn, delay)
    except BaseException:
        race.give_up()
        raise
    return race.result()


async def _connect_to(address: Address) -> socket.socket:
    made = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        # A request is one write and should leave at once.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, address.sockaddr)
    except BaseException:
        made.close()
        raise
    return made


class _Race:
    """Attempts that run beside each other until one has a connection."""

    def __init__(self) -> None:
        self._winner: socket.socket | None = None
        self._errors: list[OSError] = []

    async def run(self, in_turn: deque[Address], delay: float) -> None:
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            while self._winner is None and (in_turn or running):
                if in_turn:
                    running.add(group.create_task(self._attempt(in_turn.popleft())))
                _, running = await asyncio.wait(
                    running, timeout=delay if in_turn else None, return_when=asyncio.FIRST_COMPLETED
                )
            for task in running:
                task.cancel()

    async def _attempt(self, address: Address) -> None:
        try:
            made = await _connect_to(address)
        except OSError as error:
            self._errors.append(error)
            return
        if self._winner is None:
            self._winner = made
        else:
            made.close()

    def give_up(self) -> None:
        if self._winner is not None:
            self._winner.close()

    def result(self) -> socket.socket:
        if self._winner is not None:
            return self._winner
        if len({error.errno for error in self._errors}) == 1:
            raise self._errors[0]
        raise Unreachable
