"""Manifests and chart: what Kubernetes takes, what hangs together, and a gateway that starts with it."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.manifests import (
    ROOT,
    Manifest,
    environment_of_the_image,
    manifests,
    needs,
    on_free_ports,
    one,
    output_of,
    seconds,
)
from fakes.process import running
from inference_gateway import __version__
from inference_gateway.server.api.routes import ROUTES
from inference_gateway.server.settings import Settings
from inference_gateway.server.telemetry.instruments import FAMILIES

FOLDER = ROOT / "deploy/kubernetes"
CHART = ROOT / "deploy/helm/inference-gateway"
SCHEMAS = ROOT / "tests/node/kubernetes"
VERSIONS = ("1.28", "1.34")
EVERYTHING_ON = ("--set", "autoscaling.enabled=true", "--set", "serviceMonitor.enabled=true")
OVERLAYS = ("base", "overlays/try", "overlays/production")


def plain(folder: str) -> list[Manifest]:
    """Objects of a folder's files, as they stand."""
    named = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())["resources"]
    return [each for name in named for each in manifests((FOLDER / folder / name).read_text())]


BASE = plain("base")
DEPLOYMENT = one(BASE, "Deployment")
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
SETTINGS: dict[str, str] = one(BASE, "ConfigMap")["data"]
MONITOR = plain("components/monitoring")[0]
AUTOSCALER = plain("components/autoscaling")[0]


@cache
def built(folder: str) -> tuple[Manifest, ...]:
    return tuple(manifests(output_of("kustomize", "build", str(FOLDER / folder))))


@cache
def templated(*options: str) -> tuple[Manifest, ...]:
    command = ("helm", "template", "inference-gateway", str(CHART), "--kube-version", "1.31.0", *options)
    return tuple(manifests(output_of(*command)))


# ---- schemas -------------------------------------------------------------------------------------------


def complain(objects: list[Manifest] | tuple[Manifest, ...]) -> list[str]:
    """What Kubernetes' own schemas find wrong; those of operators are looked at elsewhere."""
    checker = pytest.importorskip(
        "kubernetes_validate",
        reason="needs Kubernetes' schemas: pip install --require-hashes -r requirements/deploy.txt",
    )
    found = []
    for each in objects:
        for version in VERSIONS if not each["apiVersion"].startswith("monitoring.") else ():
            try:
                checker.validate(each, version, strict=True)
            except checker.ValidationError as error:
                found.append(f"{each['kind']} ({version}): {error.message}")
    return found


def test_kubernetes_takes_the_plain_manifests() -> None:
    assert complain([*BASE, AUTOSCALER]) == []


