"""Agents as the gateway's clients see them."""

import json
from typing import Any

import pytest

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from fakes.provider import Call
from inference_gateway.server.api.agents import public_url
from inference_gateway.server.settings import ServerSettings
from server.a2a.conftest import MESSAGE, OLD_MESSAGE, TASK, Speak, Start, StartAgent, ask, reply

Run = Any


async def done(call: Call) -> None:
    """Answer every request with a task that is done."""
    await call.respond_json(reply(call, {"task": TASK}))


@pytest.fixture
def gateway(start: Start, agents: Agents) -> FakeGateway:
    return start(f"{agents.url}/new", f"{agents.url}/old")


# ---- what there is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_agents_are_listed_in_their_order(gateway: FakeGateway, prefix: str) -> None:
    listed = gateway.request("GET", f"{prefix}/a2a/agents").json()
    assert listed["object"] == "list"
    [new, old] = listed["data"]
    assert (new["id"], new["name"], new["version"]) == ("shouter", "Shouter", "1.2.3")
    assert (new["state"], new["dialects"], new["last_error"]) == ("available", ["1.0"], None)
    assert new["url"] == f"{gateway.url}/a2a/shouter"
    assert new["skills"][0]["name"] == "Shout"
    assert (old["id"], old["dialects"]) == ("old-shouter", ["0.3"])


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_one_agent_is_described_with_its_card(gateway: FakeGateway, prefix: str) -> None:
    described = gateway.request("GET", f"{prefix}/a2a/agents/shouter").json()
    assert described["state"] == "available"
    assert described["card"]["url"] == described["url"]
    assert gateway.request("GET", f"{prefix}/a2a/agents/nobody").status == 404
    assert gateway.request("POST", f"{prefix}/a2a/nobody", {}).status == 404


def test_an_agent_that_is_down_is_listed_with_the_reason(start: Start) -> None:
    [agent] = start("http://127.0.0.1:9/x").request("GET", "/a2a/agents").json()["data"]
    assert agent["id"] == "127-0-0-1-9-x"
    assert agent["last_error"] == "its card cannot be fetched"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/a2a/agents"),
        ("GET", "/a2a/agents/x"),
        ("GET", "/a2a/x/.well-known/agent-card.json"),
        ("POST", "/a2a/x"),
    ],
)
def test_what_is_not_exposed_is_refused(start_gateway: Start, method: str, path: str) -> None:
    for settings in ({"A2A_ENABLED": "true"}, {}):
        answer = start_gateway(**settings).request(method, path)
        assert answer.status == 403
        assert "A2A_EXPOSE" in answer.json()["error"]


def test_exposing_nothing_is_an_empty_list(start_gateway: Start) -> None:
    gateway = start_gateway(A2A_EXPOSE="true")
    assert gateway.request("GET", "/a2a/agents").json() == {"object": "list", "data": []}
    assert gateway.request("POST", "/a2a/x", {}).status == 404


def test_no_agents_are_listed_at_once(start: Start) -> None:
    assert start().request("GET", "/a2a/agents").json()["data"] == []


def test_the_list_is_no_agent(gateway: FakeGateway) -> None:
    assert gateway.request("POST", "/a2a/agents", {}).status == 405
    assert gateway.request("GET", "/a2a/shouter").status == 405


def test_callers_must_say_who_they_are_as_for_everything(start: Start, agents: Agents) -> None:
    gateway = start(f"{agents.url}/new", AUTH_API_KEYS="a-key-of-sixteen-letters")
    path = "/a2a/shouter/.well-known/agent-card.json"
    assert gateway.request("GET", path).status == 401
    shown = gateway.request("GET", path, headers={"authorization": "Bearer a-key-of-sixteen-letters"}).json()
    assert shown["security"] == [{"gateway": []}]
    assert shown["securityRequirements"] == [{"schemes": {"gateway": {"list": []}}}]
    assert shown["securitySchemes"]["gateway"]["httpAuthSecurityScheme"]["scheme"] == "Bearer"


# ---- cards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["agent-card.json", "agent.json"])
@pytest.mark.parametrize("agent", ["shouter", "old-shouter"])
def test_a_card_leads_to_the_gateway_and_nowhere_else(
    gateway: FakeGateway, agents: Agents, agent: str, file: str
) -> None:
    answer = gateway.request("GET", f"/a2a/{agent}/.well-known/{file}", headers={"host": "evil.example"})
    assert agents.url.encode() not in answer.body
    assert b"evil" not in answer.body
    card = answer.json()
    assert card["url"] == f"{gateway.url}/a2a/{agent}"
    assert {offer["url"] for offer in card["supportedInterfaces"]} == {card["url"]}
    assert [offer["protocolVersion"] for offer in card["supportedInterfaces"]] == (
        ["0.3", "1.0"] if agent == "old-shouter" else ["1.0", "0.3"]
    )


