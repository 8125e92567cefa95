"""Gateways that send their spans to a collector at once."""

from collections.abc import Callable

import pytest

from fakes.collector import Collector
from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider

Start = Callable[..., FakeGateway]


@pytest.fixture
def traced(start_gateway: Start, provider: FakeProvider, collector: Collector) -> Start:
    """Start gateways that are traced, with `provider` as their OpenAI."""

    def start(**environ: str) -> FakeGateway:
        given = {
            "OPENAI_API_KEY": "k",
            "OPENAI_API_URL": provider.url,
            "TELEMETRY_TRACING_ENABLED": "true",
            "TELEMETRY_TRACING_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }
        return start_gateway(**{**given, **environ})

    return start
