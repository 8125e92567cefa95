"""What is counted of each inference request: one look-up for its labels, then additions.

Label values are bounded: a model has series of its own only once a provider has answered for it, and only
while there are not too many.
"""

from collections.abc import Iterable
from functools import cached_property

from inference_gateway.server.inference import Measured, Measurement, Operation
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.telemetry.instruments import (
    DURATION,
    FIRST_TOKEN,
    OVERHEAD,
    OWN_SOURCE,
    PER_TOKEN,
    REFUSED,
    REQUESTS,
    REQUESTS_OPEN,
    STREAMS_OPEN,
    TOKEN_DETAILS,
    TOKEN_USAGE,
    TOOL_CALLS,
    TOOL_TIME,
    UNCOUNTED,
    UPSTREAM_ERRORS,
    Family,
    Histogram,
    Number,
    forget_gauges,
)
from inference_gateway.server.telemetry.names import Counts, Names
from inference_gateway.server.telemetry.totals import Region, Totals
from inference_gateway.server.usage import Usage

_MOST_TOOLS = 200
_SERVED = frozenset({Outcome.COMPLETE, Outcome.CUT, Outcome.STALLED, Outcome.CLIENT_GONE})


class _Series:
    """The series of requests that are alike in all labels."""

    def __init__(
        self, region: Region, *, error: str, outcome: Outcome, streamed: bool, **labels: str
    ) -> None:
        self._region = region
        self._labels = {"source": OWN_SOURCE, "team": "unknown", **labels, "error_type": error}
        self.duration = self._histogram(DURATION)
        provider = labels["gen_ai_provider_name"]
        self.requests = Number(
            region,
            REQUESTS,
            gen_ai_operation_name=labels["gen_ai_operation_name"],
            gen_ai_provider_name=provider,
            outcome=outcome.value,
            stream=_flag(streamed),
        )

    @cached_property
    def input(self) -> Histogram:
        return self._tokens("input")

    @cached_property
    def output(self) -> Histogram:
        return self._tokens("output")

    @cached_property
    def first_token(self) -> Histogram:
        return self._histogram(FIRST_TOKEN)

    @cached_property
    def per_token(self) -> Histogram:
        return self._histogram(PER_TOKEN)

    def _histogram(self, family: Family) -> Histogram:
        return Histogram(self._region, family, **self._labels)

    def _tokens(self, kind: str) -> Histogram:
        return Histogram(self._region, TOKEN_USAGE, **self._labels, gen_ai_token_type=kind)


_Alike = tuple[str, str, str, str, Outcome, bool]
"""Operation, provider, model, error, outcome, whether a stream: what requests are told apart by."""


