"""The dashboard and the rules for Prometheus speak of figures that exist, and say the truth of them."""

import http.client
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.chats import MESSAGES
from fakes.http_server import eventually
from fakes.mcp_servers import PythonServer
from fakes.process import Process, running
from fakes.prometheus import Prometheus, free_port, scraping
from fakes.provider import COMPLETION, Call, FakeProvider
from inference_gateway.server.telemetry.instruments import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/monitoring/grafana-dashboard.json").read_text())
RULES_FILE = ROOT / "deploy/monitoring/rules.yml"
RULES = [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}

NOT_SHOWN: dict[str, str] = {}
"""Figures of the gateway that the dashboard leaves out, each with the reason."""
PROMETHEUS_OWN = {"up"}

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs Prometheus: apt-get install prometheus",
)

# ---- without Prometheus --------------------------------------------------------------------------------


def queries() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def figures_in(expression: str) -> set[str]:
    """Names of the figures that an expression asks for, as FAMILIES has them."""
    without_labels = re.sub(r"\{[^}]*\}|\bby ?\([^)]*\)|\bon ?\([^)]*\)", " ", expression)
    names = set(re.findall(r"\b(?:up|(?:gen_ai|inference_gateway)_\w+)\b(?!:)", without_labels))
    return {
        base if (base := re.sub(r"_(bucket|sum|count)$", "", name)) in FAMILIES else name for name in names
    }


def test_every_figure_of_the_gateway_is_on_the_dashboard_or_left_out_for_a_reason() -> None:
    shown = set().union(*map(figures_in, queries()))
    assert set(FAMILIES) - shown == set(NOT_SHOWN)
    assert all(NOT_SHOWN.values())


def test_dashboard_and_rules_ask_for_figures_that_exist() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    expressions = queries() + [re.sub(r"\b\w+:\w+:\w+\b", _known(recorded), rule["expr"]) for rule in RULES]
    asked = set().union(*map(figures_in, expressions))
    assert asked <= set(FAMILIES) | PROMETHEUS_OWN


def _known(recorded: set[str]) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        assert found[0] in recorded, found[0]
        return "1"

    return replace


def test_what_clients_measure_is_not_taken_for_what_the_gateway_measured() -> None:
    expressions = queries() + [rule["expr"] for rule in RULES]
    for name, labels in re.findall(
        r"\b(gen_ai_\w+)(\{[^}]*\}|\b)", " ".join(map(_without_groups, expressions))
    ):
        assert re.search('source!?="gateway"', labels), name


def _without_groups(expression: str) -> str:
    return re.sub(
        r"\b(by|on) ?\([^)]*\)|gen_ai_(provider|request|operation|tool|token)_(name|model|type)|\w+:\w+:\w+",
        " ",
        expression,
    )


def test_the_dashboard_depends_on_nobodys_grafana() -> None:
    assert DASHBOARD["uid"] == "inference-gateway"
    assert "id" not in DASHBOARD
    assert "://" not in json.dumps(DASHBOARD)
    sources = {json.dumps(panel["datasource"]) for panel in PANELS}
    sources |= {json.dumps(target["datasource"]) for panel in PANELS for target in panel["targets"]}
    sources |= {json.dumps(each["datasource"]) for each in VARIABLES.values() if each["type"] == "query"}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert VARIABLES["datasource"]["query"] == "prometheus"


def test_panels_are_told_apart_and_lie_beside_each_other() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_variable_narrows_something_and_none_is_unknown() -> None:
    text = json.dumps([queries(), [each["query"] for each in VARIABLES.values()]])
    used = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval", "__range"}
    assert used == set(VARIABLES) - {"datasource"}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    page = (ROOT / "docs/deployment.md").read_text()
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "description"} <= set(rule["annotations"])
        assert f"`{rule['alert']}`" in page


# ---- promtool ------------------------------------------------------------------------------------------


def promtool(*arguments: str | Path) -> str:
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@needs_prometheus
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", RULES_FILE)


@needs_prometheus
def test_every_alert_fires_when_it_should_and_is_quiet_when_it_should() -> None:
    cases = ROOT / "tests/deploy/alerts.yml"
    promtool("test", "rules", cases)
    expected = {
        (case["alertname"], bool(case["exp_alerts"]))
        for test in yaml.safe_load(cases.read_text())["tests"]
        for case in test["alert_rule_test"]
    }
    assert expected == {
        (rule["alert"], fires) for rule in RULES if "alert" in rule for fires in (True, False)
    }


# ---- Prometheus, with a gateway that works and fails ---------------------------------------------------

_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
_TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}


def _calls(*names: str) -> list[dict[str, object]]:
    """Messages that let the model `mock/tools` call these tools."""
    return [
        {
            "role": "user",
            "content": json.dumps([[{"name": name, "arguments": {}} for name in names], "Thanks."]),
        }
    ]


ROUND: tuple[dict[str, object], ...] = (
    {"model": "mock/echo"},
    {"model": "mock/lab:tokens=5", "stream": True},
    {"model": "mock/lab:tokens=5,cut_after_events=3", "stream": True},
    {"model": "mock/lab:tokens=5,stall_after_events=2,stall=1", "stream": True},
    {"model": "mock/lab:status=429"},
    {"model": "mock/lab:status=503"},
    {"model": "mock/tools", "messages": _calls("now"), "tools": [_TOOL]},
    {"model": "mock/tools", "messages": _calls("mcp_picture", "mcp_fail")},
    {"model": "openai/details"},
    {"model": "openai/silent"},
    {"model": "nobody/knows"},
)
"""Requests that leave a trace in every figure."""


