"""Agents that misbehave, gateways that have some, and what never leaves for another origin."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
import requests
from facade import Clients

from fakes.provider import Call, FakeProvider
from inference_gateway import (
    A2AError,
    A2AInternalError,
    AsyncInferenceGatewayClient,
    BadGatewayError,
    IncompleteStreamError,
    InferenceGatewayAPIError,
    InferenceGatewayClient,
    InferenceGatewayConnectionError,
    InferenceGatewayTimeoutError,
    ResponseValidationError,
    StreamError,
    Timeout,
)

TASK = {"id": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_COMPLETED"}}
WORKING = {"task": {**TASK, "status": {"state": "TASK_STATE_WORKING"}}}
DONE = {"statusUpdate": {"taskId": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_COMPLETED"}}}
Start = Callable[..., FakeProvider]
Script = Callable[[Call], Awaitable[None]]


def card(url: str, /, **more: Any) -> dict[str, Any]:
    offered = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return {"name": "A", "description": "d", "version": "1", "supportedInterfaces": [offered], **more}


def reply(call: Call, result: object = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.json()["id"], "result": result, **more}


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@pytest.fixture
def speak(make_client: Clients, start_provider: Start) -> Callable[..., Any]:
    """Speak to an agent that follows a script, without a card."""

    def start(script: Script, **options: Any) -> Any:
        url = start_provider(script).url
        return make_client("http://127.0.0.1:9/v1", "gateway-key", **options).a2a.agent(url, protocol="1.0")

    return start


# ---- what stays with the gateway -------------------------------------------------------------------------

SECRETS = {"X-Team-Key": "team-secret"}


async def agent_with_card(call: Call) -> None:
    if call.method == "GET":
        await call.respond_json(card("/rpc"))
    else:
        await call.respond_json(reply(call, {"task": TASK}))


def nothing_told(agent: FakeProvider) -> None:
    assert [call.method for call in agent.calls] == ["GET", "POST"]
    for call in agent.calls:
        assert not {"authorization", "x-team-key", "cookie"} & call.headers.keys()
        assert "secret" not in call.head.decode()
        assert "gateway-key" not in call.head.decode()
    assert agent.calls[1].headers["a2a-version"] == "1.0"


def test_another_origin_gets_nothing_of_the_gateways(make_client: Clients, start_provider: Start) -> None:
    agent = start_provider(agent_with_card)
    client = make_client(
        "http://127.0.0.1:9/v1", "gateway-key", default_headers=SECRETS, default_query={"k": "secret"}
    )
    assert client.a2a.agent(agent.url).send_message("hi").id == "t-1"
    nothing_told(agent)


def test_nor_what_an_http_client_of_the_users_has_for_it(start_provider: Start) -> None:
    headers = {"Authorization": "Bearer gateway-key", **SECRETS}
    for use_httpx in (False, True):
        agent = start_provider(agent_with_card)
        if use_httpx:
            http: Any = httpx2.Client(headers=headers, params={"k": "secret"}, auth=("u", "secret"))
        else:
            http = requests.Session()
            http.headers.update(headers)
            http.params, http.auth = {"k": "secret"}, ("u", "secret")
        with http, InferenceGatewayClient("http://127.0.0.1:9/v1", http_client=http) as client:
            assert client.a2a.agent(agent.url).send_message("hi").id == "t-1"
        nothing_told(agent)


async def test_nor_an_async_one(start_provider: Start) -> None:
    agent = start_provider(agent_with_card)
    headers = {"Authorization": "Bearer gateway-key", **SECRETS}
    async with httpx2.AsyncClient(headers=headers, auth=("u", "secret")) as http:
        client = AsyncInferenceGatewayClient("http://127.0.0.1:9/v1", http_client=http)
        assert (await client.a2a.agent(agent.url).send_message("hi")).id == "t-1"
    nothing_told(agent)


def test_an_agent_gets_the_headers_that_are_its_own(make_client: Clients, start_provider: Start) -> None:
    agent = start_provider(agent_with_card)
    headers = {"Authorization": "Bearer agent-key"}
    make_client("http://127.0.0.1:9/v1", "gateway-key").a2a.agent(agent.url, headers=headers).send_message(
        "hi"
    )
    assert [call.headers["authorization"] for call in agent.calls] == ["Bearer agent-key"] * 2


def test_no_redirect_is_followed(make_client: Clients, start_provider: Start) -> None:
    elsewhere = start_provider(agent_with_card)

    async def redirect(call: Call) -> None:
        await call.respond(307, b"", [("location", elsewhere.url + "/rpc")])

    start = start_provider(redirect)
    a2a = make_client(start.url, "gateway-key").a2a
    for ask in (
        a2a.list_agents,
        a2a.agent("one").card,
        lambda: a2a.agent(start.url).send_message("hi"),
        lambda: a2a.agent("one", protocol="1.0").send_message("hi"),
        lambda: list(a2a.agent("one", protocol="1.0").stream_message("hi")),
    ):
        with pytest.raises(InferenceGatewayAPIError) as caught:
            ask()
        assert caught.value.status_code == 307
    assert elsewhere.calls == []


def test_a_card_that_leads_elsewhere_is_refused_unless_allowed(
    make_client: Clients, start_provider: Start
) -> None:
    elsewhere = start_provider(agent_with_card)

    async def script(call: Call) -> None:
        await call.respond_json(card(elsewhere.url + "/rpc"))

    start = start_provider(script)
    a2a = make_client("http://127.0.0.1:9/v1").a2a
    with pytest.raises(ResponseValidationError, match=r"leads to another origin.*allow_other_origin=True"):
        a2a.agent(start.url).send_message("hi")
    assert elsewhere.calls == []
    assert a2a.agent(start.url, allow_other_origin=True).send_message("hi").id == "t-1"


@pytest.mark.parametrize(
    "offer",
    [
        {"supportedInterfaces": []},
        {"supportedInterfaces": [{"url": "/x", "protocolBinding": "GRPC", "protocolVersion": "1.0"}]},
        {"supportedInterfaces": [{"url": "/x", "protocolBinding": "JSONRPC", "protocolVersion": "9.0"}]},
        {"supportedInterfaces": [], "url": "/x", "preferredTransport": "HTTP+JSON"},
        {"supportedInterfaces": [{"url": "file:///etc/passwd", "protocolBinding": "JSONRPC"}]},
        {"supportedInterfaces": "nonsense"},
    ],
)
def test_a_card_without_a_usable_interface_says_so(
    make_client: Clients, start_provider: Start, offer: dict[str, Any]
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(card("/rpc", **offer))

    with pytest.raises(ResponseValidationError, match=r"JSON-RPC|https://host|supportedInterfaces"):
        make_client("http://127.0.0.1:9/v1").a2a.agent(start_provider(script).url).send_message("hi")


def test_the_newest_dialect_of_a_card_is_spoken(make_client: Clients, start_provider: Start) -> None:
    old = {"url": "/old", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    both = [old, {**old, "url": "/new", "protocolVersion": "1.0.1"}]

    async def script(call: Call) -> None:
        if call.method == "GET":
            await call.respond_json(card("/", supportedInterfaces=both))
        else:
            await call.respond_json(reply(call, {"task": TASK}))

    agent = start_provider(script)
    make_client("http://127.0.0.1:9/v1").a2a.agent(agent.url).send_message("hi")
    assert agent.calls[-1].target == "/new"
    assert agent.calls[-1].json()["method"] == "SendMessage"


# ---- a gateway that has agents ---------------------------------------------------------------------------


async def gateway(call: Call) -> None:
    """The shapes of a gateway's `/a2a` endpoints."""
    shown = {"id": "shouter", "name": "Shouter", "state": "up", "version": "1", "skills": [{"name": "s"}]}
    answers = {
        "/v1/a2a/agents": {"object": "list", "data": [shown]},
        "/v1/a2a/agents/shouter": {"id": "shouter", "state": "down", "last_error": "e", "card": card("/")},
        "/a2a/shouter/.well-known/agent-card.json": card("https://public.example/a2a/shouter"),
    }
    if call.headers.get("authorization") != "Bearer gateway-key":
        await call.respond_json({"error": "no token"}, 401)
    elif call.method == "POST" and call.target == "/a2a/shouter":
        await call.respond_json(reply(call, {"task": TASK}))
    elif call.target in answers:
        await call.respond_json(answers[call.target])
    else:
        await call.respond_json({"error": "A2A is not exposed"}, 403)


