"""Extras: packages that only some features need, and that an installation may lack."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager


class MissingExtra(Exception):
    """A package that a feature needs is not installed; the message says what to install."""


@contextmanager
def needed(setting: str, extra: str, packages: Collection[str]) -> Iterator[None]:
    """Import what a feature needs, in the block.

    :param setting: what switched the feature on.
    :param packages: what the extra brings; anything else that is missing is a mistake of ours.
    :raises MissingExtra: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise MissingExtra(
            f"{setting} needs {error.name!r}, which is not installed; "
            f"install the extra [{extra}], for example: pip install '.[server,{extra}]'"
        ) from error