async def _says_usage(call: Call) -> None:
    if call.method == "GET":
        await call.respond_json({"object": "list", "data": []})
        return
    silent = call.json()["model"] == "silent"
    await call.respond_json(COMPLETION if silent else {**COMPLETION, "usage": _USAGE})


def _pushed() -> dict[str, object]:
    """Metrics as a client's exporter sends them: what came since the last time."""
    point = {"count": "2", "sum": 0.5, "bucketCounts": ["1", "1", "0"], "explicitBounds": [0.16, 1.28]}
    histogram = {"aggregationTemporality": 1, "dataPoints": [point]}
    names = ("gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk")
    metrics = [{"name": name, "unit": "s", "histogram": histogram} for name in names]
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "app"}}]}
    return {"resourceMetrics": [{"resource": service, "scopeMetrics": [{"metrics": metrics}]}]}


def ask(port: int, request: dict[str, object]) -> None:
    """Send one request, whatever comes of it."""
    send(port, "/v1/chat/completions", {"messages": MESSAGES, **request})


def send(port: int, path: str, body: dict[str, object]) -> None:
    headers = {"content-type": "application/json"}
    url = f"http://127.0.0.1:{port}{path}"
    try:
        asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            answer.read()
    except (OSError, http.client.HTTPException):
        pass  # refused, failed or cut: that is what is counted


@contextmanager
def measured(home: Path, provider: FakeProvider, tools: PythonServer) -> Iterator[tuple[Process, int]]:
    """A gateway in a process of its own, and the port of its metrics."""
    metrics_port = free_port()
    environ = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_METRICS_PORT": str(metrics_port),
        "TELEMETRY_METRICS_PUSH_ENABLED": "true",
        "MCP_ENABLED": "true",
        "MCP_SERVERS": tools.url,
        "MCP_TOOL_MODE": "direct",
        "MOCK_ENABLED": "true",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_API_URL": provider.url,
        "CLIENT_STREAM_IDLE_TIMEOUT": "100ms",
    }
    with running(home=home, **environ) as gateway:
        yield gateway, metrics_port


def filled_in(expression: str, **chosen: str) -> str:
    """An expression as Grafana would send it; a variable that is not chosen stands for all."""
    values = {"__rate_interval": "5s", "__range": "60s", **chosen}
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], ".*"), expression)


def has_data(prometheus: Prometheus, expression: str) -> bool:
    return any(not isnan(value) for _, value in prometheus.query(expression))


def lacks_data(prometheus: Prometheus, expressions: list[str]) -> list[str]:
    return [each for each in expressions if not has_data(prometheus, each)]


def options_of(prometheus: Prometheus, variable: dict[str, Any], **chosen: str) -> set[str]:
    """What a template variable offers."""
    query = filled_in(variable["query"]["query"], **chosen)
    match, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()  # type: ignore[union-attr]
    return set(prometheus.ask(f"label/{label}/values", **{"match[]": match}))


@needs_prometheus
def test_every_panel_and_every_rule_has_data_after_traffic_with_faults(
    start_provider: Callable[..., FakeProvider], tmp_path: Path
) -> None:
    with (
        closing(PythonServer()) as tools,
        measured(tmp_path, start_provider(_says_usage), tools) as (gateway, metrics_port),
        scraping(metrics_port, tmp_path, job="inference-gateway", rules=[RULES_FILE]) as prometheus,
        ThreadPoolExecutor(len(ROUND)) as clients,
    ):
        port = gateway.port()
        records = [rule["record"] for rule in RULES if "record" in rule]
        missing = [filled_in(each) for each in queries()] + records

        def all_there() -> bool:
            # Prometheus takes its looks while this goes on: rates need a change between two of them.
            send(port, "/v1/metrics", _pushed())
            for done in [clients.submit(ask, port, request) for request in ROUND]:
                done.result()
            missing[:] = lacks_data(prometheus, missing)
            return not missing

        try:
            eventually(all_there)
        except AssertionError:
            pytest.fail("no data for: " + "\n".join(missing))
        _variables_work(prometheus)
        _rules_are_well(prometheus)


def _variables_work(prometheus: Prometheus) -> None:
    offered = {
        name: options_of(prometheus, variable)
        for name, variable in VARIABLES.items()
        if variable["type"] == "query"
    }
    assert offered["job"] == {"inference-gateway"}
    assert offered["provider"] == {"mock", "openai"}
    assert {"mock/echo", "openai/details"} <= offered["model"]
    assert len(offered["instance"]) == 1
    narrowed = options_of(prometheus, VARIABLES["model"], provider="openai")
    assert narrowed == {"openai/details", "openai/silent"}
    # A panel narrowed to one provider shows no other, one narrowed to a job that is not there shows nothing.
    for query in queries():
        found = prometheus.query(filled_in(query, provider="openai"))
        assert {labels.get("gen_ai_provider_name", "openai") for labels, _ in found} <= {"openai"}, query
        assert not prometheus.query(filled_in(query, job="nobody")), query


def _rules_are_well(prometheus: Prometheus) -> None:
    loaded = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(loaded) == len(RULES)
    assert {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in loaded} == {
        (rule["name"], "ok", "") for rule in loaded
    }
    failing = 'ALERTS{alertname="InferenceGatewayRequestsFail"}'
    eventually(lambda: [each["alertstate"] for each, _ in prometheus.query(failing)] == ["pending"])
    assert not prometheus.query('ALERTS{alertname="InferenceGatewayDown"}')