def test_a_card_is_written_as_the_reader_speaks(gateway: FakeGateway) -> None:
    def card(version: str) -> dict[str, Any]:
        path = "/a2a/shouter/.well-known/agent-card.json"
        shown: dict[str, Any] = gateway.request("GET", path, headers={"a2a-version": version}).json()
        return shown

    new, old = card("1.0"), card("0.3")
    assert "supportedInterfaces" in new
    assert "url" not in new
    assert new["capabilities"]["extendedAgentCard"] is True
    assert "supportedInterfaces" not in old
    assert old["protocolVersion"] == "0.3.0"
    assert old["supportsAuthenticatedExtendedCard"] is True
    assert "extendedAgentCard" not in old["capabilities"]


def test_what_a_card_says_of_its_own_security_is_left_out(start: Start, start_agent: StartAgent) -> None:
    secured = {
        "securitySchemes": {"its": {"apiKeySecurityScheme": {"name": "k", "location": "header"}}},
        "securityRequirements": [{"schemes": {"its": {"list": []}}}],
        "signatures": [{"protected": "x", "signature": "y"}],
        "skills": [{"id": "s", "name": "S", "security": [{"its": []}], "securityRequirements": []}],
        "x-more": {"kept": True},
    }
    gateway = start(start_agent(done, **secured).url, SERVER_PUBLIC_URL="https://agents.example/gw/")
    card = gateway.request("GET", "/a2a/scripted/.well-known/agent-card.json").json()
    assert card["url"] == "https://agents.example/gw/a2a/scripted"
    assert not {"securitySchemes", "securityRequirements", "security", "signatures"} & card.keys()
    assert card["skills"] == [{"id": "s", "name": "S"}]
    assert card["x-more"] == {"kept": True}


@pytest.mark.parametrize(
    ("settings", "port", "url"),
    [
        ({}, 8080, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0"}, 80, "http://localhost"),
        ({"host": "::"}, 81, "http://localhost:81"),
        ({"host": "::1"}, 81, "http://[::1]:81"),
        ({"host": "gw.example", "tls_cert_path": "c"}, 443, "https://gw.example"),
        ({"host": "gw.example", "public_url": "https://x/y"}, 443, "https://x/y"),
    ],
)
def test_the_gateways_own_url_is_that_of_its_settings(settings: dict[str, str], port: int, url: str) -> None:
    assert public_url(ServerSettings(**settings), port) == url  # type: ignore[arg-type]


def test_listening_everywhere_wants_to_know_how_it_is_reached(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    open_to_all = {"SERVER_HOST": "0.0.0.0", "SERVER_ALLOW_UNAUTHENTICATED": "true"}
    start(**open_to_all)
    assert "SERVER_PUBLIC_URL is not set" in caplog.text


def test_a_card_that_was_never_read_cannot_be_shown(start: Start) -> None:
    answer = start("http://127.0.0.1:9/x").request("GET", "/a2a/127-0-0-1-9-x/.well-known/agent-card.json")
    assert answer.status == 502
    assert "its card cannot be fetched" in answer.json()["error"]


# ---- JSON-RPC --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "id"),
    [
        (b"{", -32700, None),
        (b"\xff", -32700, None),
        (b"", -32700, None),
        (b"[]", -32600, None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]', -32600, None),
        (b'"x"', -32600, None),
        (b'{"jsonrpc":"2.0","method":"GetTask","params":{}}', -32600, None),
        (b'{"jsonrpc":"2.0","id":{},"method":"GetTask"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"GetTask"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"GetTask"}', -32600, None),
        (b'{"id":1,"method":"GetTask"}', -32600, 1),
        (b'{"jsonrpc":"1.0","id":"a","method":"GetTask"}', -32600, "a"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":2}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"GetTask"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":[1]}', -32602, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"message/send","params":{}}', -32602, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"tasks/sing"}', -32601, 1),
    ],
)
def test_what_is_no_request_is_refused_and_not_sent(
    start: Start, start_agent: StartAgent, body: bytes, code: int, id: object
) -> None:
    agent = start_agent(done)
    answer = start(agent.url).request("POST", "/a2a/scripted", body)
    assert answer.status == 200
    told = answer.json()
    assert (told["jsonrpc"], told["id"], told["error"]["code"]) == ("2.0", id, code)
    assert all(call.method == "GET" for call in agent.calls)


@pytest.mark.parametrize("id", ['"a\\u00e9"', "123456789012345678901234567890", "-1", "null", '""'])
def test_an_id_comes_back_as_it_was_written(speak: Run, id: str) -> None:
    gateway = speak(done)
    body = f'{{"jsonrpc":"2.0","id":{id},"method":"tasks/get","params":{{"id":"x"}}}}'.encode()
    # A reply that has to be translated is written by the gateway.
    assert gateway.request("POST", "/a2a/scripted", body).body.startswith(
        b'{"jsonrpc":"2.0","id":%b,' % id.encode()
    )


