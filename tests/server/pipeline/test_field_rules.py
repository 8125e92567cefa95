"""Fields that a provider would stumble over: which are left out, for whom, and which never are."""

import json
from collections.abc import Callable

import pytest

from fakes.chats import MESSAGES, body
from fakes.gateway import FakeGateway
from fakes.provider import COMPLETION, Call, FakeProvider
from inference_gateway.server.providers.registry import ROWS, Provider

Start = Callable[..., FakeGateway]

# What a client that spells every default out sends.
DEFAULTS = {
    "temperature": 1,
    "top_p": 1.0,
    "n": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "logprobs": False,
    "parallel_tool_calls": True,
}
OTHERS = {
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 2,
    "frequency_penalty": 0.1,
    "presence_penalty": -1,
    "logprobs": True,
    "parallel_tool_calls": False,
}


@pytest.fixture
def sent(start_gateway: Start, provider: FakeProvider) -> Callable[..., dict[str, object]]:
    """Send fields to a provider of this id; return what it got of them."""

    def send(provider_id: str, **fields: object) -> dict[str, object]:
        name = provider_id.upper()
        gateway = start_gateway(**{f"{name}_API_KEY": "k", f"{name}_API_URL": provider.url})
        assert gateway.chat(body(f"{provider_id}/m", **fields)).status == 200
        got = provider.calls[-1].json()
        assert (got.pop("model"), got.pop("messages")) == ("m", MESSAGES)
        return dict(got)

    return send


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_default_goes_only_to_a_provider_that_takes_it(
    sent: Callable[..., dict[str, object]], row: Provider
) -> None:
    kept = {name: value for name, value in DEFAULTS.items() if name not in row.refused_defaults}
    assert sent(row.id, **DEFAULTS, user="u") == {**kept, "user": "u"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_says_something_always_goes(sent: Callable[..., dict[str, object]], row: Provider) -> None:
    assert sent(row.id, **OTHERS) == OTHERS


def test_parallel_tool_calls_goes_with_tools(sent: Callable[..., dict[str, object]]) -> None:
    fields = {"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": True}
    assert sent("openai", **fields) == fields
    assert sent("anthropic", **fields) == fields


@pytest.mark.parametrize("value", [True, "1", None, [1], {}])
def test_a_value_of_another_type_is_the_providers_to_judge(
    sent: Callable[..., dict[str, object]], value: object
) -> None:
    assert sent("anthropic", temperature=value) == {"temperature": value}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_stream_options_go_to_whom_understands_them(
    sent: Callable[..., dict[str, object]], row: Provider
) -> None:
    options = {"stream_options": {"include_usage": True}}
    assert sent(row.id, stream=True, **options) == {
        "stream": True,
        **(options if row.id not in ("cohere", "mistral") else {}),
    }


def test_leaving_a_field_out_keeps_the_bytes_of_the_rest(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(MISTRAL_API_KEY="k", MISTRAL_API_URL=provider.url)
    request = (
        b'{ "stream_options": {}, "messages" : [{"role": "user", "content": "\\u00e9", "a": 1, "a": 2}] ,'
        b'"model":"mistral/m", "logprobs": false, "seed": 10000000000000000000000001, "x": 1.10}'
    )
    assert gateway.chat(request).status == 200
    assert provider.calls[0].body == (
        b'{"messages" : [{"role": "user", "content": "\\u00e9", "a": 1, "a": 2}],"model":"m",'
        b'"seed": 10000000000000000000000001,"x": 1.10}'
    )


def test_a_schema_under_its_generated_name_gets_its_own(gateway: FakeGateway, provider: FakeProvider) -> None:
    schema = b'{"type":  "object", "multipleOf": 0.10, "schema_": 100000000000000000000001, "x": 1, "x": 2}'
    request = (
        b'{"model":"openai/m", "messages": [{"role": "user", "content": "x"}], "response_format": '
        b'{"type": "json_schema", "json_schema": {"name": "n", "schema_": ' + schema + b', "strict": false}}}'
    )
    assert gateway.chat(request).status == 200
    wanted = b'{"type":"json_schema","json_schema":{"name":"n","schema":' + schema + b',"strict":false}}'
    assert wanted in provider.calls[0].body


@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"properties": {"schema_": {}}}}},
        {"type": "json_schema", "json_schema": {"schema": {}, "schema_": {}}},
        {"type": "json_schema", "json_schema": ["schema_"]},
        {"type": "json_schema", "schema_": {}},
        ["schema_", {"schema_": 1}],
        None,
    ],
)
def test_any_other_response_format_stays_as_it_is(
    gateway: FakeGateway, provider: FakeProvider, response_format: object
) -> None:
    request = body(response_format=response_format)
    assert gateway.chat(request).status == 200
    assert provider.calls[0].body == request.replace(b"openai/m", b"m")


async def answers_without_reading(call: Call) -> None:
    await call.respond_json(COMPLETION)


def test_deep_nesting_is_an_answer_and_never_an_accident(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    provider = start_provider(answers_without_reading)
    gateway = start_gateway(ANTHROPIC_API_KEY="k", ANTHROPIC_API_URL=provider.url)
    for depth in (*range(880, 1000, 3), 50_000):
        deep = "[" * depth + '{"schema_": 1}' + "]" * depth
        for field in ("temperature", "response_format", "reasoning_format", "messages", "stream"):
            request = json.dumps({"model": "anthropic/m", "messages": MESSAGES, field: 7})
            assert gateway.chat(request.replace(": 7", f": {deep}").encode()).status in (200, 400)


def test_strict_false_and_detail_auto_pass(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, ENABLE_VISION="true")
    content = [{"type": "image_url", "image_url": {"url": "data:,", "detail": "auto"}}]
    request = {
        "model": "openai/m",
        "messages": [{"role": "user", "content": content}],
        "tools": [{"type": "function", "function": {"name": "f", "strict": False}}],
    }
    assert gateway.chat(request).status == 200
    assert provider.calls[0].json() == {**request, "model": "m"}
