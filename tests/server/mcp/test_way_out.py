"""How servers are reached: by the operator's proxies and authorities, and no others."""

import asyncio
import ssl
from collections.abc import Callable, Iterator

import httpx2
import pytest

from fakes.http_server import eventually
from fakes.loops import LoopThread
from fakes.mcp_servers import ScriptedServer
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


@pytest.mark.parametrize("url", ["http://b/mcp", "https://a/mcp", "http://a:8080/mcp"])
async def test_a_client_goes_to_its_own_origin_only(url: str) -> None:
    way_out = WayOut(ssl.create_default_context(), lambda url: None, 1.0, None)
    async with http_client("http://a/mcp", {}, way_out, lambda status: None) as client:
        with pytest.raises(httpx2.UnsupportedProtocol, match="own origin"):
            await client.get(url)
