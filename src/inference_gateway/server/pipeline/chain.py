"""Stages folded around the last handler, once, at start-up."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.transport.messages import Response

Handler = Callable[[InferenceRequest], Awaitable[Response]]


class Stage(Protocol):
    """Something that happens to a request, and perhaps to its response.

    A stage that only looks at the request returns `call_next(request)` as it is, so that it costs a
    call and no coroutine.
    """

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Answer, most often by `call_next`."""


def compose(stages: Sequence[Stage], last: Handler) -> Handler:
    """Fold stages around `last`, outermost first."""
    handler = last
    for stage in reversed(stages):
        handler = _before(handler, stage)
    return handler


def _before(call_next: Handler, stage: Stage) -> Handler:
    def handle(request: InferenceRequest) -> Awaitable[Response]:
        return stage(request, call_next)

    return handle
