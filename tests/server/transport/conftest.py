"""Fixtures that start our HTTP server around an application."""

from collections.abc import Callable, Iterator

import pytest

from fakes.http_server import Application, Client, HTTPServer, echo
from inference_gateway.server.transport.limits import Limits


@pytest.fixture
def start_server() -> Iterator[Callable[..., HTTPServer]]:
    """Start servers; each runs until the test ends."""
    started: list[HTTPServer] = []

    def start(application: Application = echo, limits: Limits | None = None, **options: int) -> HTTPServer:
        started.append(HTTPServer(application, limits, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def client(start_server: Callable[..., HTTPServer]) -> Iterator[Client]:
    """A connection to a server that echoes."""
    with start_server().connect() as client:
        yield client
