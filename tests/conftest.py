"""Fixtures that start real parts and stop them again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fakes.collector import Collector
from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider, Script, well_behaved

HERE = Path(__file__).parent
APPLICATION_SUITE = [
    HERE / part
    for part in (
        "e2e",
        "server/a2a/test_hostile_agents.py",
        "server/api",
        "server/pipeline",
        "server/test_app.py",
        "test_smoke.py",
    )
]
"""Tests that know nothing of the HTTP server below: they run on ours and through the ASGI adapter."""


# A machine with other work to do is slow, and that is no failure. The same cases each time: a run that
# fails can be repeated.
settings.register_profile(
    "gateway", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gateway")


def pytest_configure(config: pytest.Config) -> None:
    """Declare this suite's markers."""
    config.addinivalue_line(
        "markers", "own_server(reason): about our own HTTP server, so not run under an ASGI server as well"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the application suite once per HTTP server."""
    if "listener" not in metafunc.fixturenames:
        return
    path = metafunc.definition.path
    if any(path.is_relative_to(part) for part in APPLICATION_SUITE):
        [*own] = metafunc.definition.iter_markers("own_server")
        assert all(mark.kwargs.get("reason") for mark in own), "say why"
        metafunc.parametrize("listener", ["serve"] if own else ["serve", "uvicorn"], indirect=True)


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
def listener(request: pytest.FixtureRequest) -> str:
    """Which HTTP server gateways are started with."""
    return str(getattr(request, "param", "serve"))


@pytest.fixture
def start_gateway(listener: str) -> Iterator[Callable[..., FakeGateway]]:
    """Start gateways from environment variables given as keywords; each runs until the test ends."""
    started: list[FakeGateway] = []

    def start(*, config: str | None = None, **environ: str) -> FakeGateway:
        started.append(FakeGateway(environ, config=config, listener=listener))
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


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything."""
    started = Collector()
    yield started
    started.close()
