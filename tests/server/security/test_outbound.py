"""Where the gateway connects to: providers and issuers that the operator named, and nowhere else."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.issuer import FakeIssuer
from fakes.provider import Call, FakeProvider
from inference_gateway.server.configuration import SettingsError, load

Start = Callable[..., FakeGateway]


class Trap:
    """A server that nobody should ask."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        trap = self

        class Handler(BaseHTTPRequestHandler):
            def parse_request(self) -> bool:
                trap.asked.append(str(self.raw_requestline))
                return False

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.authority}/stolen"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def trap() -> Iterator[Trap]:
    """A server that nobody should ask."""
    server = Trap()
    yield server
    server.close()


def image(url: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


def forwarding(url: str) -> dict[str, str]:
    authority = url.split("/")[2]
    fields = dict.fromkeys(
        ("X-Original-URL", "X-Rewrite-URL", "OpenAI-Base-URL", "Destination", "Referer"), url
    )
    return {**fields, "X-Forwarded-Host": authority, "Forwarded": f"host={authority}"}


PLACES: list[tuple[str, Callable[[str], tuple[str, str, bytes | None, dict[str, str]]]]] = [
    ("the model", lambda url: ("POST", "/v1/chat/completions", body(url), {})),
    ("the provider", lambda url: ("POST", f"/v1/chat/completions?provider={url}", body("m"), {})),
    ("an image", lambda url: ("POST", "/v1/chat/completions", body(**image(url)), {})),
    ("a tool", lambda url: ("POST", "/v1/chat/completions", body(tools=[{"server_url": url}]), {})),
    ("a field", lambda url: ("POST", "/v1/chat/completions", body(base_url=url, webhook=url), {})),
    ("the raw path", lambda url: ("GET", f"/proxy/openai/{url}", None, {})),
    ("the raw path, encoded", lambda url: ("GET", f"/proxy/openai/{url.replace('/', '%2F')}", None, {})),
    ("the raw path, doubled", lambda url: ("GET", f"/proxy/openai//{url.removeprefix('http://')}", None, {})),
    ("the raw path, above its base", lambda url: ("GET", f"/proxy/openai/..//{url}", None, {})),
    ("the raw provider", lambda url: ("GET", f"/proxy/{url.replace('/', '%2F')}/x", None, {})),
    ("a user in the path", lambda url: ("GET", f"/proxy/openai/@{url.removeprefix('http://')}", None, {})),
    ("the query", lambda url: ("GET", f"/proxy/openai/models?url={url}&base_url={url}", None, {})),
    ("a model's id", lambda url: ("GET", f"/v1/models/{url}", None, {})),
    ("the list's provider", lambda url: ("GET", f"/v1/models?provider={url}", None, {})),
    ("Host", lambda url: ("GET", "/proxy/openai/models", None, {"Host": url.split("/")[2]})),
    ("forwarding fields", lambda url: ("GET", "/proxy/openai/models", None, forwarding(url))),
]  # fmt: skip


@pytest.mark.parametrize(("place", "request_of"), PLACES, ids=[place for place, _ in PLACES])
def test_a_url_of_a_caller_is_never_asked_wherever_it_stands(
    gateway: FakeGateway, provider: FakeProvider, trap: Trap, place: str, request_of: Callable[..., Any]
) -> None:
    assert gateway.request(*request_of(trap.url)).status < 600
    assert trap.asked == []
    for call in provider.calls:
        assert call.headers["host"] == provider.url.split("/")[2], place
        assert call.target.startswith("/"), place


def test_a_request_in_absolute_form_goes_to_the_gateway_and_not_to_its_host(
    gateway: FakeGateway, trap: Trap
) -> None:
    answer = gateway.exchange(
        b"GET http://%b/proxy/openai/models HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
        % (trap.authority.encode(), trap.authority.encode())
    )
    assert answer.startswith(b"HTTP/1.1 ")
    answer = gateway.exchange(b"CONNECT %b HTTP/1.1\r\nHost: x\r\n\r\n" % trap.authority.encode())
    assert not answer.startswith(b"HTTP/1.1 2")
    assert trap.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_provider_is_not_followed(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], trap: Trap, status: int
) -> None:
    async def redirects(call: Call) -> None:
        await call.respond(status, b"", [("location", trap.url)])

    provider = start_provider(redirects)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    gateway.chat(body())
    gateway.request("GET", "/v1/models")
    gateway.request("GET", "/v1/models/openai/m")
    assert provider.calls
    assert trap.asked == []


