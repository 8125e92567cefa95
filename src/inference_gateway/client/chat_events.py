"""The bytes of a chat stream in, its events and chunks out. No I/O.

A stream has ended well when it said `[DONE]`, or when its body ended in order after every choice gave
its reason to stop. Any other end raises.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from inference_gateway import sse
from inference_gateway.client.accumulate import CompletionAccumulator
from inference_gateway.client.errors import (
    Headers,
    IncompleteStreamError,
    StreamError,
    field_errors,
    sentence,
    stream_error,
)
from inference_gateway.types import CreateChatCompletionStreamResponse, SSEvent

_DONE = b"[DONE]"
_UNNAMED = "content-delta"


class StreamItem(NamedTuple):
    """One event, and the chunk that it holds; None where it holds something else."""

    event: SSEvent
    chunk: CreateChatCompletionStreamResponse | None


class ChatStreamReader:
    """Feed what arrives; get whole events.

    :ivar completion: what they add up to so far.
    :ivar ended: whether the stream has ended well.
    """

    def __init__(self, status: int = 200, headers: Headers | None = None) -> None:
        self._status = status
        self._headers = headers if headers is not None else {}
        self._parser = sse.Parser()
        self.completion = CompletionAccumulator()
        self.ended = False

    def feed(self, data: bytes) -> Iterator[StreamItem]:
        """Take bytes, cut anywhere.

        :raises StreamError: the server reports an error, or sends what is no event of a chat stream.
        """
        try:
            for event in self._parser.feed(data):
                yield from self._read(event)
                if self.ended:
                    return
        except sse.EventTooLarge as error:
            raise self._unusable(str(error)) from error

    def finish(self) -> Iterator[StreamItem]:
        """Take the proper end of the body.

        :raises IncompleteStreamError: the answer is not whole.
        :raises StreamError: the last event is an error.
        """
        for event in self._parser.finish():
            # It may lack its blank line; what is JSON to its end lacks nothing else.
            if not _is_whole(event.data):
                raise IncompleteStreamError("Request failed: the stream ended in the middle of an event")
            yield from self._read(event)
        if not self.ended and not self.completion.complete:
            raise IncompleteStreamError("Request failed: the stream ended before its answer was whole")
        self.ended = True

    def _read(self, event: sse.Event) -> Iterator[StreamItem]:
        data = event.data.strip()
        if not data:
            return  # a keep-alive
        if data == _DONE:
            self.ended = True
            return
        if event.event == b"error":
            raise stream_error(data.decode("utf-8", "replace"), self._status, self._headers)
        text, value = self._json(data)
        if isinstance(value, dict) and value.get("error"):
            raise stream_error(text, self._status, self._headers)
        if not isinstance(value, dict):
            raise self._unusable("the stream sent an event that is not a JSON object", text)
        yield StreamItem(_public(event, text), self._chunk(value, text) if "choices" in value else None)

    def _json(self, data: bytes) -> tuple[str, JsonValue]:
        text = data.decode("utf-8", "replace")
        try:
            return text, json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._unusable("the stream sent an event that is not JSON", text) from error

    def _chunk(self, value: dict[str, JsonValue], text: str) -> CreateChatCompletionStreamResponse:
        try:
            chunk = CreateChatCompletionStreamResponse.model_validate(value)
        except ValidationError as error:
            problems = sentence(field_errors(error))
            raise self._unusable(f"the stream sent a chunk that is none: {problems}", text) from error
        self.completion.add(chunk)
        return chunk

    def _unusable(self, problem: str, text: str = "") -> StreamError:
        return StreamError(f"Request failed: {problem}", self._status, headers=self._headers, body=text)


def _is_whole(data: bytes) -> bool:
    if data.strip() == _DONE:
        return True
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _public(event: sse.Event, text: str) -> SSEvent:
    name = event.event.decode("utf-8", "replace")
    public = SSEvent(event=_UNNAMED if name == "message" else name, data=text)
    if event.id is not None:
        public.id = event.id.decode("utf-8", "replace")
    if event.retry is not None:
        public.retry = event.retry
    return public
