"""Totals as a person looks at them: sums over processes and over kinds of requests. No I/O.

Every figure only ever grows but those that say what is open: whoever asks twice has what happened between.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from inference_gateway.server.telemetry.instruments import (
    BYTES_IN_FLIGHT,
    CLIENT_CONNECTIONS,
    DURATION,
    FAMILIES,
    FIRST_TOKEN,
    OVERHEAD,
    OWN_SOURCE,
    POOL_CONNECTIONS,
    REFUSED,
    REQUESTS,
    REQUESTS_OPEN,
    STREAMS_OPEN,
    TOKEN_USAGE,
    TOOL_CALLS,
    Family,
    is_known,
    series_of,
)

PROVIDER = "gen_ai_provider_name"
MODEL = "gen_ai_request_model"

Labels = dict[str, str]
Numbers = tuple[float, ...]


class Spread(msgspec.Struct):
    """How many values are how large."""

    bounds: tuple[float, ...]
    """Upper bounds in seconds; behind the last comes what is larger."""
    counts: list[float]
    """For each bound the values up to it and above the one before, then the rest."""
    sum: float = 0.0
    """Of all values, in seconds."""

    @classmethod
    def of(cls, family: Family) -> "Spread":
        """Begin with none."""
        return cls(family.buckets, [0.0] * (len(family.buckets) + 1))

    def add(self, numbers: Numbers) -> None:
        """Add those of one series."""
        *counts, total = numbers
        for place, count in enumerate(counts):
            self.counts[place] += count
        self.sum += total


class Underway(msgspec.Struct):
    """What is under way. Of connections, as of a second ago."""

    requests: float = 0
    streams: float = 0
    client_connections: float = 0
    provider_connections: float = 0
    """To providers, in use."""
    idle_provider_connections: float = 0
    bytes_in_flight: float = 0
    """Of answers, waiting for clients to take them."""


class ModelFigures(msgspec.Struct):
    """One model at one provider; names beyond the number that is told apart are `other`."""

    provider: str
    model: str
    requests: float = 0
    input_tokens: float = 0
    output_tokens: float = 0


class ProviderFigures(msgspec.Struct):
    """One provider; without a name, requests that came to none."""

    provider: str
    outcomes: dict[str, float] = {}


class Figures(msgspec.Struct):
    """All of it."""

    open: Underway
    outcomes: dict[str, float]
    """Inference requests by how they ended."""
    refused: dict[str, float]
    """Requests of any kind that the gateway refused, by code. Counted from the start, watched or not."""
    input_tokens: float
    output_tokens: float
    duration: Spread
    """From an inference request's beginning to its end."""
    first_token: Spread
    """To the first event of a stream."""
    overhead: Spread
    """In the gateway until the answer begins, waiting for the provider left out."""
    providers: list[ProviderFigures]
    models: list[ModelFigures]
    tools: dict[str, float]
    """Calls that models asked for, by tool."""


Series = tuple[bytes, Numbers, bool]


def figures(series: Iterable[Series]) -> Figures:
    """Sum up. Of a dead process counts what it counted, and not what it had open.

    :param series: key, numbers, whether its process lives.
    """
    sums = _Sums()
    for key, numbers, lives in series:
        name, labels = _read(key)
        add = _ADDERS.get(name)
        # What clients measured is not told here.
        if add is None or labels.get("source", OWN_SOURCE) != OWN_SOURCE:
            continue
        if FAMILIES[name].kind != "gauge" or (lives and is_known(numbers)):
            add(sums, labels, numbers)
    return sums.figures()


@lru_cache(maxsize=20_000)
def _read(key: bytes) -> tuple[str, Labels]:
    return series_of(key)


class _Sums:
    """Figures in the making."""

    def __init__(self) -> None:
        self.open = Underway()
        self.outcomes: dict[str, float] = {}
        self.refused: dict[str, float] = {}
        self.tokens = {"input": 0.0, "output": 0.0}
        self.spreads = {family.name: Spread.of(family) for family in (DURATION, FIRST_TOKEN, OVERHEAD)}
        self.providers: dict[str, ProviderFigures] = {}
        self.models: dict[tuple[str, str], ModelFigures] = {}
        self.tools: dict[str, float] = {}

    def figures(self) -> Figures:
        return Figures(
            open=self.open,
            outcomes=self.outcomes,
            refused=self.refused,
            input_tokens=self.tokens["input"],
            output_tokens=self.tokens["output"],
            duration=self.spreads[DURATION.name],
            first_token=self.spreads[FIRST_TOKEN.name],
            overhead=self.spreads[OVERHEAD.name],
            providers=sorted(self.providers.values(), key=lambda each: each.provider),
            models=sorted(self.models.values(), key=lambda each: (each.provider, each.model)),
            tools=self.tools,
        )

    def model(self, labels: Labels) -> ModelFigures | None:
        provider, name = labels.get(PROVIDER, ""), labels.get(MODEL, "")
        if not provider:
            return None
        return self.models.setdefault((provider, name), ModelFigures(provider, name))


def _requests(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    outcome, provider = labels.get("outcome", ""), labels.get(PROVIDER, "")
    of_provider = sums.providers.setdefault(provider, ProviderFigures(provider)).outcomes
    for counted in (sums.outcomes, of_provider):
        counted[outcome] = counted.get(outcome, 0) + numbers[0]


def _duration(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    sums.spreads[DURATION.name].add(numbers)
    model = sums.model(labels)
    if model is not None:
        model.requests += sum(numbers[:-1])


def _tokens(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    kind, total = labels.get("gen_ai_token_type", ""), numbers[-1]
    if kind not in sums.tokens:
        return
    sums.tokens[kind] += total
    model = sums.model(labels)
    if model is not None and kind == "input":
        model.input_tokens += total
    elif model is not None:
        model.output_tokens += total


def _refused(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    code = labels.get("code", "")
    sums.refused[code] = sums.refused.get(code, 0) + numbers[0]


def _tool(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    name = labels.get("gen_ai_tool_name", "")
    sums.tools[name] = sums.tools.get(name, 0) + numbers[0]


def _pool(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
    if labels.get("state") == "busy":
        sums.open.provider_connections += numbers[0]
    else:
        sums.open.idle_provider_connections += numbers[0]


def _spread(family: Family) -> "_Add":
    def add(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
        sums.spreads[family.name].add(numbers)

    return add


def _gauge(field: str) -> "_Add":
    def add(sums: _Sums, labels: Labels, numbers: Numbers) -> None:
        setattr(sums.open, field, getattr(sums.open, field) + numbers[0])

    return add


_Add = Callable[[_Sums, Labels, Numbers], None]
_ADDERS: dict[str, _Add] = {
    REQUESTS.name: _requests,
    DURATION.name: _duration,
    FIRST_TOKEN.name: _spread(FIRST_TOKEN),
    OVERHEAD.name: _spread(OVERHEAD),
    TOKEN_USAGE.name: _tokens,
    REFUSED.name: _refused,
    TOOL_CALLS.name: _tool,
    POOL_CONNECTIONS.name: _pool,
    REQUESTS_OPEN.name: _gauge("requests"),
    STREAMS_OPEN.name: _gauge("streams"),
    CLIENT_CONNECTIONS.name: _gauge("client_connections"),
    BYTES_IN_FLIGHT.name: _gauge("bytes_in_flight"),
}
