"""What the callbacks of a stream are told, and how often."""

import logging
from typing import Any

import pytest

from inference_gateway.client.callbacks import CallbackDispatcher, StreamCallbacks
from inference_gateway.types import CreateChatCompletionStreamResponse

Chunk = CreateChatCompletionStreamResponse
Event = tuple[str, object]


class Recorder:
    """Callbacks that write down what they are told."""

    def __init__(self, *tools: str) -> None:
        self.events: list[Event] = []
        self.dispatcher = CallbackDispatcher(
            StreamCallbacks(
                on_open=lambda: self.events.append(("open", None)),
                on_chunk=lambda chunk: self.events.append(("chunk", chunk.id)),
                on_reasoning=lambda text: self.events.append(("reasoning", text)),
                on_content=lambda text: self.events.append(("content", text)),
                on_tool=lambda call: self.events.append(("tool", call.function.arguments)),
                on_mcp_tool=lambda call: self.events.append(("mcp_tool", call.function.name)),
                on_usage_metrics=lambda usage: self.events.append(("usage", usage.total_tokens)),
                on_finish=lambda last: self.events.append(("finish", last and last.id)),
                on_error=lambda error: self.events.append(("error", error)),
            ),
            tools,
        )

    def chunk(self, *choices: dict[str, object], **fields: object) -> None:
        self.dispatcher.chunk(Chunk.model_validate({"id": "c", "choices": list(choices), **fields}))

    def of(self, kind: str) -> list[object]:
        return [what for name, what in self.events if name == kind]


def choice(finish_reason: str | None = None, *, index: int = 0, **delta: Any) -> dict[str, object]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def calling(
    name: str, arguments: str, finish_reason: str | None = None, *, index: int = 0
) -> dict[str, object]:
    call = {"index": 0, "id": "1", "function": {"name": name, "arguments": arguments}}
    return choice(finish_reason, index=index, tool_calls=[call])


def test_a_plain_stream_is_told_in_order() -> None:
    heard = Recorder()
    heard.dispatcher.open()
    heard.chunk(choice(role="assistant", content=""))
    heard.chunk(choice(content="Hi"))
    heard.chunk(choice("stop"))
    heard.chunk(usage={"total_tokens": 7})
    heard.dispatcher.done()
    assert [event for event in heard.events if event[0] != "chunk"] == [
        ("open", None),
        ("content", "Hi"),
        ("usage", 7),
        ("finish", "c"),
    ]
    assert len(heard.of("chunk")) == 4


def test_opening_and_ending_twice_tell_it_once() -> None:
    heard = Recorder()
    heard.dispatcher.open()
    heard.dispatcher.open()
    heard.dispatcher.done()
    heard.dispatcher.done()
    heard.dispatcher.error(ValueError("late"))
    assert heard.events == [("open", None), ("finish", None)]


def test_a_failure_is_told_once_and_nothing_is_finished() -> None:
    heard = Recorder("f")
    failure = ConnectionError("gone")
    heard.chunk(calling("f", "{"))
    heard.dispatcher.error(failure)
    heard.dispatcher.error(failure)
    heard.dispatcher.done()
    assert heard.events == [("chunk", "c"), ("error", failure)]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "Hm"},
        {"reasoning_content": "Hm"},
        {"reasoning": "Hm", "reasoning_content": "Hm"},
        {"reasoning": "Hm", "reasoning_content": None},
        {"reasoning": "", "reasoning_content": "Hm"},
    ],
)
def test_thoughts_are_told_once_whatever_they_are_called(delta: dict[str, Any]) -> None:
    heard = Recorder()
    heard.chunk(choice(**delta))
    assert heard.of("reasoning") == ["Hm"]


def test_a_call_of_the_requests_tool_is_told_once_and_whole() -> None:
    heard = Recorder("f")
    heard.chunk(calling("f", '{"a'))
    heard.chunk(choice(tool_calls=[{"index": 0, "function": {"arguments": '":1}'}}]))
    assert heard.of("tool") == []
    heard.chunk(choice("tool_calls"))
    heard.dispatcher.done()
    assert heard.of("tool") == ['{"a":1}']


