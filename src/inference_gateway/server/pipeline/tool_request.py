"""What a turn of the tool loop sends: the request, with more tools and a longer conversation. No I/O.

The client's bytes stay as they are; what the gateway adds is spliced in behind them, so that each turn
begins with all of the turn before it, which is what providers keep in their caches.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.tool_members import Members, decode_many, decode_members, text_of
from inference_gateway.server.toolbox import ToolResult


class _Named(msgspec.Struct):
    name: str = ""


class _Tool(msgspec.Struct):
    function: _Named | None = None
    custom: _Named | None = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Named | None = None
    extra_content: Members | None = None


class _Result(msgspec.Struct):
    result: str
    images: tuple[str, ...] = ()


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_decode_options = msgspec.json.Decoder(_StreamOptions | None).decode
_tools: msgspec.json.Decoder[list[_Tool] | None] = msgspec.json.Decoder(list[_Tool] | None)
_decode_call = msgspec.json.Decoder(_Call).decode
_decode_calls = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_result = msgspec.json.Decoder(_Result).decode
_decode_name = msgspec.json.Decoder(_Named).decode

_AUTO = b'"auto"'
_MARKS = frozenset({"gateway", "gateway_calls"})
"""Members of a call's `extra_content` that are ours."""
_EMPTY = (b"", b"null", b'""', b"[]")


def own_tools(request: InferenceRequest) -> frozenset[str]:
    """Names of the tools that the client brought.

    :raises BadRequest: `tools` is not a list of tools.
    """
    if "tools" not in request.document.values:
        return frozenset()
    tools: list[_Tool] | None = request.document.get(
        "tools", _tools, expected="a list of tools, each an object with a 'function'"
    )
    named = [tool.function or tool.custom for tool in tools or ()]
    return frozenset(each.name for each in named if each is not None)


def with_tools(client: bytes | None, ours: Mapping[str, bytes], own: frozenset[str]) -> bytes:
    """Write `tools`: the client's as they came, then ours under names that the client does not use."""
    members = [ours[name] for name in ours if name not in own] if own else list(ours.values())
    theirs = client.strip() if client is not None else b""
    if theirs not in _EMPTY and (inside := theirs[1:-1].strip()):
        members.insert(0, inside)
    return b"[" + b",".join(members) + b"]"


def relaxed(choice: bytes) -> bytes:
    """Take the force out of a `tool_choice`: what was called once need not be called for ever."""
    if choice[:1] == b'"':
        return _AUTO if choice == b'"required"' else choice
    try:
        members = decode_members(choice)
        if members.get("type") != msgspec.Raw(b'"allowed_tools"'):
            return _AUTO
        allowed = decode_members(members["allowed_tools"])
    except (*codec.UNREADABLE, KeyError):
        return choice
    return codec.encode({**members, "allowed_tools": {**allowed, "mode": "auto"}})


class Dialogue:
    """One request on its way through its turns: all that the loop remembers of it.

    :param request: what the first turn asks; its changes so far hold for every turn.
    :param own: names of the client's own tools.
    :param limit: most bytes that the turns may add to the conversation.
    :ivar turns: how many were asked for.
    """

    __slots__ = ("_changes", "_messages", "_room", "own", "request", "turns")

    def __init__(self, request: InferenceRequest, own: frozenset[str], *, limit: int) -> None:
        self._room = limit
        self.request = request
        self.own = own
        self.turns = 1
        self._changes = dict(request.changes)
        self._messages: list[bytes] = []

    def wants_usage(self) -> bool:
        """Tell whether the usage of a stream is asked for; what a later stage asks for is its own affair."""
        options = self._changes.get("stream_options") or self.request.document.values.get("stream_options")
        if options is None:
            return False
        try:
            decoded = _decode_options(options)
        except codec.UNREADABLE:
            return False
        return decoded is not None and decoded.include_usage is True

    def append(self, messages: Sequence[bytes]) -> None:
        """Let the conversation go on with these messages.

        :raises UpstreamError: it grew by more than `limit`.
        """
        self._room -= sum(map(len, messages))
        if self._room < 0:
            raise UpstreamError("what the tools returned is more than is taken here")
        if not self._messages:
            said = self._changes.get("messages") or bytes(self.request.document.values["messages"])
            self._messages.append(said.strip()[:-1].rstrip())
        self._messages += messages

    def following(self) -> InferenceRequest:
        """Make the request of the next turn."""
        self.turns += 1
        changes = dict(self._changes)
        changes["messages"] = b",".join(self._messages) + b"]"
        choice = changes.get("tool_choice") or self.request.document.values.get("tool_choice")
        if choice is not None and (free := relaxed(bytes(choice))) != bytes(choice):
            changes["tool_choice"] = free
        return self.request.again(changes)


def result_messages(ids: Sequence[str], results: Sequence[ToolResult], *, images: bool) -> list[bytes]:
    """Write what came of a turn's calls as messages: the texts as the tools', the pictures as a user's.

    A tool's message can be nothing but text; so the pictures follow behind the last of them.
    """
    messages = [
        result_message(call_id, shown_text(result, images=images))
        for call_id, result in zip(ids, results, strict=True)
    ]
    pictures = [url for result in results for url in result.images] if images else []
    return [*messages, *_shown(pictures)]


