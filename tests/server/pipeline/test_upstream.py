"""Plain chat completions over sockets: what reaches the provider, and what comes back."""

import gzip
import json
import socket
from collections.abc import Callable

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.provider import COMPLETION, Call, FakeProvider, Script

Start = Callable[..., FakeGateway]

ODD = (
    b' { "model" : "openai/m" ,\n"temperature": 0.10, "seed": 123456789012345678901234567890,\t'
    b'"messages": [{"role": "user", "content": [{"type": "text", "text": "\\u00fc\xc3\x9f", "x": 1, "x": 2}],'
    b'"model": "openai/inner"}, {"role":"assistant","content":null,"reasoning_content":"r","tool_calls":['
    b'{"id":"1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"},'
    b'"extra_content":{"google":{"thought_signature":"c2ln"}}}]},'
    b' {"role":"tool","tool_call_id":"1","content":"\\ud83d\\ude00"}],'
    b'"tools":[{"type":"function","function":{"name":"f","strict":false,"parameters":{}}}],'
    b'"metadata":{"stream":true,"messages":[]},"unknown":[[],{}],"n":1 }\r\n'
)


def test_only_the_model_changes_on_the_way_to_the_provider(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    assert gateway.chat(ODD).status == 200
    [call] = provider.calls
    assert call.body == ODD.replace(b'"openai/m"', b'"m"')
    assert call.target == "/v1/chat/completions"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["content-length"] == str(len(call.body))


def test_a_model_named_in_escapes_is_the_model(gateway: FakeGateway, provider: FakeProvider) -> None:
    request = b'{"\\u006dodel": "open\\u0061i\\/m", "messages": [{"role": "user", "content": "x"}]}'
    assert gateway.chat(request).status == 200
    assert provider.calls[0].body == request.replace(b'"open\\u0061i\\/m"', b'"m"')


def test_a_request_addressed_by_provider_is_relayed_byte_for_byte(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    request = ODD.replace(b"openai/m", b"m")
    assert gateway.chat(request, "?provider=openai").status == 200
    assert provider.calls[0].body == request


def test_an_answer_comes_back_byte_for_byte(gateway: FakeGateway, provider: FakeProvider) -> None:
    answer = (
        b' {"id":"x", "choices":[{"message":{"content":"\\u00e9","reasoning_content":"r","reasoning":"r",'
        b'"tool_calls":[{"extra_content":{"google":{"thought_signature":"s"}}}]},"finish_reason":null}],\n'
        b'"big": 123456789012345678901234567890, "f": 1.10, "error": null, "half": "\\ud83d"} '
    )

    async def script(call: Call) -> None:
        await call.respond(200, answer)

    provider.script = script
    reply = gateway.chat(body())
    assert (reply.status, reply.body) == (200, answer)
    assert reply.headers["content-type"] == "application/json"


def test_images_pass_where_they_are_allowed(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, ENABLE_VISION="true")
    content = [
        {"type": "text", "text": "?"},
        {"type": "image_url", "image_url": {"url": "data:,", "detail": "auto"}},
    ]
    messages = [{"role": "user", "content": content}]
    assert gateway.chat({"model": "openai/m", "messages": messages}).status == 200
    assert provider.calls[0].json()["messages"] == messages


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "input_image", "image_url": "data:,"},
        {"type": "image", "source": {}},
        {"type": "text", "text": "", "image_url": "data:,"},
    ],
)
def test_images_are_refused_by_default(gateway: FakeGateway, provider: FakeProvider, part: object) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text"}, part]}]
    reply = gateway.chat({"model": "openai/m", "messages": messages})
    assert reply.status == 400
    assert "messages[1].content[1]" in reply.json()["error"]
    assert provider.calls == []


