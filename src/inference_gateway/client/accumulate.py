"""Chunks of a stream in, the whole completion out. No I/O, and no judgement on how the stream ended."""

from collections.abc import Mapping

from pydantic import BaseModel

from inference_gateway.types import (
    ChatCompletionMessageToolCall,
    ChatCompletionMessageToolCallChunk,
    ChatCompletionStreamChoice,
    ChatCompletionStreamChoiceLogprobs,
    ChatCompletionStreamResponseDelta,
    ChatCompletionTokenLogprob,
    CompletionUsage,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
)


class CompletionAccumulator:
    """Add every chunk of one stream; ask at any time what the completion is so far.

    Pieces belong together by the index of their choice and, in it, the index of their tool call. Of a
    field that is not text, the last value wins; null and "" never take the place of a value.

    A gateway that runs tools itself sends one round after the other, each with its own tool calls. What
    it ran is no longer asked of the caller: those calls are dropped when the next round begins, and the
    text of all rounds is kept.
    """

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: CompletionUsage | None = None

    def add(self, chunk: CreateChatCompletionStreamResponse) -> None:
        """Take in the next chunk. Chunks without choices (usage, filter results) are fine."""
        for choice in chunk.choices:
            self._choices.setdefault(choice.index, _Choice()).add(choice, source=chunk.id)
        if chunk.usage is not None:
            self._usage = chunk.usage
        for name, value in _given(chunk, but={"choices"}).items():
            # Azure's first chunk is stamped 0, and so are other gateways' chunks of usage only.
            if value or name != "created" or name not in self._fields:
                _keep(self._fields, name, value)

    def completion(self) -> CreateChatCompletionResponse:
        """Return the completion so far; without choices if no chunk had one."""
        completion_id = str(self._fields.get("id", ""))
        choices = [choice.assembled(index, completion_id=completion_id) for index, choice in self._in_order()]
        whole = {**self._fields, "object": "chat.completion", "choices": choices}
        return CreateChatCompletionResponse.model_validate(whole)

    def text(self) -> str:
        """Return the text of the first choice so far; "" if it has none."""
        for _, choice in self._in_order():
            return choice.content.value or ""
        return ""

    @property
    def usage(self) -> CompletionUsage | None:
        """How many tokens it took, as last reported; `None` until a chunk says."""
        return self._usage

    @property
    def complete(self) -> bool:
        """Whether there is a choice, and every choice has said why it ended."""
        return bool(self._choices) and all(
            choice.finish_reason is not None for choice in self._choices.values()
        )

    def _in_order(self) -> list[tuple[int, "_Choice"]]:
        return sorted(self._choices.items())


class ToolCallAssembly:
    """Puts the tool calls of one choice together from their pieces."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: ChatCompletionMessageToolCallChunk) -> None:
        """Take in the next piece: more of a call, or the first of a new one."""
        call = self._continued(piece)
        if call is None:
            call = _Call(piece.index)
            self._calls.append(call)
        call.add(piece)

    def calls(self, completion_id: str) -> list[ChatCompletionMessageToolCall]:
        """Return the calls in the order in which they were opened.

        A call that came without an id gets one, made of the completion's: its result has to name it.
        """
        return [
            call.assembled(f"call_{completion_id}_{position}") for position, call in enumerate(self._calls)
        ]

    def taken(
        self, piece: ChatCompletionMessageToolCallChunk, completion_id: str
    ) -> ChatCompletionMessageToolCall | None:
        """Take the call out that a piece was the last of."""
        call = self._continued(piece)
        if call is None:
            return None
        position = self._calls.index(call)
        del self._calls[position]
        return call.assembled(f"call_{completion_id}_{position}")

    def _continued(self, piece: ChatCompletionMessageToolCallChunk) -> "_Call | None":
        """Find the call that a piece is more of; `None` if it opens one."""
        if piece.index is not None:
            same = [call for call in self._calls if call.index == piece.index]
        elif piece.id:
            same = [call for call in self._calls if call.id == piece.id]
        else:
            same = [] if _names_a_function(piece) else self._calls
        if not same or _is_another(same[-1], piece):
            return None
        return same[-1]


def carries_result(call: ChatCompletionMessageToolCall | ChatCompletionMessageToolCallChunk) -> bool:
    """Tell whether the gateway ran a call, and says on it what came of that."""
    return call.extra_content is not None and "gateway" in (call.extra_content.model_extra or {})


def _names_a_function(piece: ChatCompletionMessageToolCallChunk) -> bool:
    return piece.function is not None and bool(piece.function.name)


def _is_another(call: "_Call", piece: ChatCompletionMessageToolCallChunk) -> bool:
    # Some providers number every whole call 0; others make up a new id for every piece of one call.
    return bool(piece.id and call.id) and piece.id != call.id and _names_a_function(piece)


class _Text:
    """Text in pieces: `None` as long as they are all null."""

    def __init__(self) -> None:
        self.given = False
        self._pieces: list[str] | None = None

    def add(self, piece: str | None) -> None:
        self.given = True
        if piece is not None:
            self._pieces = self._pieces or []
            self._pieces.append(piece)

    @property
    def value(self) -> str | None:
        return None if self._pieces is None else "".join(self._pieces)


class _Call:
    """One tool call, growing."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self._name = ""
        self._arguments = _Text()
        self._fields: dict[str, object] = {}
        self._function: dict[str, object] = {}
        self._extra: dict[str, object] = {}

    def add(self, piece: ChatCompletionMessageToolCallChunk) -> None:
        self.id = piece.id or self.id
        for name, value in _given(piece, but={"index", "id", "function", "extra_content"}).items():
            _keep(self._fields, name, value)
        if piece.extra_content is not None:
            # What the provider attaches and what the gateway does come in pieces of their own.
            self._extra |= _given(piece.extra_content, but=set())
        if piece.function is None:
            return
        # A provider that repeats the name says the whole of it again.
        if piece.function.name and piece.function.name != self._name:
            self._name += piece.function.name
        self._arguments.add(piece.function.arguments)
        for name, value in _given(piece.function, but={"name", "arguments"}).items():
            _keep(self._function, name, value)

    def assembled(self, fallback_id: str) -> ChatCompletionMessageToolCall:
        fields = dict(self._fields)
        fields["type"] = fields.get("type") or "function"
        if self._extra:
            fields["extra_content"] = self._extra
        if fields["type"] == "function" or self._name:
            fields["function"] = {
                **self._function,
                "name": self._name,
                "arguments": self._arguments.value or "",
            }
        return ChatCompletionMessageToolCall.model_validate({**fields, "id": self.id or fallback_id})