def test_a_call_is_complete_when_the_stream_is_done() -> None:
    heard = Recorder("f")
    heard.chunk(calling("f", "{}", "stop"))
    assert heard.of("tool") == []
    heard.dispatcher.done()
    assert [name for name, _ in heard.events] == ["chunk", "tool", "finish"]


def test_a_call_of_the_requests_tool_is_told_even_if_its_arguments_are_broken() -> None:
    heard = Recorder("f")
    heard.chunk(calling("f", '{"a', "tool_calls"))
    assert heard.of("tool") == ['{"a']


@pytest.mark.parametrize("arguments", ["", "{}", '{"a": 1}', " "])
def test_a_call_of_an_unknown_tool_is_the_gateways(arguments: str) -> None:
    heard = Recorder("f")
    heard.chunk(calling("mcp_search", arguments, "tool_calls"))
    assert heard.of("tool") == []
    assert heard.of("mcp_tool") == ["mcp_search"]


@pytest.mark.parametrize("arguments", ['{"a', "[" * 100_000])
def test_a_gateways_call_with_broken_arguments_is_only_logged(
    arguments: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Recorder("f")
    with caplog.at_level(logging.WARNING, "inference_gateway"):
        heard.chunk(calling("mcp_search", arguments, "tool_calls"))
    assert heard.of("tool") == heard.of("mcp_tool") == []
    assert "mcp_search" in caplog.text


def test_a_gateways_call_is_told_as_soon_as_its_result_is_there() -> None:
    heard = Recorder("own")
    heard.chunk(calling("mcp_search", "{}"))
    own = {"index": 1, "id": "2", "function": {"name": "own", "arguments": "{}"}}
    heard.chunk(choice(tool_calls=[own]))
    mark = {"gateway": {"result": "found"}}
    said = {"index": 0, "function": {"name": "", "arguments": ""}, "extra_content": mark}
    heard.chunk(choice(content="", tool_calls=[said]))
    assert (heard.of("mcp_tool"), heard.of("tool")) == (["mcp_search"], [])
    heard.chunk(choice(content="It is here."))
    heard.chunk(choice("tool_calls"))
    heard.dispatcher.done()
    assert (heard.of("mcp_tool"), heard.of("tool")) == (["mcp_search"], ["{}"])


def test_every_round_of_the_gateway_is_told_by_itself() -> None:
    heard = Recorder("f")
    heard.chunk(calling("mcp_a", "{}", "tool_calls"))
    heard.chunk(calling("mcp_b", "{}", "tool_calls"))
    heard.chunk(choice("stop", content="x"))
    heard.dispatcher.done()
    assert heard.of("mcp_tool") == ["mcp_a", "mcp_b"]


def test_the_calls_of_several_choices_stay_apart() -> None:
    heard = Recorder("f")
    heard.chunk(calling("f", "[", index=0), calling("f", "{", index=1))
    heard.chunk(*(choice(index=i, tool_calls=[piece(end)]) for i, end in enumerate("]}")))
    heard.chunk(choice("tool_calls", index=1))
    assert heard.of("tool") == ["{}"]
    heard.chunk(choice("tool_calls", index=0), choice(index=1, content="x"))
    assert heard.of("tool") == ["{}", "[]"]
    assert heard.of("content") == ["x"]


def piece(arguments: str) -> dict[str, object]:
    return {"index": 0, "function": {"arguments": arguments}}


def test_what_a_callback_raises_comes_out() -> None:
    def refuse(text: str) -> None:
        raise LookupError(text)

    dispatcher = CallbackDispatcher(StreamCallbacks(on_content=refuse), ())
    with pytest.raises(LookupError, match="Hi"):
        dispatcher.chunk(Chunk.model_validate({"choices": [choice(content="Hi")]}))


def test_no_callback_is_needed() -> None:
    dispatcher = CallbackDispatcher(StreamCallbacks(), {"f"})
    dispatcher.open()
    dispatcher.chunk(Chunk.model_validate({"choices": [calling("f", "{}"), calling("g", "{}", index=1)]}))
    dispatcher.chunk(Chunk.model_validate({"choices": [choice(content="a", reasoning="b")], "usage": {}}))
    dispatcher.done()
    CallbackDispatcher(StreamCallbacks(), ()).error(ValueError())
