"""Every request ends in exactly one outcome, and one observer hears it once."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.outcomes import Outcomes
from fakes.provider import DONE, STREAM, Call, FakeProvider, Script, chunk
from inference_gateway.server.outcome import Outcome

Start = Callable[..., FakeGateway]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


async def _reset(call: Call) -> None:
    call.reset()


async def _fails(call: Call) -> None:
    await call.respond_json({"error": {"message": "down"}}, 503)


async def _html(call: Call) -> None:
    await call.respond(200, b"<html>")


async def _length_not_reached(call: Call) -> None:
    await call.raw(HEAD + b'content-length: 900\r\n\r\n{"choices"')
    call.close()


async def _chunked_cut(call: Call) -> None:
    await call.raw(HEAD + b'transfer-encoding: chunked\r\n\r\n40\r\n{"choices"')
    call.close()


async def _silent(call: Call) -> None:
    await call.client_gone()


async def _stalls(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[0])
    await call.client_gone()


async def _well(call: Call) -> None:
    await call.stream()


async def _cut(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[0])
    call.close()


async def _cut_in_a_chunk(call: Call) -> None:
    await call.begin_stream()
    await call.raw(b"800\r\n" + STREAM[0])
    call.close()


async def _ends_in_an_event(call: Call) -> None:
    await call.stream([STREAM[0], STREAM[1][:-9]])


async def _error_event(call: Call) -> None:
    await call.stream([STREAM[0], b'data: {"error":"x"}\n\n'])


async def _garbage(call: Call) -> None:
    await call.stream([STREAM[0], b"data: {oops\n\n", *STREAM[1:]])


async def _done_too_soon(call: Call) -> None:
    await call.stream([chunk({"content": "a"}), DONE])


PLAIN: list[tuple[Script, int, Outcome]] = [
    (_reset, 502, Outcome.PROVIDER_ERROR),
    (_fails, 503, Outcome.PROVIDER_ERROR),
    (_html, 502, Outcome.PROVIDER_ERROR),
    (_length_not_reached, 502, Outcome.CUT),
    (_chunked_cut, 502, Outcome.CUT),
    (_silent, 504, Outcome.STALLED),
]
STREAMED: list[tuple[Script, Outcome]] = [
    (_well, Outcome.COMPLETE),
    (_cut, Outcome.CUT),
    (_cut_in_a_chunk, Outcome.CUT),
    (_ends_in_an_event, Outcome.CUT),
    (_done_too_soon, Outcome.CUT),
    (_stalls, Outcome.STALLED),
    (_error_event, Outcome.PROVIDER_ERROR),
    (_garbage, Outcome.PROVIDER_ERROR),
]


@pytest.fixture(params=["serve", "uvicorn"])
def listener(request: pytest.FixtureRequest) -> str:
    """Outcomes are told alike by our HTTP server and by the ASGI adapter."""
    return str(request.param)


@pytest.fixture
def impatient(start_gateway: Start, provider: FakeProvider) -> FakeGateway:
    return start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        CLIENT_RESPONSE_HEADER_TIMEOUT="300ms",
        CLIENT_STREAM_IDLE_TIMEOUT="300ms",
    )


def test_every_end_of_a_plain_answer(impatient: FakeGateway, provider: FakeProvider) -> None:
    outcomes = Outcomes(impatient)
    assert impatient.chat(body()).status == 200
    for script, status, _ in PLAIN:
        provider.script = script
        assert impatient.chat(body()).status == status, script
    assert outcomes.wait(1 + len(PLAIN)) == [Outcome.COMPLETE, *(outcome for *_, outcome in PLAIN)]


def test_every_end_of_a_stream(impatient: FakeGateway, provider: FakeProvider) -> None:
    outcomes = Outcomes(impatient)
    for script, outcome in STREAMED:
        provider.script = script
        got = stream(impatient)
        assert got.whole == got.events.endswith(DONE) == (outcome is Outcome.COMPLETE), script
    assert outcomes.wait(len(STREAMED)) == [outcome for _, outcome in STREAMED]


def test_raw_answers_end_by_their_framing(impatient: FakeGateway, provider: FakeProvider) -> None:
    outcomes = Outcomes(impatient)
    ask = b"GET /proxy/openai/v1/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    for script in (_fails, _length_not_reached, _chunked_cut, _stalls):
        provider.script = script
        impatient.exchange(ask)
    assert impatient.request("GET", "/proxy/nobody/x").status == 400
    assert outcomes.wait(5) == [
        Outcome.PROVIDER_ERROR,
        Outcome.CUT,
        Outcome.CUT,
        Outcome.STALLED,
        Outcome.REJECTED,
    ]


def test_what_never_reaches_a_provider_is_rejected(gateway: FakeGateway, provider: FakeProvider) -> None:
    outcomes = Outcomes(gateway)
    assert gateway.chat(b"{").status == 400
    assert gateway.request("GET", "/nowhere").status == 404
    assert gateway.chat(body("nobody/m")).status == 400
    assert gateway.request("GET", "/health").status == 200
    assert outcomes.wait(4) == [Outcome.REJECTED] * 3 + [Outcome.COMPLETE]
    assert not [call for call in provider.calls if call.method == "POST"]


@pytest.mark.parametrize("script", [_silent, _stalls])
def test_a_client_that_leaves_is_gone(gateway: FakeGateway, provider: FakeProvider, script: Script) -> None:
    outcomes = Outcomes(gateway)
    provider.script = script
    data = body(stream=True)
    with gateway.connect() as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % len(data)
        )
        client.sendall(data)
        if script is _stalls:
            assert client.recv(65536)
        else:
            eventually(lambda: len(provider.calls) == 1)
    assert outcomes.wait() == [Outcome.CLIENT_GONE]


def test_the_log_says_which_provider_ended_a_stream_badly(
    gateway: FakeGateway, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script = _cut
    outcomes = Outcomes(gateway)
    stream(gateway, fields="x-request-id: mine\r\n")
    outcomes.wait()
    assert "request mine to openai: cut: the provider's answer broke off" in caplog.text


def test_a_provider_whose_row_omits_the_reason_is_believed_its_done(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    curt = start_provider(_done_too_soon)
    config = tmp_path / "config.yaml"
    config.write_text(
        f"providers:\n  curt:\n    url: {curt.url}\n    api_key: k\n    omits_finish_reason: true\n"
        f"  usual:\n    url: {curt.url}\n    api_key: k\n"
    )
    gateway = start_gateway(config=str(config))
    assert stream(gateway, body("curt/m", stream=True)).whole
    assert not stream(gateway, body("usual/m", stream=True)).whole


class TestOurOwnServer:
    """What an ASGI server leaves to the server below it."""

    @pytest.fixture(params=["serve"])
    def listener(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_what_is_no_request_is_rejected(self, gateway: FakeGateway) -> None:
        outcomes = Outcomes(gateway)
        assert gateway.exchange(b"NONSENSE\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert outcomes.wait() == [Outcome.REJECTED]

    def test_requests_behind_one_that_breaks_off_are_told_too(
        self, gateway: FakeGateway, provider: FakeProvider
    ) -> None:
        outcomes = Outcomes(gateway)
        provider.script = _cut
        data = body(stream=True)
        ask = b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % len(data)
        gateway.exchange((ask + data) * 3)
        assert sorted(outcomes.wait(3)) == [Outcome.CANCELLED, Outcome.CANCELLED, Outcome.CUT]

    @pytest.mark.parametrize("script", [_silent, _stalls])
    def test_what_the_end_of_the_gateway_cuts_is_cancelled(
        self, start_gateway: Start, provider: FakeProvider, script: Script
    ) -> None:
        provider.script = script
        gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_DRAIN_TIMEOUT="100ms")
        outcomes = Outcomes(gateway)
        data = body(stream=True)
        with gateway.connect() as client:
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n%b"
                % (len(data), data)
            )
            eventually(lambda: len(provider.calls) == 1)
            gateway.thread.call(gateway.server.stop())
            received = _rest(client)
        assert b"shutting down" in received
        assert DONE not in received
        assert outcomes.wait() == [Outcome.CANCELLED]

    def test_an_old_client_sees_a_reset_where_a_stream_breaks_off(
        self, gateway: FakeGateway, provider: FakeProvider
    ) -> None:
        outcomes = Outcomes(gateway)
        provider.script = _cut
        data = body(stream=True)
        with gateway.connect() as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(data))
            client.sendall(data)
            with pytest.raises(ConnectionResetError):
                _rest(client)
        assert outcomes.wait() == [Outcome.CUT]

    def test_a_raw_body_that_never_reaches_its_length_ends_short(
        self, gateway: FakeGateway, provider: FakeProvider
    ) -> None:
        provider.script = _length_not_reached
        got = gateway.exchange(b"GET /proxy/openai/v1/x HTTP/1.1\r\nhost: h\r\n\r\n")
        head, _, rest = got.partition(b"\r\n\r\n")
        assert b"content-length: 900" in head.lower()
        assert len(rest) < 900


def _rest(client: socket.socket) -> bytes:
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def test_the_error_event_is_the_last_and_says_what_happened(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    provider.script = _cut
    got = stream(gateway)
    assert got.events.startswith(STREAM[0])
    assert json.loads(got.events.removeprefix(STREAM[0]).removeprefix(b"data: ")) == {
        "error": "the provider's answer broke off"
    }
    assert not got.whole