def test_bytes_of_one_dialect_are_not_touched(speak: Run) -> None:
    body = b'{ "jsonrpc" : "2.0", "id":1e0 , "method":"GetTask", "params": {"id":"t", "x-more": 1.0E5 } }'
    body = body.replace(b"1e0 ", b"1")
    written = b'{"jsonrpc":"2.0", "id":1,\n "result":{"id":"t","status":{},"more":1e5}}'
    seen: list[bytes] = []

    async def script(call: Call) -> None:
        seen.append(call.body)
        await call.respond(200, written)

    answer = speak(script).request("POST", "/a2a/scripted", body)
    assert answer.body == written
    assert seen == [body]


def test_a_method_of_its_own_reaches_an_agent_of_the_callers_dialect(speak: Run) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, ["sung"]))

    gateway = speak(script)
    sung = ask(gateway, "x/sing", headers={"a2a-version": "1.0"})
    assert sung.json()["result"] == ["sung"]
    assert ask(gateway, "x/sing").json()["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("method", "version", "code"),
    [
        ("GetTask", "2.0", -32009),
        ("GetTask", "x", -32009),
        ("GetTask", "0.3", -32601),
        ("tasks/get", "1.0", -32601),
        ("GetTask", "", None),
        ("GetTask", "1.1", None),
        ("tasks/get", "0.3.0", None),
    ],
)
def test_the_version_that_is_announced_holds(speak: Run, method: str, version: str, code: int | None) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, TASK))

    told = ask(speak(script), method, {"id": "t-1"}, headers={"a2a-version": version}).json()
    assert told.get("error", {}).get("code") == code


def test_a_compressed_body_is_refused(speak: Run) -> None:
    answer = speak(done).request("POST", "/a2a/scripted", b"x", {"content-encoding": "gzip"})
    assert answer.status == 415


def test_a_body_that_is_too_large_is_refused(speak: Run) -> None:
    gateway = speak(done, settings={"SERVER_MAX_REQUEST_BODY_SIZE": "1000"})
    assert ask(gateway, "SendMessage", {"message": {**MESSAGE, "x": "y" * 1000}}).status == 413


# ---- what goes along, and what does not ------------------------------------------------------------------

GIVEN = {
    "authorization": "Bearer canary-caller",
    "cookie": "canary=1",
    "x-api-key": "canary-key",
    "forwarded": "for=canary",
    "x-forwarded-for": "canary",
    "openai-organization": "canary-organization",
    "x-secret": "canary",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "a2a-extensions": "https://x.example/a",
}


