"""The built wheel in an environment that holds the SDK's dependencies and none of the server's.

No network: the environment gets the base dependencies as links to those that run this test.
"""

import importlib.metadata
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inference_gateway import __version__

ROOT = Path(__file__).resolve().parents[2]
NAME = "inference-gateway"
SERVER_ONLY = ("click", "dotenv", "httptools", "msgspec", "uvloop", "yaml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of an environment that has the wheel, without any extra."""
    home = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", home])
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        home / "bin" / "python",
        "--disable-pip-version-check",
    ]
    run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel])
    (site,) = home.glob("lib/python*/site-packages")
    for name in base_dependencies(wheel):
        link_distribution(name, site)
    return home / "bin"


def run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def base_dependencies(wheel: Path) -> set[str]:
    """Names of the distributions that the wheel needs without any extra, whole way down."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
    lines = [line.partition(": ")[2] for line in headers if line.startswith("Requires-Dist: ")]
    found: set[str] = set()
    waiting = list(names_wanted(lines))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += names_wanted(importlib.metadata.requires(name) or [])
    return found


def names_wanted(requirements: list[str]) -> Iterator[str]:
    for line in requirements:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def link_distribution(name: str, site: Path) -> None:
    distribution = importlib.metadata.distribution(name)
    for top in {
        file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")
    }:
        link = site / top
        if not link.exists():
            link.symlink_to(Path(str(distribution.locate_file(top))).resolve())


def test_the_wheel_carries_its_types_its_contract_its_page_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "inference_gateway/py.typed" in names
    assert "inference_gateway/server/api/openapi.json" in names
    page = "inference_gateway/server/ui/static"
    written = {path.name for path in (ROOT / "src" / page).rglob("*") if path.is_file()}
    assert written == {name.rpartition("/")[2] for name in names if name.startswith(f"{page}/")}
    assert {f"{page}/index.html", f"{page}/vendor/LICENSE.preact.txt"} <= set(names)
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert not [name for name in names if not name.startswith(("inference_gateway/", "inference_gateway-"))]


def test_the_sdk_imports_whole_without_anything_of_the_server(environment: Path) -> None:
    program = (
        "import importlib.util, sys, inference_gateway, inference_gateway.models as models\n"
        "for module in (inference_gateway, models):\n"
        "    [getattr(module, name) for name in module.__all__]\n"
        f"print([name for name in {SERVER_ONLY!r} if importlib.util.find_spec(name)])\n"
        "print([name for name in sys.modules if name.startswith('inference_gateway.server')])\n"
        "print(inference_gateway.__version__)\n"
    )
    printed = run([environment / "python", "-I", "-W", "error", "-c", program])
    assert printed.splitlines() == ["[]", "[]", __version__]


@pytest.mark.parametrize("arguments", [[], ["serve"], ["--help"]])
def test_the_command_says_which_extra_it_lacks(environment: Path, arguments: list[str]) -> None:
    command: list[str | Path] = [environment / NAME, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    assert "[server]" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
