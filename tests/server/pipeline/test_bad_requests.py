"""Requests that no provider should be asked: each is a 400 that names the field."""

from collections.abc import Callable

import pytest

from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider

USER = b'"messages": [{"role": "user", "content": "x"}]'
MODEL = b'"model": "openai/m"'


@pytest.mark.parametrize(
    ("request_body", "named"),
    [
        (b"", "body is empty"),
        (b" ", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"{%b, %b} trailing" % (MODEL, USER), "not valid JSON"),
        (b"{%b, %b, }" % (MODEL, USER), "not valid JSON"),
        (b"{%b, %b, 'x': 1}" % (MODEL, USER), "not valid JSON"),
        (b'{%b, "messages": [{"role": "user", "content": "\xff"}]}' % MODEL, "not UTF-8"),
        (b'{%b, %b, "\xc3": 1}' % (MODEL, USER), "not UTF-8"),
        ("{}".encode("utf-16"), "not"),
        (b"{}", "'model' is missing"),
        (b"{%b}" % USER, "'model' is missing"),
        (b'{"model": "", %b}' % USER, "'model' is missing"),
        (b'{"model": null, %b}' % USER, "'model' is missing"),
        (b'{"model": 5, %b}' % USER, "'model' must be a string"),
        (b'{"model": ["openai/m"], %b}' % USER, "'model' must be a string"),
        (b"{%b}" % MODEL, "'messages' is missing or empty"),
        (b'{%b, "messages": []}' % MODEL, "'messages' is missing or empty"),
        (b'{%b, "messages": null}' % MODEL, "'messages' is missing or empty"),
        (b'{%b, "messages": {}}' % MODEL, "'messages' must be a list"),
        (b'{%b, "messages": "hi"}' % MODEL, "'messages' must be a list"),
        (b'{%b, "messages": ["hi"]}' % MODEL, "messages[0]"),
        (b'{%b, "messages": [null]}' % MODEL, "messages[0]"),
        (b'{%b, "messages": [{"content": "x"}]}' % MODEL, "missing required field `role`"),
        (b'{%b, "messages": [{"role": 5}]}' % MODEL, "messages[0].role"),
        (b'{%b, "messages": [{"role": "user", "content": 5}]}' % MODEL, "messages[0].content"),
        (b'{%b, "messages": [{"role": "user", "content": true}]}' % MODEL, "messages[0].content"),
        (b'{%b, "messages": [{"role": "user", "content": {"type": "text"}}]}' % MODEL, "messages[0].content"),
        (b'{%b, "messages": [{"role": "user", "content": ["x"]}]}' % MODEL, "messages[0].content"),
        (b'{%b, "messages": [{"role": "user", "content": [{"type": 1}]}]}' % MODEL, "messages[0].content"),
        (b'{%b, %b, "stream": "true"}' % (MODEL, USER), "'stream' must be true or false"),
        (b'{%b, %b, "stream": 1}' % (MODEL, USER), "'stream' must be true or false"),
        (b'{%b, %b, "model": "openai/m"}' % (MODEL, USER), "'model' is given twice"),
        (b'{%b, %b, "mod\\u0065l": "openai/n"}' % (MODEL, USER), "'model' is given twice"),
        (b"{%b, %b, %b}" % (MODEL, USER, USER), "'messages' is given twice"),
        (b'{"stream": false, %b, %b, "stream": true}' % (MODEL, USER), "'stream' is given twice"),
        (b'{%b, %b, "reasoning_format": "loud"}' % (MODEL, USER), "'reasoning_format' must be one of"),
        (b'{%b, %b, "reasoning_format": 1}' % (MODEL, USER), "'reasoning_format' must be one of"),
        (b'{%b, "messages": %b}' % (MODEL, b"[" * 100_000), "nested too deeply"),
    ],
)
def test_the_field_is_named_and_the_provider_is_not_asked(
    gateway: FakeGateway, provider: FakeProvider, request_body: bytes, named: str
) -> None:
    reply = gateway.request("POST", "/v1/chat/completions", request_body)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert list(reply.json()) == ["error"]
    assert named in reply.json()["error"]
    assert provider.calls == []


def test_no_value_of_the_request_is_repeated(gateway: FakeGateway) -> None:
    sent = b'{"model": "openai/m", "messages": [{"role": "user", "content": {"secret": "hush"}}]}'
    assert b"hush" not in gateway.chat(sent).body


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP"])
def test_a_compressed_body_is_a_415(gateway: FakeGateway, provider: FakeProvider, coding: str) -> None:
    reply = gateway.chat(b"\x1f\x8b", headers={"Content-Encoding": coding})
    assert reply.status == 415
    assert provider.calls == []


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"]
)
def test_the_bodys_own_word_for_its_type_does_not_matter(gateway: FakeGateway, kind: str) -> None:
    sent = b"{%b, %b}" % (MODEL, USER)
    assert gateway.chat(sent, headers={"Content-Type": kind, "Accept": "text/event-stream"}).status == 200


def test_a_body_over_the_limit_is_a_413(
    start_gateway: Callable[..., FakeGateway], provider: FakeProvider
) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_MAX_REQUEST_BODY_SIZE="100"
    )
    filled = b"{%b, %b, " % (MODEL, USER) + b'"x": "'
    assert gateway.chat(filled + b"x" * (98 - len(filled)) + b'"}').status == 200
    assert gateway.chat(filled + b"x" * (99 - len(filled)) + b'"}').status == 413
    assert len(provider.calls) == 1


IMAGE = b'[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]'
TEXT = b'[{"type": "text", "text": "x"}]'


@pytest.mark.parametrize(
    "members",
    [
        b'%b, "Messages": [{"role": "user", "content": %b}]' % (USER, IMAGE),
        USER + ', "me\u017fsages": []'.encode(),
        b'"messages": [{"role": "user", "content": %b}]' % IMAGE,
    ],
)
def test_no_spelling_hides_an_image_where_images_are_off(
    gateway: FakeGateway, provider: FakeProvider, members: bytes
) -> None:
    reply = gateway.chat(b"{%b, %b}" % (MODEL, members))
    assert reply.status == 400
    assert "messages" in reply.json()["error"]
    assert provider.calls == []


def test_spelling_is_the_callers_own_business_where_there_is_no_image_or_images_are_on(
    gateway: FakeGateway, start_gateway: Callable[..., FakeGateway], provider: FakeProvider
) -> None:
    talk = b'"messages": [{"role": "user", "content": "an im\\u0061ge, 1e999", "x": [1e999], "x": 1}]'
    assert gateway.chat(b"{%b, %b}" % (MODEL, talk)).status == 200
    seeing = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, ENABLE_VISION="true")
    twice = b'"messages": [{"role": "user", "content": %b, "content": %b}]' % (IMAGE, TEXT)
    assert seeing.chat(b"{%b, %b}" % (MODEL, twice)).status == 200


def test_an_image_deep_in_a_message_is_never_an_accident(gateway: FakeGateway) -> None:
    for depth in (100, 500, 900, 960, 1000):
        nested = b"[" * depth + b"]" * depth
        talk = b'"messages": [{"role": "user", "content": "image", "x": %b}]' % nested
        assert gateway.chat(b"{%b, %b}" % (MODEL, talk)).status in (200, 400)