def test_a_gateways_agents_are_listed_and_spoken_to(make_client: Clients, start_provider: Start) -> None:
    a2a = make_client(start_provider(gateway).url, "gateway-key").a2a
    [agent] = a2a.list_agents().data
    assert (agent.id, agent.name, agent.state, agent.skills[0].name) == ("shouter", "Shouter", "up", "s")
    described = a2a.get_agent("shouter")
    assert (described.name, described.state, described.last_error) == ("A", "down", "e")
    # Its card names the gateway's public address, and the client keeps to the one that it was given.
    assert a2a.agent("shouter").send_message("hi").id == "t-1"
    with pytest.raises(InferenceGatewayAPIError, match="A2A is not exposed"):
        a2a.agent("a/b").card()


# ---- answers that are none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "not JSON"),
        (b"[]", "no JSON-RPC 2.0 reply"),
        (b'{"jsonrpc": "1.0", "result": {}}', "no JSON-RPC 2.0 reply"),
        (b'{"jsonrpc": "2.0", "id": "another", "result": {}}', "to another request"),
        (b'{"jsonrpc": "2.0", "result": {}}', "to another request"),
        (b'{"jsonrpc": "2.0", "id": 1, "error": "oh"}', "an error that is none"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_reply_that_is_none_is_not_believed(speak: Callable[..., Any], body: bytes, problem: str) -> None:
    async def script(call: Call) -> None:
        await call.respond(200, body)

    with pytest.raises(ResponseValidationError, match=problem):
        speak(script).send_message("hi")


@pytest.mark.parametrize(
    "result",
    [None, 1, {}, {"task": {}}, {"task": TASK, "message": {}}, {"kind": "secret"}, {"kind": []}, DONE],
)
def test_nor_a_result_that_is_neither_task_nor_message(speak: Callable[..., Any], result: object) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, result))

    with pytest.raises(ResponseValidationError):
        speak(script).send_message("hi")


