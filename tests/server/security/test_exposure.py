"""Safe by default: what does not start, and which web pages are turned away."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.process import running
from fakes.provider import FakeProvider
from inference_gateway.server.cli import cli
from inference_gateway.server.configuration import SettingsError, load
from inference_gateway.server.settings import Settings

Start = Callable[..., FakeGateway]
KEY = "a-key-of-the-settings"


def problems(**environ: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(environ=environ, dotenv=None)
    return str(raised.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize("given_by", ["setting", "option"])
def test_a_gateway_for_everybody_does_not_start_by_accident(tmp_path: Path, host: str, given_by: str) -> None:
    options, environ = ((), {"SERVER_HOST": host}) if given_by == "setting" else (("--host", host), {})
    with running(*options, home=tmp_path, **environ) as process:
        assert process.exit_code() == 2
    said = "".join(process.lines)
    assert "SERVER_ALLOW_UNAUTHENTICATED=true" in said
    assert "AUTH_API_KEYS" in said
    assert "listens" not in said


@pytest.mark.parametrize("environ", [{"SERVER_ALLOW_UNAUTHENTICATED": "true"}, {"AUTH_API_KEYS": KEY}])
def test_it_starts_with_authentication_or_knowingly(tmp_path: Path, environ: dict[str, str]) -> None:
    with running(home=tmp_path, SERVER_HOST="0.0.0.0", **environ) as process:
        assert process.port()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_is_free(tmp_path: Path, host: str) -> None:
    with running(home=tmp_path, SERVER_HOST=host) as process:
        assert process.port()


def test_a_public_socket_passed_on_is_refused_as_well(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True)\n"
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'inference_gateway.server', 'serve'])\n"
    )
    for address, code in (("0.0.0.0", 2), ("127.0.0.1", None)):
        with socket.socket() as listener:
            listener.bind((address, 0))
            listener.listen()
            fd = listener.fileno()
            command = [sys.executable, "-c", script, str(fd)]
            with running(command=command, home=tmp_path, pass_fds=[fd]) as process:
                if code is None:
                    process.logged("listens on")
                else:
                    assert process.exit_code() == code
                    assert "the socket passed on" in "".join(process.lines)


def test_a_reload_that_would_let_everybody_in_is_refused(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"AUTH_API_KEYS={KEY}\n")
    with running("--workers", "2", home=tmp_path, SERVER_HOST="0.0.0.0") as process:
        process.port()
        dotenv.write_text("")
        process.signal(signal.SIGHUP)
        process.logged("SERVER_ALLOW_UNAUTHENTICATED=true")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"AUTH_ENABLED": "true"}, "AUTH_ENABLED: nobody could call"),
        ({"AUTH_ENABLED": "true", "AUTH_API_KEYS": " , "}, "one of the keys is blank"),
        ({"AUTH_API_KEYS": f"{KEY},,"}, "one of the keys is blank"),
        ({"AUTH_API_KEYS": "short"}, "fewer than 16 characters"),
        ({"AUTH_API_KEYS": f"{KEY},{KEY}"}, "given twice"),
        ({"AUTH_API_KEYS": "a key with white space"}, "white space"),
        ({"AUTH_OIDC_ISSUER": "https://issuer.test"}, "needs AUTH_OIDC_CLIENT_ID or AUTH_OIDC_AUDIENCES"),
        (
            {"AUTH_REQUIRED_SCOPES": "llm"},
            "AUTH_REQUIRED_SCOPES: no token is checked without AUTH_OIDC_ISSUER",
        ),
        ({"AUTH_REQUIRED_CLAIMS": "a=b", "AUTH_API_KEYS": KEY}, "AUTH_REQUIRED_CLAIMS: no token is checked"),
        ({"AUTH_OIDC_CLIENT_ID": "c"}, "AUTH_OIDC_CLIENT_ID: no token is checked"),
        ({"AUTH_OIDC_AUDIENCES": "c"}, "AUTH_OIDC_AUDIENCES: no token is checked"),
        ({"AUTH_REQUIRED_CLAIMS": "=x"}, "names no claim"),
        ({"AUTH_REQUIRED_SCOPES": 'a"b'}, "is not a scope"),
        ({"AUTH_OIDC_LEEWAY": "6m"}, "AUTH_OIDC_LEEWAY"),
    ],
)
def test_settings_that_would_let_in_nobody_or_anybody_are_refused(environ: dict[str, str], said: str) -> None:
    text = problems(**environ)
    assert said in text
    assert KEY not in text


def test_authentication_is_on_where_there_is_a_way_in_unless_it_is_switched_off() -> None:
    def is_active(**environ: str) -> bool:
        return load(environ=environ, dotenv=None).settings.auth.active

    issuer = {"AUTH_OIDC_ISSUER": "https://issuer.test", "AUTH_OIDC_CLIENT_ID": "c"}
    assert not is_active()
    assert is_active(AUTH_API_KEYS=KEY)
    assert is_active(**issuer)
    assert is_active(AUTH_API_KEYS_FILE="keys.json")
    assert not is_active(**issuer, AUTH_ENABLED="false")
    assert not is_active(AUTH_OIDC_CLIENT_ID="c", AUTH_ENABLED="false")
    assert not Settings().auth.active


def test_the_old_names_of_its_settings_work() -> None:
    loaded = load(
        environ={"ENABLE_AUTH": "1", "OIDC_ISSUER_URL": "https://issuer.test/", "OIDC_CLIENT_ID": "c"},
        dotenv=None,
    )
    auth = loaded.settings.auth
    assert (auth.enabled, auth.oidc_issuer, auth.oidc_client_id) == (True, "https://issuer.test/", "c")
    assert len(loaded.warnings) == 3


@pytest.mark.parametrize("command", [("check", "--offline"), ("check",), ("models",), ("serve",)])
def test_a_file_of_keys_that_everybody_reads_stops_each_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "keys.json"
    path.write_text('{"version": 1, "keys": []}')
    path.chmod(0o644)
    result = CliRunner(env={"AUTH_API_KEYS_FILE": str(path), "SERVER_PORT": "0"}).invoke(cli, command)
    assert result.exit_code == 2
    assert "AUTH_API_KEYS_FILE" in result.stderr
    assert "chmod 600" in result.stderr


# ---- web pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://127.0.0.1.evil.test", "http://localhost:1"]
)
def test_a_page_of_another_site_cannot_spend_on_an_open_gateway(
    gateway: FakeGateway, provider: FakeProvider, origin: str
) -> None:
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    for method, path in (
        ("POST", "/v1/chat/completions"),
        ("POST", "/proxy/openai/x"),
        ("PUT", "/proxy/openai/x"),
    ):
        reply = gateway.request(method, path, body(), headers)
        assert reply.status == 403
        assert "SERVER_CORS_ORIGINS" in reply.json()["error"]
        assert "access-control-allow-origin" not in reply.headers
    assert not provider.calls


def test_programs_and_allowed_pages_may(start_gateway: Start, provider: FakeProvider) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_CORS_ORIGINS="https://app.test"
    )
    assert gateway.chat(body()).status == 200
    assert gateway.chat(body(), headers={"Origin": "https://app.test"}).status == 200
    assert gateway.request("GET", "/v1/models", headers={"Origin": "https://evil.test"}).status == 200
    everyone = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_CORS_ORIGINS="*")
    assert everyone.chat(body(), headers={"Origin": "https://any.test"}).status == 200


@pytest.mark.parametrize("origin", ["chrome-extension://abc", "vscode-webview://1X-y", "app://obsidian.md"])
def test_pages_of_extensions_and_desktop_programs_may_be_allowed(
    start_gateway: Start, provider: FakeProvider, origin: str
) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_CORS_ORIGINS=f"{origin},https://app.test"
    )
    reply = gateway.chat(body(), headers={"Origin": origin})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
    assert gateway.chat(body(), headers={"Origin": f"{origin}x"}).status == 403


@pytest.mark.parametrize("origin", ["htps://app.test", "null", "file://", "app://", "app://a/b", "app://a b"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    assert "SERVER_CORS_ORIGINS" in problems(SERVER_CORS_ORIGINS=origin)


def test_a_page_of_the_gateway_itself_may_and_host_says_nothing(
    start_gateway: Start, provider: FakeProvider
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_PORT=port)
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert gateway.chat(body(), headers={"Origin": f"http://{host}:{port}"}).status == 200
    rebound = {"Origin": f"http://evil.test:{port}", "Host": f"evil.test:{port}"}
    assert gateway.chat(body(), headers=rebound).status == 403


def test_where_a_key_is_needed_a_pages_origin_is_not_asked_for(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, AUTH_API_KEYS=KEY)
    headers = {"Origin": "vscode-webview://x", "Authorization": f"Bearer {KEY}"}
    assert gateway.chat(body(), headers=headers).status == 200
