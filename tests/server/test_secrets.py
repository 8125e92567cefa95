"""Keys go to their provider and nowhere else: into no answer, and into no log."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway, Reply
from fakes.provider import Call, FakeProvider, Script, well_behaved

Start = Callable[..., FakeGateway]
KEY = "sk-very+secret/1234567890"
WRITTEN = (KEY, "sk-very%2Bsecret%2F1234567890")


async def _refuses(call: Call) -> None:
    await call.respond_json({"error": "no"}, 401)


async def _breaks_off(call: Call) -> None:
    await call.begin_stream()
    await call.piece(b"data: {")
    call.close()


async def _redirects(call: Call) -> None:
    await call.respond(307, b"", [("location", call.target)])


async def _speaks_nonsense(call: Call) -> None:
    await call.raw(b"nonsense\r\n\r\n")


def _requests(gateway: FakeGateway) -> list[Reply]:
    return [
        gateway.chat(body("own/m")),
        gateway.chat(body("m"), "?provider=own"),
        gateway.request("GET", "/v1/models?provider=own"),
        gateway.request("GET", "/v1/models"),
        gateway.request("GET", "/v1/models/own/m"),
    ]


@pytest.fixture
def start(start_gateway: Start, tmp_path: Path) -> Callable[[str, str], FakeGateway]:
    """Start a gateway with a provider of its own, whose key and header are secret."""

    def start(url: str, auth: str) -> FakeGateway:
        config = tmp_path / "gateway.yaml"
        config.write_text(
            f"providers: {{own: {{url: '{url}', auth: {auth}, api_key: '{KEY}', headers: {{x-a: '{KEY}'}}}}}}"
        )
        return start_gateway(config=str(config), LOG_LEVEL="debug", MODELS_CACHE_TTL="0")

    return start


@pytest.mark.parametrize("auth", ["bearer", "xheader", "query"])
@pytest.mark.parametrize(
    "script",
    [well_behaved, _refuses, _breaks_off, _redirects, _speaks_nonsense],
    ids=lambda script: script.__name__,
)
def test_a_key_reaches_its_provider_only(
    start: Callable[[str, str], FakeGateway],
    start_provider: Callable[..., FakeProvider],
    caplog: pytest.LogCaptureFixture,
    auth: str,
    script: Script,
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = start_provider(script)
    replies = _requests(start(provider.url, auth))
    assert provider.calls
    assert all(any(text in call.head.decode() for text in WRITTEN) for call in provider.calls)
    for text in WRITTEN:
        assert text not in caplog.text
        assert not any(text in f"{reply.headers}{reply.body!r}" for reply in replies)


def test_a_provider_that_cannot_be_reached_gives_no_key_away(
    start: Callable[[str, str], FakeGateway], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        replies = _requests(start(f"http://127.0.0.1:{deaf.getsockname()[1]}", "query"))
    for text in WRITTEN:
        assert text not in caplog.text
        assert not any(text in f"{reply.headers}{reply.body!r}" for reply in replies)


def test_a_clients_own_credentials_are_not_logged(
    gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fields = {"Authorization": "Bearer client-secret", "X-Api-Key": "client-secret"}
    assert gateway.chat(body(), headers=fields).status == 200
    assert gateway.chat(b"{", headers=fields).status == 400
    assert "client-secret" not in caplog.text
