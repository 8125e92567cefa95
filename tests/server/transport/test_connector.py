"""Through proxies: tunnels, forwarded requests, credentials, and which failure is told in which words."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme

from fakes.gateway import FakeGateway
from fakes.loops import LoopThread
from fakes.provider import STREAM, FakeProvider
from fakes.proxy import WANTS_CREDENTIALS, FakeProxy
from fakes.upstream import OK, Peer, Provider, Taken, Talk, ask, call, on_uvloop, pooling, replying, serving
from inference_gateway.server.errors import UpstreamError, UpstreamTimeout
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxies, Proxy
from inference_gateway.server.transport.tls import client_context

NAME = "provider.test"
"""A name that only the proxy knows."""
USER = "user:s3cret"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the gateway is told to trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA) -> ssl.SSLContext:
    """A context for the provider, and for a proxy on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME, "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate as a file."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def trusting(ca_file: Path) -> ssl.SSLContext:
    """What the gateway verifies them with."""
    return client_context(ca_file=ca_file)


def through(
    proxy: Provider, tls: ssl.SSLContext, *, user: str = "", exceptions: tuple[str, ...] = ()
) -> Connector:
    """Connect by way of a proxy."""
    scheme = "https" if proxy.origin.tls else "http"
    given = Proxy.of(f"{scheme}://{user}{'@' if user else ''}{proxy.origin.address}")
    return Connector({"": tls}, proxies=Proxies(given, given, exceptions))


def renamed(provider: Provider) -> None:
    """Call a provider by a name that only the proxy knows."""
    provider.origin = Origin(tls=provider.origin.tls, host=NAME, port=provider.origin.port)


async def ask_thrice(
    proxy_talk: FakeProxy,
    tls: ssl.SSLContext | None,
    trusting: ssl.SSLContext,
    *,
    proxy_tls: ssl.SSLContext | None,
) -> int:
    """Send three calls through a proxy; return how many connections it took."""
    async with (
        serving(replying(OK, OK, OK), tls=tls) as provider,
        serving(proxy_talk, tls=proxy_tls) as proxy,
    ):
        renamed(provider)
        async with pooling(connector=through(proxy, trusting, user=USER)) as pool:
            for _ in range(3):
                assert await ask(pool, provider, method="POST", body=b"question") == b"ok"
        assert provider.connections == proxy.connections
        return proxy.connections


@pytest.mark.parametrize("encrypted", [False, True])
@on_uvloop
async def test_a_tunnel_is_made_once_and_used_again(
    secure: ssl.SSLContext, trusting: ssl.SSLContext, encrypted: bool
) -> None:
    fake = FakeProxy(USER)
    assert await ask_thrice(fake, secure, trusting, proxy_tls=secure if encrypted else None) == 1
    (head,) = fake.heads
    assert head.startswith(f"CONNECT {NAME}:".encode())


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_tunnel_works_in_the_loop_of_the_standard_library(
    secure: ssl.SSLContext, trusting: ssl.SSLContext, encrypted: bool
) -> None:
    assert await ask_thrice(FakeProxy(USER), secure, trusting, proxy_tls=secure if encrypted else None) == 1


@pytest.mark.parametrize("encrypted", [False, True])
@on_uvloop
async def test_requests_for_an_http_origin_are_forwarded_over_one_connection(
    secure: ssl.SSLContext, trusting: ssl.SSLContext, encrypted: bool
) -> None:
    fake = FakeProxy(USER)
    assert await ask_thrice(fake, None, trusting, proxy_tls=secure if encrypted else None) == 1
    assert len(fake.heads) == 3
    for head in fake.heads:
        assert head.startswith(f"POST http://{NAME}:".encode())
        assert b"\r\nproxy-authorization: Basic dXNlcjpzM2NyZXQ=\r\n" in head