def test_a_list_of_models_that_names_another_place_is_not_followed(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], trap: Trap
) -> None:
    async def pages(call: Call) -> None:
        listed = {"object": "list", "data": [{"id": "m"}], "next": trap.url, "next_page_token": trap.url}
        await call.respond_json(listed)

    provider = start_provider(pages)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    assert gateway.request("GET", "/v1/models").status == 200
    assert trap.asked == []


def test_a_token_sends_the_gateway_nowhere(trusting: Start, issuer: FakeIssuer, trap: Trap) -> None:
    gateway = trusting()
    for claims, headers in (
        ({}, {"jku": trap.url, "x5u": trap.url, "kid": trap.url}),
        ({"iss": trap.url}, {}),
        ({"_claim_sources": {"s": {"endpoint": trap.url}}, "jwks_uri": trap.url}, {}),
    ):
        gateway.chat(body(), headers={"Authorization": f"Bearer {issuer.token(headers=headers, **claims)}"})
    assert trap.asked == []
    assert set(issuer.asked) == {"/.well-known/openid-configuration", "/jwks"}


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test",
        "http://169.254.169.254",
        "http://localhost.evil.test",
        "http://127.0.0.1@evil.test",
        "ftp://issuer.test",
        "file:///etc/passwd",
        "https://user:hush@issuer.test",
        "https://issuer.test/?x=1",
        "https://issuer.test/#x",
        "https:///path",
        "https://issuer.test\\@evil.test",
    ],
)
def test_an_issuer_is_https_or_on_loopback(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(environ={"AUTH_OIDC_ISSUER": url, "AUTH_OIDC_CLIENT_ID": "c"}, dotenv=None)
    assert "AUTH_OIDC_ISSUER" in str(raised.value)
    assert "hush" not in str(raised.value)


# ---- fields across the proxy ---------------------------------------------------------------------------


SMUGGLED = [
    b"X-A: 1\r\nConnection: openai-organization\r\nOpenAI-Organization: evil\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    b"Content-Length: 4\r\nContent-Length: 5\r\n",
    b"Authorization : Bearer x\r\n",
    b"X-A: 1\r\n Authorization: Bearer x\r\n",
    b"X-A: 1\nAuthorization: Bearer evil\r\n",
    b"OpenAI-Organization: a\rAuthorization: Bearer evil\r\n",
    b"OpenAI-Organization: a\0b\r\n",
    b"authorization: Bearer evil\r\nX-Api-Key: evil\r\nApi-Key: evil\r\nX-Goog-Api-Key: evil\r\n",
    b"Proxy-Authorization: evil\r\nForwarded: for=evil\r\nX-Forwarded-For: evil\r\nCookie: evil\r\n",
    b"Host: evil\r\n",
]


@pytest.mark.parametrize("fields", SMUGGLED)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/proxy/openai/chat/completions"])
def test_no_field_is_smuggled_to_a_provider(
    gateway: FakeGateway, provider: FakeProvider, fields: bytes, path: bytes
) -> None:
    content = body("openai/m")
    length = b"" if b"Content-Length" in fields else b"Content-Length: %d\r\n" % len(content)
    head = b"POST %b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%b%b\r\n" % (path, length, fields)
    answer = gateway.exchange(head + content)
    assert answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 400")
    for call in provider.calls:
        names = [name for name, _ in call.fields]
        assert b"evil" not in call.head
        assert names.count("authorization") == names.count("host") == names.count("content-length") == 1
        assert call.headers["authorization"] == "Bearer sk-test"
        assert not {"cookie", "x-api-key", "api-key", "forwarded", "x-forwarded-for"} & set(names)


def test_fields_of_a_provider_cannot_set_cookies_or_speak_for_the_gateway(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    given = [
        ("set-cookie", "evil=1"),
        ("www-authenticate", 'Basic realm="evil"'),
        ("authorization", "evil"),
        ("clear-site-data", '"evil"'),
        ("report-to", "evil"),
        ("service-worker-allowed", "/evil"),
        ("refresh", "0; url=https://evil.test"),
        ("access-control-allow-origin", "*"),
        ("strict-transport-security", "max-age=1"),
        ("connection", "x-evil"),
        ("x-evil", "1"),
        ("x-request-id", "theirs"),
        ("server", "evil"),
    ]

    async def answers(call: Call) -> None:
        await call.respond(200, json.dumps({"choices": []}).encode(), given)

    provider = start_provider(answers)
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    for reply in (gateway.chat(body()), gateway.request("GET", "/proxy/openai/x")):
        assert reply.status == 200
        assert "evil" not in str(reply.headers)
        assert not {"set-cookie", "access-control-allow-origin", "strict-transport-security"} & set(
            reply.headers
        )
        assert reply.headers["x-request-id"] != "theirs"
