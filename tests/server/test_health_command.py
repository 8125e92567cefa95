"""`inference-gateway health`: the truth about the gateway on this machine, in an exit code."""

import socket
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from fakes.process import running
from fakes.prometheus import free_port
from inference_gateway.server.cli import cli


def health(home: Path, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Result:
    monkeypatch.chdir(home)
    return CliRunner(env=environ).invoke(cli, ["health", "--timeout", "10"])


def test_a_gateway_that_serves_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(home=tmp_path, SERVER_HOST="0.0.0.0", SERVER_ALLOW_UNAUTHENTICATED="true") as gateway:
        result = health(tmp_path, monkeypatch, SERVER_HOST="0.0.0.0", SERVER_PORT=str(gateway.port()))
    assert (result.exit_code, result.output) == (0, "")


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Settings of a certificate for a name that is not localhost."""
    shown = trustme.CA().issue_cert("gateway.example")
    shown.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    shown.private_key_pem.write_to_path(tmp_path / "key.pem")
    return {
        "SERVER_TLS_CERT_PATH": str(tmp_path / "cert.pem"),
        "SERVER_TLS_KEY_PATH": str(tmp_path / "key.pem"),
    }


def test_a_gateway_that_shows_a_certificate_is_well(
    tls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home=tmp_path, **tls) as gateway:
        port = str(gateway.port())
        assert health(tmp_path, monkeypatch, SERVER_PORT=port, **tls).exit_code == 0
        # Without its settings the command speaks another language, and says that the gateway is not well.
        assert health(tmp_path, monkeypatch, SERVER_PORT=port).exit_code == 1


def test_a_gateway_that_wants_certificates_is_only_looked_for(
    tls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls["SERVER_TLS_CLIENT_CA_PATH"] = tls["SERVER_TLS_CERT_PATH"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert health(tmp_path, monkeypatch, SERVER_PORT=port, **tls).exit_code == 0
    assert health(tmp_path, monkeypatch, SERVER_PORT=port, **tls).exit_code == 1


def test_no_gateway_is_not_well_and_why_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    result = health(tmp_path, monkeypatch, SERVER_PORT=str(port))
    assert result.exit_code == 1
    assert f"no good answer on port {port}: " in result.output
    assert "refused" in result.output


def test_settings_that_are_wrong_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = health(tmp_path, monkeypatch, SERVER_PORT="x")
    assert result.exit_code == 2
    assert "SERVER_PORT" in result.output
