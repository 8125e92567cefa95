"""Clients of every kind, and servers that answer them by script."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from facade import Clients

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider


@pytest.fixture(params=["requests", "httpx", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Make clients of each kind; a test runs once per kind."""
    clients = Clients(request.param)
    yield clients
    clients.close()


@pytest.fixture
def client(make_client: Clients, provider: FakeProvider) -> Any:
    """A client that speaks to `provider` directly."""
    return make_client(provider.url)


@pytest.fixture(scope="session")
def agents() -> Iterator[Agents]:
    """Agents of both dialects, for every test."""
    running = Agents()
    yield running
    running.close()


@pytest.fixture
def mock_gateway(start_gateway: Callable[..., FakeGateway]) -> FakeGateway:
    """A gateway with the built-in provider."""
    return start_gateway(MOCK_ENABLED="true")