class Recorder:
    """Counts requests. Not a call of it waits, allocates a lock or reads a file.

    :param totals: where to.
    :param providers: ids that may be told apart.
    :param max_models: names of models that have series of their own.
    """

    def __init__(self, totals: Totals, providers: Iterable[str], *, max_models: int) -> None:
        region = self.region = totals.claim()
        forget_gauges(region)
        self._providers = frozenset(providers)
        self._models = Names(totals, "gen_ai_request_model", max_models, _own(DURATION))
        self._tools_run = Names(totals, "gen_ai_tool_name", _MOST_TOOLS, _own(TOOL_TIME))
        self._tools = Names(totals, "gen_ai_tool_name", _MOST_TOOLS, _own(TOOL_CALLS))
        self._tool_times: dict[tuple[str, str], Histogram] = {}
        self._series: dict[_Alike, _Series] = {}
        self._numbers: dict[tuple[str, ...], Number] = {}
        self._overhead: dict[bool, Histogram] = {
            streamed: Histogram(region, OVERHEAD, stream=_flag(streamed)) for streamed in (False, True)
        }
        self._requests = Number(region, REQUESTS_OPEN)
        self._streams = Number(region, STREAMS_OPEN)
        self._requests.set(0)
        self._streams.set(0)

    def began(self) -> None:
        """Take note of a request that is under way."""
        self._requests.add()

    def answered(self, measurement: Measurement, now: float) -> None:
        """Take note that an answer begins to be sent.

        :param now: time of the clock that `measurement` uses, in seconds.
        """
        streamed = measurement.streamed
        self._overhead[streamed].observe(max(0.0, now - measurement.began - measurement.waited))
        if streamed:
            self._streams.add()

    def ended(self, request: Measured, measurement: Measurement, outcome: Outcome, *, now: float) -> None:
        """Take note of a request's end, once.

        :param now: time of the clock that `measurement` uses, in seconds.
        """
        status = measurement.status
        self._requests.add(-1)
        measurement.settle()
        provider = request.provider_id if request.provider_id in self._providers else ""
        model = self._model(request, outcome, status) if provider else ""
        error = _error(outcome, status)
        series = self._of((request.operation.name, provider, model, error, outcome, measurement.streamed))
        series.duration.observe(now - measurement.began)
        series.requests.add()
        if measurement.streamed:
            self._streams.add(-1)
            self._stream_ended(series, measurement, now)
        if measurement.has_usage:
            self._used(series, measurement.usage, provider, model)
        elif outcome in _SERVED and model:
            self._count(UNCOUNTED, gen_ai_provider_name=provider, gen_ai_request_model=model)
        for tool in measurement.tools:
            self._tool_called(provider, model, tool)
        if outcome in (Outcome.PROVIDER_ERROR, Outcome.CUT, Outcome.STALLED):
            kind = error if outcome is Outcome.PROVIDER_ERROR else outcome.value
            self._count(UPSTREAM_ERRORS, gen_ai_provider_name=provider, kind=kind)

    def turned_away(self, operation: Operation, outcome: Outcome) -> None:
        """Take note of a request for a model's work that ended before it was known what it asks."""
        self._count(
            REQUESTS, gen_ai_operation_name=operation.name, outcome=outcome.value, stream=_flag(False)
        )

    def refused(self, code: str) -> None:
        """Take note of a request, of any kind, that was answered with an error of our own.

        :param code: that of the error's class.
        """
        self._count(REFUSED, code=code)

    def tool_ran(self, name: str, seconds: float, error: str) -> None:
        """Take note that a tool was run here, whoever asked for it."""
        tool = self._tools_run.learn(name)
        series = self._tool_times.get((tool, error))
        if series is None:
            series = self._tool_times[tool, error] = Histogram(
                self.region,
                TOOL_TIME,
                source=OWN_SOURCE,
                team="unknown",
                gen_ai_operation_name="execute_tool",
                gen_ai_tool_name=tool,
                gen_ai_tool_type=_tool_type(name),
                error_type=error,
            )
        series.observe(seconds)

    def _tool_called(self, provider: str, model: str, tool: str) -> None:
        self._count(
            TOOL_CALLS,
            source=OWN_SOURCE,
            team="unknown",
            gen_ai_provider_name=provider,
            gen_ai_request_model=model,
            # Tools that the gateway has itself are not crowded out by what clients bring.
            gen_ai_tool_name=tool if self._tools_run.knows(tool) else self._tools.learn(tool),
            gen_ai_tool_type=_tool_type(tool),
        )

    def _model(self, request: Measured, outcome: Outcome, status: int) -> str:
        if not request.model:
            return ""
        if outcome is Outcome.REJECTED or not 200 <= status < 300:
            return self._models.known(request.model)
        return self._models.learn(request.model)

    def _of(self, key: _Alike) -> _Series:
        series = self._series.get(key)
        if series is None:
            operation, provider, model, error, outcome, streamed = key
            series = self._series[key] = _Series(
                self.region,
                error=error,
                outcome=outcome,
                streamed=streamed,
                gen_ai_operation_name=operation,
                gen_ai_provider_name=provider,
                gen_ai_request_model=model,
            )
        return series

    def _stream_ended(self, series: _Series, measurement: Measurement, now: float) -> None:
        if measurement.first:
            series.first_token.observe(measurement.first - measurement.began)
            if measurement.usage.output > 1:
                series.per_token.observe((now - measurement.first) / (measurement.usage.output - 1))

    def _used(self, series: _Series, usage: Usage, provider: str, model: str) -> None:
        series.input.observe(usage.input)
        series.output.observe(usage.output)
        for kind in ("cached_input", "audio_input", "reasoning_output", "audio_output"):
            tokens = getattr(usage, kind)
            if tokens:
                labels = {"gen_ai_provider_name": provider, "gen_ai_request_model": model}
                self._number(TOKEN_DETAILS, gen_ai_token_type=kind, **labels).add(tokens)

    def _count(self, family: Family, **labels: str) -> None:
        self._number(family, **labels).add()

    def _number(self, family: Family, **labels: str) -> Number:
        key = (family.name, *labels.values())
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = Number(self.region, family, **labels)
        return number


def _own(family: Family) -> Counts:
    """Tell series of a figure that were counted here from those that somebody pushed."""
    return lambda name, labels: name == family.name and labels.get("source") == OWN_SOURCE


_FAMILIES = frozenset({"a2a", "mcp"})
"""How names of the gateway's tools begin."""


def _tool_type(name: str) -> str:
    family = name.partition("_")[0]
    return family if family in _FAMILIES else "standard_tool_use"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _error(outcome: Outcome, status: int) -> str:
    if status >= 400:
        return str(status)
    return "" if outcome is Outcome.COMPLETE else outcome.value
