"""What the connections of one server share, and what the server asks of each."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from inference_gateway.server.errors import GatewayError
from inference_gateway.server.transport.limits import Limits
from inference_gateway.server.transport.load import Load
from inference_gateway.server.transport.messages import Ended, Request, Response, tell_nobody

Application = Callable[[Request], Awaitable[Response]]


class Connection(Protocol):
    """What the server asks of an open connection."""

    def drain(self) -> None:
        """Close as soon as nobody waits for an answer."""

    def drain_gently(self) -> None:
        """The same, but let an idle client ask once more."""

    def end(self, error: GatewayError) -> None:
        """End what is under way with an error."""

    def abort(self) -> None:
        """Close at once."""

    def unsent(self) -> int:
        """Bytes that wait for the client to take them."""


class Connections(msgspec.Struct):
    """What the connections of one server share."""

    application: Application
    reject: Callable[[GatewayError], Response]
    """Turns an error found before there was a request into an answer."""
    limits: Limits
    load: Load = msgspec.field(default_factory=Load)
    open: set[Connection] = msgspec.field(default_factory=set)
    none_open: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    draining: bool = False
    """Whether every connection is to close after the answer under way."""
    ended: Ended = tell_nobody
    """Told how each request ended."""

    def add(self, connection: Connection) -> None:
        """Count a connection in."""
        self.open.add(connection)
        self.none_open.clear()

    def remove(self, connection: Connection) -> None:
        """Count a connection out."""
        self.open.discard(connection)
        if not self.open:
            self.none_open.set()
