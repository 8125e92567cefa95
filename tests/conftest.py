"""Fixtures that start real parts and stop them again."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider, Script, well_behaved


@pytest.fixture
def start_provider() -> Iterator[Callable[..., FakeProvider]]:
    """Start fake providers; each runs until the test ends."""
    started: list[FakeProvider] = []

    def start(script: Script = well_behaved, **options: Any) -> FakeProvider:
        started.append(FakeProvider(script, **options))
        return started[-1]

    yield start
    for provider in started:
        provider.close()


@pytest.fixture
def start_gateway() -> Iterator[Callable[..., FakeGateway]]:
    """Start gateways from environment variables given as keywords; each runs until the test ends."""
    started: list[FakeGateway] = []

    def start(*, config: str | None = None, **environ: str) -> FakeGateway:
        started.append(FakeGateway(environ, config=config))
        return started[-1]

    yield start
    for gateway in started:
        gateway.close()


@pytest.fixture
def provider(start_provider: Callable[..., FakeProvider]) -> FakeProvider:
    """A well-behaved provider."""
    return start_provider()


@pytest.fixture
def gateway(start_gateway: Callable[..., FakeGateway], provider: FakeProvider) -> FakeGateway:
    """A gateway with `provider` as its OpenAI."""
    return start_gateway(OPENAI_API_KEY="sk-test", OPENAI_API_URL=provider.url)
