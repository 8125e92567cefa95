"""Streams of the tool loop where everything is counted: who asked for the usage sees it, all tokens count."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.metrics import Scrape
from fakes.provider import FakeProvider
from fakes.toolbox import FakeToolbox
from fakes.turns import pieces, stream_of, taking_turns

Start = Callable[..., FakeGateway]
MEASURED = {"TELEMETRY_ENABLED": "true", "TELEMETRY_METRICS_PORT": "0", "LOG_ACCESS": "true"}


@pytest.fixture
def toolbox() -> FakeToolbox:
    return FakeToolbox("mcp_time", "mcp_add")


@pytest.fixture
def start(
    monkeypatch: pytest.MonkeyPatch, start_gateway: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> Start:
    """Start gateways that have the toolbox."""
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    return lambda **environ: start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, **environ)


def scraped(gateway: FakeGateway) -> Scrape:
    port = gateway.server.metrics_port  # type: ignore[union-attr]  # our own server here
    assert port is not None
    return Scrape(port)


def tokens(gateway: FakeGateway) -> tuple[float, float]:
    scrape = scraped(gateway)
    used = "gen_ai_client_token_usage_sum"
    return (
        scrape.total(used, gen_ai_token_type="input"),
        scrape.total(used, gen_ai_token_type="output"),
    )


@pytest.mark.parametrize("asks", [True, False])
def test_a_client_of_a_stream_sees_the_usage_it_asked_for_and_all_is_counted(
    start: Start, provider: FakeProvider, asks: bool
) -> None:
    provider.script = taking_turns(
        stream_of(*pieces("mcp_time", "{}"), finish="tool_calls", usage=True),
        stream_of({"content": "done"}, usage=True),
    )
    gateway = start(**MEASURED)
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asks else {}
    streamed = stream(gateway, body(stream=True, **options))
    assert streamed.whole
    *events, _ = streamed.events.removesuffix(b"\n\n").split(b"\n\n")
    seen = [json.loads(event[6:]) for event in events]
    used = [each["usage"]["total_tokens"] for each in seen if each.get("usage")]
    assert used == ([24] if asks else [])
    assert all(each.json()["stream_options"] == {"include_usage": True} for each in provider.calls)
    eventually(lambda: tokens(gateway) == (20, 4))
