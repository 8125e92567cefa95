"""The documents tell the truth: code compiles, links lead somewhere, verbs exist, curls work as written."""

import ast
import contextlib
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHELLS = ("console", "bash", "sh", "shell")
DOCUMENTED = "localhost:8080"
START_SECONDS = 20
CURL_SECONDS = 30

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w+-]*)[^\n]*$")
EXPECTATION = re.compile(r"<!-- *expect: *([45])xx *-->")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$")
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
LINK = re.compile(r"\]\(<?([^)\s>]+)|^ {0,3}\[[^\]]+\]: +<?([^\s>]+)", re.MULTILINE)
MAKE = re.compile(r"(?:^|[;&(]) *(?:\$ +)?make((?: +[a-z][\w-]*(?![\w=-]))+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `expected` is the class of status that its curls are answered with."""

    document: str
    line: int
    language: str
    text: str
    expected: str = "2"

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    folders = ("docs", "examples", "benchmarks", "deploy", "requirements")
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))]
    return sorted(found)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks_of(document: str, text: str) -> list[Block]:
    """The fenced blocks of a document, without their indentation."""
    found = []
    expected = "2"
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if note := EXPECTATION.search(line):
            expected = note[1]
        elif opening := FENCE.match(line):
            body = list(_until(lines, opening["fence"], len(opening["indent"])))
            found.append(Block(document, number, opening["language"].lower(), "\n".join(body), expected))
            expected = "2"
        elif line.strip():
            expected = "2"
    return found


def _until(lines: Iterator[tuple[int, str]], fence: str, indent: int) -> Iterator[str]:
    for _, line in lines:
        if line.strip().startswith(fence):
            return
        yield line[indent:] if not line[:indent].strip() else line


def prose_of(text: str) -> str:
    """A document without its fenced blocks."""
    for block in blocks_of("", text):
        text = text.replace(block.text, "") if block.text else text
    return text


def all_blocks() -> list[Block]:
    return [block for path in documents() for block in blocks_of(name_of(path), path.read_text())]


# ---- Python --------------------------------------------------------------------------------------------


