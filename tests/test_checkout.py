"""What a stranger must not find in the checkout: download hosts and paths of somebody's machine."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Put together here, so that this file does not contain what it looks for.
DOWNLOAD_HOSTS = re.compile(
    "|".join(("py" + r"pi\.org", "python" + r"hosted\.", r"registry\.np" + r"mjs\.", r"deb\.deb" + r"ian\."))
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(" + "|".join(("home", "root", "work", "Users", "farm")) + r")/\w")


def committed_files() -> list[Path]:
    """What git has or would take; without git, everything that is not hidden or built."""
    listing = git_listing()
    if listing is None:
        left_out = re.compile(r"(^|/)(\.(?!ci/)\w[^/]*|dist|build|__pycache__)/")
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        listing = [name for name in names if not left_out.search(name)]
    return [path for name in sorted(listing) if (path := ROOT / name).is_file()]


def git_listing() -> list[str] | None:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    # A checkout of another user is one that git distrusts; reading its listing is harmless.
    trust = ["-c", f"safe.directory={ROOT}"]
    command = ["git", *trust, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")[
        :-1
    ]


def lines_with(pattern: re.Pattern[str], name: str, text: str) -> list[str]:
    return [
        f"{name}:{number}: {match[0]!r}"
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def found_in_checkout(pattern: re.Pattern[str]) -> list[str]:
    return [
        complaint
        for path in committed_files()
        for complaint in lines_with(pattern, str(path.relative_to(ROOT)), path.read_text(errors="replace"))
    ]


def test_no_committed_file_names_a_download_host() -> None:
    assert "\n".join(found_in_checkout(DOWNLOAD_HOSTS)) == ""


def test_no_committed_file_carries_the_path_of_a_machine() -> None:
    assert "\n".join(found_in_checkout(MACHINE_PATHS)) == ""


def test_the_files_that_are_looked_at_are_those_of_the_project() -> None:
    names = {str(path.relative_to(ROOT)) for path in committed_files()}
    assert {"Makefile", "pyproject.toml", ".ci/run", "src/inference_gateway/_version.py"} <= names
    assert not any(name.startswith((".venv/", ".git/")) for name in names)


def test_the_words_that_must_not_stand_in_a_file_are_found() -> None:
    assert lines_with(DOWNLOAD_HOSTS, "a.md", "see\nhttps://py" + "pi.org/x") == ["a.md:2: 'py" + "pi.org'"]
    assert lines_with(MACHINE_PATHS, "a.md", "cd /" + "root/x") == ["a.md:1: '/" + "root/x'"]
    assert lines_with(MACHINE_PATHS, "a.md", "cd /usr/share; https://host.example/work/") == []