@on_uvloop
async def test_the_provider_sees_nothing_of_the_proxys_credentials_in_a_tunnel(
    secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def talk(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(OK)

    seen: list[bytes] = []
    async with serving(talk, tls=secure) as provider, serving(FakeProxy(USER)) as proxy:
        renamed(provider)
        async with pooling(connector=through(proxy, trusting, user=USER)) as pool:
            await ask(pool, provider)
    assert seen[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"proxy-auth" not in seen[0].lower()


@pytest.mark.parametrize("encrypted", [False, True])
@on_uvloop
async def test_a_large_answer_comes_whole_through_a_tunnel_and_waits_for_its_reader(
    secure: ssl.SSLContext, trusting: ssl.SSLContext, encrypted: bool
) -> None:
    size = 8_000_000

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        await peer.gone()

    async with (
        serving(talk, tls=secure) as provider,
        serving(FakeProxy(), tls=secure if encrypted else None) as proxy,
    ):
        renamed(provider)
        async with pooling(connector=through(proxy, trusting)) as pool:
            answer = await pool.send(call(provider, method="POST", body=b"y" * 3_000_000))
            answer.pause()
            assert len(await answer.read(1 << 24)) == size


@on_uvloop
async def test_loopback_and_exceptions_are_reached_without_the_proxy(trusting: ssl.SSLContext) -> None:
    async with serving(replying(OK)) as provider, serving(FakeProxy()) as proxy:
        async with pooling(connector=through(proxy, trusting)) as pool:
            assert await ask(pool, provider) == b"ok"
        assert proxy.connections == 0
        provider.origin = Origin(tls=False, host="past.invalid", port=80)
        async with pooling(connector=through(proxy, trusting, exceptions=(".invalid",))) as pool:
            with pytest.raises(UpstreamError, match="its name cannot be resolved"):
                await ask(pool, provider)
        assert proxy.connections == 0


def answering(data: bytes) -> Talk:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(data)

    return talk


async def failure(
    talk: Talk, connector_tls: ssl.SSLContext, *, user: str = USER, tls: bool = True, **limits: float
) -> UpstreamError | UpstreamTimeout:
    """Ask through a proxy that lets nobody through, twice, and return how it is told."""
    async with serving(talk) as proxy:
        provider = Provider(replying())
        provider.origin = Origin(tls=tls, host=NAME, port=443)
        connector = through(proxy, connector_tls, user=user)
        async with pooling(connector=connector, max_per_origin=1, **limits) as pool:
            for _ in range(2):  # the second shows that the first left no connection counted
                with pytest.raises((UpstreamError, UpstreamTimeout)) as caught:
                    await ask(pool, provider)
                await proxy.all_gone()
        assert "s3cret" not in caught.value.message
        assert "dXNlcjpzM2NyZXQ" not in caught.value.message
        assert proxy.origin.address in caught.value.message
        return caught.value


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (WANTS_CREDENTIALS, 502, "does not accept its user and password"),
        (
            b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
            502,
            "does not connect to provider.test (status 403)",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", 502, "does not connect to provider.test (status 502)"),
        (b"HTTP/1.0 504 Gateway Timeout\r\n\r\n", 504, "does not connect to provider.test (status 504)"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://x\r\n\r\n", 502, "status 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 502, "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 200 OK\r\n", 502, "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", 502, "does not answer as an HTTP proxy does"),
        (b"x" * 100_000, 502, "does not answer as an HTTP proxy does"),
        (b"", 502, "closed the connection without an answer"),
    ],
)
@on_uvloop
async def test_a_proxy_that_makes_no_tunnel_is_named_with_what_it_said(
    trusting: ssl.SSLContext, answer: bytes, status: int, said: str
) -> None:
    error = await failure(answering(answer), trusting)
    assert error.status == status
    assert error.message.startswith("the proxy 127.0.0.1:")
    assert said in error.message


@on_uvloop
async def test_a_proxy_that_wants_credentials_and_gets_none_says_so(trusting: ssl.SSLContext) -> None:
    error = await failure(FakeProxy(USER), trusting, user="")
    assert "wants a user and a password (status 407)" in error.message


@pytest.mark.parametrize("user", ["", USER])
@on_uvloop
async def test_a_proxy_that_refuses_to_forward_for_us_is_no_answer_of_the_provider(
    trusting: ssl.SSLContext, user: str
) -> None:
    error = await failure(FakeProxy("other:user"), trusting, user=user, tls=False)
    assert error.status == 502
    assert "(status 407)" in error.message


@on_uvloop
async def test_a_proxy_that_hangs_is_given_up_with_the_connect_timeout(trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.gone()

    error = await failure(talk, trusting, connect_timeout=0.05, tls_handshake_timeout=600)
    assert error.status == 504
    assert "cannot connect to provider.test through the proxy 127.0.0.1:" in error.message
    assert error.message.endswith(" in time")


@on_uvloop
async def test_a_handshake_that_hangs_in_the_tunnel_has_a_time_of_its_own(trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await peer.gone()

    error = await failure(talk, trusting, connect_timeout=600, tls_handshake_timeout=0.05)
    assert error.status == 504


@on_uvloop
async def test_a_proxy_that_is_not_there_is_what_refuses(trusting: ssl.SSLContext) -> None:
    async with serving(replying()) as proxy:
        connector = through(proxy, trusting)
        address = proxy.origin.address
    provider = Provider(replying())
    for tls in (True, False):
        provider.origin = Origin(tls=tls, host=NAME, port=443)
        async with pooling(connector=connector) as pool:
            with pytest.raises(UpstreamError) as caught:
                await ask(pool, provider)
            assert caught.value.message == f"cannot connect to the proxy {address}: connection refused"


@on_uvloop
async def test_the_providers_certificate_is_verified_behind_the_proxy(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    async with serving(replying(OK), tls=context) as provider, serving(FakeProxy()) as proxy:
        renamed(provider)
        async with pooling(connector=through(proxy, trusting)) as pool:
            with pytest.raises(UpstreamError) as caught:
                await ask(pool, provider)
    message = caught.value.message
    assert f"through the proxy {proxy.origin.address}: its certificate is not valid" in message


@on_uvloop
async def test_the_proxys_own_certificate_is_verified(
    secure: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with serving(FakeProxy(), tls=secure) as proxy:
        provider = Provider(replying())
        provider.origin = Origin(tls=True, host=NAME, port=443)
        distrusting = client_context()
        async with pooling(connector=through(proxy, distrusting, user=USER)) as pool:
            with pytest.raises(UpstreamError, match=r"the proxy 127.*its certificate is not valid"):
                await ask(pool, provider)


@on_uvloop
async def test_a_call_cancelled_while_the_proxy_thinks_hangs_up(trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        greeted.set()
        await peer.gone()

    greeted = asyncio.Event()
    async with serving(talk) as proxy:
        provider = Provider(replying())
        provider.origin = Origin(tls=True, host=NAME, port=443)
        async with pooling(connector=through(proxy, trusting), max_per_origin=1) as pool:
            task = asyncio.ensure_future(ask(pool, provider))
            await greeted.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await proxy.all_gone()


@on_uvloop
async def test_a_tunnel_that_breaks_cuts_the_answer(secure: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await peer.gone()

    async with serving(talk, tls=secure) as provider, serving(FakeProxy()) as proxy:
        renamed(provider)
        async with pooling(connector=through(proxy, trusting)) as pool:
            taken = Taken.of(await pool.send(call(provider)))
            await taken.at_least(4)
            proxy.peers[0].reset()
            assert isinstance((await taken.end()).error, UpstreamError)


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Provider]]:
    """Start proxies that run beside the test; each runs until it ends."""
    thread, stack = LoopThread(), AsyncExitStack()

    def start(talk: Talk) -> Provider:
        async def enter() -> Provider:
            return await stack.enter_async_context(serving(talk))

        return thread.call(enter())

    yield start
    thread.call(stack.aclose())
    thread.close()


CHAT = {"model": "openai/m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_whole_gateway_goes_through_the_proxy_of_its_environment(
    start_provider: Callable[..., FakeProvider],
    start_gateway: Callable[..., FakeGateway],
    start_proxy: Callable[..., Provider],
    secure: ssl.SSLContext,
    ca_file: Path,
    scheme: str,
) -> None:
    fake = FakeProxy(USER)
    proxy = start_proxy(fake)
    provider = start_provider(tls=secure if scheme == "https" else None)
    gateway = start_gateway(
        OPENAI_API_KEY="sk-test",
        OPENAI_API_URL=f"{scheme}://{NAME}:{provider.port}/v1",
        SSL_CERT_FILE=str(ca_file),
        **{f"{scheme}_proxy": f"http://{USER}@{proxy.origin.address}"},
    )
    assert gateway.chat(CHAT).status == 200
    assert gateway.chat({**CHAT, "stream": True}).body == b"".join(STREAM)
    assert proxy.connections == 1
    assert [call.target for call in provider.calls] == ["/v1/chat/completions"] * 2
    assert len(fake.heads) == (1 if scheme == "https" else 2)


def test_the_whole_gateway_tells_of_a_proxy_and_not_of_its_password(
    start_gateway: Callable[..., FakeGateway],
    start_proxy: Callable[..., Provider],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    proxy = start_proxy(FakeProxy("somebody:else"))
    gateway = start_gateway(
        OPENAI_API_KEY="sk-test", ALL_PROXY=f"{USER}@{proxy.origin.address}", NO_PROXY="10.0.0.0/99"
    )
    reply = gateway.chat(CHAT)
    assert reply.status == 502
    assert f"the proxy {proxy.origin.address} does not accept" in reply.json()["error"]
    assert b"s3cret" not in reply.body
    assert "s3cret" not in caplog.text
    assert "dXNlcjpzM2NyZXQ" not in caplog.text
    assert "NO_PROXY: '10.0.0.0/99'" in caplog.text
