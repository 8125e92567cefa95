"""Streams over sockets: what a client gets of a provider's stream, and how it ends."""

import asyncio
import contextlib
import gzip
import threading
import zlib
from collections.abc import Callable

import pytest

from fakes.chats import Streamed, body, stream
from fakes.gateway import FakeGateway
from fakes.loops import PATIENCE
from fakes.provider import DONE, STREAM, Call, FakeProvider, Script, chunk

WHOLE = b"".join(STREAM)
HALF = b"".join(STREAM[:2])
Start = Callable[..., FakeGateway]


@pytest.fixture
def relay(provider: FakeProvider, gateway: FakeGateway) -> Callable[..., Streamed]:
    """Let the provider follow a script, and return what the client gets."""

    def run(script: Script, **options: str) -> Streamed:
        provider.script = script
        return stream(gateway, **options)

    return run


Relay = Callable[..., Streamed]


def test_a_stream_has_the_head_of_one(relay: Relay) -> None:
    async def script(call: Call) -> None:
        await call.stream(headers=[("x-request-id", "up-1"), ("x-ratelimit-remaining-requests", "5")])

    got = relay(script)
    assert got.status == 200
    assert b"\r\ncontent-type: text/event-stream" in got.head
    assert b"\r\ncache-control: no-cache" in got.head
    assert b"\r\nx-upstream-request-id: up-1" in got.head
    assert b"\r\nx-ratelimit-remaining-requests: 5" in got.head
    assert got.head.count(b"\r\nx-request-id: req_") == 1


def test_events_pass_byte_for_byte_and_end_with_done(relay: Relay) -> None:
    odd = b'data: { "choices" : [ ] , "x" : 1.0e2, "y": "\\u0041\xc3\xa9"}\n\n'

    async def script(call: Call) -> None:
        await call.stream([STREAM[0], odd, *STREAM[1:]])

    got = relay(script)
    assert got.events == STREAM[0] + odd + b"".join(STREAM[1:])
    assert got.whole


def test_comments_names_and_line_ends_of_all_kinds_are_brought_into_the_plain_form(relay: Relay) -> None:
    foreign = b": hi\r\n\r\nevent: message\r\nid: 1\r\nretry: 5\r\n" + STREAM[1].replace(b"\n", b"\r\n")
    lines = b'data: {"choices": [{"index": 0,\ndata:  "finish_reason": "stop"}]}\n\n'

    async def script(call: Call) -> None:
        await call.stream([foreign[:30], foreign[30:], b": ping\n\n", lines, DONE])

    got = relay(script)
    assert got.events == STREAM[1] + b'data: {"choices": [{"index": 0,  "finish_reason": "stop"}]}\n\n' + DONE
    assert got.whole


async def _resets(call: Call) -> None:
    await call.begin_stream()
    await call.piece(HALF)
    call.reset()


async def _closes_between_events(call: Call) -> None:
    await call.begin_stream()
    await call.piece(HALF)
    call.close()


async def _closes_in_an_event(call: Call) -> None:
    await call.begin_stream()
    await call.piece(HALF + STREAM[2][:20])
    call.close()


async def _closes_in_a_chunk(call: Call) -> None:
    await call.begin_stream()
    await call.raw(b"fff\r\n" + HALF)
    call.close()


async def _breaks_the_framing(call: Call) -> None:
    await call.begin_stream()
    await call.piece(HALF)
    await call.raw(b"zz\r\n")


async def _ends_in_an_event(call: Call) -> None:
    await call.stream([HALF + STREAM[2][:20]])


async def _ends_without_reason(call: Call) -> None:
    await call.stream([HALF])


async def _ends_without_reason_but_done(call: Call) -> None:
    await call.stream([HALF, DONE])


async def _ends_by_closing(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + HALF)
    call.close()


async def _sends_less_than_announced(call: Call) -> None:
    await call.raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n" + HALF
    )
    call.close()


async def _sends_what_is_not_json(call: Call) -> None:
    await call.stream([HALF, b"data: {broken\n\n", *STREAM[2:]])


@pytest.mark.parametrize(
    "script",
    [
        _resets,
        _closes_between_events,
        _closes_in_an_event,
        _closes_in_a_chunk,
        _breaks_the_framing,
        _ends_in_an_event,
        _ends_without_reason,
        _ends_without_reason_but_done,
        _ends_by_closing,
        _sends_less_than_announced,
        _sends_what_is_not_json,
    ],
    ids=lambda script: script.__name__,
)
def test_a_stream_that_did_not_end_well_ends_with_an_error_and_without_the_final_chunk(
    relay: Relay, script: Script
) -> None:
    got = relay(script)
    assert got.status == 200
    assert got.events.startswith(HALF)
    assert got.events.count(b"\n\n") == HALF.count(b"\n\n") + 1
    assert got.error
    assert b"[DONE]" not in got.events
    assert not got.whole


