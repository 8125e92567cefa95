"""The tool loop over sockets: streams of several turns made into one."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.chats import MESSAGES, Streamed, body, stream
from fakes.gateway import FakeGateway
from fakes.provider import DONE, STREAM, Call, FakeProvider, chunk
from fakes.toolbox import FakeToolbox
from fakes.turns import USAGE, call, pieces, stream_of, taking_turns
from inference_gateway.server.toolbox import ToolResult

Start = Callable[..., FakeGateway]
OWN = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
ASK = body(stream=True)
WITH_USAGE = body(stream=True, stream_options={"include_usage": True})


@pytest.fixture
def toolbox() -> FakeToolbox:
    return FakeToolbox("mcp_time", "mcp_add")


@pytest.fixture
def start(
    monkeypatch: pytest.MonkeyPatch, start_gateway: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> Start:
    """Start gateways that have the toolbox."""
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    return lambda **environ: start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, **environ)


@pytest.fixture
def gateway(start: Start) -> FakeGateway:
    return start()


def chunks(streamed: Streamed) -> list[Any]:
    *events, last = streamed.events.removesuffix(b"\n\n").split(b"\n\n")
    assert last == b"data: [DONE]"
    assert streamed.whole
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def told(seen: list[Any], name: str = "content") -> str:
    return "".join(choice["delta"].get(name) or "" for each in seen for choice in each["choices"])


def calls_in(seen: list[Any]) -> dict[int, dict[str, Any]]:
    """Put calls together as clients do: by index, text joined, the rest as it comes."""
    calls: dict[int, dict[str, Any]] = {}
    for each in seen:
        for choice in each["choices"]:
            for piece in choice["delta"].get("tool_calls", ()):
                made = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
                made["name"] += piece["function"].get("name", "")
                made["arguments"] += piece["function"].get("arguments", "")
                made |= {k: v for k, v in piece.items() if k in ("id", "extra_content")}
    return calls


def reasons(seen: list[Any]) -> list[str]:
    return [c["finish_reason"] for each in seen for c in each["choices"] if c["finish_reason"]]


def test_a_stream_that_calls_nothing_is_relayed_byte_for_byte(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    events = [chunk({"role": "assistant", "content": "", "tool_calls": None}), *STREAM[1:]]

    async def script(asked: Call) -> None:
        await asked.stream(events)

    provider.script = script
    streamed = stream(gateway, ASK)
    assert streamed.events == b"".join(events)
    assert streamed.whole


def test_the_turns_of_a_stream_are_one_stream(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    provider.script = taking_turns(
        stream_of({"content": "let me "}, *pieces("mcp_add", '{"a"', ": 1}"), finish="tool_calls", id="one"),
        stream_of({"content": "see: "}, *pieces("mcp_time", "{}", id="c2"), finish="tool_calls", id="two"),
        stream_of({"content": "noon"}, id="three"),
    )
    seen = chunks(stream(gateway, ASK))
    assert {each["id"] for each in seen} == {"one"}
    assert told(seen) == "let me see: noon"
    assert told(seen, "role") == "assistant"
    assert reasons(seen) == ["stop"]
    assert seen[-1]["choices"][0]["finish_reason"] == "stop"
    result = {"gateway": {"result": 'mcp_add: {"a": 1}'}}
    assert calls_in(seen) == {
        0: {"name": "mcp_add", "arguments": '{"a": 1}', "id": "c1", "extra_content": result},
        1: {
            "name": "mcp_time",
            "arguments": "{}",
            "id": "c2",
            "extra_content": {"gateway": {"result": "mcp_time: {}"}},
        },
    }
    assert not any(each.get("usage") for each in seen)
    assert toolbox.calls == [("mcp_add", {"a": 1}), ("mcp_time", {})]


def test_a_later_turn_is_asked_with_what_the_earlier_said(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    google = {"google": {"thought_signature": "s"}}
    provider.script = taking_turns(
        stream_of(
            {"reasoning_content": "I "},
            {"reasoning_content": "think"},
            {"content": "let "},
            {"content": "me"},
            {"reasoning_details": [{"n": 1}]},
            {"reasoning_details": [{"n": 2}]},
            *pieces("mcp_add", '{"a"', ":1}", extra_content=google),
            finish="tool_calls",
        ),
        stream_of({"content": "x"}),
    )
    chunks(stream(gateway, ASK))
    first, second = [each.json() for each in provider.calls]
    made = {"id": "c1", "type": "function", "function": {"name": "mcp_add", "arguments": '{"a":1}'}}
    assert second == {
        **first,
        "messages": [
            *MESSAGES,
            {
                "role": "assistant",
                "content": "let me",
                "reasoning_content": "I think",
                "reasoning_details": [{"n": 1}, {"n": 2}],
                "tool_calls": [{**made, "extra_content": google}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": 'mcp_add: {"a": 1}'},
        ],
    }


@pytest.mark.parametrize("how", ["header", "setting", "header over setting"])
def test_calls_that_the_gateway_runs_may_be_hidden(start: Start, provider: FakeProvider, how: str) -> None:
    provider.script = taking_turns(
        stream_of({"content": "a"}, *pieces("mcp_time", "{}"), finish="tool_calls"),
        stream_of({"content": "b"}),
    )
    setting, field, hidden = {
        "header": ("true", "x-mcp-stream-tool-calls: false\r\n", True),
        "setting": ("false", "", True),
        "header over setting": ("false", "x-mcp-stream-tool-calls: true\r\n", False),
    }[how]
    seen = chunks(stream(start(MCP_STREAM_TOOL_CALLS=setting), ASK, fields=field))
    assert told(seen) == "ab"
    assert bool(calls_in(seen)) is not hidden


def test_a_turn_of_client_calls_goes_back_with_its_own_end(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    events = stream_of(*pieces("own", '{"x"', ":1}"), finish="tool_calls", usage=True)
    provider.script = taking_turns(events)
    seen = chunks(stream(gateway, body(stream=True, tools=[OWN], stream_options={"include_usage": True})))
    assert calls_in(seen) == {0: {"name": "own", "arguments": '{"x":1}', "id": "c1"}}
    assert reasons(seen) == ["tool_calls"]
    assert seen[-1]["usage"] == USAGE
    assert toolbox.calls == []


def test_a_mixed_turn_shows_all_calls_and_our_results_on_ours(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    mixed = [*pieces("mcp_time", "{}", id="a"), *pieces("own", "{}", index=1, id="b")]
    provider.script = taking_turns(stream_of(*mixed, finish="tool_calls"))
    seen = chunks(stream(gateway, body(stream=True, tools=[OWN])))
    assert reasons(seen) == ["tool_calls"]
    made = calls_in(seen)
    assert made[0]["extra_content"] == {"gateway": {"result": "mcp_time: {}"}}
    assert made[1] == {"name": "own", "arguments": "{}", "id": "b"}


def test_calls_that_are_hidden_in_a_mixed_turn_ride_on_the_clients_and_come_back_with_it(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    signature = {"google": {"thought_signature": "s"}}
    mixed = [
        *pieces("mcp_time", '{"zone"', ":1}", id="a", extra_content=signature),
        *pieces("own", "{}", index=1, id="b"),
        *pieces("mcp_add", "{}", index=2, id="c"),
    ]
    provider.script = taking_turns(stream_of(*mixed, finish="tool_calls"), stream_of({"content": "done"}))
    hidden = {"fields": "x-mcp-stream-tool-calls: 0\r\n"}
    seen = chunks(stream(gateway, body(stream=True, tools=[OWN]), **hidden))
    assert reasons(seen) == ["tool_calls"]
    [made] = calls_in(seen).values()
    assert (made["name"], made["arguments"], made["id"]) == ("own", "{}", "b")
    assert toolbox.calls == [("mcp_time", {"zone": 1}), ("mcp_add", {})]

    said = call("own", id="b", extra_content=made["extra_content"])
    echo = [
        *MESSAGES,
        {"role": "assistant", "content": "", "tool_calls": [said]},
        {"role": "tool", "tool_call_id": "b", "content": "mine"},
    ]
    chunks(stream(gateway, body(stream=True, tools=[OWN], messages=echo), **hidden))
    _, assistant, *results = provider.calls[1].json()["messages"]
    time = {**call("mcp_time", id="a"), "extra_content": signature}
    time["function"] = {"name": "mcp_time", "arguments": '{"zone":1}'}
    assert assistant["tool_calls"] == [time, call("mcp_add", id="c"), call("own", id="b")]
    assert results == [
        {"role": "tool", "tool_call_id": "a", "content": 'mcp_time: {"zone": 1}'},
        {"role": "tool", "tool_call_id": "c", "content": "mcp_add: {}"},
        {"role": "tool", "tool_call_id": "b", "content": "mine"},
    ]
    assert len(toolbox.calls) == 2


def test_usage_comes_once_at_the_end_and_is_the_sum(gateway: FakeGateway, provider: FakeProvider) -> None:
    provider.script = taking_turns(
        stream_of(*pieces("mcp_time", "{}"), finish="tool_calls", usage=True),
        stream_of({"content": "x"}, usage=True),
    )
    seen = chunks(stream(gateway, WITH_USAGE))
    used = [each for each in seen if each.get("usage")]
    assert used == seen[-1:]
    assert seen[-1]["choices"] == []
    assert seen[-1]["usage"]["total_tokens"] == 24
    assert seen[-1]["usage"]["details"] == {"cached": 2}


def test_usage_that_nobody_asked_for_stays_on_the_last_chunk(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    def ending(finish: str) -> bytes:
        return chunk({"content": ""}, finish).replace(
            b'"choices"', b'"usage": {"total_tokens": 3}, "choices"'
        )

    first = [*map(chunk, pieces("mcp_time", "{}")), ending("tool_calls"), DONE]
    provider.script = taking_turns(first, [chunk({"content": "x"}), ending("stop"), DONE])
    seen = chunks(stream(gateway, ASK))
    assert [each["usage"] for each in seen if each.get("usage")] == [{"total_tokens": 6}]
    assert seen[-1]["choices"][0]["finish_reason"] == "stop"


def test_calls_without_index_or_id_are_numbered(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    whole = [{"function": {"name": name, "arguments": "{}"}} for name in ("mcp_time", "mcp_add")]
    provider.script = taking_turns(
        [chunk({"role": "assistant", "tool_calls": whole}, "stop"), DONE], stream_of({"content": "x"})
    )
    seen = chunks(stream(gateway, ASK))
    made = calls_in(seen)
    assert [each["name"] for each in made.values()] == ["mcp_time", "mcp_add"]
    assert list(made) == [0, 1]
    assert len({each["id"] for each in made.values()}) == 2
    asked = provider.calls[1].json()["messages"]
    assert [m["tool_call_id"] for m in asked[2:]] == [each["id"] for each in made.values()]
    assert reasons(seen) == ["stop"]


def test_an_id_that_names_a_call_of_each_turn_is_told_apart(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    repeated = {"index": 0, "id": "c1", "function": {"arguments": ""}}
    provider.script = taking_turns(
        stream_of(*pieces("mcp_time", "{}"), finish="tool_calls"),
        stream_of(*pieces("mcp_add", "{}"), {"tool_calls": [repeated]}, finish="tool_calls"),
        stream_of({"content": "done"}),
    )
    seen = chunks(stream(gateway, ASK))
    first, second = (made["id"] for made in calls_in(seen).values())
    assert (first, second) == ("c1", "call_c_1")
    assert [m["tool_call_id"] for m in provider.calls[2].json()["messages"] if m["role"] == "tool"] == [
        "c1",
        "c1",
    ]


def test_whole_calls_that_are_all_numbered_0_are_told_apart(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    both = [*pieces("mcp_time", id="a"), *pieces("mcp_add", id="b")]
    provider.script = taking_turns(stream_of(*both, finish="tool_calls"), stream_of({"content": "x"}))
    seen = chunks(stream(gateway, ASK))
    assert [each["id"] for each in calls_in(seen).values()] == ["a", "b"]


def test_a_stream_of_a_model_that_never_stops_calling_ends_and_says_so(
    start: Start, provider: FakeProvider
) -> None:
    async def script(asked: Call) -> None:
        await asked.stream(stream_of(*pieces("mcp_time", "{}"), finish="tool_calls", usage=True))

    provider.script = script
    seen = chunks(stream(start(MCP_MAX_ITERATIONS="2"), WITH_USAGE))
    assert len(provider.calls) == 2
    assert told(seen) == "[stopped after 2 turns: the model kept calling tools]"
    assert reasons(seen) == ["length"]
    assert seen[-1]["usage"]["total_tokens"] == 24


def test_an_error_of_the_provider_in_a_later_turn_ends_the_stream_in_its_words(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(asked: Call) -> None:
        if len(provider.calls) == 1:
            await asked.stream(stream_of(*pieces("mcp_time", "{}"), finish="tool_calls"))
        else:
            await asked.respond(429, b'{"error":\n{"message": "slow down"}}')

    provider.script = script
    streamed = stream(gateway, ASK)
    assert streamed.events.endswith(b'data: {"error": {"message": "slow down"}}\n\n')
    assert b"[DONE]" not in streamed.events
    assert b'"tool_calls"}]' not in streamed.events
    assert not streamed.whole


@pytest.mark.parametrize("turn", [1, 2])
def test_a_turn_that_is_cut_is_the_end_of_all(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox, turn: int
) -> None:
    async def script(asked: Call) -> None:
        events = stream_of(*pieces("mcp_time", "{}"), finish="tool_calls")
        if len(provider.calls) < turn:
            await asked.stream(events)
        else:
            await asked.begin_stream()
            for event in events[:3]:
                await asked.piece(event)
            asked.close()

    provider.script = script
    streamed = stream(gateway, ASK)
    assert streamed.error
    assert b"[DONE]" not in streamed.events
    assert not streamed.whole
    assert len(toolbox.calls) == turn - 1


def test_a_later_turn_that_stalls_ends_the_stream(start: Start, provider: FakeProvider) -> None:
    async def script(asked: Call) -> None:
        if len(provider.calls) == 1:
            await asked.stream(stream_of(*pieces("mcp_time", "{}"), finish="tool_calls"))
        else:
            await asked.begin_stream()
            await asked.piece(chunk({"content": "a"}))
            await asked.client_gone()

    provider.script = script
    streamed = stream(start(CLIENT_STREAM_IDLE_TIMEOUT="300ms"), ASK)
    assert "300ms" in streamed.error or "0.3" in streamed.error or "sent nothing" in streamed.error
    assert not streamed.whole


def test_calls_that_may_be_cut_off_are_not_run_in_streams_either(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    provider.script = taking_turns(stream_of(*pieces("mcp_time", '{"a'), finish="length"))
    assert reasons(chunks(stream(gateway, ASK))) == ["length"]
    assert toolbox.calls == []


def test_the_first_turn_is_not_held_back(gateway: FakeGateway, provider: FakeProvider) -> None:
    seen = asyncio.Event()

    async def script(asked: Call) -> None:
        await asked.begin_stream()
        await asked.piece(chunk({"content": "first"}))
        async with asyncio.timeout(10):
            await seen.wait()
        for event in STREAM[1:]:
            await asked.piece(event)
        await asked.end_stream()

    provider.script = script
    with gateway.connect() as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(ASK)
        client.sendall(head + ASK)
        received = b""
        while b"first" not in received:
            received += client.recv(65536)
        provider._thread.loop.call_soon_threadsafe(seen.set)
        while DONE not in received:
            received += client.recv(65536)


def test_a_client_of_a_stream_that_goes_away_stops_its_tools_and_leaves_no_task(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def act(name: str, arguments: Any) -> ToolResult:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    async def within(event: asyncio.Event) -> None:
        async with asyncio.timeout(10):
            await event.wait()

    async def rest() -> None:
        work = [task for task in asyncio.all_tasks() if "tool loop" in task.get_name()]
        if work:
            await asyncio.wait(work, timeout=10)
        assert all(task.done() for task in work)

    toolbox.act = act
    provider.script = taking_turns(stream_of(*pieces("mcp_time", "{}"), finish="tool_calls"))
    with gateway.connect() as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(ASK)
        client.sendall(head + ASK)
        gateway.thread.call(within(started))
    gateway.thread.call(within(stopped))
    gateway.thread.call(rest())
    assert toolbox.cancelled == 1


def test_a_tool_that_breaks_ends_the_stream_honestly(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        raise RuntimeError("secret")

    toolbox.act = act
    provider.script = taking_turns(stream_of(*pieces("mcp_time", "{}"), finish="tool_calls"))
    streamed = stream(gateway, ASK)
    assert streamed.error == "the gateway failed on this request"
    assert not streamed.whole


def test_a_shown_stream_can_be_echoed_as_it_was_put_together(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    made = call("mcp_time", extra_content={"gateway": {"result": "noon"}})
    echo = [*MESSAGES, {"role": "assistant", "content": "it is noon", "tool_calls": [made]}, MESSAGES[0]]
    chunks(stream(gateway, body(stream=True, messages=echo)))
    assert provider.calls[0].json()["messages"][1:] == [
        {"role": "assistant", "content": "it is noon", "tool_calls": [call("mcp_time")]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        MESSAGES[0],
    ]


def test_reasoning_is_put_where_it_is_wanted_in_every_turn(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    provider.script = taking_turns(
        stream_of({"content": "<think>a</think>b"}, *pieces("mcp_time", "{}"), finish="tool_calls"),
        stream_of({"content": "<think>c</think>d"}),
    )
    seen = chunks(stream(gateway, body(stream=True, reasoning_format="parsed")))
    assert told(seen, "reasoning_content") == "ac"
    assert told(seen) == "bd"
