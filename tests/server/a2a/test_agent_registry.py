"""Which agents there are, what they are called, and how they come and go."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.loops import PATIENCE
from fakes.provider import Call, FakeProvider
from inference_gateway.server.a2a.registry import marked, slug
from server.a2a.conftest import TASK, Speak, Start, StartAgent, ask, card, reply

SOON = {"A2A_INITIAL_BACKOFF": "0", "A2A_RECONNECT_INTERVAL": "0", "A2A_REFRESH_INTERVAL": "0"}


async def nothing(call: Call) -> None:
    """Answer nothing to whom nobody speaks."""


def showing(*answers: Any) -> Speak:
    """Answer each request for a card with the next of these; the last one stays."""
    left = list(answers)

    async def script(call: Call) -> None:
        if call.method == "POST":
            await call.respond_json(reply(call, {"task": TASK}))
            return
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, int):
            await call.respond_json({}, answer)
        elif isinstance(answer, bytes):
            await call.respond(200, answer)
        else:
            await call.respond_json(answer)

    return script


def listed(gateway: FakeGateway) -> list[dict[str, Any]]:
    agents: list[dict[str, Any]] = gateway.request("GET", "/a2a/agents").json()["data"]
    return agents


def ids(gateway: FakeGateway) -> list[str]:
    return [agent["id"] for agent in listed(gateway)]


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Weather agent", "weather-agent"),
        ("  A/B\\C?d=1#é ", "a-b-c-d-1"),
        ("天気", "agent"),
        ("x" * 100, "x" * 48),
        ("a" * 47 + "-b", "a" * 47),
    ],
)
def test_an_id_is_made_of_a_name(name: str, id: str) -> None:
    assert slug(name) == id
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(name))
    assert len(marked(slug(name), "http://x")) <= 48


def test_agents_of_one_name_are_told_apart_and_stay_so(start: Start, start_agent: StartAgent) -> None:
    first, second = start_agent(nothing), start_agent(nothing)
    gateway = start(first.url, second.url)
    assert ids(gateway) == ["scripted", marked("scripted", second.url)]
    # The same at each start, whoever is faster.
    assert ids(start(first.url, second.url)) == ids(gateway)


def test_a_name_that_is_configured_comes_before_all_others(
    start_gateway: Start, start_agent: StartAgent, tmp_path: Path
) -> None:
    first, second = start_agent(nothing), start_agent(nothing)
    config = tmp_path / "gateway.yaml"
    config.write_text(f"a2a: {{agents: ['{first.url}', {{url: '{second.url}', name: Scripted}}]}}")
    gateway = start_gateway(config=str(config), A2A_ENABLED="true", A2A_EXPOSE="true")
    assert ids(gateway) == [marked("scripted", first.url), "scripted"]


def test_the_name_of_the_list_is_not_given_away(start: Start, start_provider: Any) -> None:
    agent = start_provider(showing({**card("/v1"), "name": "Agents"}))
    assert ids(start(agent.url)) == [marked("agents", agent.url)]


def test_an_agent_keeps_its_id_when_its_card_changes(start: Start, start_provider: Any) -> None:
    renamed = {**card("/v1"), "name": "Renamed", "description": "new"}
    gateway = start(start_provider(showing(card("/v1"), renamed)).url, **SOON)
    assert ids(gateway) == ["scripted"]
    eventually(lambda: listed(gateway)[0]["name"] == "Renamed")
    assert ids(gateway) == ["scripted"]
    assert listed(gateway)[0]["description"] == "new"


def test_an_agent_is_found_by_its_url_as_well(start: Start, start_agent: StartAgent) -> None:
    agent = start_agent(nothing)
    gateway = start(agent.url)
    assert ids(gateway) == ["scripted"]
    described = gateway.request("GET", f"/a2a/agents/127-0-0-1-{agent.port}-v1").json()
    assert described["id"] == "scripted"


def test_the_older_path_of_cards_is_known(start: Start, start_provider: Any) -> None:
    async def script(call: Call) -> None:
        if call.target == "/v1/.well-known/agent.json":
            await call.respond_json(card("/v1"))
        else:
            await call.respond_json({}, 404)

    assert listed(start(start_provider(script).url))[0]["state"] == "available"


def test_a_url_may_be_that_of_the_card(start: Start, start_provider: Any) -> None:
    async def script(call: Call) -> None:
        assert call.target == "/v1/its/card.json"
        await call.respond_json(card("../speak"))

    agent = start_provider(script)
    [described] = listed(start(f"{agent.url}/its/card.json"))
    assert described["state"] == "available"


# ---- agents that are not well ----------------------------------------------------------------------------


def test_a_gateway_starts_although_no_agent_answers(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        gateway = start(f"http://127.0.0.1:{mute.getsockname()[1]}", "http://127.0.0.1:9")
        assert gateway.request("GET", "/health").status == 200
        [hanging, missing] = listed(gateway)
    assert hanging["state"] == "connecting"
    assert missing["last_error"] == "its card cannot be fetched"


def test_an_agent_that_comes_back_is_back_by_itself(start: Start, start_provider: Any) -> None:
    gateway = start(start_provider(showing(503, 503, 503, card("/v1"))).url, **SOON, A2A_MAX_RETRIES="1")
    eventually(lambda: listed(gateway)[0]["state"] == "available")
    assert ids(gateway) == ["scripted"]
    assert ask(gateway, "GetTask", {"id": "t"}).json()["result"] == {"task": TASK}


def test_who_comes_back_is_counted(start: Start, start_provider: Any) -> None:
    answers = showing(card("/v1"), 503, 503, card("/v1"), 503, 503, card("/v1"))
    gateway = start(start_provider(answers).url, **SOON, A2A_MAX_RETRIES="1")
    registry = gateway.server._gateway.a2a
    assert registry is not None
    [agent] = registry.listed()
    eventually(lambda: agent.reconnects == 2 and agent.state == "available")


def test_how_agents_are_is_measured(start: Start, start_provider: Any) -> None:
    measured = {"TELEMETRY_ENABLED": "true", "TELEMETRY_METRICS_PORT": "0"}
    agent = start_provider(showing(card("/v1"), 503, 503, card("/v1")))
    gateway = start(agent.url, **SOON, **measured, A2A_MAX_RETRIES="1")
    labels = {"kind": "a2a", "server": f"127-0-0-1-{agent.port}-v1"}

    def told(name: str) -> float:
        return gateway.metrics().total(f"inference_gateway_tool_server_{name}", **labels)

    eventually(lambda: told("reconnects_total") == 1)
    assert told("up") == 1


def test_one_url_twice_is_two_agents(start_gateway: Start, start_agent: StartAgent, tmp_path: Path) -> None:
    agent = start_agent(nothing)
    config = tmp_path / "gateway.yaml"
    config.write_text(f"a2a: {{agents: ['{agent.url}', '{agent.url}']}}")
    gateway = start_gateway(config=str(config), A2A_ENABLED="true", A2A_EXPOSE="true")
    first, second = ids(gateway)
    assert first == "scripted"
    assert second != first


def test_an_agent_that_goes_is_held_unavailable_and_asked_all_the_same(
    start: Start, start_provider: Any
) -> None:
    gateway = start(start_provider(showing(card("/v1"), 503)).url, **SOON, A2A_MAX_RETRIES="1")
    assert listed(gateway)[0]["id"] == "scripted"
    eventually(lambda: listed(gateway)[0]["state"] == "unavailable")
    assert listed(gateway)[0]["last_error"] == "its card cannot be fetched"
    # Whether it answers is its own word, whatever became of its card.
    assert ask(gateway, "GetTask", {"id": "t"}).status == 200


def test_an_agent_is_given_up_where_that_is_wanted(start: Start, start_provider: Any) -> None:
    agent = start_provider(showing(503))
    gateway = start(agent.url, **SOON, A2A_MAX_RETRIES="1", A2A_ENABLE_RECONNECT="false")
    eventually(lambda: listed(gateway)[0]["state"] == "unavailable")
    assert [call.target for call in agent.calls] == ["/v1/.well-known/agent-card.json"] * 2


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (b"<html>", "its card is not a JSON object"),
        (b"\xff", "its card is not a JSON object"),
        (b"[]", "its card is not a JSON object"),
        (b"[" * 100_000, "its card is not a JSON object"),
        (b"{}", "its card is not what a card should be"),
        (b'{"name": 5}', "its card is not what a card should be"),
        (b'{"name":"' + b"x" * 1_100_000 + b'"}', "its card cannot be fetched"),
        (404, "it has no card"),
        (302, "its card cannot be fetched"),
        (500, "its card cannot be fetched"),
    ],
)
def test_what_is_no_card_is_told_as_such(start: Start, start_provider: Any, shown: Any, problem: str) -> None:
    [agent] = listed(start(start_provider(showing(shown)).url))
    assert (agent["state"], agent["last_error"]) == ("connecting", problem)


@pytest.mark.parametrize(
    ("offer", "problem"),
    [
        ({"url": "https://elsewhere.example/a2a"}, "its card leads to another origin"),
        ({"url": "//elsewhere.example/a2a"}, "its card leads to another origin"),
        ({"url": "http://127.0.0.1:1/a2a"}, "its card leads to another origin"),
        ({"url": "file:///etc/passwd"}, "its card names a URL that is none"),
        ({"url": "http://user:password@127.0.0.1/"}, "its card names a URL that is none"),
        ({"url": "http://[::1/"}, "its card names a URL that is none"),
        ({"url": "/v1\r\nx: y"}, "its card names a URL that is none"),
        ({"protocolBinding": "GRPC"}, "its card offers no JSON-RPC in A2A 1.0 or 0.3"),
        ({"protocolVersion": "2.0"}, "its card offers no JSON-RPC in A2A 1.0 or 0.3"),
    ],
)
def test_what_cannot_be_spoken_to_is_unsupported(
    start: Start, start_provider: Any, offer: dict[str, str], problem: str
) -> None:
    given = card("/v1")
    given["supportedInterfaces"][0] |= offer
    agent = start_provider(showing(given))
    gateway = start(agent.url)
    [described] = listed(gateway)
    assert described["state"] == "unsupported"
    assert described["last_error"].startswith(problem)
    assert ask(gateway, "GetTask", {"id": "t"}).status == 502
    assert [call.method for call in agent.calls] == ["GET"]


def test_another_origin_is_gone_to_where_that_is_allowed(
    start_gateway: Start, start_provider: Any, tmp_path: Path
) -> None:
    other: FakeProvider = start_provider(showing({}))
    agent = start_provider(showing(card(other.url)))
    config = tmp_path / "gateway.yaml"
    config.write_text(f"a2a: {{agents: [{{url: '{agent.url}', token: t, allow_other_origin: true}}]}}")
    gateway = start_gateway(config=str(config), A2A_ENABLED="true", A2A_EXPOSE="true")
    assert ask(gateway, "GetTask", {"id": "t"}).status == 200
    assert other.calls[-1].headers["authorization"] == "Bearer t"


def test_an_agent_of_both_dialects_is_spoken_to_in_the_callers(start: Start, start_provider: Any) -> None:
    offers = [
        {"url": "/old", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        {"url": "/new", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
    ]
    agent = start_provider(showing({"name": "Scripted", "supportedInterfaces": offers}))
    gateway = start(agent.url)
    assert listed(gateway)[0]["dialects"] == ["1.0", "0.3"]
    ask(gateway, "GetTask", {"id": "t"})
    ask(gateway, "tasks/get", {"id": "t"})
    assert [call.target for call in agent.calls if call.method == "POST"] == ["/new", "/old"]


def test_nothing_of_agents_is_imported_where_they_are_off(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from inference_gateway.server.configuration import load\n"
        "from inference_gateway.server.serve import Server\n"
        "Server(load(environ={'SERVER_PORT': '0'}, dotenv=None).settings)\n"
        "assert not [name for name in sys.modules if name.startswith('inference_gateway.server.a2a')]\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=PATIENCE)