def test_the_providers_error_event_passes_once_and_nothing_follows(relay: Relay) -> None:
    told = b'data: {"error": {"message": "overloaded", "code": 529}}\n\n'

    async def script(call: Call) -> None:
        await call.stream([STREAM[0], told, DONE])

    got = relay(script)
    assert got.events == STREAM[0] + told
    assert not got.whole


def test_done_is_added_to_a_finished_answer_that_lacks_it(relay: Relay) -> None:
    async def script(call: Call) -> None:
        await call.stream(STREAM[:-1])

    got = relay(script)
    assert got.events == WHOLE
    assert got.whole


def test_a_stream_that_ends_with_its_connection_is_whole_by_its_done(relay: Relay) -> None:
    async def script(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + WHOLE)
        call.close()

    got = relay(script)
    assert got.events == WHOLE
    assert got.whole


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/octet-stream", "TEXT/EVENT-STREAM; charset=utf-8"]
)
def test_a_stream_under_another_name_is_one(relay: Relay, kind: str) -> None:
    async def script(call: Call) -> None:
        await call.raw(
            f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(WHOLE)}\r\n\r\n".encode()
        )
        await call.raw(WHOLE)

    got = relay(script)
    assert got.events == WHOLE
    assert b"content-type: text/event-stream" in got.head


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_stream_that_came_encoded_unasked_is_decoded(relay: Relay, coding: str) -> None:
    packed = zlib.compress(WHOLE) if coding == "deflate" else gzip.compress(WHOLE)

    async def script(call: Call) -> None:
        assert call.headers["accept-encoding"] == "identity"
        await call.stream([packed[:9], packed[9:40], packed[40:]], [("content-encoding", coding)])

    got = relay(script)
    assert got.events == WHOLE
    assert got.whole
    assert b"content-encoding" not in got.head


@pytest.mark.parametrize("packed", [gzip.compress(HALF)[:-9], gzip.compress(HALF)[:25] + b"rubbish" * 9])
def test_a_broken_encoding_is_a_broken_stream(relay: Relay, packed: bytes) -> None:
    async def script(call: Call) -> None:
        await call.stream([packed], [("content-encoding", "gzip")])

    got = relay(script)
    assert got.error
    assert b"[DONE]" not in got.events
    assert not got.whole


def test_an_encoding_that_is_not_known_is_a_502(gateway: FakeGateway, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        await call.stream(headers=[("content-encoding", "br")])

    provider.script = script
    reply = gateway.chat(body(stream=True))
    assert reply.status == 502
    assert "encoded" in reply.json()["error"]


def test_a_request_for_a_stream_that_is_answered_plainly_is_a_502(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"choices": []})

    provider.script = script
    reply = gateway.chat(body(stream=True))
    assert reply.status == 502
    assert reply.headers["content-type"] == "application/json"


def test_an_error_before_the_stream_is_an_answer_with_its_status(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"error": {"message": "slow down"}}, 429, [("retry-after", "7")])

    provider.script = script
    reply = gateway.chat(body(stream=True))
    assert (reply.status, reply.json()) == (429, {"error": {"message": "slow down"}})
    assert reply.headers["retry-after"] == "7"
    assert reply.headers["content-type"] == "application/json"


def test_a_client_that_leaves_hangs_up_on_the_provider(
    start_provider: Callable[..., FakeProvider], start_gateway: Start
) -> None:
    left = threading.Event()

    async def script(call: Call) -> None:
        await call.begin_stream()
        with contextlib.suppress(ConnectionError):
            while True:
                await call.piece(STREAM[1])
                await asyncio.sleep(0)  # the loop learns of the hang-up
        left.set()

    provider = start_provider(script)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    request = body(stream=True)
    with gateway.connect() as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
            + request
        )
        received = b""
        while STREAM[1] not in received:
            received += client.recv(65536)
    assert left.wait(PATIENCE)


def test_the_connection_to_the_provider_is_used_again_after_a_whole_stream(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    for _ in range(3):
        assert stream(gateway).events == WHOLE
    assert provider.connections == 1


def test_several_choices_are_whole_when_each_has_its_reason(relay: Relay) -> None:
    events = [
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({}, "stop", 1),
        chunk({}, "stop"),
        DONE,
    ]

    async def script(call: Call) -> None:
        await call.stream(events)

    got = relay(script)
    assert got.events == b"".join(events)
    assert got.whole
