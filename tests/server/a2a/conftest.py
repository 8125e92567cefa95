"""Gateways that speak to agents."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway

Start = Callable[..., FakeGateway]


@pytest.fixture(scope="session")
def agents() -> Iterator[Agents]:
    """Real agents, in a process of their own."""
    running = Agents()
    yield running
    running.close()


@pytest.fixture
def start(start_gateway: Start) -> Start:
    """Start a gateway with agents at some URLs."""

    def run(*urls: str, **environ: str) -> FakeGateway:
        settings: dict[str, Any] = {"A2A_ENABLED": "true", "A2A_EXPOSE": "true"}
        if urls:
            settings["A2A_AGENTS"] = ",".join(urls)
        return start_gateway(**settings | environ)

    return run
