"""TLS towards providers: who is trusted, what is refused and with which words, and how it ends."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from fakes.gateway import FakeGateway
from fakes.provider import STREAM, FakeProvider
from fakes.upstream import CHUNKED, OK, Peer, Taken, ask, call, on_uvloop, pooling, replying, serving
from inference_gateway.server.errors import UpstreamCut, UpstreamError, UpstreamTimeout
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.tls import client_context

HOST = "localhost"
YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the gateway is told to trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate as a file."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def trusting(ca_file: Path) -> ssl.SSLContext:
    """What a pool is given that trusts it."""
    return client_context(ca_file=ca_file)


def server_context(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (HOST,)), **options).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> ssl.SSLContext:
    """A provider's context with a certificate for `HOST`."""
    return server_context(authority)


@on_uvloop
async def test_a_provider_with_a_trusted_certificate_is_asked_and_its_connection_kept(
    secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with (
        serving(replying(OK, OK, OK), tls=secure, host=HOST) as provider,
        pooling(tls=trusting) as pool,
    ):
        for _ in range(3):
            assert await ask(pool, provider) == b"ok"
        assert provider.connections == 1


@on_uvloop
async def test_a_certificate_for_an_address_is_accepted(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    tls = server_context(authority, "127.0.0.1")
    async with serving(replying(OK), tls=tls) as provider, pooling(tls=trusting) as pool:
        assert await ask(pool, provider) == b"ok"


@on_uvloop
async def test_the_name_of_the_provider_is_sent_and_http_1_1_asked_for(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    names: list[str | None] = []

    def note(_socket: object, name: str | None, _context: object) -> None:
        names.append(name)

    async def talk(peer: Peer) -> None:
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await replying(OK)(peer)

    protocols: list[str | None] = []
    tls = server_context(authority)
    tls.sni_callback = note
    tls.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(talk, tls=tls, host=HOST) as provider, pooling(tls=trusting) as pool:
        await ask(pool, provider)
    assert names == [HOST]
    assert protocols == ["http/1.1"]


def refused(authority: trustme.CA, what: str) -> ssl.SSLContext:
    if what == "unknown authority":
        return server_context(trustme.CA())
    if what == "wrong name":
        return server_context(authority, "other.test")
    return server_context(authority, not_after=YESTERDAY)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("unknown authority", "unable to get local issuer certificate"),
        ("wrong name", "Hostname mismatch"),
        ("expired", "certificate has expired"),
    ],
)
@on_uvloop
async def test_a_certificate_that_does_not_hold_is_refused_with_the_reason(
    authority: trustme.CA, trusting: ssl.SSLContext, what: str, said: str
) -> None:
    async def talk(peer: Peer) -> None:
        asked.append(await peer.gone())

    asked: list[bytes] = []
    tls = refused(authority, what)
    async with (
        serving(talk, tls=tls, host=HOST) as provider,
        pooling(tls=trusting, max_per_origin=1) as pool,
    ):
        for _ in range(2):
            with pytest.raises(UpstreamError) as caught:
                await ask(pool, provider)
            assert caught.value.status == 502
            assert "its certificate is not valid" in caught.value.message
            assert said in caught.value.message
        assert not any(asked)


@on_uvloop
async def test_a_server_that_speaks_only_older_versions_is_refused(
    authority: trustme.CA, ca_file: Path
) -> None:
    tls = server_context(authority)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    strict = client_context(ca_file=ca_file, minimum="TLS13")
    async with serving(replying(OK), tls=tls, host=HOST) as provider:
        async with pooling(tls=client_context(ca_file=ca_file)) as pool:
            assert await ask(pool, provider) == b"ok"
        async with pooling(tls=strict) as pool:
            with pytest.raises(UpstreamError, match=r"closed during the TLS handshake|TLS failed: .*VERSION"):
                await ask(pool, provider)


@pytest.mark.parametrize("banner", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"])
@on_uvloop
async def test_a_port_that_speaks_no_tls_is_an_error(banner: bytes, trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(banner)
        await peer.reader.read(100)

    async with serving(talk, host=HOST) as provider, pooling(tls=trusting, max_per_origin=1) as pool:
        origin = Origin(tls=True, host=HOST, port=provider.origin.port)
        provider.origin = origin
        for _ in range(2):
            with pytest.raises(UpstreamError, match="cannot connect to localhost"):
                await ask(pool, provider)


@on_uvloop
async def test_a_handshake_that_hangs_is_given_up_in_its_own_time(trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.gone()

    async with (
        serving(talk, host=HOST) as provider,
        pooling(tls=trusting, tls_handshake_timeout=0.05, max_per_origin=1) as pool,
    ):
        provider.origin = Origin(tls=True, host=HOST, port=provider.origin.port)
        for _ in range(2):
            with pytest.raises(UpstreamTimeout) as caught:
                await ask(pool, provider)
            assert caught.value.status == 504
            await provider.all_gone()


@on_uvloop
async def test_a_call_cancelled_during_the_handshake_hangs_up(trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(1)
        greeted.set()
        await peer.gone()

    greeted = asyncio.Event()
    async with serving(talk, host=HOST) as provider, pooling(tls=trusting, max_per_origin=1) as pool:
        provider.origin = Origin(tls=True, host=HOST, port=provider.origin.port)
        task = asyncio.ensure_future(ask(pool, provider))
        await greeted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.all_gone()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        CHUNKED + b"4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhalf",
    ],
)
@on_uvloop
async def test_a_connection_cut_below_tls_cuts_the_answer(
    answer: bytes, secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await arrived.wait()
        peer.writer.transport.abort()  # the socket closes, and TLS does not say so

    arrived = asyncio.Event()
    async with serving(talk, tls=secure, host=HOST) as provider, pooling(tls=trusting) as pool:
        taken = Taken.of(await pool.send(call(provider)))
        await taken.at_least(4)
        arrived.set()
        await taken.end()
        assert isinstance(taken.error, UpstreamCut)


@on_uvloop
async def test_a_body_that_ends_with_its_connection_is_whole_when_tls_says_so(
    secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with serving(talk, tls=secure, host=HOST) as provider, pooling(tls=trusting) as pool:
        assert await ask(pool, provider) == b"all of it"


@pytest.mark.parametrize("size", [70_000, 100_000, 200_000])
@on_uvloop
async def test_an_answer_that_waits_for_its_reader_survives_the_end_of_its_connection(
    size: int, secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size
        peer.writer.transport.set_write_buffer_limits(high=0)
        await peer.send(head + b"x" * size)
        peer.writer.transport.abort()  # all is on its way: the end follows at once
        closed.set()

    closed = asyncio.Event()
    async with serving(talk, tls=secure, host=HOST) as provider, pooling(tls=trusting) as pool:
        answer = await pool.send(call(provider))
        await closed.wait()
        await asyncio.sleep(0.05)  # for the end of the connection to come in, were it looked for
        assert len(await answer.read(1 << 24)) == size


@on_uvloop
async def test_a_sink_that_pauses_stops_a_provider_behind_tls(
    secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    total, block = 60_000_000, b"b" * 500_000

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        for _ in range(total // len(block)):
            peer.writer.write(block)
            try:
                await asyncio.wait_for(asyncio.shield(peer.writer.drain()), 0.2)
            except TimeoutError:
                stuck.set()
                await peer.writer.drain()
        await peer.gone()

    stuck = asyncio.Event()
    async with serving(talk, tls=secure, host=HOST) as provider, pooling(tls=trusting) as pool:
        answer = await pool.send(call(provider))
        await stuck.wait()
        assert len(await answer.read(1 << 27)) == total


MESSAGES = [{"role": "user", "content": "hi"}]


def test_the_whole_gateway_speaks_tls_with_an_authority_of_its_operator(
    start_provider: Callable[..., FakeProvider],
    start_gateway: Callable[..., FakeGateway],
    secure: ssl.SSLContext,
    ca_file: Path,
) -> None:
    provider = start_provider(tls=secure)
    url = f"https://{HOST}:{provider.port}/v1"
    gateway = start_gateway(OPENAI_API_KEY="sk-test", OPENAI_API_URL=url, SSL_CERT_FILE=str(ca_file))
    body = {"model": "openai/m", "messages": MESSAGES}
    for _ in range(2):
        assert gateway.chat(body).status == 200
    assert gateway.chat({**body, "stream": True}).body == b"".join(STREAM)
    assert provider.connections == 1


def test_the_whole_gateway_refuses_a_certificate_that_it_does_not_know(
    start_provider: Callable[..., FakeProvider],
    start_gateway: Callable[..., FakeGateway],
    secure: ssl.SSLContext,
) -> None:
    provider = start_provider(tls=secure)
    gateway = start_gateway(OPENAI_API_KEY="sk-test", OPENAI_API_URL=f"https://{HOST}:{provider.port}/v1")
    reply = gateway.chat({"model": "openai/m", "messages": MESSAGES})
    assert reply.status == 502
    assert "certificate is not valid" in reply.json()["error"]
    assert b"sk-test" not in reply.body
    assert provider.calls == []


def test_the_system_is_trusted_beside_the_given_authority(ca_file: Path, authority: trustme.CA) -> None:
    system = ssl.create_default_context().get_ca_certs(binary_form=True)
    trusted = client_context(ca_file=ca_file).get_ca_certs(binary_form=True)
    own = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
    assert set(trusted) == {*system, own}


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_is_an_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OSError, match=r".+"):
        client_context(ca_file=path)
