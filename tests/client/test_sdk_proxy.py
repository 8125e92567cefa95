"""Providers' own APIs: parsed, raw, and as they come."""

from typing import Any

import pytest
from facade import Clients

import inference_gateway as sdk
from fakes.provider import Call, FakeProvider

PIECES = [b"\x89PNG", b"\x00\xff", b"end"]


async def binary(call: Call) -> None:
    await call.begin_stream([("x-request-id", "r"), ("content-type", "image/png")])
    for piece in PIECES:
        await call.piece(piece)
    await call.end_stream()


def test_an_answer_is_parsed(make_client: Clients, start_provider: Any) -> None:
    async def script(call: Call) -> None:
        await call.respond_json([1, {"a": 2}])

    provider: FakeProvider = start_provider(script)
    client = make_client(provider.url)
    assert client.proxy_request(sdk.Provider("openai"), "files?limit=2", params={"after": "ä"}) == [
        1,
        {"a": 2},
    ]
    assert provider.calls[0].target == "/proxy/openai/files?limit=2&after=%C3%A4"


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_answer_is_an_empty_dict(make_client: Clients, start_provider: Any, status: int) -> None:
    async def script(call: Call) -> None:
        head = f"HTTP/1.1 {status} X\r\n" + ("" if status == 204 else "content-length: 0\r\n")
        await call.raw(head.encode() + b"\r\n")

    assert make_client(start_provider(script).url).proxy_request("openai", "files/1", "DELETE") == {}


def test_an_answer_that_is_not_json_can_be_had_raw(make_client: Clients, start_provider: Any) -> None:
    client = make_client(start_provider(binary).url)
    with pytest.raises(sdk.ResponseValidationError, match="not JSON"):
        client.proxy_request("openai", "image")
    raw = client.proxy_raw("openai", "image")
    assert (raw.content, raw.status_code, raw.request_id) == (b"".join(PIECES), 200, "r")
    assert raw.headers["x-request-id"] == "r"


def test_an_answer_can_be_read_as_it_comes(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(binary)
    client = make_client(provider.url)
    with client.proxy_stream("openai", "image", "POST", {"a": 1}) as stream:
        assert (stream.status_code, stream.request_id) == (200, "r")
        assert b"".join(stream) == b"".join(PIECES)
    with client.proxy_stream("openai", "image") as stream:
        assert next(stream) == PIECES[0]
        assert stream.read() == b"".join(PIECES[1:])
    assert provider.calls[0].json() == {"a": 1}


def test_a_raw_stream_that_is_cut_raises(make_client: Clients, start_provider: Any) -> None:
    async def cut(call: Call) -> None:
        await call.begin_stream()
        await call.piece(b"a")
        call.close()

    with make_client(start_provider(cut).url).proxy_stream("openai", "x") as stream:
        assert next(stream) == b"a"
        with pytest.raises(sdk.InferenceGatewayConnectionError):
            next(stream)


def test_a_raw_stream_that_is_refused_raises_at_once(make_client: Clients, start_provider: Any) -> None:
    async def refuse(call: Call) -> None:
        await call.respond_json({"error": "no"}, 404)

    with pytest.raises(sdk.NotFoundError):
        make_client(start_provider(refuse).url).proxy_stream("openai", "x")


def test_through_the_gateway(make_client: Clients, start_gateway: Any, start_provider: Any) -> None:
    async def embeddings(call: Call) -> None:
        await call.respond_json({"path": call.target, "key": call.headers["authorization"]})

    provider = start_provider(embeddings)
    gateway = start_gateway(OPENAI_API_KEY="sk-upstream", OPENAI_API_URL=provider.url)
    client = make_client(f"{gateway.url}/v1", "mine")
    answer = client.proxy_request("openai", "embeddings", "POST", {"input": "x"})
    assert answer == {"path": "/v1/embeddings", "key": "Bearer sk-upstream"}