def test_a_name_that_kubernetes_does_not_know_is_found() -> None:
    assert complain([{**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replica": 2}}])


@needs("kustomize")
@pytest.mark.parametrize("folder", OVERLAYS)
def test_kubernetes_takes_what_kustomize_makes(folder: str) -> None:
    assert complain(built(folder)) == []


@needs("helm")
def test_kubernetes_takes_what_helm_makes() -> None:
    assert complain(templated(*EVERYTHING_ON)) == []


def operator_complaint(manifest: Manifest) -> str:
    ran = subprocess.run(
        ["node", "validate.mjs"],
        cwd=SCHEMAS, input=json.dumps(manifest), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if ran.returncode == 0 else ran.stderr


@pytest.mark.skipif(
    shutil.which("node") is None or not (SCHEMAS / "node_modules").is_dir(),
    reason="install Node.js, and the schemas by `npm ci --prefix tests/node/kubernetes`",
)
def test_the_prometheus_operator_takes_the_monitor_and_the_rules() -> None:
    assert operator_complaint(MONITOR) == ""
    assert "scrapeTimeout" in operator_complaint(
        {**MONITOR, "spec": {**MONITOR["spec"], "endpoints": [{"scrapeTimeout": 1}]}}
    )
    (wrapped,) = manifests(output_of("bash", "-c", rule_command().replace("kubectl apply -f -", "cat")))
    assert wrapped["spec"] == yaml.safe_load((ROOT / "deploy/monitoring/rules.yml").read_text())
    assert operator_complaint(wrapped) == ""


def rule_command() -> str:
    """How the documents say that the rules become one of the operator's objects."""
    page = (ROOT / "docs/deployment.md").read_text()
    (block,) = (
        block for block in re.findall(r"```\w*\n(.*?)```", page, re.DOTALL) if "PrometheusRule" in block
    )
    return block.strip()


# ---- what hangs together -------------------------------------------------------------------------------


def test_pods_have_no_rights_and_nothing_to_write_to() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["fsGroup"] == POD["securityContext"]["runAsGroup"]
    user = re.findall(r"(?m)^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text())
    assert user == [(str(POD["securityContext"]["runAsUser"]), str(POD["securityContext"]["runAsGroup"]))]


def test_no_name_of_the_cluster_becomes_a_setting() -> None:
    assert POD["enableServiceLinks"] is False


def test_streams_have_time_to_end_before_a_pod_is_killed() -> None:
    waits = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] >= waits + seconds(SETTINGS["SERVER_DRAIN_TIMEOUT"]) + 10


def test_probes_ask_paths_that_are_there() -> None:
    probes = {
        kind: CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")
    }
    assert probes == {"startup": "/health/live", "readiness": "/health/ready", "liveness": "/health/live"}
    assert set(probes.values()) <= {path for route in ROUTES for path in route.paths}


def test_ports_are_those_of_the_settings() -> None:
    settings = Settings()
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {"http": settings.server.port, "metrics": settings.telemetry.metrics_port}
    for service in (each for each in BASE if each["kind"] == "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    for rule in one(BASE, "NetworkPolicy")["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= set(ports)


def test_everything_selects_the_pods() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [DEPLOYMENT["spec"]["selector"]["matchLabels"]]
    selectors += [each["spec"]["selector"] for each in BASE if each["kind"] == "Service"]
    selectors += [one(BASE, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    selectors += [one(BASE, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    assert all(selector.items() <= labels.items() for selector in selectors)
    assert AUTOSCALER["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]


def test_the_monitor_finds_the_figures_and_the_alerts_know_the_job() -> None:
    service = one(BASE, "Service", "inference-gateway-metrics")
    wanted = MONITOR["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert not wanted.items() <= one(BASE, "Service")["metadata"]["labels"].items()
    assert [each["port"] for each in MONITOR["spec"]["endpoints"]] == [
        each["name"] for each in service["spec"]["ports"]
    ]
    job = service["metadata"]["labels"][MONITOR["spec"]["jobLabel"]]
    assert f'job="{job}"' in (ROOT / "deploy/monitoring/rules.yml").read_text()


def test_the_autoscaler_asks_for_a_figure_that_the_adapter_offers() -> None:
    (name,) = (
        metric["pods"]["metric"]["name"]
        for metric in AUTOSCALER["spec"]["metrics"]
        if metric["type"] == "Pods"
    )
    assert FAMILIES[name].kind == "gauge"
    adapter = yaml.safe_load((FOLDER / "components/autoscaling/prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    assert rule["name"]["as"] == name
    assert rule["seriesQuery"].partition("{")[0] == name


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert CONTAINER["image"] == f"inference-gateway:{__version__}"


# ---- a gateway with these settings ---------------------------------------------------------------------


def test_it_does_not_start_for_everybody(tmp_path: Path) -> None:
    with running(home=tmp_path, **on_free_ports(environment_of_the_image() | SETTINGS)) as gateway:
        gateway.logged("SERVER_ALLOW_UNAUTHENTICATED")
        assert gateway.exit_code() == 2


def test_it_starts_with_a_key_from_the_secret(tmp_path: Path) -> None:
    secret = {"AUTH_API_KEYS": "0123456789abcdef0123456789abcdef"}
    environ = on_free_ports(environment_of_the_image() | SETTINGS | secret)
    with running(home=tmp_path, **environ) as gateway:
        assert gateway.port()


@needs("kustomize")
def test_it_starts_to_be_tried_without_a_key(tmp_path: Path) -> None:
    settings = one(built("overlays/try"), "ConfigMap")["data"]
    with running(home=tmp_path, **on_free_ports(environment_of_the_image() | settings)) as gateway:
        assert gateway.port()


# ---- the chart -----------------------------------------------------------------------------------------


@needs("helm")
def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    assert "0 chart(s) failed" in output_of("helm", "lint", "--strict", CHART, "--kube-version", "1.31.0")


@needs("helm")
@needs("kustomize")
@pytest.mark.parametrize(
    ("folder", "options"), [("base", ()), ("overlays/production", EVERYTHING_ON)], ids=["base", "production"]
)
def test_helm_makes_what_kustomize_makes(folder: str, options: tuple[str, ...]) -> None:
    assert by_name(templated(*options)) == by_name(built(folder))


def by_name(objects: tuple[Manifest, ...]) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): without_helm(each) for each in objects}


def without_helm(value: Any) -> Any:
    """An object without the labels and the annotation that only Helm writes, and without what is empty."""
    if isinstance(value, list):
        return [without_helm(each) for each in value]
    if not isinstance(value, dict):
        return value
    helms = {"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}
    helms |= {"helm.sh/chart", "checksum/config"}
    kept = {name: without_helm(each) for name, each in value.items() if name not in helms}
    return {name: each for name, each in kept.items() if each not in ({}, None) or name == "podSelector"}


@needs("helm")
@pytest.mark.parametrize(
    "wrong",
    [
        "replica=2",
        "replicas=many",
        "image.pullPolicy=Sometimes",
        "config.serverPort=x",
        "autoscaling.streams=0",
        "service.port=70000",
    ],
)
def test_values_that_mean_nothing_are_refused(wrong: str) -> None:
    command = ["helm", "template", "x", str(CHART), "--kube-version", "1.31.0", "--set", wrong]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "values don't meet the specifications of the schema" in ran.stderr


@needs("helm")
def test_values_get_where_they_belong() -> None:
    values = {
        "image": {"repository": "registry.example/gateway", "tag": "1.2.3"},
        "imagePullSecrets": [{"name": "pull"}],
        "secret": "keys",
        "config": {"LOG_LEVEL": "debug"},
        "service": {"type": "LoadBalancer", "port": 443},
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "volumes": [{"name": "keys", "secret": {"secretName": "keys"}}],
        "volumeMounts": [{"name": "keys", "mountPath": "/etc/keys"}],
        "networkPolicy": {
            "egress": [{"ports": [{"port": 11434}]}],
            "ingress": [{"ports": [{"port": "http"}]}],
        },
        "podDisruptionBudget": {"enabled": False},
    }
    options = [
        text for name, value in values.items() for text in ("--set-json", f"{name}={json.dumps(value)}")
    ]
    objects = templated(*options)
    assert complain(objects) == []
    spec = one(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "registry.example/gateway:1.2.3"
    assert container["envFrom"][1]["secretRef"]["name"] == "keys"
    assert container["volumeMounts"] == values["volumeMounts"]
    for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "volumes"):
        assert spec[name] == values[name]
    assert one(objects, "ConfigMap")["data"]["LOG_LEVEL"] == "debug"
    assert one(objects, "Service")["spec"]["type"] == "LoadBalancer"
    assert len(one(objects, "NetworkPolicy")["spec"]["egress"]) == 3
    assert len(one(objects, "NetworkPolicy")["spec"]["ingress"]) == 3
    assert "PodDisruptionBudget" not in {each["kind"] for each in objects}


def test_every_value_is_used_and_described() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    assert set(schema["properties"]) - {"global"} == set(values)
    assert all(f".Values.{name}" in templates for name in values)
