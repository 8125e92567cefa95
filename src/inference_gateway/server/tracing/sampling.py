"""Which requests are traced. Pure.

https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers
"""

from collections.abc import Callable

from inference_gateway.server.trace_context import TraceContext

Sampler = Callable[[TraceContext | None, bytes], bool]
"""Tells whether a request is traced, from the context that it came with and the id of its trace."""

_PARENT_BASED = "parentbased_"
_RANGE = 1 << 64


def sampler(name: str, share: float) -> Sampler:
    """Make the sampler of a name that OTEL_TRACES_SAMPLER takes.

    :param share: of requests that a ratio traces, from 0 to 1.
    """
    root = _ROOTS[name.removeprefix(_PARENT_BASED)](share)
    return _like_its_parent(root) if name.startswith(_PARENT_BASED) else root


def _like_its_parent(root: Sampler) -> Sampler:
    def samples(parent: TraceContext | None, trace_id: bytes) -> bool:
        return parent.is_sampled if parent is not None else root(parent, trace_id)

    return samples


def _always(_: float) -> Sampler:
    return lambda parent, trace_id: True


def _never(_: float) -> Sampler:
    return lambda parent, trace_id: False


def _by_ratio(share: float) -> Sampler:
    # The same bytes and bound as in other SDKs, so that all systems on a way decide alike.
    bound = round(share * _RANGE)
    return lambda parent, trace_id: int.from_bytes(trace_id[8:], "big") < bound


_ROOTS: dict[str, Callable[[float], Sampler]] = {
    "always_on": _always,
    "always_off": _never,
    "traceidratio": _by_ratio,
}
