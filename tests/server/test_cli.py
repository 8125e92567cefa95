"""The command line: what it prints, and the truth of its exit codes."""

import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.process import running
from fakes.provider import Call, FakeProvider
from inference_gateway._version import __version__
from inference_gateway.server import settings_reference
from inference_gateway.server.cli import cli

KEY = "sk-very-secret"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty directory, with these variables and none of the tester's."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "SSL_CERT_FILE", "GATEWAY_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner(env=environ).invoke(cli, arguments)

    return run


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_the_version_is_printed(run: Run, argument: str) -> None:
    result = run(argument)
    assert (result.exit_code, result.output) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), settings_reference.env_example()),
        (("--format", "env"), settings_reference.env_example()),
        (("--format", "markdown"), settings_reference.markdown()),
    ],
)
def test_settings_are_described(run: Run, arguments: tuple[str, ...], text: str) -> None:
    result = run("settings", *arguments)
    assert (result.exit_code, result.output) == (0, text)


def test_check_shows_the_settings_masked_and_tries_each_provider(run: Run, provider: FakeProvider) -> None:
    result = run("check", OPENAI_API_KEY=KEY, OPENAI_API_URL=provider.url)
    assert result.exit_code == 0
    assert KEY not in result.output
    assert "OPENAI_API_KEY" in result.output
    assert "********" in result.output
    assert result.output.endswith("\nopenai: 1 models\n")


def test_check_fails_where_a_provider_fails_and_names_it(
    run: Run, start_provider: Callable[..., FakeProvider], provider: FakeProvider
) -> None:
    async def refuses(call: Call) -> None:
        await call.respond_json({"error": f"wrong key {KEY}"}, 401)

    failing = start_provider(refuses)
    result = run(
        "check",
        OPENAI_API_KEY=KEY,
        OPENAI_API_URL=failing.url,
        GROQ_API_KEY="k",
        GROQ_API_URL=provider.url,
    )
    assert result.exit_code == 1
    assert "openai: failed: the list of models was answered with status 401\n" in result.output
    assert "groq: 1 models\n" in result.output
    assert KEY not in result.output


def test_check_asks_nobody_when_told_so(run: Run, provider: FakeProvider) -> None:
    result = run("check", "--offline", OPENAI_API_KEY=KEY, OPENAI_API_URL=provider.url)
    assert result.exit_code == 0
    assert provider.calls == []


def test_models_are_listed_one_a_line(run: Run, provider: FakeProvider) -> None:
    result = run("models", OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, MOCK_ENABLED="true")
    assert (result.exit_code, result.stdout) == (0, "openai/m\nmock/echo\nmock/tools\n")
    limited = run(
        "models",
        OPENAI_API_KEY="k",
        OPENAI_API_URL=provider.url,
        MOCK_ENABLED="true",
        DISALLOWED_MODELS="echo,tools",
    )
    assert (limited.exit_code, limited.stdout) == (0, "openai/m\n")


def test_models_fails_where_every_provider_fails(
    run: Run, start_provider: Callable[..., FakeProvider], caplog: pytest.LogCaptureFixture
) -> None:
    async def refuses(call: Call) -> None:
        await call.respond_json({"error": "no"}, 401)

    failing = start_provider(refuses)
    environ = {"OPENAI_API_KEY": "k", "OPENAI_API_URL": failing.url}
    result = run("models", **environ)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "inference-gateway: no provider lists its models\n" in result.stderr
    assert "openai does not list its models" in caplog.text
    caplog.clear()
    result = run("models", **environ, MOCK_ENABLED="true")
    assert (result.exit_code, result.stdout) == (0, "mock/echo\nmock/tools\n")
    assert "openai does not list its models" in caplog.text


def test_a_port_that_is_taken_is_fatal(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for result in (run("serve", "--port", port), run("serve", SERVER_PORT=port)):
            assert result.exit_code == 1
            assert f"inference-gateway: cannot listen on 127.0.0.1 port {port}: " in result.stderr


@pytest.mark.parametrize("command", ["serve", "check", "models"])
def test_settings_that_are_wrong_are_told_one_a_line(run: Run, command: str) -> None:
    result = run(command, SERVER_PORT="nine", CLIENT_TIMEOUT="soon", OPENAI_API_URL="ftp://x")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("inference-gateway: ") for line in lines)
    for name in ("SERVER_PORT", "CLIENT_TIMEOUT", "OPENAI_API_URL"):
        assert sum(name in line for line in lines) == 1


@pytest.mark.parametrize("command", ["serve", "check", "models"])
def test_a_file_of_authorities_without_a_certificate_is_a_wrong_setting(run: Run, command: str) -> None:
    Path("empty.pem").write_text("")
    Path("rubbish.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    for name in ("empty.pem", "rubbish.pem", "missing.pem"):
        result = run(command, SSL_CERT_FILE=name)
        assert result.exit_code == 2
        [line] = result.stderr.splitlines()
        assert line.startswith("inference-gateway: ")
        assert "SSL_CERT_FILE: " in line
        assert name in line


def test_a_configuration_file_that_is_missing_is_a_wrong_setting(run: Run) -> None:
    result = run("check", "--config", "nowhere.yaml")
    assert result.exit_code == 2
    assert "nowhere.yaml" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("serve", "--port", "70000"), ("settings", "--format", "x")]
)
def test_a_call_that_is_wrong_is_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_gateway_may_open_the_files_that_its_connections_need(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limited = f"ulimit -Sn 128; exec {sys.executable} -m inference_gateway.server serve"
    with running(command=("sh", "-c", limited), home=tmp_path, SERVER_MAX_CONNECTIONS="100") as process:
        process.logged("listens on")
        limits = Path(f"/proc/{process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert int(line.split()[3]) == (456 if hard == resource.RLIM_INFINITY else min(456, hard))
