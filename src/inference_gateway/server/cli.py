"""The command line. Exit codes: 0 done, 1 it did not work, 2 the settings or the call are wrong."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click
import msgspec

from inference_gateway._version import __version__
from inference_gateway.server import logs, settings_reference
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.configuration import (
    Loaded,
    SettingsError,
    load_process_settings,
    process_service_manager,
)
from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.values import workers
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.health_cli import health
from inference_gateway.server.keys_cli import keys
from inference_gateway.server.lab import PORT, LabServer, run_lab
from inference_gateway.server.launch import launch
from inference_gateway.server.listening import CannotServe
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.serve import certificates, open_gateway
from inference_gateway.server.settings import Settings
from inference_gateway.server.transport import exchange

T = TypeVar("T")

logger = logging.getLogger("inference_gateway")

_config = click.option("--config", metavar="FILE", help="YAML file with settings.")


def _read_workers(context: click.Context, parameter: click.Parameter, text: str | None) -> int | str | None:
    try:
        return None if text is None else workers(text)
    except Refused as error:
        raise click.BadParameter(str(error)) from error


_VERSION = __version__ if exchange.__file__.endswith(".py") else f"{__version__} (compiled)"


@click.group(help="One server in front of every LLM provider, behind one OpenAI-compatible API.")
@click.version_option(_VERSION, message="%(version)s")
def cli() -> None:
    """Hold the commands together."""


cli.add_command(keys)
cli.add_command(health)


@cli.command()
@click.option("--host", help="Address to listen on; wins over SERVER_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; wins over SERVER_PORT. 0 takes a free one."
)
@click.option(
    "--workers",
    metavar="N",
    callback=_read_workers,
    help="Processes, or `auto` for one per processor; wins over SERVER_WORKERS.",
)
@_config
def serve(config: str | None, **options: str | int | None) -> None:
    """Start the gateway."""
    # A blank option is as good as none: it must not turn into every address.
    given = {name: value for name, value in options.items() if value not in (None, "")}

    def load() -> Settings:
        loaded = load_process_settings(config)
        server = msgspec.structs.replace(loaded.settings.server, **given)
        logs.set_up(loaded.settings.log_level, loaded.settings.log_format)
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        return msgspec.structs.replace(loaded.settings, server=server)

    try:
        sys.exit(launch(load, process_service_manager()))
    except SettingsError as error:
        _fail(str(error), code=2)
    except CannotServe as error:
        _fail(str(error), code=error.exit_code)


@cli.command()
@click.option("--offline", is_flag=True, help="Ask no provider.")
@_config
def check(offline: bool, config: str | None) -> None:
    """Show the settings in effect, try each provider's list of models and the issuer of tokens."""
    loaded = _load(config)
    click.echo(settings_reference.table(loaded), nl=False)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        certificates(loaded.settings.server)
        open_gateway(loaded.settings).pool.close()
    except CannotServe as error:
        _fail(str(error), code=error.exit_code)
    if offline:
        return
    click.echo()
    if not _with_gateway(loaded, _try_providers):
        sys.exit(1)


@cli.command()
@click.option(
    "--format", "form", type=click.Choice(("env", "markdown")), default="env", help="How to write it."
)
def settings(form: str) -> None:
    """Describe every setting."""
    text = settings_reference.markdown() if form == "markdown" else settings_reference.env_example()
    click.echo(text, nl=False)


@cli.command()
@_config
def models(config: str | None) -> None:
    """List the models of all configured providers."""
    loaded = _load(config)
    logs.set_up("warning", "console")
    names = _with_gateway(loaded, _model_names)
    if names is None:
        _fail("no provider lists its models", code=1)
    for name in names:
        click.echo(name)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port; 0 takes a free one.",
)
def lab(host: str, port: int) -> None:
    """Start a provider that breaks on purpose; see docs/fault-lab.md."""
    logs.set_up("info", "console")
    try:
        run_lab(LabServer(host or "127.0.0.1", port))
    except CannotServe as error:
        _fail(str(error), code=error.exit_code)


@cli.command()
def version() -> None:
    """Print the version, and whether the busiest modules are compiled."""
    click.echo(_VERSION)


def _load(config: str | None) -> Loaded:
    try:
        return load_process_settings(config)
    except SettingsError as error:
        _fail(str(error), code=2)


def _with_gateway(loaded: Loaded, work: Callable[[Gateway], Awaitable[T]]) -> T:
    async def run_once() -> T:
        gateway = open_gateway(loaded.settings)
        try:
            return await work(gateway)
        finally:
            await gateway.close()

    try:
        return asyncio.run(run_once())
    except CannotServe as error:
        _fail(str(error), code=error.exit_code)


async def _try_providers(gateway: Gateway) -> bool:
    """Ask every provider for its models, and the issuer for its keys; say what came, and whether all did."""
    tries = await asyncio.gather(*[_try(gateway, provider_id) for provider_id in gateway.backends])
    for provider_id, listed, problem in tries:
        click.echo(f"{provider_id}: {problem or f'{len(listed)} models'}")
    trouble = await gateway.guard.trouble() if gateway.guard is not None else None
    if trouble is not None:
        click.echo(f"issuer of tokens: {f'failed: {trouble}' if trouble else 'its keys are known'}")
    return not trouble and not any(problem for _, _, problem in tries)


async def _try(gateway: Gateway, provider_id: str) -> tuple[str, tuple[Model, ...], str]:
    try:
        return provider_id, await gateway.catalog.of(provider_id), ""
    except GatewayError as error:
        return provider_id, (), f"failed: {error.message}"


async def _model_names(gateway: Gateway) -> list[str] | None:
    """List what is served, None where every provider failed. The catalog logs each that does."""
    tries = await asyncio.gather(*[_try(gateway, provider_id) for provider_id in gateway.backends])
    if tries and all(problem for _, _, problem in tries):
        return None
    permits = gateway.rules.permits
    return [m.id for _, listed, _ in tries for m in listed if permits(m.served_by, m.name)]


def _fail(message: str, *, code: int) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"inference-gateway: {line}", err=True)
    sys.exit(code)
