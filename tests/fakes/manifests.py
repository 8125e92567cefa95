"""What `deploy/` says, read as the programs read it that use it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
Manifest = dict[str, Any]

GO_PROGRAMS = {
    "compose-go": "github.com/compose-spec/compose-go/v2/cmd, under this name",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5",
}
"""Programs that tests of manifests use, and what `go install` makes them of; versions stand in .ci/run."""


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing, and say how it is had."""
    reason = f"needs {name}: go install {GO_PROGRAMS[name]}"
    return pytest.mark.skipif(shutil.which(name) is None, reason=reason)


def output_of(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a program prints; it must end well."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def manifests(text: str) -> list[Manifest]:
    """Objects of a YAML stream."""
    return [each for each in yaml.safe_load_all(text) if each]


def one(objects: Sequence[Manifest], kind: str, name: str = "inference-gateway") -> Manifest:
    """Return the one object of a kind and a name."""
    (found,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def environment_of_the_image() -> dict[str, str]:
    """Settings that the image brings along."""
    recipe = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    pairs = re.findall(r"(?m)^ENV (.*)$", recipe)[-1].split()
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs) if name != "PATH"}


def seconds(duration: str) -> float:
    """A duration as settings and Compose write it: `120s`, `2m`."""
    found = re.fullmatch(r"(\d+)(ms|s|m)?", duration)
    assert found is not None, duration
    return int(found[1]) * {"ms": 0.001, "m": 60.0}.get(found[2] or "s", 1.0)


def on_free_ports(environ: Mapping[str, str]) -> dict[str, str]:
    """The same settings for a gateway that runs beside others."""
    return {**environ, "SERVER_PORT": "0", "TELEMETRY_METRICS_PORT": "0", "PATH": os.environ["PATH"]}