def test_a_part_that_says_it_has_no_image_is_none(gateway: FakeGateway) -> None:
    content = [{"type": "text", "text": "hi", "image_url": None}]
    assert (
        gateway.chat({"model": "openai/m", "messages": [{"role": "user", "content": content}]}).status == 200
    )


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 429, 500, 503, 529])
def test_a_providers_error_in_json_comes_back_as_sent(
    gateway: FakeGateway, provider: FakeProvider, status: int
) -> None:
    told = b'{ "error": {"message": "no", "type": "t", "code": null} }'

    async def script(call: Call) -> None:
        fields = [
            ("retry-after", "3"),
            ("x-ratelimit-limit-tokens", "9"),
            ("x-request-id", "up"),
            ("x-private", "1"),
        ]
        await call.respond(status, told, fields)

    provider.script = script
    reply = gateway.chat(body())
    assert (reply.status, reply.body) == (status, told)
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["x-ratelimit-limit-tokens"] == "9"
    assert reply.headers["x-upstream-request-id"] == "up"
    assert reply.headers["x-request-id"].startswith("req_")
    assert "x-private" not in reply.headers


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (b"<html>Bad gateway</html>\n", "<html>Bad gateway</html>"),
        (b"", "the provider answered with status 500"),
    ],
)
def test_an_error_that_is_not_json_is_wrapped(
    gateway: FakeGateway, provider: FakeProvider, page: bytes, text: str
) -> None:
    async def script(call: Call) -> None:
        await call.respond(500, page)

    provider.script = script
    reply = gateway.chat(body())
    assert (reply.status, reply.json()) == (500, {"error": text})
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "page", [b"<html>", b"", b"[]", b'"text"', b'{"a": NaN}', b'{"a": "\xff"}', b'{"choices": [']
)
def test_a_good_answer_that_is_no_json_object_is_a_502(
    gateway: FakeGateway, provider: FakeProvider, page: bytes
) -> None:
    async def script(call: Call) -> None:
        await call.respond(200, page)

    provider.script = script
    reply = gateway.chat(body())
    assert reply.status == 502
    assert "not JSON" in reply.json()["error"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(gateway: FakeGateway, provider: FakeProvider, status: int) -> None:
    async def script(call: Call) -> None:
        await call.respond(status, b"", [("location", provider.url + "/elsewhere")])

    provider.script = script
    reply = gateway.chat(body())
    assert reply.status == 502
    assert "redirect" in reply.json()["error"]
    assert len(provider.calls) == 1


async def _closes_at_once(call: Call) -> None:
    call.close()


async def _resets_at_once(call: Call) -> None:
    call.reset()


async def _cuts_the_body(call: Call) -> None:
    await call.raw(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"choices"')
    call.close()


async def _cuts_a_chunk(call: Call) -> None:
    await call.begin_stream()
    await call.raw(b'ff\r\n{"choices"')
    call.close()


async def _speaks_no_http(call: Call) -> None:
    await call.raw(b"SSH-2.0-OpenSSH\r\n\r\n")


@pytest.mark.parametrize(
    "script",
    [_closes_at_once, _resets_at_once, _cuts_the_body, _cuts_a_chunk, _speaks_no_http],
    ids=lambda script: script.__name__,
)
def test_half_an_answer_is_a_502(gateway: FakeGateway, provider: FakeProvider, script: Script) -> None:
    provider.script = script
    reply = gateway.chat(body())
    assert reply.status == 502
    assert reply.json()["error"]
    assert len(provider.calls) == 1


def test_a_provider_that_cannot_be_reached_is_a_502(start_gateway: Start) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        reply = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=url).chat(body())
    assert reply.status == 502
    assert "cannot connect" in reply.json()["error"]


def test_an_answer_that_came_encoded_unasked_is_decoded(gateway: FakeGateway, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        assert call.headers["accept-encoding"] == "identity"
        await call.respond(
            200, gzip.compress(json.dumps(COMPLETION).encode()), [("content-encoding", "gzip")]
        )

    provider.script = script
    reply = gateway.request("POST", "/v1/chat/completions", body(), {"Accept-Encoding": "gzip, br"})
    assert reply.json() == COMPLETION
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(b'{"choices": []}')[:-9],
        b"rubbish",
        gzip.compress(b"{") + gzip.compress(b"}"),
    ],
)
def test_a_broken_encoding_is_a_502(gateway: FakeGateway, provider: FakeProvider, packed: bytes) -> None:
    async def script(call: Call) -> None:
        await call.respond(200, packed, [("content-encoding", "gzip")])

    provider.script = script
    assert gateway.chat(body()).status == 502


def test_an_answer_larger_than_the_limit_is_a_502_also_when_it_was_small_on_the_wire(
    start_gateway: Start, provider: FakeProvider
) -> None:
    large = b'{"a": "' + b"x" * 10_000 + b'"}'

    async def script(call: Call) -> None:
        if call.json()["model"] == "packed":
            await call.respond(200, gzip.compress(large), [("content-encoding", "gzip")])
        else:
            await call.respond(200, large)

    provider.script = script
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, CLIENT_MAX_RESPONSE_BODY_SIZE="5000"
    )
    for model in ("plain", "packed"):
        reply = gateway.chat(body(f"openai/{model}"))
        assert reply.status == 502
        assert "larger" in reply.json()["error"]


def test_headers_cross_by_one_rule(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="sk-real", OPENAI_API_URL=provider.url, FORWARD_REQUEST_HEADERS="x-team, content-type"
    )
    never = {
        "Authorization": "Bearer client",
        "Cookie": "c=1",
        "X-Api-Key": "client",
        "Api-Key": "client",
        "X-Goog-Api-Key": "client",
        "Forwarded": "for=1",
        "X-Forwarded-For": "client",
        "X-Other": "client",
        "Accept": "client/accept",
        "Content-Type": "client/json",
    }
    passed = {
        "Traceparent": "00-1",
        "Tracestate": "a=b",
        "OpenAI-Beta": "x",
        "Anthropic-Beta": "y",
        "X-Team": "t",
    }
    gateway.chat(body(), headers={**never, **passed})
    [call] = provider.calls
    for name, value in passed.items():
        assert call.headers[name.lower()] == value
    assert call.headers["authorization"] == "Bearer sk-real"
    assert b"client" not in call.head
    assert len(call.headers) == len(call.fields)
    assert {name for name, _ in call.fields} & {name.lower() for name in never} == {
        "authorization",
        "content-type",
    }