def test_callers_credentials_stay_here_and_agents_are_put_in(
    start_gateway: Start, start_agent: StartAgent, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    async def script(call: Call) -> None:
        fields = [
            ("set-cookie", "canary=2"),
            ("x-internal", "canary"),
            ("a2a-extensions", "https://x.example/b"),
        ]
        await call.respond_json(reply(call, {"task": TASK}), headers=[*fields, ("retry-after", "3")])

    agent = start_agent(script)
    config = tmp_path / "gateway.yaml"
    own = "token: agents-token, headers: {X-Team: red, Traceparent: no}"
    config.write_text(f"a2a: {{agents: [{{url: '{agent.url}', {own}}}]}}")
    gateway = start_gateway(config=str(config), A2A_ENABLED="true", A2A_EXPOSE="true")
    answer = ask(gateway, "SendMessage", headers=GIVEN)
    sent = agent.calls[-1]
    assert "canary" not in sent.head.decode() + sent.body.decode()
    assert [value for name, value in sent.fields if name == "authorization"] == ["Bearer agents-token"]
    assert sent.headers["x-team"] == "red"
    assert [value for name, value in sent.fields if name == "traceparent"] == ["no"]
    assert sent.headers["a2a-extensions"] == "https://x.example/a"
    assert sent.headers["a2a-version"] == "1.0"
    assert "canary" not in json.dumps(answer.headers) + answer.body.decode()
    assert answer.headers["a2a-extensions"] == "https://x.example/b"
    assert answer.headers["retry-after"] == "3"
    card_request = agent.calls[0]
    assert card_request.headers["authorization"] == "Bearer agents-token"
    shown = gateway.request("GET", "/a2a/agents/scripted").body.decode()
    assert "agents-token" not in shown + caplog.text + repr(gateway.server._gateway)
    assert "canary" not in caplog.text


def test_extensions_go_by_the_name_that_each_dialect_has_for_them(speak: Run) -> None:
    seen: list[Call] = []

    async def script(call: Call) -> None:
        seen.append(call)
        await call.respond_json(reply(call, {"kind": "task", **TASK, "status": {"state": "completed"}}))

    ask(speak(script, version="0.3"), "SendMessage", headers={"a2a-extensions": "https://x.example/a"})
    assert seen[0].headers["x-a2a-extensions"] == "https://x.example/a"
    assert "a2a-extensions" not in seen[0].headers


def test_the_tenant_that_a_card_names_is_told_to_its_agent(start: Start, start_provider: Any) -> None:
    seen: list[Any] = []

    async def script(call: Call) -> None:
        if call.method == "GET":
            offer = {"url": "/v1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "acme"}
            await call.respond_json({"name": "Scripted", "supportedInterfaces": [offer]})
            return
        seen.append(call.json())
        await call.respond_json(reply(call, {"task": TASK}))

    gateway = start(start_provider(script).url)
    ask(gateway, "SendMessage", {"message": MESSAGE, "tenant": "another"})
    ask(gateway, "message/send", {"message": OLD_MESSAGE})
    assert [each["params"]["tenant"] for each in seen] == ["acme", "acme"]
    assert b"acme" not in gateway.request("GET", "/a2a/scripted/.well-known/agent-card.json").body


# ---- errors of agents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["SendMessage", "message/send"])
def test_what_an_agent_refuses_keeps_its_code_message_and_data(speak: Run, method: str) -> None:
    async def script(call: Call) -> None:
        error = {"code": -32001, "message": "no such task", "data": [{"@type": "x", "reason": "GONE"}]}
        await call.respond_json({"jsonrpc": "2.0", "id": call.json()["id"], "error": error})

    message = OLD_MESSAGE if "/" in method else MESSAGE
    answer = ask(speak(script), method, {"message": message})
    assert answer.status == 200
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -32001, "message": "no such task", "data": [{"@type": "x", "reason": "GONE"}]},
    }


def test_an_agent_that_is_down_is_an_error_in_both_languages(start: Start) -> None:
    answer = start("http://127.0.0.1:9/x").request(
        "POST",
        "/a2a/127-0-0-1-9-x",
        {"jsonrpc": "2.0", "id": "q", "method": "GetTask", "params": {"id": "t"}},
    )
    assert answer.status == 502
    assert (answer.json()["id"], answer.json()["error"]["code"]) == ("q", -32603)


def respond(status: int, body: bytes, kind: str = "application/json") -> Speak:
    async def script(call: Call) -> None:
        await call.respond(status, body, [("content-type", kind)])

    return script


@pytest.mark.parametrize(
    ("script", "status", "code", "data"),
    [
        (respond(503, b"<html>busy", "text/html"), 503, -32603, "<html>busy"),
        (respond(401, b'{"detail":"who?"}'), 401, -32603, {"detail": "who?"}),
        (respond(500, b""), 500, -32603, None),
        (respond(200, b"<html>", "text/html"), 502, -32006, None),
        (respond(200, b"[1]"), 502, -32006, None),
        (respond(200, b'{"jsonrpc":"2.0","id":7}'), 502, -32006, None),
        (respond(302, b""), 502, -32603, None),
    ],
)
@pytest.mark.parametrize("method", ["GetTask", "tasks/get"])
def test_what_is_no_reply_is_told_as_one(
    speak: Run, method: str, script: Speak, status: int, code: int, data: object
) -> None:
    answer = ask(speak(script), method, {"id": "t"})
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["id"], told["error"]["code"], told["error"].get("data")) == (7, code, data)


def test_an_extended_card_that_is_none_is_not_made_up(speak: Run) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, {"x": 1}))

    answer = ask(speak(script), "GetExtendedAgentCard", {})
    assert (answer.status, answer.json()["error"]["code"]) == (502, -32006)


def test_what_cannot_be_said_in_a_dialect_is_refused_and_not_dropped(speak: Run) -> None:
    sent: list[Call] = []

    async def script(call: Call) -> None:
        sent.append(call)
        await call.respond_json(reply(call, {"configs": [], "nextPageToken": "more"}))

    old = speak(script, version="0.3")
    assert ask(old, "ListTasks", {}).json()["error"]["code"] == -32004
    assert not sent
    new = speak(script)
    paged = ask(new, "tasks/pushNotificationConfig/list", {"id": "t"}).json()
    assert paged["error"]["code"] == -32004
    schemes = {"url": "http://x", "authentication": {"schemes": ["Basic", "Bearer"]}}
    several = {"taskId": "t", "pushNotificationConfig": schemes}
    refused = ask(new, "tasks/pushNotificationConfig/set", several).json()["error"]
    assert refused["code"] == -32602
    assert "schemes" in refused["message"]
