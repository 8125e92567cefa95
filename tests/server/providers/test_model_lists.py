"""The lists of models that providers really send, asked for and read over sockets."""

import gzip
import json
from collections.abc import Callable

import pytest

from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider

Start = Callable[..., FakeGateway]


@pytest.fixture
def listed(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> Callable[..., list[dict[str, object]]]:
    """Return what the gateway makes of a provider's pages, and check where it asked for them."""

    def ask(provider_id: str, pages: dict[str, object]) -> list[dict[str, object]]:
        async def script(call: Call) -> None:
            await call.respond_json(pages[call.target])

        provider = start_provider(script)
        name = provider_id.upper()
        gateway = start_gateway(**{f"{name}_API_KEY": "k", f"{name}_API_URL": provider.url})
        reply = gateway.request("GET", "/v1/models")
        assert [call.target for call in provider.calls] == list(pages)
        data: list[dict[str, object]] = reply.json()["data"]
        for model in data:
            assert list(model) == ["id", "object", "created", "owned_by", "served_by"]
            assert (model["object"], model["served_by"]) == ("model", provider_id)
        return data

    return ask


Listed = Callable[..., list[dict[str, object]]]


def brief(models: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(model["id"], model["created"], model["owned_by"]) for model in models]


def test_openai_lists_data(listed: Listed) -> None:
    data = [{"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"}]
    assert brief(listed("openai", {"/v1/models": {"object": "list", "data": data}})) == [
        ("openai/gpt-4o", 1715367049, "system")
    ]


def test_anthropic_lists_pages_and_says_when_a_model_was_made(listed: Listed) -> None:
    def model(name: str) -> dict[str, str]:
        return {"type": "model", "id": name, "display_name": "X", "created_at": "2025-02-19T00:00:00Z"}

    pages = {
        "/v1/models?limit=1000": {"data": [model("a")], "has_more": True, "first_id": "a", "last_id": "a/1"},
        "/v1/models?limit=1000&after_id=a%2F1": {"data": [model("b")], "has_more": True, "last_id": "b"},
        "/v1/models?limit=1000&after_id=b": {"data": [model("c")], "has_more": False, "last_id": "c"},
    }
    assert brief(listed("anthropic", pages)) == [
        (f"anthropic/{name}", 1739923200, "anthropic") for name in "abc"
    ]


def test_cohere_lists_models_in_pages(listed: Listed) -> None:
    def model(name: str) -> dict[str, object]:
        return {"name": name, "endpoints": ["chat"], "context_length": 1}

    pages = {
        "/v1/v1/models?page_size=1000": {"models": [model("command-r")], "next_page_token": "t=/"},
        "/v1/v1/models?page_size=1000&page_token=t%3D%2F": {
            "models": [model("embed")],
            "next_page_token": "",
        },
    }
    assert brief(listed("cohere", pages)) == [
        ("cohere/command-r", 0, "cohere"),
        ("cohere/embed", 0, "cohere"),
    ]


def test_cloudflare_lists_a_result_whose_ids_are_not_names(listed: Listed) -> None:
    result = [
        {
            "id": "f8703a00-ed54-4f98-bdc3-cd9a813286f3",
            "name": "@cf/qwen/qwen1.5-0.5b-chat",
            "created_at": "2024-01-22 23:23:55.191",
        }
    ]
    page = {"result": result, "success": True, "errors": [], "messages": []}
    assert brief(listed("cloudflare", {"/v1/finetunes/public?limit=1000": page})) == [
        ("cloudflare/@cf/qwen/qwen1.5-0.5b-chat", 1705965835, "cloudflare")
    ]


def test_google_puts_a_prefix_before_each_name(listed: Listed) -> None:
    data = [{"id": "models/gemini-2.0-flash", "object": "model", "owned_by": "google"}]
    assert brief(listed("google", {"/v1/models": {"object": "list", "data": data}})) == [
        ("google/gemini-2.0-flash", 0, "google")
    ]


@pytest.mark.parametrize("data", [None, []])
def test_ollama_without_a_model_lists_none(listed: Listed, data: None) -> None:
    assert listed("ollama", {"/v1/models": {"object": "list", "data": data}}) == []


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        (["a", "b"], ["a", "b"]),
        ([{"id": "a"}, {"id": "a", "created": 5}], ["a"]),
        ([{"id": ""}, {"id": None}, {}, None, 5, [], {"name": "n"}, {"model": "m"}], ["n", "m"]),
    ],
)
@pytest.mark.parametrize("bare", [True, False])
def test_odd_entries_are_read_or_left_out(
    listed: Listed, entries: list[object], names: list[str], bare: bool
) -> None:
    page = entries if bare else {"data": entries}
    assert [model["id"] for model in listed("openai", {"/v1/models": page})] == [f"openai/{n}" for n in names]


@pytest.mark.parametrize(
    ("fields", "created"),
    [
        ({"created": 5}, 5),
        ({"created": 5.9}, 5),
        ({"created": True}, 0),
        ({"created": None}, 0),
        ({"created": "yesterday"}, 0),
        ({"created_at": "yesterday"}, 0),
        ({"created_at": 7}, 0),
        ({"created_at": "1970-01-01T00:01:00+00:00"}, 60),
    ],
)
def test_the_time_of_making_is_a_number_in_any_case(
    listed: Listed, fields: dict[str, object], created: int
) -> None:
    [model] = listed("openai", {"/v1/models": {"data": [{"id": "a", **fields}]}})
    assert model["created"] == created


def test_pages_that_do_not_end_are_not_followed_for_ever(listed: Listed) -> None:
    pages = {
        "/v1/models": {"data": [{"id": "a"}], "has_more": True, "last_id": "a"},
        "/v1/models?after_id=a": {"data": [{"id": "b"}], "has_more": True, "last_id": "a"},
    }
    assert len(listed("openai", pages)) == 2


def test_a_model_on_several_pages_is_listed_once(listed: Listed) -> None:
    pages = {
        "/v1/models": {"data": ["a", "b"], "has_more": True, "last_id": "b"},
        "/v1/models?after_id=b": {"data": ["b", "c", "a"], "has_more": False},
    }
    assert [model["id"] for model in listed("openai", pages)] == ["openai/a", "openai/b", "openai/c"]


@pytest.mark.parametrize(("pages", "cut"), [(50, False), (51, True)])
def test_a_list_that_is_cut_at_the_last_page_is_logged(
    start_gateway: Start, provider: FakeProvider, caplog: pytest.LogCaptureFixture, pages: int, cut: bool
) -> None:
    async def script(call: Call) -> None:
        number = len(provider.calls)
        page = {"data": [str(number)], "has_more": number < pages, "last_id": str(number)}
        await call.respond_json(page)

    provider.script = script
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    assert len(gateway.request("GET", "/v1/models").json()["data"]) == 50
    assert ("openai lists more pages than 50" in caplog.text) is cut


def test_a_list_that_came_encoded_unasked_is_decoded(start_gateway: Start, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        packed = gzip.compress(json.dumps({"data": [{"id": "a"}]}).encode())
        await call.respond(200, packed, [("content-encoding", "gzip")])

    provider.script = script
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    assert gateway.request("GET", "/v1/models").json()["data"][0]["id"] == "openai/a"
