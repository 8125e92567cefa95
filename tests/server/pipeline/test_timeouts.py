"""Clocks: each ends what it is meant to end, and says so."""

import time
from collections.abc import Callable

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.provider import STREAM, Call, FakeProvider

Start = Callable[..., FakeGateway]
SOON = "200ms"
LONG = 5.0
"""Seconds: well above any clock set here, well below any default."""


async def says_nothing(call: Call) -> None:
    await call.client_gone()


async def falls_silent(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[0])
    await call.client_gone()


async def falls_silent_in_a_plain_answer(call: Call) -> None:
    await call.raw(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"choices"')
    await call.client_gone()


def test_a_provider_that_never_answers_is_a_504(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, CLIENT_RESPONSE_HEADER_TIMEOUT=SOON
    )
    for streamed in (False, True):
        begun = time.monotonic()
        reply = gateway.chat(body(stream=streamed))
        assert reply.status == 504
        assert reply.headers["content-type"] == "application/json"
        assert time.monotonic() - begun < LONG
    assert len(provider.calls) == 2


@pytest.mark.parametrize("clock", ["CLIENT_STREAM_IDLE_TIMEOUT", "CLIENT_TIMEOUT"])
def test_a_stream_that_falls_silent_ends_with_an_error(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], clock: str
) -> None:
    provider = start_provider(falls_silent)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, **{clock: SOON})
    got = stream(gateway)
    assert got.events.startswith(STREAM[0])
    assert got.error
    assert not got.whole


def test_a_plain_answer_that_falls_silent_is_a_504(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(falls_silent_in_a_plain_answer)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, CLIENT_STREAM_IDLE_TIMEOUT=SOON)
    assert gateway.chat(body()).status == 504


def test_a_whole_call_has_its_bound(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, CLIENT_TIMEOUT=SOON)
    assert gateway.chat(body()).status == 504


@pytest.mark.parametrize("value", ["0.2", "200ms", "+.2s"])
def test_a_client_bounds_its_own_call(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], value: str
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    begun = time.monotonic()
    assert gateway.chat(body(), headers={"X-Gateway-Timeout": value}).status == 504
    assert time.monotonic() - begun < LONG
    reply = gateway.request("GET", "/proxy/openai/x", headers={"X-Gateway-Timeout": value})
    assert reply.status == 504


def test_a_clients_bound_holds_in_the_middle_of_a_stream(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(falls_silent)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    got = stream(gateway, fields="x-gateway-timeout: 200ms\r\n")
    assert got.events.startswith(STREAM[0])
    assert got.error
    assert not got.whole


def test_a_clients_bound_holds_while_models_are_listed_for_it(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    begun = time.monotonic()
    assert gateway.chat(body("m"), headers={"X-Gateway-Timeout": "0.2"}).status == 504
    assert gateway.chat(body(), "?provider=openai", headers={"X-Gateway-Timeout": "0.2"}).status == 504
    assert time.monotonic() - begun < LONG


@pytest.mark.parametrize("target", ["", "?provider=openai", "/openai/m", "/m"])
def test_a_clients_bound_holds_for_lists_of_models(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], target: str
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    begun = time.monotonic()
    reply = gateway.request("GET", f"/v1/models{target}", headers={"X-Gateway-Timeout": "0.2"})
    assert reply.status == 504
    assert "in the time that this call has" in reply.json()["error"]
    assert time.monotonic() - begun < LONG


def test_a_client_does_not_widen_the_operators_bounds(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(says_nothing)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, CLIENT_TIMEOUT=SOON)
    begun = time.monotonic()
    assert gateway.chat(body(), headers={"X-Gateway-Timeout": "60s"}).status == 504
    assert time.monotonic() - begun < LONG


@pytest.mark.parametrize("value", ["3s", "2.5", "1m30s", "99999999h"])
def test_a_call_that_keeps_its_bound_is_not_touched(gateway: FakeGateway, value: str) -> None:
    assert gateway.chat(body(), headers={"X-Gateway-Timeout": value}).status == 200


@pytest.mark.parametrize("value", ["soon", "-1", "0", "0s", "1e3", "inf", "nan", "", "3 s", "\xe9"])
def test_a_bound_that_is_none_is_refused(gateway: FakeGateway, provider: FakeProvider, value: str) -> None:
    for reply in (
        gateway.chat(body(), headers={"X-Gateway-Timeout": value}),
        gateway.request("GET", "/proxy/openai/models", headers={"X-Gateway-Timeout": value}),
        gateway.request("GET", "/v1/models", headers={"X-Gateway-Timeout": value}),
        gateway.request("GET", "/v1/models/openai/m", headers={"X-Gateway-Timeout": value}),
    ):
        assert reply.status == 400
        assert "X-Gateway-Timeout" in reply.json()["error"]
    assert provider.calls == []