def _shown(pictures: Sequence[str]) -> list[bytes]:
    """Write the message that shows pictures, if there are any."""
    if not pictures:
        return []
    parts: list[dict[str, object]] = [{"type": "text", "text": "Images that the tools returned:"}]
    parts += [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return [codec.encode({"role": "user", "content": parts})]


def result_message(call_id: str, text: str) -> bytes:
    """Write the message of a tool."""
    return codec.encode({"role": "tool", "tool_call_id": call_id, "content": text})


def shown_text(result: ToolResult, *, images: bool) -> str:
    """Say in words what a model is told of a result, and where its pictures are."""
    text = result.text
    if result.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}"
    if not result.images:
        return text
    if not images:
        return f"{text}\n[images left out: {len(result.images)}]".lstrip()
    # Some providers refuse a result that says nothing.
    return text or f"[images: {len(result.images)}]"


def settled(messages: bytes, ours: Callable[[str], bool], *, images: bool) -> bytes | None:
    """Make what clients echo of our calls into what providers take; None where there is nothing to make.

    A result that rides on its call becomes a tool's message, and a call that rides on another one a call of
    its own. A call of ours without a result, as a stream shows it, is dropped, and so is every other one
    beside it that nobody answered.
    """
    try:
        conversation = decode_many(messages)
        settler = _Settler(conversation, ours, images=images)
        written = [each for message in conversation for each in settler.settle(message)]
        written += settler.shown()
    except codec.UNREADABLE:
        return None  # of a shape that the provider may judge
    return b"[" + b",".join(written) + b"]" if settler.changed else None


class _Settler:
    """Goes through a conversation once."""

    def __init__(self, conversation: list[Members], ours: Callable[[str], bool], *, images: bool) -> None:
        self.changed = False
        self._ours = ours
        self._images = images
        self._pictures: list[str] = []
        self._answered = {text_of(message.get("tool_call_id")) for message in conversation}
        self._settled: set[str] = set()

    def settle(self, message: Members) -> list[bytes]:
        """Write a message anew, and what follows from it."""
        # Pictures come behind all results of their turn, the client's too.
        before = self.shown() if self._pictures and text_of(message.get("role")) != "tool" else []
        return [*before, *self._settle(message)]

    def shown(self) -> list[bytes]:
        """Write the message that shows what pictures there were since the last."""
        pictures, self._pictures = self._pictures, []
        return _shown(pictures)

    def _settle(self, message: Members) -> list[bytes]:
        if text_of(message.get("tool_call_id")) in self._settled:
            self.changed = True
            return []
        calls = message.get("tool_calls")
        if calls is None or not bytes(calls).startswith(b"["):
            return [codec.encode(message)]
        read = [(raw, _decode_call(raw)) for raw in _decode_calls(calls)]
        if not any(self._is_ours(call) for _, call in read):
            return [codec.encode(message)]
        self.changed = True
        return self._without_us(message, [each for pair in read for each in (*_riding(pair[1]), pair)])

    def _is_ours(self, call: _Call) -> bool:
        if call.extra_content is not None and not _MARKS.isdisjoint(call.extra_content):
            return True
        return call.function is not None and self._ours(call.function.name)

    def _without_us(self, message: Members, calls: list[tuple[msgspec.Raw, _Call]]) -> list[bytes]:
        kept: list[bytes] = []
        results: list[bytes] = []
        for raw, call in calls:
            call_id = call.id or ""
            result = _ridden(call)
            if result is not None and call_id:
                self._settled.add(call_id)
                self._pictures += result.images if self._images else ()
                results.append(result_message(call_id, shown_text(result, images=self._images)))
            elif not call_id or call_id not in self._answered:
                continue
            kept.append(_unmarked(raw, call))
        rest = {name: value for name, value in message.items() if name != "tool_calls"}
        if kept:
            rest["tool_calls"] = msgspec.Raw(b"[" + b",".join(kept) + b"]")
        elif bytes(rest.get("content", b"")) in _EMPTY:
            return []
        return [codec.encode(rest), *results]


def _ridden(call: _Call) -> ToolResult | None:
    """Read the result that rides on a call."""
    mark = (call.extra_content or {}).get("gateway")
    try:
        read = _decode_result(mark) if mark is not None else None
    except codec.UNREADABLE:
        return None
    return ToolResult(read.result, images=read.images) if read is not None else None


def _riding(call: _Call) -> list[tuple[msgspec.Raw, _Call]]:
    """Read the calls that ride on a call: those of its turn that the client was not shown."""
    marked = (call.extra_content or {}).get("gateway_calls")
    try:
        return [(raw, _decode_call(raw)) for raw in _decode_calls(marked)] if marked is not None else []
    except codec.UNREADABLE:
        return []


def _unmarked(raw: msgspec.Raw, call: _Call) -> bytes:
    """Write a call without what the gateway put on it."""
    extra = call.extra_content
    if extra is None or _MARKS.isdisjoint(extra):
        return bytes(raw)
    members = decode_members(raw)
    rest = {name: value for name, value in extra.items() if name not in _MARKS}
    if rest:
        members["extra_content"] = msgspec.Raw(codec.encode(rest))
    else:
        del members["extra_content"]
    return codec.encode(members)


def names_of(definitions: Sequence[bytes]) -> dict[str, bytes]:
    """Index tools, as a request's `tools` has them, by the names of their functions; the first one counts."""
    named: dict[str, bytes] = {}
    for definition in definitions:
        named.setdefault(_decode_name(decode_members(definition)["function"]).name, definition)
    return named
