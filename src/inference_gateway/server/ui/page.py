"""What the status page needs: its files, the settings in effect, where figures and mishaps stand."""

import msgspec

from inference_gateway.server.configuration import Row, in_effect
from inference_gateway.server.settings import Settings
from inference_gateway.server.telemetry.board import Told, told
from inference_gateway.server.telemetry.figures import Figures, figures
from inference_gateway.server.telemetry.totals import Totals
from inference_gateway.server.ui.assets import Assets, load


class Counted(msgspec.Struct, frozen=True):
    """Figures of all processes, and how far they can be relied on."""

    started: float
    """When the gateway started, in seconds since 1970."""
    workers: int
    """Processes that serve."""
    counting: int
    """How many of them count inference requests at the moment."""
    since: float | None
    """Since when all of them do, in seconds since 1970; null while not all do."""
    always: bool
    """Whether they count all the time; else they do while somebody looks, and for five minutes more."""
    figures: Figures


class Page(msgspec.Struct, frozen=True):
    """The status page of one process.

    :ivar settings: every setting in effect, secrets masked.
    :ivar totals: None where processes do not count together, as under an ASGI server.
    :ivar counts_always: whether requests are counted, watched or not.
    """

    assets: Assets
    settings: list[Row]
    totals: Totals | None
    counts_always: bool

    def counted(self) -> Counted | None:
        """Sum up what all processes counted, and have them count on: somebody looks."""
        totals = self.totals
        if totals is None:
            return None
        totals.watch.look()
        workers = told(totals).workers
        counting = [worker.counts_since for worker in workers if worker.counts_since]
        return Counted(
            started=totals.started,
            workers=len(workers),
            counting=len(counting),
            since=max(counting) if counting and len(counting) == len(workers) else None,
            always=self.counts_always,
            figures=figures(totals.read()),
        )

    def mishaps(self) -> Told:
        """Tell what went wrong lately, in any process."""
        return told(self.totals) if self.totals is not None else Told([], [], [])


def open_page(settings: Settings, totals: Totals | None, *, counts_always: bool) -> Page | None:
    """Make it; None where it is switched off."""
    if not settings.ui.enabled:
        return None
    return Page(load(), in_effect(settings), totals, counts_always)
