"""Lists of models: of every shape, at once, remembered, and honest about who does not answer."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from fakes.gateway import FakeGateway
from fakes.loops import PATIENCE
from fakes.provider import Call, FakeProvider, Script

Start = Callable[..., FakeGateway]
StartProvider = Callable[..., FakeProvider]


def listing(*names: str) -> Script:
    async def script(call: Call) -> None:
        await call.respond_json({"object": "list", "data": [{"id": name} for name in names]})

    return script


async def fails(call: Call) -> None:
    await call.respond_json({"error": "no"}, 500)


async def says_nothing(call: Call) -> None:
    await call.client_gone()


@pytest.fixture
def two(
    start_gateway: Start, start_provider: StartProvider
) -> Callable[..., tuple[FakeGateway, FakeProvider]]:
    """A gateway whose Mistral lists `a` and `b`, and whose OpenAI follows a script."""

    def start(script: Script, **environ: str) -> tuple[FakeGateway, FakeProvider]:
        mistral, openai = start_provider(listing("a", "b")), start_provider(script)
        environ = {"MISTRAL_API_URL": mistral.url, "OPENAI_API_URL": openai.url, **environ}
        return start_gateway(MISTRAL_API_KEY="k", OPENAI_API_KEY="k", **environ), openai

    return start


Two = Callable[..., tuple[FakeGateway, FakeProvider]]


def ids(gateway: FakeGateway, query: str = "") -> list[str]:
    reply = gateway.request("GET", f"/v1/models{query}")
    assert reply.status == 200
    assert reply.json()["object"] == "list"
    return [model["id"] for model in reply.json()["data"]]


def test_the_models_of_all_providers_come_in_a_stable_order(two: Two) -> None:
    gateway, _ = two(listing("z", "y"))
    assert ids(gateway) == ["mistral/a", "mistral/b", "openai/z", "openai/y"]
    assert ids(gateway, "?provider=") == ids(gateway)


def test_the_models_of_one_provider_come_with_its_name(two: Two) -> None:
    gateway, _ = two(listing("z"))
    reply = gateway.request("GET", "/v1/models?provider=openai")
    model = {"id": "openai/z", "object": "model", "created": 0, "owned_by": "openai", "served_by": "openai"}
    assert reply.json() == {"object": "list", "provider": "openai", "data": [model]}


@pytest.mark.parametrize("script", [fails, says_nothing])
def test_a_provider_that_does_not_answer_is_logged_and_left_out(
    two: Two, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, _ = two(script, MODELS_TIMEOUT="200ms")
    begun = time.monotonic()
    assert ids(gateway) == ["mistral/a", "mistral/b"]
    assert time.monotonic() - begun < 5
    assert "openai does not list its models" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"", b"5", b'{"data": 5}', b'{"error": "x"}', b'{"data": ["\xff"]}', b"[" * 50_000],
    ids=["html", "empty", "number", "no list", "error", "not utf-8", "deep"],
)
def test_an_answer_that_is_no_list_is_a_failure(two: Two, answer: bytes) -> None:
    async def script(call: Call) -> None:
        await call.respond(200, answer)

    gateway, _ = two(script)
    assert ids(gateway) == ["mistral/a", "mistral/b"]
    assert gateway.request("GET", "/v1/models?provider=openai").status == 502


def test_a_failing_provider_is_a_502_where_it_alone_is_asked(two: Two) -> None:
    gateway, _ = two(fails)
    reply = gateway.request("GET", "/v1/models?provider=openai")
    assert reply.status == 502
    assert "failed to list the models of 'openai'" in reply.json()["error"]


def test_a_slow_provider_is_a_504_where_it_alone_is_asked(two: Two) -> None:
    gateway, _ = two(says_nothing, MODELS_TIMEOUT="100ms")
    assert gateway.request("GET", "/v1/models?provider=openai").status == 504
    assert gateway.request("GET", "/v1/models/openai/x").status == 504


@pytest.mark.parametrize(("provider", "text"), [("groq", "GROQ_API_KEY"), ("x", "unknown provider 'x'")])
def test_a_provider_that_cannot_be_asked_is_a_400(two: Two, provider: str, text: str) -> None:
    gateway, _ = two(listing("z"))
    reply = gateway.request("GET", f"/v1/models?provider={provider}")
    assert reply.status == 400
    assert text in reply.json()["error"]


@pytest.mark.parametrize(
    ("include", "error"),
    [
        ("pricing", 'include value "pricing" is not available yet'),
        ("context_window,modalities", 'include value "context_window" is not available yet'),
        ("x", 'unknown include value "x"'),
        ("%20,a%20b", 'unknown include value "a b"'),
    ],
)
def test_what_cannot_be_included_is_a_400(two: Two, include: str, error: str) -> None:
    gateway, openai = two(listing("z"))
    reply = gateway.request("GET", f"/v1/models?include={include}&provider=nowhere")
    assert (reply.status, reply.json()) == (400, {"error": error})
    assert openai.calls == []


@pytest.mark.parametrize("include", ["zzz", "pricing"])
@pytest.mark.parametrize("path", ["openai/z", "z", "nothing"])
def test_what_cannot_be_included_with_a_single_model_is_a_400(two: Two, path: str, include: str) -> None:
    gateway, openai = two(listing("z"))
    reply = gateway.request("GET", f"/v1/models/{path}?include={include}")
    assert reply.status == 400
    assert f'include value "{include}"' in reply.json()["error"]
    assert openai.calls == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/openai/z"])
def test_a_query_of_more_parameters_than_are_read_is_a_400(two: Two, path: str) -> None:
    gateway, _ = two(listing("z"))
    query = "&".join(f"a{number}=1" for number in range(101))
    reply = gateway.request("GET", f"{path}?{query}")
    assert reply.status == 400
    assert "more than 100 parameters" in reply.json()["error"]


@pytest.mark.parametrize("include", ["", ",", "%20"])
def test_including_nothing_is_no_error(two: Two, include: str) -> None:
    gateway, _ = two(listing("z"))
    assert gateway.request("GET", f"/v1/models?include={include}").status == 200


def test_a_list_is_remembered(two: Two) -> None:
    gateway, openai = two(listing("z"))
    for query in ("", "?provider=openai", "", "/openai/z"):
        assert gateway.request("GET", f"/v1/models{query}").status == 200
    assert len(openai.calls) == 1


def test_a_list_is_asked_for_anew_where_nothing_is_remembered(two: Two) -> None:
    gateway, openai = two(listing("z"), MODELS_CACHE_TTL="0")
    for names in (["z"], ["y"], ["x", "w"]):
        openai.script = listing(*names)
        assert ids(gateway, "?provider=openai") == [f"openai/{name}" for name in names]
    assert len(openai.calls) == 3


def test_a_failure_is_forgotten_soon(two: Two) -> None:
    gateway, openai = two(fails, MODELS_CACHE_TTL="0")
    assert gateway.request("GET", "/v1/models?provider=openai").status == 502
    openai.script = listing("z")
    assert ids(gateway, "?provider=openai") == ["openai/z"]


@pytest.mark.own_server(reason="it counts tasks to know that all have asked, and uvicorn has more of its own")
def test_clients_that_ask_at_once_wait_for_one_answer(two: Two) -> None:
    go = threading.Event()

    async def script(call: Call) -> None:
        await asyncio.to_thread(go.wait, PATIENCE)
        await listing("z")(call)

    gateway, openai = two(script, MODELS_CACHE_TTL="0")
    idle = gateway.tasks()
    replies: list[list[str]] = []
    clients = [
        threading.Thread(target=lambda: replies.append(ids(gateway, "?provider=openai"))) for _ in range(5)
    ]
    for client in clients:
        client.start()
    # Each client's own task, and the one that asks.
    while gateway.tasks() < idle + 6 and any(client.is_alive() for client in clients):
        continue
    go.set()
    for client in clients:
        client.join(PATIENCE)
    assert replies == [["openai/z"]] * 5
    assert len(openai.calls) == 1


@pytest.mark.parametrize("path", ["openai/z", "openai%2Fz", "openai%2fz", "z", "%7A"])
def test_a_model_is_described(two: Two, path: str) -> None:
    gateway, _ = two(listing("z"))
    reply = gateway.request("GET", f"/v1/models/{path}")
    model = {"id": "openai/z", "object": "model", "created": 0, "owned_by": "openai", "served_by": "openai"}
    assert (reply.status, reply.json()) == (200, model)


@pytest.mark.parametrize(
    "path", ["openai/meta/x/1", "openai%2Fmeta%2Fx%2F1", "openai/meta%2Fx/1", "meta/x/1"]
)
def test_a_models_name_may_have_slashes(two: Two, path: str) -> None:
    gateway, _ = two(listing("meta/x/1"))
    assert gateway.request("GET", f"/v1/models/{path}").json()["id"] == "openai/meta/x/1"


@pytest.mark.parametrize("path", ["openai/nothing", "nothing", "nothing/at/all", "openai/", "%ff"])
def test_a_model_that_is_not_listed_is_a_404(two: Two, path: str) -> None:
    gateway, _ = two(listing("z"))
    reply = gateway.request("GET", f"/v1/models/{path}")
    assert reply.status == 404
    assert "listed here" in reply.json()["error"]


def test_a_name_that_two_providers_list_is_a_400_that_says_which(two: Two) -> None:
    gateway, _ = two(listing("a"))
    reply = gateway.request("GET", "/v1/models/a")
    assert reply.status == 400
    assert "mistral/a or openai/a" in reply.json()["error"]


def test_a_head_request_gets_the_head_of_the_list(two: Two) -> None:
    gateway, _ = two(listing("z"))
    reply, full = (gateway.request(method, "/v1/models") for method in ("HEAD", "GET"))
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(full.body))
