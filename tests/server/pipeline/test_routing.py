"""Which provider a request reaches, and under what name its model goes there."""

from collections.abc import Callable

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.provider import COMPLETION, Call, FakeProvider, Script

Start = Callable[..., FakeGateway]
StartProvider = Callable[..., FakeProvider]


def serving(*names: str) -> Script:
    """Script of a provider that lists these models."""

    async def script(call: Call) -> None:
        if call.method == "GET":
            await call.respond_json({"object": "list", "data": [{"id": name} for name in names]})
        else:
            await call.respond_json(COMPLETION)

    return script


def asked(provider: FakeProvider) -> list[str]:
    """Models that a provider was asked to work with."""
    return [call.json()["model"] for call in provider.calls if call.method == "POST"]


@pytest.fixture
def openai(start_provider: StartProvider) -> FakeProvider:
    return start_provider(serving("gpt-4o", "both", "o/with/slashes"))


@pytest.fixture
def nvidia(start_provider: StartProvider) -> FakeProvider:
    return start_provider(serving("nvidia/nemotron", "meta-llama/x", "both"))


@pytest.fixture
def gateway(start_gateway: Start, openai: FakeProvider, nvidia: FakeProvider) -> FakeGateway:
    return start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=openai.url, NVIDIA_API_KEY="k", NVIDIA_API_URL=nvidia.url
    )


@pytest.mark.parametrize(
    ("model", "query", "sent"),
    [
        ("openai/gpt-4o", "", "gpt-4o"),
        ("OpenAI/GPT-4o", "", "GPT-4o"),
        ("openai/unlisted", "", "unlisted"),
        ("openai/o/with/slashes", "", "o/with/slashes"),
        ("gpt-4o", "", "gpt-4o"),
        ("gpt-4o", "?provider=openai", "gpt-4o"),
        ("unlisted", "?provider=openai", "unlisted"),
        ("openai/gpt-4o", "?provider=openai", "gpt-4o"),
        ("OpenAI/gpt-4o", "?a=b&provider=openai", "gpt-4o"),
        ("openai/", "?provider=openai", "openai/"),
        ("nvidia/nemotron", "?provider=openai", "nvidia/nemotron"),
    ],
)
def test_the_model_reaches_openai_under_its_name(
    gateway: FakeGateway, openai: FakeProvider, nvidia: FakeProvider, model: str, query: str, sent: str
) -> None:
    assert gateway.chat(body(model), query).status == 200
    assert asked(openai) == [sent]
    assert asked(nvidia) == []


@pytest.mark.parametrize(
    ("model", "query", "sent"),
    [
        ("nvidia/nemotron", "?provider=nvidia", "nvidia/nemotron"),
        ("nvidia/meta-llama/x", "?provider=nvidia", "meta-llama/x"),
        ("nvidia/nvidia/nemotron", "", "nvidia/nemotron"),
        ("meta-llama/x", "", "meta-llama/x"),
        ("openai/gpt-oss-20b", "?provider=nvidia", "openai/gpt-oss-20b"),
    ],
)
def test_a_provider_whose_models_have_slashes_is_asked_for_the_right_one(
    gateway: FakeGateway, openai: FakeProvider, nvidia: FakeProvider, model: str, query: str, sent: str
) -> None:
    assert gateway.chat(body(model), query).status == 200
    assert asked(nvidia) == [sent]
    assert asked(openai) == []


@pytest.mark.parametrize(
    ("model", "query", "text"),
    [
        ("both", "", "write 'nvidia/both' or 'openai/both'"),
        ("nowhere", "", "write 'provider/model'"),
        ("meta-llama/unlisted", "", "write 'provider/model'"),
        ("groq/gpt-4o", "", "set GROQ_API_KEY"),
        ("Groq/gpt-4o", "", "set GROQ_API_KEY"),
        ("gpt-4o", "?provider=groq", "set GROQ_API_KEY"),
        ("ollama/gpt-4o", "", "set OLLAMA_API_URL"),
        ("mock/echo", "", "set MOCK_ENABLED=true"),
        ("gpt-4o", "?provider=nonsense", "unknown provider 'nonsense'; configured here: nvidia, openai"),
        ("openai/", "", "'openai/' names a provider and no model"),
    ],
)
def test_what_cannot_be_resolved_is_a_400_that_says_what_to_write(
    gateway: FakeGateway, openai: FakeProvider, nvidia: FakeProvider, model: str, query: str, text: str
) -> None:
    reply = gateway.chat(body(model), query)
    assert reply.status == 400
    assert text in reply.json()["error"]
    assert asked(openai) == asked(nvidia) == []


def test_a_name_is_looked_up_among_the_providers_that_answer(
    gateway: FakeGateway, openai: FakeProvider, nvidia: FakeProvider
) -> None:
    async def fails(call: Call) -> None:
        await call.respond(500)

    nvidia.script = fails
    assert gateway.chat(body("both")).status == 200
    assert asked(openai) == ["both"]


def test_lists_are_remembered_between_requests(gateway: FakeGateway, openai: FakeProvider) -> None:
    for _ in range(3):
        assert gateway.chat(body("gpt-4o")).status == 200
    assert [call.method for call in openai.calls] == ["GET", "POST", "POST", "POST"]


def test_a_prefix_needs_no_list(gateway: FakeGateway, openai: FakeProvider) -> None:
    assert gateway.chat(body("openai/gpt-4o")).status == 200
    assert [call.method for call in openai.calls] == ["POST"]
