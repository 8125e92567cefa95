"""The upstream side through the whole gateway: slow, leaving and very many clients, providers that fail."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable

import pytest

from fakes.gateway import FakeGateway
from fakes.loops import PATIENCE, LoopThread
from fakes.provider import DONE, Call, FakeProvider, chunk
from fakes.upstream import OK, Peer, Provider, Talk, replying, serving

CLIENTS = 1000
HUGE = 200_000_000
CHAT = {"model": "openai/m", "messages": [{"role": "user", "content": "hi"}]}


class RemoteProvider:
    """A byte-for-byte provider in a loop of its own."""

    def __init__(self, talk: Talk) -> None:
        self.thread = LoopThread()
        self._serving = serving(talk)
        self.provider: Provider = self.thread.call(self._serving.__aenter__())
        self.url = f"http://127.0.0.1:{self.provider.origin.port}/v1"

    def all_gone(self) -> None:
        """Wait until the gateway has no connection here."""
        self.thread.call(self.provider.all_gone())

    def close(self) -> None:
        self.thread.call(self._serving.__aexit__(None, None, None))
        self.thread.close()


@pytest.fixture
def remote(request: pytest.FixtureRequest) -> Callable[[Talk], RemoteProvider]:
    """Start providers that run until the test ends."""

    def start(talk: Talk) -> RemoteProvider:
        provider = RemoteProvider(talk)
        request.addfinalizer(provider.close)
        return provider

    return start


StartGateway = Callable[..., FakeGateway]
StartRemote = Callable[[Talk], RemoteProvider]


def chat_request(*, stream: bool) -> bytes:
    body = json.dumps({**CHAT, "stream": stream})
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def test_a_client_that_stops_reading_stops_the_provider(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % HUGE)
        while sent[0] < HUGE:
            peer.writer.write(block)
            sent[0] += len(block)
            try:
                await asyncio.wait_for(asyncio.shield(peer.writer.drain()), 0.5)
            except TimeoutError:
                stuck.set()
                await peer.writer.drain()
        await peer.gone()

    sent, block, stuck = [0], b"b" * 1_000_000, threading.Event()
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=remote(talk).url)
    with gateway.connect() as client:
        client.sendall(b"GET /proxy/openai/big HTTP/1.1\r\nhost: g\r\n\r\n")
        assert stuck.wait(PATIENCE)
        assert sent[0] < 60_000_000  # what the sockets in between hold, and little more
        received = client.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"content-length: %d" % HUGE in head.lower()
        size = len(body)
        into = bytearray(1 << 20)
        while size < HUGE:
            count = client.recv_into(into)
            assert count
            size += count
    assert size == HUGE


@pytest.mark.parametrize("path", ["chat", "proxy"])
def test_a_client_that_leaves_in_the_middle_hangs_up_on_the_provider(
    path: str, remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        event = chunk({"content": "hi"})
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        await peer.send(b"%x\r\n%b\r\n" % (len(event), event))
        await peer.gone()

    far = remote(talk)
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=far.url)
    with gateway.connect() as client:
        if path == "chat":
            client.sendall(chat_request(stream=True))
        else:
            client.sendall(b"GET /proxy/openai/events HTTP/1.1\r\nhost: g\r\n\r\n")
        received = b""
        while b"data: " not in received:
            received += client.recv(65536)
    far.all_gone()
    assert gateway.tasks() == 0


def test_a_client_that_leaves_before_the_answer_hangs_up_on_the_provider(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = threading.Event()
    far = remote(talk)
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=far.url)
    with gateway.connect() as client:
        client.sendall(chat_request(stream=False))
        assert asked.wait(PATIENCE)
    far.all_gone()
    assert gateway.tasks() == 0


async def one_stream(port: int, number: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(chat_request(stream=True).replace(b'"hi"', b'"%02d"' % (number % 100)))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    writer.close()
    await writer.wait_closed()
    return body


def test_a_thousand_streams_at_once_are_each_whole_and_leave_nothing_behind(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        while True:
            request = await peer.request()
            number = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"]
            arrived[0] += 1
            if arrived[0] >= CLIENTS:
                everybody.set()
            await peer.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            await everybody.wait()
            for event in events(number):
                await peer.send(b"%x\r\n%b\r\n" % (len(event), event))
            await peer.send(b"0\r\n\r\n")

    def events(number: str) -> list[bytes]:
        return [*(chunk({"content": f"{number}-{n}"}) for n in range(5)), chunk({}, "stop"), DONE]

    arrived, everybody = [0], asyncio.Event()
    far = remote(talk)
    gateway = start_gateway(
        OPENAI_API_KEY="sk",
        OPENAI_API_URL=far.url,
        CLIENT_MAX_IDLE_CONNS_PER_HOST="2000",
        CLIENT_MAX_IDLE_CONNS="2000",
    )
    clients = LoopThread()
    try:
        bodies = clients.call(all_streams(gateway.port))
    finally:
        clients.close()
    for number, body in enumerate(bodies):
        assert body == b"".join(events(f"{number % 100:02d}"))
    assert gateway.tasks() == 0
    assert far.provider.connections == CLIENTS
    assert far.provider.open == CLIENTS
    assert gateway.exchange(
        chat_request(stream=True).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    )
    assert far.provider.connections == CLIENTS


async def all_streams(port: int) -> list[bytes]:
    return await asyncio.gather(*(one_stream(port, number) for number in range(CLIENTS)))


def test_an_upload_through_the_proxy_ends_with_an_early_answer(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await peer.gone()

    far = remote(talk)
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=far.url)
    with gateway.connect() as client:
        client.sendall(
            b"POST /proxy/openai/files HTTP/1.1\r\nhost: g\r\ncontent-length: 1000000\r\n\r\nbegin"
        )
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b"big")
    far.all_gone()


def test_an_upload_of_a_client_that_leaves_never_looks_whole(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        begun.set()
        received.append(await peer.gone())
        ended.set()

    received: list[bytes] = []
    begun, ended = threading.Event(), threading.Event()
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=remote(talk).url)
    with gateway.connect() as client:
        client.sendall(
            b"POST /proxy/openai/f HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n"
        )
        assert begun.wait(PATIENCE)
    assert ended.wait(PATIENCE)
    assert not received[0].endswith(b"0\r\n\r\n")
    assert gateway.tasks() == 0


def test_calls_beyond_the_cap_are_asked_to_come_back(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = threading.Event()
    gateway = start_gateway(
        OPENAI_API_KEY="sk",
        OPENAI_API_URL=remote(talk).url,
        CLIENT_MAX_CONNS_PER_HOST="1",
        CLIENT_CONNECT_TIMEOUT="50ms",
    )
    with gateway.connect() as client:
        client.sendall(chat_request(stream=False))
        assert asked.wait(PATIENCE)
        reply = gateway.chat(CHAT)
    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"


def refusing_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_provider_that_is_down_is_a_bad_gateway_without_secrets(start_gateway: StartGateway) -> None:
    url = f"http://127.0.0.1:{refusing_port()}/v1"
    gateway = start_gateway(OPENAI_API_KEY="sk-hidden", OPENAI_API_URL=url)
    reply = gateway.chat(CHAT)
    assert reply.status == 502
    assert "connection refused" in reply.json()["error"]
    assert b"hidden" not in reply.body


def test_a_provider_that_never_answers_is_a_gateway_timeout(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.gone()

    far = remote(talk)
    gateway = start_gateway(
        OPENAI_API_KEY="sk", OPENAI_API_URL=far.url, CLIENT_RESPONSE_HEADER_TIMEOUT="50ms"
    )
    assert gateway.chat(CHAT).status == 504
    far.all_gone()


def test_a_stale_connection_is_no_concern_of_the_client(provider: FakeProvider, gateway: FakeGateway) -> None:
    async def answer_and_close(call: Call) -> None:
        await call.respond_json({"ok": True})
        call.close()

    provider.script = answer_and_close
    for _ in range(20):
        assert gateway.chat(CHAT).status == 200


def test_a_head_request_through_the_proxy_keeps_the_length_it_was_told(
    remote: StartRemote, start_gateway: StartGateway
) -> None:
    far = remote(replying(OK[:-2]))
    gateway = start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=far.url)
    reply = gateway.request("HEAD", "/proxy/openai/x")
    assert reply.status == 200
    assert reply.headers["content-length"] == "2"
    assert reply.body == b""
