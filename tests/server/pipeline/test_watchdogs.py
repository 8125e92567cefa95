"""Each clock on each way to a provider: set for all, set for one provider, and asked for by a client."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.provider import STREAM, Call, FakeProvider
from inference_gateway.server.configuration import SettingsError, effective, load

Start = Callable[..., FakeGateway]
Ask = Callable[[FakeGateway, str], tuple[int, bool]]
SOON = "100ms"
LONG = 5.0
"""Seconds: well above any clock set here, well below any default."""


async def says_nothing(call: Call) -> None:
    await call.client_gone()


async def sends_a_head_only(call: Call) -> None:
    await call.begin_stream()
    await call.client_gone()


async def begins_and_falls_silent(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[0])
    await call.client_gone()


async def never_comes_to_an_end(call: Call) -> None:
    await call.begin_stream()
    while True:
        await call.piece(STREAM[0])


def asked(gateway: FakeGateway, head: str, data: bytes = b"") -> tuple[int, bool]:
    """Status, and whether the answer came to its end."""
    fields = f"host: x\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
    received = gateway.exchange((head + fields).encode() + data)
    return int(received.split()[1]), received.endswith(b"\r\n0\r\n\r\n")


def plain(gateway: FakeGateway, fields: str) -> tuple[int, bool]:
    return asked(gateway, f"POST /v1/chat/completions HTTP/1.1\r\n{fields}", body())


def streamed(gateway: FakeGateway, fields: str) -> tuple[int, bool]:
    return asked(gateway, f"POST /v1/chat/completions HTTP/1.1\r\n{fields}", body(stream=True))


def raw(gateway: FakeGateway, fields: str) -> tuple[int, bool]:
    return asked(gateway, f"GET /proxy/openai/x HTTP/1.1\r\n{fields}")


WAYS = pytest.mark.parametrize("ask", [plain, streamed, raw])
CLOCKS = pytest.mark.parametrize(
    ("clock", "script"),
    [
        ("response_header_timeout", says_nothing),
        ("response_header_timeout", sends_a_head_only),
        ("stream_idle_timeout", begins_and_falls_silent),
        ("timeout", never_comes_to_an_end),
        ("timeout", begins_and_falls_silent),
        ("timeout", says_nothing),
    ],
)


def assert_ended_in_time(gateway: FakeGateway, ask: Ask, fields: str = "") -> None:
    begun = time.monotonic()
    status, whole = ask(gateway, fields)
    assert time.monotonic() - begun < LONG
    assert status == 504 or (status == 200 and not whole)


@WAYS
@CLOCKS
def test_a_clock_for_all_providers_ends_the_call(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], ask: Ask, clock: str, script: object
) -> None:
    provider = start_provider(script)
    clocks = {f"CLIENT_{clock.upper()}": SOON}
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, **clocks)
    assert_ended_in_time(gateway, ask)


@CLOCKS
def test_a_clock_of_one_provider_ends_its_calls(
    start_gateway: Start,
    start_provider: Callable[..., FakeProvider],
    tmp_path: Path,
    clock: str,
    script: object,
) -> None:
    provider = start_provider(script)
    gateway = start_gateway(
        config=configured(tmp_path, f"{clock}: {SOON}"), OPENAI_API_KEY="k", OPENAI_API_URL=provider.url
    )
    assert_ended_in_time(gateway, streamed)


@WAYS
@pytest.mark.parametrize(
    "script", [says_nothing, sends_a_head_only, begins_and_falls_silent, never_comes_to_an_end]
)
def test_a_clients_own_bound_ends_the_call(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], ask: Ask, script: object
) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(script).url)
    assert_ended_in_time(gateway, ask, f"x-gateway-timeout: {SOON}\r\n")


@WAYS
def test_a_clients_bound_does_not_widen_that_of_a_provider(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], tmp_path: Path, ask: Ask
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(
        config=configured(tmp_path, f"timeout: {SOON}"), OPENAI_API_KEY="k", OPENAI_API_URL=provider.url
    )
    assert_ended_in_time(gateway, ask, "x-gateway-timeout: 10m\r\n")


def test_a_provider_may_have_more_time_than_the_others(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    async def think(call: Call) -> None:
        await call.begin_stream()
        # Longer than the others have; there is no other way to be late.
        await asyncio.sleep(0.3)
        for event in STREAM:
            await call.piece(event)
        await call.end_stream()

    provider = start_provider(think)
    clocks = (
        "response_header_timeout: 0\n    stream_idle_timeout: 1m\n    timeout: 1h\n    connect_timeout: 5"
    )
    gateway = start_gateway(
        config=configured(tmp_path, clocks),
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        CLIENT_RESPONSE_HEADER_TIMEOUT="100ms",
        CLIENT_STREAM_IDLE_TIMEOUT="100ms",
        CLIENT_TIMEOUT="100ms",
    )
    assert stream(gateway).events == b"".join(STREAM)


def test_a_wait_for_the_first_event_is_told_from_one_between_events(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    clocks: Mapping[str, str] = {
        "CLIENT_RESPONSE_HEADER_TIMEOUT": "210ms",
        "CLIENT_STREAM_IDLE_TIMEOUT": "220ms",
    }
    for script, reason in (
        (sends_a_head_only, "no answer for 0.21 s"),
        (begins_and_falls_silent, "nothing for 0.22 s"),
    ):
        gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(script).url, **clocks)
        assert reason in stream(gateway).error


@pytest.mark.parametrize(
    "clock", ["connect_timeout", "response_header_timeout", "stream_idle_timeout", "timeout"]
)
def test_a_clock_that_is_none_is_refused_with_its_place(tmp_path: Path, clock: str) -> None:
    config = configured(tmp_path, f"{clock}: soon")
    with pytest.raises(SettingsError) as caught:
        load(environ={}, config=config, dotenv=None)
    assert caught.value.problems == (
        f"{config}:3: providers.openai.{clock}: 'soon' is not a duration; give one such as 30s, 1m30s or "
        "250ms, or seconds",
    )


def test_what_is_in_effect_shows_a_providers_clocks(tmp_path: Path) -> None:
    config = configured(tmp_path, "timeout: 90\n    stream_idle_timeout: 0")
    rows = {row.name: row for row in effective(load(environ={}, config=config, dotenv=None))}
    assert rows["providers.openai.timeout"].value == "90s"
    assert rows["providers.openai.timeout"].source == f"{config}:3"
    assert rows["providers.openai.stream_idle_timeout"].value == "0s"


def configured(folder: Path, lines: str) -> str:
    """Write a YAML file with settings of one provider."""
    file = folder / "gateway.yaml"
    file.write_text(f"providers:\n  openai:\n    {lines}\n", encoding="utf-8")
    return str(file)
