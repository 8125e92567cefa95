"""`/proxy`: requests and answers as they are, with the provider's credentials and nobody else's."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.gateway import FakeGateway
from fakes.provider import STREAM, Call, FakeProvider

Start = Callable[..., FakeGateway]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CREDENTIALS = {
    "Authorization": "Bearer client",
    "Cookie": "client=1",
    "X-Api-Key": "client",
    "Api-Key": "client",
    "X-Goog-Api-Key": "client",
    "Forwarded": "for=client",
    "X-Forwarded-For": "client",
    "X-Forwarded-Host": "client",
    "Proxy-Authorization": "client",
}


async def echoes(call: Call) -> None:
    await call.respond(200, b"" if call.method == "HEAD" else call.body or b"nothing")


@pytest.fixture
def provider(start_provider: Callable[..., FakeProvider]) -> FakeProvider:
    return start_provider(echoes)


@pytest.mark.parametrize("prefix", ["/proxy", "/v1/proxy"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_arrives_with_its_query(
    gateway: FakeGateway, provider: FakeProvider, prefix: str, method: str
) -> None:
    reply = gateway.request(method, f"{prefix}/openai/files/a%20b?limit=2&x=%26&empty=&y")
    assert reply.status == 200
    [call] = provider.calls
    assert (call.method, call.target) == (method, "/v1/files/a%20b?limit=2&x=%26&empty=&y")
    assert call.headers["authorization"] == "Bearer sk-test"
    assert call.headers["host"] == f"127.0.0.1:{provider.port}"
    assert reply.body == (b"" if method == "HEAD" else b"nothing")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", "application/json"),
        (b'{"model": 1, "model": 2', "application/json"),
        (bytes(range(256)) * 2000, "application/octet-stream"),
        (
            b'--b\r\ncontent-disposition: form-data; name="f"\r\n\r\n\0\xff\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
    ],
    ids=["empty", "broken", "binary", "multipart"],
)
def test_bodies_pass_both_ways_untouched(
    gateway: FakeGateway, provider: FakeProvider, method: str, sent: bytes, kind: str
) -> None:
    reply = gateway.request(method, "/proxy/openai/x", sent, {"Content-Type": kind, "Accept": "image/png"})
    assert reply.body == (sent or b"nothing")
    [call] = provider.calls
    assert call.body == sent
    assert call.headers["content-type"] == kind
    assert call.headers["accept"] == "image/png"
    assert call.headers["content-length"] == str(len(sent))


def test_a_chunked_body_arrives_whole(gateway: FakeGateway, provider: FakeProvider) -> None:
    received = gateway.exchange(
        b"POST /proxy/openai/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert received.endswith(b"\r\n\r\nabcde")
    assert provider.calls[0].body == b"abcde"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_a_version_that_base_and_path_both_name_is_written_once(
    gateway: FakeGateway, provider: FakeProvider, path: str
) -> None:
    assert gateway.request("POST", f"/proxy/openai{path}", b"{}").status == 200
    assert provider.calls[0].target == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "target"),
    [("", "/v1/"), ("/v1", "/v1"), ("/v10/x", "/v1/v10/x"), ("//a", "/v1//a"), ("/v1/v1/x", "/v1/v1/x")],
)
def test_other_paths_are_joined_as_they_are(
    gateway: FakeGateway, provider: FakeProvider, path: str, target: str
) -> None:
    assert gateway.request("GET", f"/proxy/openai/{path.removeprefix('/')}").status == 200
    assert provider.calls[0].target == target


@pytest.mark.parametrize(
    "path",
    [
        "../admin",
        "a/../../admin",
        "./x",
        "%2e%2e/admin",
        "%2E%2e/admin",
        "%252e%252e/admin",
        "%252e./admin",
        "%25252e%25252e/admin",
        "..%2fadmin",
        "..%252fadmin",
        "a%2f..%2f..%2fadmin",
        "..\\admin",
        "..%5cadmin",
        "a/..;/admin",
        "..;x=1/admin",
        "..%3b/admin",
        "..",
        "a/%2e%2e",
        "a%00b",
        "a%0d%0aHost:%20evil",
        "a%250db",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(
    gateway: FakeGateway, provider: FakeProvider, path: str
) -> None:
    raw = gateway.exchange(
        f"GET /proxy/openai/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    )
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert b"dot segments" in raw
    assert provider.calls == []


@pytest.mark.parametrize(
    "path", ["a..b", "...", "a/.hidden", "a%20b", "a;b", "%E2%82%AC", "a%2Fb", "a:b", "@cf/m"]
)
def test_a_path_that_only_looks_odd_passes(gateway: FakeGateway, provider: FakeProvider, path: str) -> None:
    assert gateway.request("GET", f"/proxy/openai/{path}").status == 200
    assert provider.calls[0].target == f"/v1/{path}"


def test_the_clients_credentials_never_cross(gateway: FakeGateway, provider: FakeProvider) -> None:
    fields = {**CREDENTIALS, "X-Drop-Me": "client", "X-Unknown": "client", "User-Agent": "client"}
    gateway.request("POST", "/proxy/openai/x", b"{}", fields)
    assert b"client" not in provider.calls[0].head
    assert [value for name, value in provider.calls[0].fields if name == "authorization"] == [
        "Bearer sk-test"
    ]


def test_what_describes_the_body_and_the_call_crosses(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, FORWARD_REQUEST_HEADERS="x-team,x-hop"
    )
    crossing = {
        "accept": "a/b",
        "accept-encoding": "br",
        "content-encoding": "zstd",
        "if-none-match": '"e"',
        "range": "bytes=0-1",
        "traceparent": "00-1",
        "openai-organization": "org",
        "anthropic-beta": "b",
        "x-team": "t",
    }
    gateway.request("POST", "/proxy/openai/x", b"zip", {**crossing, "X-Hop": "1"})
    headers = provider.calls[0].headers
    assert {name: headers.get(name) for name in crossing} == crossing


def test_what_the_connection_header_names_does_not_cross(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, FORWARD_REQUEST_HEADERS="x-hop")
    gateway.exchange(
        b"GET /proxy/openai/x HTTP/1.1\r\nhost: x\r\nconnection: close, X-Hop\r\nx-hop: 1\r\nte: gzip\r\n\r\n"
    )
    assert {"x-hop", "te", "connection"}.isdisjoint(provider.calls[0].headers)


@pytest.mark.parametrize("given", [None, "2024-10-22"])
def test_the_clients_version_of_anthropic_wins_and_is_not_doubled(
    start_gateway: Start, provider: FakeProvider, given: str | None
) -> None:
    gateway = start_gateway(ANTHROPIC_API_KEY="sk-ant", ANTHROPIC_API_URL=provider.url)
    fields = {"Anthropic-Version": given} if given else {}
    gateway.request("POST", "/proxy/anthropic/v1/messages", b"{}", {**fields, "X-Api-Key": "client"})
    [call] = provider.calls
    assert call.target == "/v1/messages"
    assert [v for n, v in call.fields if n == "anthropic-version"] == [given or "2023-06-01"]
    assert [v for n, v in call.fields if n == "x-api-key"] == ["sk-ant"]
    assert "authorization" not in call.headers


@pytest.mark.parametrize(
    "status", [200, 201, 202, 204, 206, 301, 304, 307, 400, 401, 404, 418, 429, 500, 503]
)
def test_status_headers_and_body_come_back_without_what_is_of_the_connection(
    gateway: FakeGateway, provider: FakeProvider, status: int
) -> None:
    page = b"" if status in (204, 304) else b"\0page"
    fields = [
        ("x-custom", "1"),
        ("location", "/elsewhere"),
        ("etag", '"e"'),
        ("retry-after", "3"),
        ("x-request-id", "up"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("set-cookie", "a=b"),
        ("server", "secret/1.0"),
        ("access-control-allow-origin", "*"),
    ]

    async def script(call: Call) -> None:
        await call.respond(status, page, [("content-language", "de"), *fields])

    provider.script = script
    received = gateway.exchange(b"GET /proxy/openai/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head, _, rest = received.lower().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} ")
    for name, value in [*fields[:4], ("content-language", "de"), ("x-upstream-request-id", "up")]:
        assert f"{name}: {value}" in lines
    for name in ("x-hop", "keep-alive", "set-cookie", "server", "access-control-allow-origin"):
        assert not any(line.startswith(f"{name}:") for line in lines)
    assert sum(line.startswith("x-request-id: req_") for line in lines) == 1
    assert rest == page


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_encoded_answer_stays_encoded(gateway: FakeGateway, provider: FakeProvider, coding: str) -> None:
    packed = gzip.compress(b"page")

    async def script(call: Call) -> None:
        await call.respond(200, packed, [("content-encoding", coding)])

    provider.script = script
    reply = gateway.request("GET", "/proxy/openai/x", headers={"Accept-Encoding": coding})
    assert reply.headers["content-encoding"] == coding
    assert reply.body == packed


def test_a_stream_passes_untouched(gateway: FakeGateway, provider: FakeProvider) -> None:
    events = [b": comment\r\n\r\n", b"event: message_start\ndata: {}\n\n", *STREAM[:2], b"data: tail"]

    async def script(call: Call) -> None:
        await call.stream(events)

    provider.script = script
    reply = gateway.request("POST", "/proxy/openai/x", b'{"stream": true}')
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.body == b"".join(events)


def test_an_answer_that_breaks_off_is_cut_for_the_client_as_well(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(STREAM[0])
        call.close()

    provider.script = script
    received = gateway.exchange(b"GET /proxy/openai/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert STREAM[0] in received
    assert not received.endswith(b"0\r\n\r\n")


def test_a_head_request_gets_the_length_that_get_would_have(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 12345\r\n\r\n")

    provider.script = script
    for _ in range(2):
        reply = gateway.request("HEAD", "/proxy/openai/x")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "12345", b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [("groq/x", 400), ("nonsense/x", 400), ("%2e%2e/x", 400), ("OpenAI/x", 400), ("openai", 404), ("", 404)],
)
def test_a_provider_that_cannot_be_asked_is_an_error(
    gateway: FakeGateway, provider: FakeProvider, path: str, status: int
) -> None:
    reply = gateway.request("GET", f"/proxy/{path}")
    assert reply.status == status
    assert reply.json()["error"]
    assert provider.calls == []


def test_the_built_in_provider_has_no_raw_api(start_gateway: Start) -> None:
    reply = start_gateway().request("POST", "/proxy/mock/chat/completions", b"{}")
    assert reply.status == 400
    assert "built in" in reply.json()["error"]


def test_a_key_in_the_query_does_not_come_back_in_a_redirect(
    start_gateway: Callable[..., FakeGateway], start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    async def redirects(call: Call) -> None:
        await call.respond(302, headers=[("location", call.target), ("x-other", "kept")])

    provider = start_provider(redirects)
    config = tmp_path / "gateway.yaml"
    config.write_text(
        json.dumps({"providers": {"own": {"url": provider.url, "auth": "query", "api_key": "s/k"}}})
    )
    gateway = start_gateway(config=str(config))
    with gateway.connect() as client:
        client.sendall(b"GET /proxy/own/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert provider.calls[0].target == "/v1/x?key=s%2Fk"
    assert answer.startswith(b"HTTP/1.1 302")
    assert b"x-other: kept" in answer
    assert b"location" not in answer


def test_two_content_codings_do_not_carry_a_body_past_the_rules(
    start_gateway: Callable[..., FakeGateway], provider: FakeProvider
) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, DISALLOWED_MODELS="m")
    head = b"POST /proxy/openai/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n"
    reply = gateway.exchange(head + b"content-encoding: identity\r\ncontent-encoding: gzip\r\n\r\n{}")
    assert reply.startswith(b"HTTP/1.1 415")
    assert not provider.calls