def syntax_problem(name: str, text: str) -> str | None:
    """What is wrong with a piece of Python; `await` may stand at its top."""
    try:
        compile(text, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        return f"{name}: {error.msg} in line {error.lineno} of it"
    return None


def test_python_in_the_documents_and_examples_compiles() -> None:
    pieces = [(block.place, block.text) for block in all_blocks() if block.language in ("python", "py")]
    pieces += [(name_of(path), path.read_text()) for path in sorted((ROOT / "examples").rglob("*.py"))]
    problems = [problem for name, text in pieces if (problem := syntax_problem(name, text))]
    assert "\n".join(problems) == ""


def test_python_that_does_not_compile_is_named_by_its_place() -> None:
    (good, bad) = blocks_of("a.md", "```python\nawait f()\n```\n\n- x\n\n  ```python\n  def f(:\n  ```\n")
    assert syntax_problem(good.place, good.text) is None
    assert str(syntax_problem(bad.place, bad.text)).startswith("a.md:7: ")


# ---- links ---------------------------------------------------------------------------------------------


def anchors_of(text: str) -> set[str]:
    """Names that a link may end in: headings as GitHub names them, and anchors written by hand."""
    found: dict[str, int] = {}
    prose = prose_of(text)
    for line in prose.splitlines():
        if heading := HEADING.match(line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
    numbered = {slug if not n else f"{slug}-{n}" for slug, last in found.items() for n in range(last + 1)}
    return numbered | set(ANCHOR.findall(prose))


def links_of(text: str) -> list[str]:
    """Targets of a document's links and pictures, outside of code."""
    prose = re.sub(r"(`+)[^`]+?\1", "", prose_of(text))
    return [inline or reference for inline, reference in LINK.findall(prose)]


def broken_link(path: Path, target: str) -> str | None:
    """Why a link of this document leads nowhere, if it does; other sites are not asked."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = target.partition("#")
    goal = path.parent / name if name else path
    if not goal.exists():
        return f"{target!r}: no such file"
    if anchor and goal.suffix == ".md" and anchor not in anchors_of(goal.read_text()):
        return f"{target!r}: no such heading"
    return None


def test_every_link_leads_somewhere() -> None:
    problems = [
        f"{name_of(path)}: {problem}"
        for path in documents()
        for target in links_of(path.read_text())
        if (problem := broken_link(path, target))
    ]
    assert "\n".join(problems) == ""


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# What `it` is, now\n# Twice\n# Twice\n[a](#what-it-is-now) [b](#twice-1) [c](#thrice)\n"
        '![d](none.png "title") `[code](no.md)` [e](https://site.example/x) [f](page.md#twice)\n'
        "[g]: gone.md\n```\n[h](no.md)\n# Thrice\n```\n"
    )
    problems = [broken_link(page, target) for target in links_of(page.read_text())]
    assert [problem for problem in problems if problem] == [
        "'#thrice': no such heading",
        "'none.png': no such file",
        "'gone.md': no such file",
    ]


# ---- verbs ---------------------------------------------------------------------------------------------


def verbs_named_in(text: str) -> set[str]:
    """`make this that` of fenced blocks and of code in the prose."""
    code = [block.text for block in blocks_of("", text) if block.language in (*SHELLS, "")]
    code += re.findall(r"`(make [^`]+)`", prose_of(text))
    return {verb for piece in code for run in MAKE.findall(piece) for verb in run.split()}


def makefile_verbs() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_verb_that_the_documents_name_is_one_of_the_makefile() -> None:
    problems = [
        f"{name_of(path)}: make {verb}"
        for path in documents()
        for verb in sorted(verbs_named_in(path.read_text()) - makefile_verbs())
    ]
    assert "\n".join(problems) == ""


def test_every_public_verb_is_declared_phony_and_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    assert phony == makefile_verbs() == set(re.findall(r"^([a-z]+):.* ## \w", makefile, re.MULTILINE))


def test_verbs_are_found_in_code_and_not_in_prose() -> None:
    text = "make sure\n\n`make one ARGS=x`\n```console\n$ make two three\nmake four -j2 && make five\n```\n"
    assert verbs_named_in(text) == {"one", "two", "three", "four", "five"}


# ---- curls ---------------------------------------------------------------------------------------------


def script_of(block: Block) -> str:
    """What a reader would type: of a console block, the lines after `$ ` and their continuations."""
    if block.language != "console" or not re.search(r"^\$ ", block.text, re.MULTILINE):
        return block.text
    typed: list[str] = []
    going_on = False
    for line in block.text.splitlines():
        if line.startswith("$ ") or going_on:
            typed.append(line.removeprefix("$ "))
            # A quote left open goes on in the next line, like a backslash at its end.
            command = "\n".join(typed)
            going_on = line.endswith("\\") or command.count("'") % 2 == 1
    return "\n".join(typed)


def curl_blocks(blocks: list[Block]) -> list[Block]:
    """Blocks that begin with a curl to the documented address."""
    return [
        block
        for block in blocks
        if block.language in SHELLS and script_of(block).startswith("curl ") and DOCUMENTED in block.text
    ]


def curl_problem(block: Block, *, port: int, home: Path) -> str | None:
    """Run the block as it stands, but for the port; what is wrong with the answer, if anything."""
    # The status of each answer goes to stderr, where it does not disturb what the block itself prints.
    (home / ".curlrc").write_text(f'write-out = "%{{stderr}}<%{{http_code}}>"\nmax-time = {CURL_SECONDS}\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CURL_HOME": str(home), "NO_PROXY": "*"}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script_of(block).replace(DOCUMENTED, f"localhost:{port}")],
        cwd=home, env=environment, capture_output=True, text=True, timeout=4 * CURL_SECONDS, check=False,
    )  # fmt: skip
    statuses = re.findall(r"<(\d{3})>", ran.stderr)
    # curl --fail ends with 22 where the status says so.
    wanted_exit = (0,) if block.expected == "2" else (0, 22)
    well = all(status.startswith(block.expected) for status in statuses) and ran.returncode in wanted_exit
    if well and not (block.expected == "2" and '"error"' in ran.stdout):
        return None
    return f"{block.place}: exit {ran.returncode}, status {statuses}: {ran.stdout[:500]} {ran.stderr[-300:]}"


@contextlib.contextmanager
def gateway(home: Path) -> Iterator[int]:
    """The gateway with nothing but the built-in provider, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "MOCK_ENABLED": "true"}
    environment |= {"SERVER_HOST": "127.0.0.1", "SERVER_PORT": str(port)}
    command = [sys.executable, "-m", "inference_gateway.server", "serve"]
    log = home / "gateway.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=home, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            wait_until_it_listens(process, port, log)
            yield port
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(START_SECONDS * 20):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.05)
            pytest.fail(f"the gateway ended with {code}: {log.read_text()}")
    pytest.fail(f"the gateway does not listen: {log.read_text()}")


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@needs_curl
def test_every_curl_of_the_documents_works_as_it_stands(tmp_path: Path) -> None:
    blocks = curl_blocks(all_blocks())
    if not blocks:
        return
    with gateway(tmp_path) as port:
        problems = [curl_problem(block, port=port, home=tmp_path) for block in blocks]
    assert "\n".join(problem for problem in problems if problem) == ""


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers /404 with 404 and every other path with 200; /lie is an error all the same."""

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/404" else 200)
        self.end_headers()
        self.wfile.write(b'{"error": "no"}' if self.path in ("/404", "/lie") else b'{"ok": true}')

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def answering() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@needs_curl
@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("```console\n$ curl -s http://localhost:8080/ \\\n    -H 'A: b'\nwhat it prints\n```", False),
        ("```bash\ncurl -fsS localhost:8080/ | grep ok\n```", False),
        ("<!-- expect: 4xx -->\n```bash\ncurl -f localhost:8080/404\n```", False),
        ("<!-- expect: 4xx -->\n\n```bash\ncurl localhost:8080/404\n```", False),
        ("<!-- expect: 4xx -->\n```bash\ncurl localhost:8080/\n```", True),
        ("<!-- expect: 4xx -->\nWords between.\n```bash\ncurl localhost:8080/404\n```", True),
        ("```bash\ncurl localhost:8080/404\n```", True),
        ("```bash\ncurl localhost:8080/lie\n```", True),
        ("```bash\ncurl localhost:8080/ | grep nothing\n```", True),
        ("```bash\ncurl localhost:8080/\ncurl localhost:8080/404\n```", True),
    ],
)
def test_a_curl_is_judged_by_what_comes_back(answering: int, tmp_path: Path, text: str, fails: bool) -> None:
    (block,) = curl_blocks(blocks_of("a.md", text))
    problem = curl_problem(block, port=answering, home=tmp_path)
    assert (problem is not None) == fails


def test_a_console_block_is_read_as_what_is_typed() -> None:
    (block,) = blocks_of("a.md", "```console\n$ curl x -d '{\n  \"a\": 1\n}'\nanswer\n$ curl y\n```")
    assert script_of(block) == "curl x -d '{\n  \"a\": 1\n}'\ncurl y"