def test_an_error_under_an_error_status_is_the_agents_own(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        error = {"code": -32603, "message": "x" * 9999, "data": [1]}
        await call.respond_json({"jsonrpc": "2.0", "id": None, "error": error}, 500)

    agent = speak(script)
    for ask in (lambda: agent.send_message("hi"), lambda: list(agent.stream_message("hi"))):
        with pytest.raises(A2AInternalError) as caught:
            ask()
        assert (caught.value.status_code, caught.value.data) == (500, [1])
        assert len(str(caught.value)) < 600


def test_a_code_that_nobody_knows_is_an_error_still(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        await call.respond_json({"jsonrpc": "2.0", "id": call.json()["id"], "error": {"code": 7}})

    with pytest.raises(A2AError) as caught:
        speak(script).send_message("hi")
    assert caught.value.code == 7


def test_what_changes_something_is_sent_once_and_what_asks_again(
    start_provider: Start, make_client: Clients
) -> None:
    async def script(call: Call) -> None:
        await call.respond(502)

    provider = start_provider(script)
    client = make_client("http://127.0.0.1:9/v1", retry=2)
    agent = client.with_options(timeout=5).a2a.agent(provider.url, protocol="1.0")
    with pytest.raises(BadGatewayError):
        agent.send_message("hi")
    with pytest.raises(BadGatewayError):
        agent.cancel_task("t-1")
    assert len(provider.calls) == 2


def test_an_agent_that_hangs_is_not_waited_for(speak: Callable[..., Any]) -> None:
    async def hang(call: Call) -> None:
        await call.client_gone()

    agent = speak(hang, timeout=Timeout(total=0.2, read=0.2))
    for ask in (lambda: agent.send_message("hi"), lambda: list(agent.stream_message("hi"))):
        with pytest.raises(InferenceGatewayTimeoutError):
            ask()


# ---- streams ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["orderly", "reset", "half an event"])
def test_a_stream_that_is_cut_raises(speak: Callable[..., Any], ending: str) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        if ending == "half an event":
            await call.piece(event(reply(call, DONE))[:-2])
        if ending == "reset":
            call.close()
        else:
            await call.end_stream()

    stream = speak(script).stream_message("hi")
    assert next(stream).status.state == "working"
    for _ in range(2):
        with pytest.raises(IncompleteStreamError):
            next(stream)


def test_a_stream_that_stalls_raises(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        await call.client_gone()

    stream = speak(script, stream_idle_timeout=0.2).stream_message("hi")
    assert next(stream).status.state == "working"
    with pytest.raises(InferenceGatewayTimeoutError):
        next(stream)


def test_a_stream_ends_with_its_task_though_the_agent_holds_on(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(b": still here\n\n" + event(reply(call, WORKING)) + event(reply(call, DONE)))
        await call.client_gone()

    assert [each.status.state for each in speak(script).stream_message("hi")] == ["working", "completed"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"data: {\n\n", "not JSON"),
        (b"data: 7\n\n", "no JSON-RPC 2.0 reply"),
        (event({"jsonrpc": "2.0", "id": "another", "result": WORKING}), "to another request"),
        (b"data: " + b"x" * (17 * 1024 * 1024), "larger than"),
    ],
)
def test_an_event_that_is_none_raises(speak: Callable[..., Any], data: bytes, problem: str) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(data)
        await call.end_stream()

    with pytest.raises(StreamError, match=problem):
        list(speak(script).stream_message("hi"))


def test_an_error_in_a_stream_is_the_agents_own(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        refused = {"jsonrpc": "2.0", "id": call.json()["id"], "error": {"code": -32603, "message": "oh"}}
        await call.stream([event(reply(call, WORKING)), event(refused)])

    stream = speak(script).stream_message("hi")
    assert next(stream).id == "t-1"
    with pytest.raises(A2AInternalError, match="oh"):
        next(stream)


def test_a_page_in_place_of_a_stream_is_none(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi")

    with pytest.raises(ResponseValidationError, match="asked for a stream, got text/html"):
        list(speak(script).stream_message("hi"))


@pytest.mark.parametrize(("result", "whole"), [({"task": TASK}, True), (WORKING, False)])
def test_one_reply_in_place_of_a_stream_is_its_only_piece(
    speak: Callable[..., Any], result: object, whole: bool
) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, result))

    stream = speak(script).stream_message("hi")
    assert next(stream).id == "t-1"
    with pytest.raises(StopIteration if whole else IncompleteStreamError):
        next(stream)


def test_a_stream_that_was_closed_is_not_whole(speak: Callable[..., Any]) -> None:
    async def script(call: Call) -> None:
        await call.stream([event(reply(call, WORKING)), event(reply(call, DONE))])

    agent = speak(script)
    with agent.stream_message("hi") as stream:
        assert next(stream).id == "t-1"
    with pytest.raises(IncompleteStreamError, match="closed before its end"):
        next(stream)
    with agent.stream_message("never sent"):
        pass


def test_an_agent_that_is_not_there_is_no_stream_that_was_cut(make_client: Clients) -> None:
    agent = make_client("http://127.0.0.1:9/v1").a2a.agent("http://127.0.0.1:9", protocol="1.0")
    with pytest.raises(InferenceGatewayConnectionError) as caught:
        list(agent.stream_message("hi"))
    assert type(caught.value) is InferenceGatewayConnectionError
