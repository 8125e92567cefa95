"""One push of metrics: read, counted, answered, while the loop goes on with other things."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

import msgspec

from inference_gateway.server.telemetry.ingest import Ingest, Refused, Unsupported
from inference_gateway.server.telemetry.otlp import Encoding, Metric

_TURN: Final = 100
"""Points after which others have their turn."""
_MOST_POINTS: Final = 10_000
"""Points of one push that are taken."""
_MOST_REASONS: Final = 20
_LONGEST_NAME: Final = 100


class _Refusals(msgspec.Struct):
    """What of a push was not taken, and why."""

    points: int = 0
    reasons: dict[str, None] = msgspec.field(default_factory=dict)

    def note(self, reason: str, *, points: int) -> None:
        self.points += points
        if len(self.reasons) < _MOST_REASONS:
            self.reasons[reason] = None


class Push:
    """Takes pushes, in each of the encodings.

    :param encodings: by their media types.
    """

    def __init__(self, ingest: Ingest, encodings: Mapping[bytes, Encoding]) -> None:
        self._ingest = ingest
        self.encodings = encodings
        self._taken = 0

    async def take(self, body: bytes, encoding: Encoding) -> bytes:
        """Count what an export brings; return the answer to it.

        :raises Unreadable: it is none.
        """
        refusals, seen = _Refusals(), 0
        for metric in encoding.read(body):
            seen += metric.size
            if seen > _MOST_POINTS:
                refusals.note(f"more than {_MOST_POINTS} data points", points=metric.size)
                continue
            await self._count(metric, refusals)
        return encoding.answer(refusals.points, "; ".join(refusals.reasons))

    async def _count(self, metric: Metric, refusals: _Refusals) -> None:
        try:
            take = self._ingest.taker(metric)
        except Refused as refused:
            refusals.note(_reason(metric, refused), points=metric.size)
            return
        for point in metric.points:
            self._taken += 1
            if self._taken % _TURN == 0:
                await asyncio.sleep(0)
            try:
                if point.is_recorded:
                    take(point)
            except Refused as refused:
                refusals.note(_reason(metric, refused), points=1)


def _reason(metric: Metric, refused: Refused) -> str:
    name = json.dumps(metric.name[:_LONGEST_NAME], ensure_ascii=False)
    return f"unsupported metric {name}" if isinstance(refused, Unsupported) else f"metric {name}: {refused}"