class _Choice:
    """One choice, growing."""

    def __init__(self) -> None:
        self.content = _Text()
        self.finish_reason: str | None = None
        self._texts = {"content": self.content, "refusal": _Text()}
        self._thoughts = _Text()
        self._thoughts_names: set[str] = set()
        self._message: dict[str, object] = {"role": "assistant"}
        self._calls = ToolCallAssembly()
        self._calls_given = False
        self._logprobs: _Logprobs | None = None
        self._fields: dict[str, object] = {}
        self._source = ""

    def add(self, choice: ChatCompletionStreamChoice, *, source: str) -> None:
        if self._gateway_went_on(choice.delta, source):
            self._calls, self._calls_given, self.finish_reason = ToolCallAssembly(), False, None
        self._source = source or self._source
        self._add_delta(choice.delta)
        if choice.logprobs is not None:
            self._logprobs = self._logprobs or _Logprobs()
            self._logprobs.add(choice.logprobs)
        self.finish_reason = choice.finish_reason or self.finish_reason
        for name, value in _given(choice, but={"index", "delta"}).items():
            _keep(self._fields, name, value)

    def _gateway_went_on(self, delta: ChatCompletionStreamResponseDelta, source: str) -> bool:
        """Whether this begins a round after one that ended in tool calls: somebody has answered those."""
        if self.finish_reason != "tool_calls":
            return False
        speaks = bool(delta.content or delta.reasoning or delta.reasoning_content or delta.refusal)
        # Calls under the same id may be the rest of what a provider sends, each with its own finish reason.
        return speaks or (bool(delta.tool_calls) and bool(source) and source != self._source)

    def _add_delta(self, delta: ChatCompletionStreamResponseDelta) -> None:
        self._add_texts(delta)
        if "tool_calls" in delta.model_fields_set:
            self._calls_given = True
            for piece in delta.tool_calls or []:
                self._calls.add(piece)
        texts = {"content", "refusal", "reasoning", "reasoning_content", "tool_calls"}
        for name, value in _given(delta, but=texts).items():
            _keep(self._message, name, value)

    def _add_texts(self, delta: ChatCompletionStreamResponseDelta) -> None:
        if "content" in delta.model_fields_set:
            self.content.add(delta.content)
        if "refusal" in delta.model_fields_set:
            self._texts["refusal"].add(delta.refusal)
        names = delta.model_fields_set & {"reasoning", "reasoning_content"}
        if names:
            # Both names carry the same text: it counts once.
            self._thoughts_names |= names
            self._thoughts.add(delta.reasoning_content or delta.reasoning)

    def assembled(self, index: int, *, completion_id: str) -> dict[str, object]:
        texts = {name: text.value for name, text in self._texts.items() if text.given}
        thoughts = dict.fromkeys(self._thoughts_names, self._thoughts.value)
        message: dict[str, object] = {**self._message, **texts, **thoughts}
        if self._calls_given:
            message["tool_calls"] = self._calls.calls(completion_id) if self._calls else None
        fields = {**self._fields, "finish_reason": self.finish_reason}
        if self._logprobs is not None:
            fields["logprobs"] = self._logprobs.assembled()
        return {**fields, "index": index, "message": message}


class _Logprobs:
    """Log probabilities of one choice, growing."""

    def __init__(self) -> None:
        self._lists: dict[str, list[ChatCompletionTokenLogprob] | None] = {}
        self._fields: dict[str, object] = {}

    def add(self, logprobs: ChatCompletionStreamChoiceLogprobs) -> None:
        if "content" in logprobs.model_fields_set:
            self._append("content", logprobs.content)
        if "refusal" in logprobs.model_fields_set:
            self._append("refusal", logprobs.refusal)
        for name, value in _given(logprobs, but={"content", "refusal"}).items():
            _keep(self._fields, name, value)

    def _append(self, name: str, tokens: list[ChatCompletionTokenLogprob] | None) -> None:
        known = self._lists.setdefault(name, None)
        if known is not None:
            known.extend(tokens or [])
        elif tokens is not None:
            self._lists[name] = list(tokens)

    def assembled(self) -> dict[str, object]:
        return {**self._fields, **self._lists}


def _given(model: BaseModel, *, but: set[str]) -> Mapping[str, object]:
    """Return the fields that were sent, unknown ones too."""
    return {name: value for name, value in model if name in model.model_fields_set and name not in but}


def _keep(fields: dict[str, object], name: str, value: object) -> None:
    if (value is not None and value != "") or name not in fields:
        fields[name] = value
