"""The status page without a browser: its files, who may have its data, and what the data says."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fakes.chats import body, stream
from fakes.gateway import FakeGateway, Reply
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer
from fakes.provider import STREAM, Call, FakeProvider
from inference_gateway.server.api import openapi
from inference_gateway.server.telemetry import watch

Start = Callable[..., FakeGateway]
KEY = "a-key-of-the-settings"
BEARER = {"Authorization": f"Bearer {KEY}"}
DATA = ("/ui/api/status", "/ui/api/errors", "/ui/api/services", "/ui/api/settings")
COMPONENTS = json.loads(openapi.PACKAGED.read_text())["components"]


def shell(gateway: FakeGateway) -> str:
    reply = gateway.request("GET", "/ui")
    assert reply.status == 200
    return reply.body.decode()


def files(gateway: FakeGateway) -> list[str]:
    """Paths of the files that the shell names."""
    return [f"/{path}" for path in re.findall(r'(?:src|href)="(ui/static/[^"]+)"', shell(gateway))]


def told(gateway: FakeGateway, path: str, headers: dict[str, str] | None = None) -> Any:
    reply = gateway.request("GET", path, headers=headers)
    assert reply.status == 200, reply.body
    return reply.json()


def check_is_kept_to_itself(reply: Reply) -> None:
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_the_shell_and_its_files_are_there_for_everybody(start_gateway: Start) -> None:
    gateway = start_gateway(AUTH_API_KEYS=KEY)
    named = files(gateway)
    assert {path.rpartition(".")[2] for path in named} == {"css", "js", "svg"}
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for path in ("/ui", *named):
        for method in ("GET", "HEAD"):
            reply = gateway.request(method, path)
            assert reply.status == 200, path
            check_is_kept_to_itself(reply)
            assert reply.headers["content-type"].startswith(kinds.get(path.rpartition(".")[2], "text/html"))
            assert bool(reply.body) == (method == "GET")
        assert gateway.request("POST", path).status == 405


def test_files_are_kept_for_ever_and_the_shell_is_asked_for_again(gateway: FakeGateway) -> None:
    for path in ("/ui", *files(gateway)):
        first = gateway.request("GET", path)
        assert ("immutable" in first.headers["cache-control"]) == (path != "/ui")
        again = gateway.request("GET", path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert gateway.request("GET", path, headers={"If-None-Match": '"other"'}).body == first.body


def test_every_file_of_the_package_is_served_and_nothing_else(gateway: FakeGateway) -> None:
    folder = Path(openapi.__file__).parents[1] / "ui" / "static"
    place = files(gateway)[0].split("/")[3]
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "index.html":
            reply = gateway.request("GET", f"/ui/static/{place}/{path.relative_to(folder)}")
            assert (reply.status, reply.body) == (200, path.read_bytes())
    for wrong in ("index.html", "../index.html", "%2e%2e/assets.py", "", "vendor/"):
        assert gateway.request("GET", f"/ui/static/{place}/{wrong}").status == 404


def test_the_shell_has_no_script_or_style_of_its_own_and_names_no_other_host(gateway: FakeGateway) -> None:
    text = shell(gateway)
    assert not re.search(r"<script(?![^>]* src=)|<style|style=|onclick|https?://", text)


def test_a_path_with_a_slash_leads_to_the_page(gateway: FakeGateway) -> None:
    answer = gateway.exchange(b"GET /ui/ HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").lower()
    assert answer.startswith(b"http/1.1 308")
    assert b"location: ../ui\r\n" in answer


def test_switched_off_there_is_nothing(start_gateway: Start) -> None:
    gateway = start_gateway(UI_ENABLED="false")
    for path in ("/ui", "/ui/", *DATA):
        assert gateway.request("GET", path).status == 404
    assert start_gateway(UI_ENABLED="false", AUTH_API_KEYS=KEY).request("GET", "/ui").status == 401


def test_the_data_is_for_callers_that_are_known(start_gateway: Start) -> None:
    gateway = start_gateway(AUTH_API_KEYS=KEY)
    for path in DATA:
        assert gateway.request("GET", path).status == 401
        assert gateway.request("GET", f"{path}?token={KEY}").status == 401
        reply = gateway.request("GET", path, headers=BEARER)
        assert reply.status == 200
        assert reply.headers["cache-control"] == "no-store"
        check_is_kept_to_itself(reply)


@pytest.mark.parametrize("path", DATA)
def test_what_is_told_is_what_is_documented(gateway: FakeGateway, path: str) -> None:
    gateway.chat(body("nobody/knows"))
    schemas = {"status": "UIStatus", "errors": "UIMishaps", "services": "UIServices"}
    name = schemas.get(path.rpartition("/")[2], "UIEffective")
    schema = {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}
    Draft202012Validator(schema).validate(told(gateway, path))


def test_settings_are_those_in_effect_without_secrets(start_gateway: Start, tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "providers: {own: {url: 'http://127.0.0.1:1', api_key: canary-1, headers: {x-team: canary-2}}}\n"
        "mcp: {servers: [{url: 'http://127.0.0.1:2/mcp', token: canary-3, headers: {x-a: canary-4},"
        " query: {k: canary-6}}]}\n"
    )
    gateway = start_gateway(
        config=str(config), OPENAI_API_KEY="canary-5", AUTH_API_KEYS=KEY, LOG_LEVEL="debug"
    )
    reply = gateway.request("GET", "/ui/api/settings", headers=BEARER)
    assert b"canary" not in reply.body
    assert KEY.encode() not in reply.body
    rows = {row["name"]: (row["value"], row["source"]) for row in reply.json()["settings"]}
    assert rows["LOG_LEVEL"] == ("debug", "set")
    assert rows["SERVER_HOST"] == ("127.0.0.1", "default")
    for name in ("AUTH_API_KEYS", "OPENAI_API_KEY", "providers.own.api_key", "providers.own.headers.x-team"):
        assert rows[name] == ("********", "set")
    for name in ("token", "headers.x-a", "query.k"):
        assert rows[f"mcp.servers.1.{name}"] == ("********", "set")
    assert rows["providers.own.url"] == ("http://127.0.0.1:1", "set")
    assert "providers.own.name" not in rows


def test_a_provider_is_told_with_its_models_or_with_what_is_wrong(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, GROQ_API_KEY="k", GROQ_API_URL="http://127.0.0.1:1"
    )

    def providers() -> dict[str, Any]:
        return {each["id"]: each for each in told(gateway, "/ui/api/services")["providers"]}

    eventually(lambda: providers()["openai"]["models"] is not None and providers()["groq"]["error"])
    assert providers()["openai"]["address"] == provider.url
    assert providers()["openai"]["error"] is None
    assert providers()["groq"]["models"] is None


@pytest.fixture
def server() -> Iterator[PythonServer]:
    """A server with tools."""
    started = PythonServer()
    yield started
    started.close()


def test_tool_servers_are_told_with_their_tools(start_gateway: Start, server: PythonServer) -> None:
    gateway = start_gateway(MCP_ENABLED="true", MCP_SERVERS=f"{server.url},http://127.0.0.1:1/mcp")

    def services() -> list[Any]:
        [section] = told(gateway, "/ui/api/services")["sections"]
        assert section["title"] == "MCP servers"
        return list(section["services"])

    eventually(lambda: services()[0]["state"] == "available" and services()[1]["error"])
    first, second = services()
    assert {"name": "mcp_echo", "description": "Say it again."} in first["tools"]
    assert first["detail"].startswith(f"{server.url} · streamable-http · 20")
    assert second["tools"] == []
    assert second["detail"].startswith("http://127.0.0.1:1/mcp")


def test_agents_are_told_with_their_skills(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    async def shows_card(call: Call) -> None:
        await call.respond_json(
            {
                "name": "Scripted",
                "description": "d",
                "version": "1",
                "supportedInterfaces": [
                    {"url": agent.url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
                ],
                "skills": [{"id": "s", "name": "Shout", "description": "Says it louder.", "tags": []}],
            }
        )

    agent = start_provider(shows_card)
    config = tmp_path / "gateway.yaml"
    config.write_text(
        f"a2a: {{agents: [{{url: '{agent.url}', headers: {{x-a: canary}}}}, 'http://127.0.0.1:1']}}\n"
    )
    gateway = start_gateway(config=str(config), A2A_ENABLED="true")

    def services() -> list[Any]:
        [section] = told(gateway, "/ui/api/services")["sections"]
        assert section["title"] == "A2A agents"
        return list(section["services"])

    eventually(lambda: services()[0]["state"] == "available" and services()[1]["error"])
    assert services()[0]["name"] == "Scripted"
    assert services()[0]["detail"] == f"scripted · {agent.url} · 1.0"
    assert services()[0]["tools"] == [{"name": "Shout", "description": "Says it louder."}]
    rows = {row["name"]: row["value"] for row in told(gateway, "/ui/api/settings")["settings"]}
    assert rows["a2a.agents.1.headers.x-a"] == "********"
    assert rows["a2a.agents.1.url"] == agent.url


@pytest.mark.own_server(reason="an ASGI gateway does not count")
class TestFigures:
    """What is counted, and what is noted of requests that did not end well."""

    def test_requests_are_counted_once_somebody_looked(self, start_gateway: Start) -> None:
        gateway = start_gateway()
        assert told(gateway, "/ui/api/status")["counted"]["always"] is False
        assert gateway.chat(body("mock/echo")).status == 200
        counts(gateway)
        before = told(gateway, "/ui/api/status")["counted"]["figures"]
        for _ in range(3):
            assert gateway.chat(body("mock/echo")).status == 200
        assert stream(gateway, body("mock/echo", stream=True)).whole
        assert not stream(gateway, body("mock/lab:tokens=5,cut_after_events=3", stream=True)).whole
        figures = told(gateway, "/ui/api/status")["counted"]["figures"]
        assert grown(figures["outcomes"], before["outcomes"]) == {"complete": 4, "cut": 1}
        assert figures["open"]["requests"] == figures["open"]["streams"] == 0
        assert sum(figures["duration"]["counts"]) - sum(before["duration"]["counts"]) == 5
        assert sum(figures["first_token"]["counts"]) == 2
        assert figures["input_tokens"] - before["input_tokens"] == 3
        [echo] = [each for each in figures["models"] if each["model"] == "mock/echo"]
        assert echo["provider"] == "mock"
        assert echo["output_tokens"] > 0

    @pytest.mark.parametrize("always", ["TELEMETRY_ENABLED", "LOG_ACCESS"])
    def test_where_requests_are_measured_anyway_they_count_from_the_start(
        self, start_gateway: Start, always: str
    ) -> None:
        gateway = start_gateway(TELEMETRY_METRICS_PORT="0", **{always: "true"})
        assert gateway.chat(body("mock/echo")).status == 200
        counted = told(gateway, "/ui/api/status")["counted"]
        assert counted["always"] is True
        assert counted["figures"]["outcomes"] == {"complete": 1}
        assert counted["since"] >= counted["started"] > 0
        assert (counted["workers"], counted["counting"]) == (1, 1)

    def test_nobody_counts_while_nobody_looks(
        self, start_gateway: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway = start_gateway()
        inside = gateway.server._gateway
        assert gateway.chat(body("mock/echo")).status == 200
        assert inside.unmeasured is not None
        assert inside.measured is not None
        assert inside.infer is inside.unmeasured.whole
        counts(gateway)
        assert (inside.infer, inside.infer_directly) == (inside.measured.whole, inside.measured.direct)
        # The mark is as old as it would be after five minutes.
        monkeypatch.setattr(watch, "monotonic", lambda: time.monotonic() + watch.LASTS)
        eventually(lambda: inside.unmeasured is not None and inside.infer is inside.unmeasured.whole)
        monkeypatch.undo()
        assert told(gateway, "/ui/api/status")["counted"]["since"] is None

    def test_a_stream_is_asked_for_as_the_client_did_even_while_somebody_looks(
        self, start_gateway: Start, start_provider: Callable[..., FakeProvider]
    ) -> None:
        asked: list[Any] = []

        async def script(call: Call) -> None:
            asked.append(call.json())
            await call.stream(STREAM)

        gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(script).url)
        counts(gateway)
        assert stream(gateway).whole
        assert "stream_options" not in asked[0]

    def test_mishaps_are_noted_with_their_ids_before_anybody_looks(self, start_gateway: Start) -> None:
        gateway = start_gateway()
        ids = [
            gateway.chat(body(model)).headers["x-request-id"]
            for model in ("mock/lab:status=500", "nobody/knows", "mock/lab:reset")
        ]
        stream(
            gateway,
            body("mock/lab:tokens=5,cut_after_events=3", stream=True),
            fields="x-request-id: mine\r\n",
        )
        said = told(gateway, "/ui/api/errors")
        failures = [(each["request_id"], each["outcome"], each["status"]) for each in said["failures"]]
        assert failures == [
            ("mine", "cut", 0),
            (ids[2], "provider_error", 502),
            (ids[0], "provider_error", 500),
        ]
        assert said["failures"][0]["message"] == "the provider's answer broke off"
        assert said["failures"][0]["provider"] == "mock"
        [refusal] = said["refusals"]
        assert (refusal["request_id"], refusal["status"], refusal["code"]) == (ids[1], 400, "bad_request")
        assert "'nobody/knows'" in refusal["message"]

    def test_a_flood_of_refusals_is_bounded_and_hides_no_failure(self, start_gateway: Start) -> None:
        gateway = start_gateway(AUTH_API_KEYS=KEY)
        gateway.chat(body("mock/lab:status=503"), headers=BEARER)
        for _ in range(30):
            assert gateway.request("GET", "/x").status == 401
        said = told(gateway, "/ui/api/errors", BEARER)
        assert [each["status"] for each in said["failures"]] == [503]
        assert len(said["refusals"]) == 20

    def test_long_and_strange_texts_find_room(self, start_gateway: Start) -> None:
        gateway = start_gateway()
        gateway.chat(body("mock/lab:status=500," + "é\u0000<b>" * 300))
        gateway.chat(body("\u0001" * 5000))
        gateway.request("GET", "/%00" + "x" * 4000)
        refusals = told(gateway, "/ui/api/errors")["refusals"]
        assert len(refusals) == 3
        assert all(len(each["message"]) <= 300 and len(each["path"]) <= 300 for each in refusals)


def counts(gateway: FakeGateway, headers: dict[str, str] | None = None) -> None:
    """Look, and wait until every worker counts."""

    def all_count() -> bool:
        counted = told(gateway, "/ui/api/status", headers)["counted"]
        return bool(counted["since"])

    eventually(all_count)


def grown(now: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """What was added since."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count != before.get(name, 0)}


def test_an_asgi_gateway_tells_all_but_figures(gateway: FakeGateway, listener: str) -> None:
    counted = told(gateway, "/ui/api/status")["counted"]
    assert (counted is None) == (listener == "uvicorn")
    assert told(gateway, "/ui/api/errors").keys() == {"failures", "refusals"}
