"""The tool loop: models are offered the gateway's tools, and what they call is run here, turn after turn.

Everything that a request needs on its way through the turns lives in it and goes with it. Each turn passes
every later stage anew.
"""

from collections.abc import Awaitable, Sequence
from time import perf_counter

import msgspec

from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline import tool_turn
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.pipeline.tool_relay import Ending, Show, ToolRelay
from inference_gateway.server.pipeline.tool_request import (
    Dialogue,
    own_tools,
    result_messages,
    settled,
    shown_text,
    with_tools,
)
from inference_gateway.server.pipeline.tool_runner import ToolRunner
from inference_gateway.server.pipeline.tool_stream import ToolStream
from inference_gateway.server.pipeline.tool_turn import CUT_SHORT, Turn, summed
from inference_gateway.server.tasks import Background
from inference_gateway.server.toolbox import ToolResult
from inference_gateway.server.transport.messages import Response

_ONE = (b"1", b"1.0", b"null")
_MOST_RIDING = 4 * 1024 * 1024
"""Characters of pictures on the calls of one turn: the client has to send them back in its next request."""


class Bounds(msgspec.Struct, frozen=True):
    """How far the loop goes."""

    turns: int
    """Turns that a model may take for one request."""
    size: int
    """Most bytes that turns may say, or add to a conversation."""
    shows_calls: bool = True
    """Whether streams show the calls that the gateway runs, where the client does not say."""
    images: bool = False
    """Whether models may be given images."""


class ToolLoop:
    """Offer tools with every request, and run what is called."""

    def __init__(self, runner: ToolRunner, background: Background, bounds: Bounds) -> None:
        self._runner = runner
        self._background = background
        self._bounds = bounds

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on with our tools beside its own; one that wants none of them, as it is."""
        own = own_tools(request)
        if b'"tool_calls"' in request.document.body:
            self._settle(request, own)
        bypassed = request.wishes.bypassed
        runner = self._runner.without(bypassed) if bypassed else self._runner
        tools = runner.definitions()
        if not tools or _wants_several(request):
            return call_next(request)
        values = request.document.values
        request.changes["tools"] = with_tools(
            bytes(values["tools"]) if "tools" in values else None, tools, own
        )
        return self._answered(Dialogue(request, own, limit=self._bounds.size), runner, call_next)

    def _settle(self, request: InferenceRequest, own: frozenset[str]) -> None:
        messages = bytes(request.document.values["messages"])
        echoed = settled(
            messages,
            lambda name: name not in own and self._runner.runs(name),
            images=self._bounds.images,
        )
        if echoed is not None:
            request.changes["messages"] = echoed

    async def _answered(self, dialogue: Dialogue, runner: ToolRunner, call_next: Handler) -> Response:
        response = await call_next(dialogue.request)
        if response.status != 200:
            return response
        turns = _Turns(dialogue, runner, self._bounds, call_next)
        if isinstance(response.body, bytes):
            return await turns.whole(response)
        response.body = ToolRelay(response.body, turns.stream, turns.go_on, self._background)
        return response


class _Turns:
    """The turns of one request."""

    def __init__(self, dialogue: Dialogue, runner: ToolRunner, bounds: Bounds, call_next: Handler) -> None:
        self._dialogue = dialogue
        self._runner = runner
        self._bounds = bounds
        self._call_next = call_next
        self._used: dict[str, object] | None = None
        wish = dialogue.request.wishes.shows_tool_calls
        shown = bounds.shows_calls if wish is None else wish
        self.stream = ToolStream(
            self._is_ours, shown=shown, wants_usage=dialogue.wants_usage(), limit=bounds.size
        )

    async def whole(self, response: Response) -> Response:
        """Go on from a whole answer until there is one for the client."""
        while isinstance(response.body, bytes) and response.status == 200:
            body = response.body
            turn = tool_turn.read_turn(body)
            places = self._places(turn) if turn is not None else []
            if turn is None or not places:
                return self._last(response, body)
            self._used = summed(self._used, tool_turn.usage_of(body))
            if self._goes_to_client(turn, places):
                marks = _marks(places, await self._run(turn, places), images=self._bounds.images)
                response.body = tool_turn.with_results(body, turn, marks, self._used)
                return response
            if self._is_over():
                response.body = tool_turn.stopped(body, turn, self._note(), self._used)
                return response
            self._append(turn, await self._run(turn, places))
            response = await self._call_next(self._dialogue.following())
        return response

    async def go_on(self, turn: Turn, show: Show) -> Ending | Response:
        """Go on from a turn of a stream."""
        places = self._places(turn)
        mixed = self._goes_to_client(turn, places)
        if not places:
            return Ending(self.stream.last({}))
        if not mixed and self._is_over():
            return Ending(self.stream.stopped(self._note()))
        results = await self._run(turn, places)
        if mixed:
            marks = _marks(places, results, images=self._bounds.images)
            return Ending(self.stream.last(marks))
        show(self.stream.go_on(_marks(places, results, images=False)))
        self._append(turn, results)
        return await self._call_next(self._dialogue.following())

    def _is_ours(self, name: str) -> bool:
        return name not in self._dialogue.own and self._runner.runs(name)

    def _places(self, turn: Turn) -> list[int]:
        """Say which of a turn's calls are to be run here."""
        if turn.finish_reason in CUT_SHORT:
            return []
        return [place for place, call in enumerate(turn.calls) if self._is_ours(call.name)]

    def _goes_to_client(self, turn: Turn, places: list[int]) -> bool:
        return len(places) < len(turn.calls)

    def _is_over(self) -> bool:
        return self._dialogue.turns >= self._bounds.turns

    def _note(self) -> str:
        return f"[stopped after {self._dialogue.turns} turns: the model kept calling tools]"

    async def _run(self, turn: Turn, places: list[int]) -> list[ToolResult]:
        calls = [turn.calls[place] for place in places]
        request = self._dialogue.request
        began = perf_counter()
        try:
            return await self._runner.run(calls, expires_at=request.expires_at, trace=request.trace)
        finally:
            if request.measurement is not None:
                request.measurement.waited += perf_counter() - began

    def _append(self, turn: Turn, results: list[ToolResult]) -> None:
        ids = [call.id for call in turn.calls]
        said = tool_turn.assistant_message(turn)
        self._dialogue.append([said, *result_messages(ids, results, images=self._bounds.images)])

    def _last(self, response: Response, body: bytes) -> Response:
        used = summed(self._used, tool_turn.usage_of(body)) if self._used is not None else None
        if used is not None:
            response.body = tool_turn.with_usage(body, used)
        return response


def _marks(
    places: Sequence[int], results: Sequence[ToolResult], *, images: bool
) -> dict[int, dict[str, object]]:
    """Say on calls what came of them, with pictures where those will be wanted again."""
    room = _MOST_RIDING if images else 0
    marks = {}
    for place, result in zip(places, results, strict=True):
        size = sum(map(len, result.images))
        riding = result.images if size <= room else ()
        room -= size if riding else 0
        marks[place] = tool_turn.mark(result, shown_text(result, images=bool(riding)), images=riding)
    return marks


def _wants_several(request: InferenceRequest) -> bool:
    """Whether there are to be several choices: a conversation cannot go on from all of them at once."""
    return bytes(request.document.values.get("n", b"1")) not in _ONE
