"""A stream as calls of functions, for user interfaces. Tells what happens; neither reads nor retries."""

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from inference_gateway.client.accumulate import ToolCallAssembly, carries_result
from inference_gateway.types import (
    ChatCompletionMessageToolCall,
    ChatCompletionStreamChoice,
    CompletionUsage,
    CreateChatCompletionStreamResponse,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StreamCallbacks:
    """What to call as a stream goes on. All are optional; what they raise ends the stream and is raised."""

    on_open: Callable[[], object] | None = None
    """Once, when the gateway has accepted the request."""

    on_chunk: Callable[[CreateChatCompletionStreamResponse], object] | None = None
    """For every chunk, before anything else is called for it."""

    on_reasoning: Callable[[str], object] | None = None
    """For every piece of the model's thoughts, once, whichever of the two names it came by."""

    on_content: Callable[[str], object] | None = None
    """For every piece of text that is not empty."""

    on_tool: Callable[[ChatCompletionMessageToolCall], object] | None = None
    """Once per complete call of a tool of the request."""

    on_mcp_tool: Callable[[ChatCompletionMessageToolCall], object] | None = None
    """Once per complete call of any other tool, if its arguments are empty or JSON: the gateway runs it, and
    tells it as soon as there is a result, which rides on the call as `extra_content.gateway`."""

    on_usage_metrics: Callable[[CompletionUsage], object] | None = None
    """For every chunk that reports the tokens used; usually that is one, near the end."""

    on_finish: Callable[[CreateChatCompletionStreamResponse | None], object] | None = None
    """Once, with the last chunk (`None` if there was none), after a stream that ended well."""

    on_error: Callable[[Exception], object] | None = None
    """Once, after a stream that did not end well."""


class CallbackDispatcher:
    """Calls the callbacks of one stream, as whoever reads the stream tells it what came.

    :param tools: names of the request's tools; calls of others are the gateway's.
    """

    def __init__(self, callbacks: StreamCallbacks, tools: Collection[str]) -> None:
        self._callbacks = callbacks
        self._tools = frozenset(tools)
        self._calls: dict[int, ToolCallAssembly] = {}
        self._last: CreateChatCompletionStreamResponse | None = None
        self._completion_id = ""
        self._opened = False
        self._ended = False

    def open(self) -> None:
        """Say that the stream has begun; only the first time counts."""
        if self._opened:
            return
        self._opened = True
        if self._callbacks.on_open:
            self._callbacks.on_open()

    def chunk(self, chunk: CreateChatCompletionStreamResponse) -> None:
        """Pass on a chunk and what it completes, of every choice."""
        self._last = chunk
        self._completion_id = chunk.id or self._completion_id
        if self._callbacks.on_chunk:
            self._callbacks.on_chunk(chunk)
        if chunk.usage is not None and self._callbacks.on_usage_metrics:
            self._callbacks.on_usage_metrics(chunk.usage)
        for choice in chunk.choices:
            self._texts(choice)
            self._tool_calls(choice)

    def done(self) -> None:
        """Say that the stream ended well; only the first end of a stream counts."""
        if self._ended:
            return
        self._ended = True
        for index in sorted(self._calls):
            self._complete(index)
        if self._callbacks.on_finish:
            self._callbacks.on_finish(self._last)

    def error(self, error: Exception) -> None:
        """Say that the stream failed; only the first end of a stream counts."""
        if self._ended:
            return
        self._ended = True
        if self._callbacks.on_error:
            self._callbacks.on_error(error)

    def _texts(self, choice: ChatCompletionStreamChoice) -> None:
        thoughts = choice.delta.reasoning_content or choice.delta.reasoning
        if thoughts and self._callbacks.on_reasoning:
            self._callbacks.on_reasoning(thoughts)
        if choice.delta.content and self._callbacks.on_content:
            self._callbacks.on_content(choice.delta.content)

    def _tool_calls(self, choice: ChatCompletionStreamChoice) -> None:
        for piece in choice.delta.tool_calls or []:
            assembly = self._calls.setdefault(choice.index, ToolCallAssembly())
            assembly.add(piece)
            # The result is the last that is said of a call which the gateway runs.
            call = assembly.taken(piece, self._completion_id) if carries_result(piece) else None
            if call is not None:
                self._route(call)
        if choice.finish_reason == "tool_calls":
            self._complete(choice.index)

    def _complete(self, index: int) -> None:
        """Report the calls of a choice. The gateway may go on with a next round, which begins anew."""
        assembly = self._calls.pop(index, None)
        if assembly is not None:
            for call in assembly.calls(self._completion_id):
                self._route(call)

    def _route(self, call: ChatCompletionMessageToolCall) -> None:
        if call.function.name in self._tools:
            if self._callbacks.on_tool:
                self._callbacks.on_tool(call)
        elif not _is_empty_or_json(call.function.arguments):
            _log.warning("tool call %r has arguments that are not JSON", call.function.name)
        elif self._callbacks.on_mcp_tool:
            self._callbacks.on_mcp_tool(call)


def _is_empty_or_json(arguments: str) -> bool:
    if not arguments.strip():
        return True
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True
