"""`inference-gateway keys`: make, list and revoke the API keys of a file."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from inference_gateway.server.configuration import SettingsError, load_process_settings
from inference_gateway.server.keys import file
from inference_gateway.server.keys.file import UnusableKeys
from inference_gateway.server.keys.record import KeyList, KeyRecord, create

T = TypeVar("T")

_file = click.option(
    "--file", "path", type=click.Path(path_type=Path), help="File of keys; wins over AUTH_API_KEYS_FILE."
)
_config = click.option("--config", metavar="FILE", help="YAML file with settings.")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def _read_expiry(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """Read `90d`, `12h`, `30m`, or a moment such as 2030-01-01 (midnight, UTC)."""
    if text is None:
        return None
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        if text[-1:] in _UNITS:
            moment = now + int(text[:-1]) * _UNITS[text[-1]]
        else:
            given = datetime.fromisoformat(text)
            moment = given if given.tzinfo is not None else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter("give a duration such as 90d, or a date such as 2030-01-01") from error
    if moment <= now:
        raise click.BadParameter("this is in the past")
    return moment


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--expires", callback=_read_expiry, metavar="TIME", help="`90d`, `12h` or `2030-01-01`.")
@click.option("--models", metavar="LIST", default="", help="Comma list of the only models it is good for.")
@_file
@_config
def create_key(
    name: str, expires: datetime | None, models: str, path: Path | None, config: str | None
) -> None:
    """Make a key, keep its hash under NAME, and print it: this once."""
    where = _path(path, config)
    allowed = [model.strip() for model in models.split(",") if model.strip()]
    try:
        key, record = create(name, expires=expires, allowed_models=allowed)
    except ValueError as error:
        _fail(str(error), code=2)

    def edit(known: KeyList) -> KeyList:
        if any(each.name == name for each in known.keys):
            raise UnusableKeys(f"there is a key called {name!r} already; revoke it first")
        return KeyList(version=1, keys=(*known.keys, record))

    _act(lambda: file.change(where, edit))
    click.echo(key)
    click.echo(f"kept its hash in {where}; the key itself is not shown again", err=True)


@keys.command("list")
@_file
@_config
def list_keys(path: Path | None, config: str | None) -> None:
    """Show names, dates and models of the keys, a line each."""
    where = _path(path, config)
    now = datetime.now(UTC)
    for record in _act(lambda: file.read(where)).keys:
        click.echo(_line(record, now))


@keys.command("revoke")
@click.argument("name")
@_file
@_config
def revoke_key(name: str, path: Path | None, config: str | None) -> None:
    """Take the key called NAME out of the file: running gateways refuse it within seconds."""

    def edit(known: KeyList) -> KeyList:
        left = tuple(each for each in known.keys if each.name != name)
        if len(left) == len(known.keys):
            raise UnusableKeys(f"there is no key called {name!r}")
        return KeyList(version=1, keys=left)

    where = _path(path, config)
    _act(lambda: file.read(where))
    _act(lambda: file.change(where, edit))
    click.echo(f"revoked {name}", err=True)


def _line(record: KeyRecord, now: datetime) -> str:
    if record.expires is None:
        until = "never expires"
    else:
        until = f"{'expired' if record.expires <= now else 'expires'} {record.expires:%Y-%m-%dT%H:%M:%SZ}"
    models = ",".join(record.allowed_models) or "all models"
    return f"{record.name}\tcreated {record.created:%Y-%m-%d}\t{until}\t{models}"


def _path(given: Path | None, config: str | None) -> Path:
    if given is not None:
        return given
    try:
        named = load_process_settings(config).settings.auth.api_keys_file
    except SettingsError as error:
        _fail(str(error), code=2)
    if named is None:
        _fail("no file of keys: give --file, or set AUTH_API_KEYS_FILE", code=2)
    return Path(named)


def _act(work: Callable[[], T]) -> T:
    try:
        return work()
    except UnusableKeys as error:
        _fail(str(error), code=1)


def _fail(message: str, *, code: int) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"inference-gateway: {line}", err=True)
    sys.exit(code)
