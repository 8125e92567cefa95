"""What clients measured themselves, counted beside what the gateway measures: same figures, other sources.

Label values and series are bounded, as the gateway's own are. A histogram with other buckets is put into
ours: each of its buckets counts where its middle is, and its sum is kept as it is.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isfinite
from typing import Final

import msgspec

from inference_gateway.server.telemetry.instruments import (
    CLIENT_DURATION,
    DURATION,
    FIRST_CHUNK,
    FIRST_TOKEN,
    OWN_SOURCE,
    TOKEN_USAGE,
    TOOL_CALLS,
    TOOL_TIME,
    Family,
    Histogram,
    Number,
    series_of,
)
from inference_gateway.server.telemetry.names import Names
from inference_gateway.server.telemetry.otlp import Metric, Point
from inference_gateway.server.telemetry.totals import Region, Totals

_UNKNOWN = "unknown"
_MOST_SERIES: Final = 1000
"""Series that a process counts for others."""
_MOST_COUNTED: Final = 2**40
"""Observations or tokens that one point may bring: beyond it, a total would lose its precision."""

_LABELS: Final = {
    "gen_ai.provider.name": 50,
    "gen_ai.system": 50,
    "gen_ai.response.model": 200,
    "gen_ai.operation.name": 50,
    "gen_ai.token.type": 10,
    "gen_ai.tool.name": 200,
    "gen_ai.tool.type": 10,
    "error.type": 50,
}
"""Attributes that become labels, beside the model that was asked for, and how many values each may have."""
_MOST_SOURCES: Final = 100


class _Rule(msgspec.Struct, frozen=True):
    family: Family
    unsupported: str
    """What is said of data of another type."""
    takes_sums: bool = False
    takes_histograms: bool = True
    unit: str = ""


_DURATION: Final = "only histogram data is supported"
_RULES: Final = {
    "gen_ai.client.token.usage": _Rule(TOKEN_USAGE, "unsupported data type", takes_sums=True),
    "gen_ai.server.request.duration": _Rule(DURATION, _DURATION, unit="s"),
    "gen_ai.client.operation.duration": _Rule(CLIENT_DURATION, _DURATION, unit="s"),
    "gen_ai.client.operation.time_to_first_chunk": _Rule(FIRST_CHUNK, _DURATION, unit="s"),
    "gen_ai.server.time_to_first_token": _Rule(FIRST_TOKEN, _DURATION, unit="s"),
    "gen_ai.execute_tool.duration": _Rule(TOOL_TIME, _DURATION, unit="s"),
    "inference_gateway.tool_calls": _Rule(
        TOOL_CALLS, "only sum data is supported", takes_sums=True, takes_histograms=False
    ),
}


class Refused(Exception):
    """A metric, or one of its points, is not taken; the message says why."""


class Unsupported(Refused):
    """There is no figure of the metric's name."""


