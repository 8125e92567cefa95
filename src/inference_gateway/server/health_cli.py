"""`inference-gateway health`: ask the gateway on this machine whether it is well, as containers do."""

import http.client
import socket
import ssl
import sys
from typing import NoReturn

import click

from inference_gateway.server.configuration import SettingsError, load_process_settings
from inference_gateway.server.settings import ServerSettings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where who listens everywhere is found


@click.command()
@click.option("--config", metavar="FILE", help="YAML file with settings.")
@click.option("--timeout", default=3.0, show_default=True, help="Seconds that the answer may take.")
def health(config: str | None, timeout: float) -> None:
    """Ask the gateway that runs here with these settings for /health/ready; exit code 0 where it is well.

    Where it wants a certificate of its clients, only whether its port is open is looked at.
    """
    try:
        server = load_process_settings(config).settings.server
    except SettingsError as error:
        _fail(str(error), code=2)
    try:
        problem = _problem(server, timeout)
    except (OSError, http.client.HTTPException) as error:
        problem = str(error) or type(error).__name__
    if problem:
        _fail(f"no good answer on port {server.port}: {problem}", code=1)


def _problem(server: ServerSettings, timeout: float) -> str:
    """Say what is wrong; nothing where all is well."""
    host = _EVERYWHERE.get(server.host, server.host)
    if server.tls_client_ca_path is not None:
        socket.create_connection((host, server.port), timeout).close()
        return ""
    connection = _connection(server, host, timeout)
    try:
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == 200 else f"status {status}"


def _connection(server: ServerSettings, host: str, timeout: float) -> http.client.HTTPConnection:
    if server.tls_cert_path is None:
        return http.client.HTTPConnection(host, server.port, timeout=timeout)
    # Its certificate is for the name that clients call it by. Nothing secret is said here.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, server.port, timeout=timeout, context=context)


def _fail(message: str, *, code: int) -> NoReturn:
    click.echo(f"inference-gateway: {message}", err=True)
    sys.exit(code)
