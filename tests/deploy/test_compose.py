"""Compose files: what Compose takes, what hangs together, and a gateway that starts with each."""

import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.manifests import (
    ROOT,
    environment_of_the_image,
    needs,
    on_free_ports,
    output_of,
    seconds,
)
from fakes.process import Process, running
from fakes.prometheus import free_port
from inference_gateway.server.settings import Settings

FOLDER = ROOT / "deploy/compose"
ADDITIONS = tuple(sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "compose.yaml"))


@cache
def composed(*additions: str) -> dict[str, Any]:
    """What Compose makes of the files together."""
    files = [FOLDER / name for name in ("compose.yaml", *additions)]
    project: dict[str, Any] = json.loads(output_of("compose-go", "-format", "json", *files))
    return project


def settings_of(project: dict[str, Any]) -> dict[str, str]:
    """What the gateway of a project is told, the image's own settings included."""
    told = project["services"]["gateway"]["environment"]
    pairs = told.items() if isinstance(told, dict) else (each.split("=", 1) for each in told)
    return environment_of_the_image() | dict(pairs)


def services() -> list[tuple[str, str, dict[str, Any]]]:
    """Every service as the files have it: file, name, what is said of it."""
    found = []
    for name in ("compose.yaml", *ADDITIONS):
        text = (FOLDER / name).read_text().replace("!reset", "")
        found += [(name, *each) for each in yaml.safe_load(text)["services"].items()]
    return found


# ---- without Compose -----------------------------------------------------------------------------------


def test_every_port_is_published_to_this_machine_alone() -> None:
    published = [port for _, _, service in services() for port in service.get("ports", ())]
    assert len(published) >= 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_have_a_version_and_no_host() -> None:
    for _, _, service in services():
        image = service.get("image", "inference-gateway")
        if image != "inference-gateway":
            assert re.fullmatch(r"[a-z]+(/[a-z]+)?:v?\d+(\.\d+)+", image), image


def test_what_is_mounted_is_there() -> None:
    mounts = [mount.split(":") for _, _, service in services() for mount in service.get("volumes", ())]
    files = [(source, mode) for source, _, *mode in mounts if source.startswith(".")]
    assert files
    assert all((FOLDER / source).is_file() and mode == ["ro"] for source, mode in files)


def test_streams_have_time_to_end_before_the_container_is_killed() -> None:
    (gateway,) = (each for file, name, each in services() if (file, name) == ("compose.yaml", "gateway"))
    assert seconds(gateway["stop_grace_period"]) > Settings().server.drain_timeout + 10


def test_our_containers_have_no_rights_and_nothing_to_write_to() -> None:
    ours = [each for _, _, each in services() if each.get("image") == "inference-gateway"]
    assert len(ours) == 2
    for each in ours:
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]


def test_prometheus_finds_the_gateway_and_its_rules_know_the_job() -> None:
    config = yaml.safe_load((FOLDER / "monitoring/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert f'job="{job["job_name"]}"' in (ROOT / "deploy/monitoring/rules.yml").read_text()
    assert job["static_configs"] == [{"targets": [f"gateway:{Settings().telemetry.metrics_port}"]}]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus: apt-get install prometheus")
def test_promtool_finds_nothing_wrong_with_prometheus_configuration(tmp_path: Path) -> None:
    text = (FOLDER / "monitoring/prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/rules.yml", str(ROOT / "deploy/monitoring/rules.yml")))
    assert "1 rule files found" in output_of("promtool", "check", "config", config)


def test_grafana_finds_the_dashboard_and_prometheus() -> None:
    (provider,) = yaml.safe_load((FOLDER / "monitoring/grafana-dashboards.yml").read_text())["providers"]
    (source,) = yaml.safe_load((FOLDER / "monitoring/grafana-datasources.yml").read_text())["datasources"]
    monitoring = {name: each for file, name, each in services() if file == "monitoring.yaml"}
    dashboards = [mount for mount in monitoring["grafana"]["volumes"] if mount.startswith("../monitoring/")]
    assert [Path(mount.split(":")[1]).parent for mount in dashboards] == [Path(provider["options"]["path"])]
    assert source["url"] == "http://prometheus:9090"
    assert source["type"] == "prometheus"
    assert "prometheus" in monitoring


def test_keycloak_gives_tokens_that_the_gateway_takes() -> None:
    told = {name: each for file, name, each in services() if file == "keycloak.yaml"}
    environ = told["gateway"]["environment"]
    realm = json.loads((FOLDER / "keycloak/realm.json").read_text())
    issuer = f"{told['keycloak']['environment']['KC_HOSTNAME']}/realms/{realm['realm']}"
    assert environ["AUTH_OIDC_ISSUER"] == issuer
    (client,) = realm["clients"]
    (audience,) = (each["config"]["included.custom.audience"] for each in client["protocolMappers"])
    assert environ["AUTH_OIDC_CLIENT_ID"] == audience


# ---- with Compose --------------------------------------------------------------------------------------


@needs("compose-go")
@pytest.mark.parametrize("additions", [(), *((name,) for name in ADDITIONS)], ids="+".join)
def test_a_gateway_starts_with_these_settings(additions: tuple[str, ...], tmp_path: Path) -> None:
    environ = on_free_ports(settings_of(composed(*additions)))
    with running(home=tmp_path, **environ) as gateway:
        assert gateway.port()


@needs("compose-go")
def test_all_additions_go_together() -> None:
    project = composed(*ADDITIONS)
    assert {"gateway", "clock", "grafana", "jaeger", "keycloak", "ollama", "prometheus"} <= set(
        project["services"]
    )


@needs("compose-go")
def test_beside_keycloak_only_keycloak_publishes_ports() -> None:
    project = composed("keycloak.yaml")["services"]
    assert not project["gateway"].get("ports")
    assert project["gateway"]["network_mode"] == "service:keycloak"
    assert {port["published"] for port in project["keycloak"]["ports"]} == {"8080", "8081"}


def test_models_use_the_clock(tmp_path: Path) -> None:
    """The server of tools that mcp.yaml starts, and a gateway that is told of it as that file does."""
    port = str(free_port())
    clock = Process(
        command=[sys.executable, str(FOLDER / "mcp/clock.py")], home=tmp_path, PORT=port, PYTHONUNBUFFERED="1"
    )
    gateway = FakeGateway(
        {
            "MOCK_ENABLED": "true",
            "MCP_ENABLED": "true",
            "MCP_EXPOSE": "true",
            "MCP_TOOL_MODE": "direct",
            "MCP_SERVERS": f"http://127.0.0.1:{port}/mcp",
        }
    )
    try:
        eventually(lambda: b"mcp_now" in gateway.request("GET", "/v1/mcp/tools").body)
        script = [[{"name": "mcp_now", "arguments": {"timezone": "Europe/Paris"}}]]
        messages = [{"role": "user", "content": json.dumps(script)}]
        answer = json.loads(gateway.chat({"model": "mock/tools", "messages": messages}).body)
        assert re.search(r"\d{4}-\d\d-\d\dT[\d:]{8}\+0[12]:00", answer["choices"][0]["message"]["content"])
    finally:
        gateway.close()
        clock.close()