class Ingest:
    """Counts what others measured.

    :param region: numbers of this process.
    :param max_models: names of models that may have series of their own.
    """

    def __init__(self, totals: Totals, region: Region, *, max_models: int) -> None:
        self._region = region
        self._names = {
            label: Names(totals, _spelled(label), most, _is_pushed)
            for label, most in {**_LABELS, "gen_ai.request.model": max_models}.items()
        }
        self._sources = Names(totals, "source", _MOST_SOURCES, _is_pushed)
        self._teams = Names(totals, "team", _MOST_SOURCES, _is_pushed)
        self._histograms: dict[tuple[str, ...], Histogram] = {}
        self._numbers: dict[tuple[str, ...], Number] = {}
        # Those of the process that had the region before are still there.
        self._size = sum(_is_pushed(*series_of(key)) for key in region.series())

    def taker(self, metric: Metric) -> Callable[[Point], None]:
        """Return what takes the points of a metric.

        :raises Refused: none of them can be taken; so may each point be.
        """
        rule = _rule(metric)
        if rule.family is TOOL_CALLS:
            return lambda point: self._added(metric, rule.family, point)
        if metric.kind == "sum":
            return lambda point: self._observed(metric, rule.family, point)
        return lambda point: self._merged(metric, rule.family, point)

    def _added(self, metric: Metric, family: Family, point: Point) -> None:
        value = _checked(point.value)
        self._number(family, self._labels(metric, point)).add(value)

    def _observed(self, metric: Metric, family: Family, point: Point) -> None:
        value = _checked(point.value)
        self._histogram(family, self._labels(metric, point)).observe(value)

    def _merged(self, metric: Metric, family: Family, point: Point) -> None:
        counts, total = rebinned(point, family.buckets)
        if any(counts):
            self._histogram(family, self._labels(metric, point)).merge(counts, total)

    def _labels(self, metric: Metric, point: Point) -> dict[str, str]:
        given = point.labels
        explicit, service = given.get("source", ""), metric.service
        source = next((name for name in (explicit, service) if name not in ("", OWN_SOURCE)), _UNKNOWN)
        labels = {
            "source": self._sources.learn(source),
            "team": self._teams.learn(given.get("team") or _UNKNOWN),
        }
        for name, names in self._names.items():
            if given.get(name):
                labels[_spelled(name)] = names.learn(given[name])
        return labels

    def _histogram(self, family: Family, labels: dict[str, str]) -> Histogram:
        key = (family.name, *labels, *labels.values())
        found = self._histograms.get(key)
        if found is None:
            self._make_room()
            found = self._histograms[key] = Histogram(self._region, family, **labels)
        return found

    def _number(self, family: Family, labels: dict[str, str]) -> Number:
        key = (family.name, *labels, *labels.values())
        found = self._numbers.get(key)
        if found is None:
            self._make_room()
            found = self._numbers[key] = Number(self._region, family, **labels)
        return found

    def _make_room(self) -> None:
        if self._size >= _MOST_SERIES:
            raise Refused("too many series")
        self._size += 1


def _spelled(name: str) -> str:
    return name.replace(".", "_")


def _is_pushed(_: str, labels: dict[str, str]) -> bool:
    return labels.get("source", OWN_SOURCE) != OWN_SOURCE


def _rule(metric: Metric) -> _Rule:
    rule = _RULES.get(metric.name)
    if rule is None:
        raise Unsupported
    takes = {"sum": rule.takes_sums, "histogram": rule.takes_histograms, "other": False}
    if not takes[metric.kind]:
        raise Refused(rule.unsupported)
    if rule.family is TOOL_CALLS and not (metric.is_delta and metric.is_monotonic):
        raise Refused("only delta monotonic sums are supported")
    if not metric.is_delta:
        raise Refused("only delta temporality is supported")
    if rule.unit and metric.unit not in ("", rule.unit):
        raise Refused(f"the unit must be {rule.unit}")
    return rule


def rebinned(point: Point, bounds: Sequence[float]) -> tuple[list[int], float]:
    """Put a histogram's observations into buckets of these upper bounds; return them with their sum.

    A bucket counts where its middle is, the first where its upper bound is, the last where its lower one is;
    without any buckets, all count where their mean is.

    :raises Refused: it is no histogram.
    """
    _check(point)
    given, counts = list(point.bounds), [0] * (len(bounds) + 1)
    if not given:
        total = point.sum or 0.0
        counts[bisect_left(bounds, total / max(1, point.count))] = point.count
        return counts, total
    middles = [given[0], *((low + high) / 2 for low, high in pairwise(given)), given[-1]]
    if given == list(bounds):
        counts = list(point.counts)
    else:
        for middle, count in zip(middles, point.counts, strict=True):
            counts[bisect_left(bounds, middle)] += count
    if point.sum is not None:
        return counts, point.sum
    return counts, sum(middle * count for middle, count in zip(middles, point.counts, strict=True))


def _check(point: Point) -> None:
    if (point.counts or point.bounds) and len(point.counts) != len(point.bounds) + 1:
        raise Refused("there must be one bucket more than bounds")
    if point.counts and sum(point.counts) != point.count:
        raise Refused("the buckets and the count do not agree")
    if not 0 <= point.count <= _MOST_COUNTED or any(count < 0 for count in point.counts):
        raise Refused("the count is out of range")
    if not all(low < high for low, high in pairwise((-inf, *point.bounds, inf))):
        raise Refused("the bounds do not rise")
    if point.bounds and point.bounds[0] < 0:
        raise Refused("a bound is below zero")
    if point.sum is not None:
        _checked(point.sum)


def _checked(value: float) -> float:
    """Hold a number to what can be counted."""
    if not isfinite(value) or not 0 <= value <= _MOST_COUNTED:
        raise Refused("the value is out of range")
    return value
