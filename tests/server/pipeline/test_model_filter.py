"""ALLOWED_MODELS and DISALLOWED_MODELS hold however a model is addressed."""

import json
from collections.abc import Callable

import pytest

from fakes.chats import MESSAGES, body
from fakes.gateway import FakeGateway
from fakes.provider import COMPLETION, Call, FakeProvider

Start = Callable[..., FakeGateway]


async def lists_models(call: Call) -> None:
    if call.method == "GET":
        await call.respond_json({"data": [{"id": "GPT-4o"}, {"id": "gpt-4"}, {"id": "a/b"}]})
    else:
        await call.respond_json(COMPLETION)


@pytest.fixture
def provider(start_provider: Callable[..., FakeProvider]) -> FakeProvider:
    return start_provider(lists_models)


@pytest.fixture
def start(start_gateway: Start, provider: FakeProvider) -> Start:
    def start(**environ: str) -> FakeGateway:
        return start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, **environ)

    return start


def posts(provider: FakeProvider) -> int:
    """Count what reached the provider, its list of models apart."""
    return sum(call.method == "POST" for call in provider.calls)


ADDRESSES = [
    ("openai/GPT-4o", ""),
    ("OPENAI/gpt-4O", ""),
    ("GPT-4o", ""),
    ("gpt-4o", "?provider=openai"),
    ("openai/gpt-4o", "?provider=openai"),
    ("OpenAI/gpt-4o", "?provider=openai"),
]
LISTS = ["gpt-4o", "openai/gpt-4o", " GPT-4O , other", "OpenAI/GPT-4o"]


@pytest.mark.parametrize("names", LISTS)
@pytest.mark.parametrize(("model", "query"), ADDRESSES)
def test_a_disallowed_model_is_refused(
    start: Start, provider: FakeProvider, names: str, model: str, query: str
) -> None:
    gateway = start(DISALLOWED_MODELS=names)
    reply = gateway.chat(body(model), query)
    assert reply.status == 403
    assert "is not served here" in reply.json()["error"]
    assert posts(provider) == 0
    assert gateway.chat(body("openai/gpt-4")).status == 200


@pytest.mark.parametrize("names", LISTS)
@pytest.mark.parametrize(("model", "query"), ADDRESSES)
def test_only_an_allowed_model_passes(
    start: Start, provider: FakeProvider, names: str, model: str, query: str
) -> None:
    gateway = start(ALLOWED_MODELS=names, DISALLOWED_MODELS="gpt-4o")
    assert gateway.chat(body(model), query).status == 200
    assert gateway.chat(body("openai/gpt-4")).status == 403
    assert gateway.chat(body("gpt-4"), "?provider=openai").status == 403
    assert posts(provider) == 1


def test_a_model_with_slashes_is_held_to_the_lists(start: Start) -> None:
    gateway = start(DISALLOWED_MODELS="openai/a/b")
    for model, query in (("a/b", ""), ("openai/a/b", ""), ("a/b", "?provider=openai")):
        assert gateway.chat(body(model), query).status == 403


def test_lists_of_models_show_what_is_served(start: Start) -> None:
    gateway = start(DISALLOWED_MODELS="gpt-4o,a/b")
    assert [m["id"] for m in gateway.request("GET", "/v1/models").json()["data"]] == ["openai/gpt-4"]
    assert gateway.request("GET", "/v1/models/openai/GPT-4o").status == 404


@pytest.mark.parametrize("query", ["", "?provider=openai"])
def test_a_second_model_in_other_letters_is_refused_where_models_are_limited(
    start: Start, provider: FakeProvider, query: str
) -> None:
    two = json.dumps({"model": "gpt-4", "messages": MESSAGES, "Model": "gpt-4o"}).encode()
    gateway = start(DISALLOWED_MODELS="gpt-4o")
    assert gateway.chat(two, query).status == 400
    assert posts(provider) == 0
    assert start().chat(two, query).status == 200


@pytest.mark.parametrize("prefix", ["/proxy", "/v1/proxy"])
@pytest.mark.parametrize(
    "sent",
    [
        b'{"model": "gpt-4o"}',
        b' \r\n\t{"x": 1, "mod\\u0065l": "GPT-4o"}',
        b'{"model": "gpt-4", "Model": "gpt-4o"}',
        b'{"MODEL": "openai/gpt-4o"}',
    ],
)
def test_a_raw_body_with_a_disallowed_model_is_refused(
    start: Start, provider: FakeProvider, prefix: str, sent: bytes
) -> None:
    gateway = start(DISALLOWED_MODELS="openai/gpt-4o")
    for kind in ("application/json", "text/plain"):
        assert (
            gateway.request("POST", f"{prefix}/openai/responses", sent, {"Content-Type": kind}).status == 403
        )
    assert posts(provider) == 0


@pytest.mark.parametrize(
    "sent",
    [
        b'{"model": "gpt-4", "model": "gpt-4o"}',
        b'\xef\xbb\xbf{"model": "gpt-4o"}',
        b'{"model": "gpt-4o", "x": NaN}',
        b'{"model": ["gpt-4o"]}',
        b'{"model": "gpt-4o", "x": "\xff"}',
        '{"model": "gpt-4o"}'.encode("utf-16"),
        '{"model": "gpt-4o"}'.encode("utf-16-be"),
    ],
)
def test_a_raw_body_that_only_a_lenient_reader_understands_is_refused(
    start: Start, provider: FakeProvider, sent: bytes
) -> None:
    gateway = start(DISALLOWED_MODELS="gpt-4o")
    assert gateway.request("POST", "/proxy/openai/responses", sent).status == 400
    assert posts(provider) == 0
    assert start().request("POST", "/proxy/openai/responses", sent).status == 200


def test_a_compressed_raw_body_is_refused_where_models_are_limited(
    start: Start, provider: FakeProvider
) -> None:
    gateway = start(ALLOWED_MODELS="gpt-4")
    reply = gateway.request("POST", "/proxy/openai/x", b"\x1f\x8b", {"Content-Encoding": "gzip"})
    assert reply.status == 415
    assert posts(provider) == 0


@pytest.mark.parametrize(
    "sent", [b'{"model": "gpt-4"}', b'{"input": 1}', b"--b\r\n", b"", b"[1]", b'{"model": null}']
)
def test_other_raw_bodies_pass_as_they_are(start: Start, provider: FakeProvider, sent: bytes) -> None:
    gateway = start(ALLOWED_MODELS="gpt-4")
    assert gateway.request("POST", "/proxy/openai/x", sent).status == 200
    assert provider.calls[-1].body == sent
