"""How servers are reached: by the operator's proxies and authorities, and no others."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
import trustme

from fakes.http_server import eventually
from fakes.loops import LoopThread
from fakes.mcp_servers import PythonServer, ScriptedServer
from fakes.proxy import FakeProxy
from fakes.upstream import serving
from inference_gateway.server.mcp.egress import WayOut, http_client
from server.mcp.conftest import Tools

Open = Callable[..., Tools]
Script = Callable[..., ScriptedServer]


@pytest.fixture
def proxy() -> Iterator[tuple[str, FakeProxy]]:
    """A proxy for which every name is this machine; its address."""
    thread, fake, over = LoopThread(), FakeProxy("us:pw"), asyncio.Event()
    ports: list[int] = []

    async def run() -> None:
        async with serving(fake) as provider:
            ports.append(provider.origin.port)
            await over.wait()

    asyncio.run_coroutine_threadsafe(run(), thread.loop)
    eventually(lambda: bool(ports))
    yield f"us:pw@127.0.0.1:{ports[0]}", fake
    thread.loop.call_soon_threadsafe(over.set)
    thread.close()


def test_the_configured_proxy_is_used_with_its_credentials(
    start_script: Script, open_tools: Open, proxy: tuple[str, FakeProxy]
) -> None:
    address, fake = proxy
    server = start_script({"tools/call": lambda params: {"content": [{"type": "text", "text": "hi"}]}})
    tools = open_tools(f"http://tools.test:{server.port}/mcp", HTTP_PROXY=f"http://{address}")
    assert tools.call("mcp_act").text == "hi"
    assert b"tools.test" in fake.heads[0]


def test_an_exception_goes_past_the_proxy(
    start_script: Script, open_tools: Open, proxy: tuple[str, FakeProxy]
) -> None:
    address, fake = proxy
    tools = open_tools(start_script().url, HTTP_PROXY=f"http://{address}")
    assert tools.states() == ["available"]
    assert fake.heads == []


def test_proxies_of_the_surroundings_are_not_used(
    start_script: Script, open_tools: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert open_tools(start_script().url).states() == ["available"]


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_parameters_are_added_to_every_request_and_never_shown(
    open_tools: Open, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    caplog.set_level("DEBUG")
    server = PythonServer(transport=transport)
    try:
        entry = {"url": server.url, "query": {"key": "t0p s3cret&"}}
        tools = open_tools(entry, MCP_POLLING_INTERVAL="50ms")
        assert tools.call("mcp_echo", text="hi").text == "hi"
        assert all(parse_qs(asked["query"])["key"] == ["t0p s3cret&"] for asked in server.heard)
        assert tools.listed()["mcp_echo"]["server"] == server.url
    finally:
        server.close()
    eventually(lambda: tools.states() != ["available"])
    assert "s3cret" not in caplog.text


def test_a_redirect_to_another_path_is_followed(start_script: Script, open_tools: Open) -> None:
    result = {"content": [{"type": "text", "text": "here"}]}
    server = start_script({"tools/call": lambda params: result}, redirect="/mcp/")
    tools = open_tools({"url": server.url, "token": "t0ps3cret"})
    assert tools.call("mcp_act").text == "here"


def test_a_slash_at_the_end_of_a_url_is_kept(start_script: Script, open_tools: Open) -> None:
    server = start_script(redirect="/mcp/")
    tools = open_tools(server.url + "/")
    assert tools.listed()["mcp_act"]["server"].endswith("/mcp/")
    assert server.redirected == 0


@pytest.mark.parametrize("url", ["http://b/mcp", "https://a/mcp", "http://a:8080/mcp"])
async def test_a_client_goes_to_its_own_origin_only(url: str) -> None:
    way_out = WayOut(ssl.create_default_context(), lambda url: None, 1.0, None)
    async with http_client("http://a/mcp", {}, way_out, lambda status, in_session: None) as client:
        with pytest.raises(httpx2.UnsupportedProtocol, match="own origin"):
            await client.get(url)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the gateway is told to trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its certificate as a file."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def shown_by(authority: trustme.CA, name: str = "127.0.0.1", **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **options).configure_cert(context)
    return context


def test_a_server_with_a_certificate_of_the_operators_authority_is_spoken_to(
    start_script: Script, open_tools: Open, authority: trustme.CA, ca_file: str
) -> None:
    result = {"content": [{"type": "text", "text": "safely"}]}
    server = start_script({"tools/call": lambda params: result}, tls=shown_by(authority))
    tools = open_tools({"url": server.url, "token": "t0ps3cret"}, SSL_CERT_FILE=ca_file)
    assert tools.listed()["mcp_act"]["server"] == server.url
    assert tools.call("mcp_act").text == "safely"


YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


@pytest.mark.parametrize("wrong", ["unknown authority", "another name", "expired", "TLS 1.2"])
def test_a_server_whose_certificate_is_not_good_is_told_nothing(
    start_script: Script,
    open_tools: Open,
    authority: trustme.CA,
    ca_file: str,
    caplog: pytest.LogCaptureFixture,
    wrong: str,
) -> None:
    tls = {
        "unknown authority": lambda: shown_by(trustme.CA()),
        "another name": lambda: shown_by(authority, "tools.example.com"),
        "expired": lambda: shown_by(authority, not_after=YESTERDAY),
        "TLS 1.2": lambda: shown_by(authority),
    }[wrong]()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2 if wrong == "TLS 1.2" else tls.maximum_version
    server = start_script(tls=tls)
    tools = open_tools(
        {"url": server.url, "token": "t0ps3cret"},
        wait=0,
        SSL_CERT_FILE=ca_file,
        CLIENT_TLS_MIN_VERSION="TLS13",
        MCP_MAX_RETRIES="0",
    )
    eventually(lambda: tools.states() == ["unavailable"])
    assert tools.health()[0]["error"] == "its certificate or its TLS is not accepted"
    assert server.asked == []
    assert "t0ps3cret" not in caplog.text
