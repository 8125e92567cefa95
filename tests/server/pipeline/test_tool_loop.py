"""The tool loop over sockets: whole answers, turn after turn."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from fakes.chats import MESSAGES, body
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider
from fakes.toolbox import FakeToolbox
from fakes.turns import answer, call, calling, saying, taking_turns
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.toolbox import ToolResult

Start = Callable[..., FakeGateway]
OWN = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}


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


def asked(provider: FakeProvider) -> list[Any]:
    return [each.json() for each in provider.calls]


def test_a_call_is_run_and_its_result_told_to_the_model(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    provider.script = taking_turns(calling(call("mcp_add", {"a": 1})), saying("done"))
    reply = gateway.chat(body())
    assert reply.status == 200
    assert reply.json()["choices"][0]["message"] == {"role": "assistant", "content": "done"}
    assert toolbox.calls == [("mcp_add", {"a": 1})]
    first, second = asked(provider)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["mcp_time", "mcp_add"]
    assert second == {
        **first,
        "messages": [
            *MESSAGES,
            {"role": "assistant", "content": None, "tool_calls": [call("mcp_add", {"a": 1})]},
            {"role": "tool", "tool_call_id": "c1", "content": 'mcp_add: {"a": 1}'},
        ],
    }


def test_an_answer_that_calls_nothing_is_relayed_byte_for_byte(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    sent = b'{ "id":"x", "choices": [ {"message": {"content":"hi"}} ], "big": 1e400 }'

    async def script(asked: Call) -> None:
        await asked.respond(200, sent)

    provider.script = script
    request = body(temperature=0.50)
    assert gateway.chat(request).body == sent
    [first] = provider.calls
    assert first.body.startswith(request.replace(b"openai/m", b"m")[:-1].replace(b", ", b",")[:20])
    assert b'"temperature": 0.5' in first.body


def test_usage_is_summed_over_turns(gateway: FakeGateway, provider: FakeProvider) -> None:
    provider.script = taking_turns(calling(call("mcp_time")), calling(call("mcp_time")), saying("done"))
    usage = gateway.chat(body()).json()["usage"]
    assert usage == {
        "prompt_tokens": 30,
        "completion_tokens": 6,
        "total_tokens": 36,
        "details": {"cached": 3},
    }


def test_the_clients_own_tools_stay_and_its_calls_go_back_to_it(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    wanted = calling(call("own", {"x": 1}))
    provider.script = taking_turns(wanted)
    assert gateway.chat(body(tools=[OWN])).json() == wanted
    assert [tool["function"]["name"] for tool in asked(provider)[0]["tools"]] == [
        "own",
        "mcp_time",
        "mcp_add",
    ]
    assert toolbox.calls == []


def test_a_tool_of_the_client_takes_the_name_from_ours(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    own = {"type": "function", "function": {"name": "mcp_time"}}
    provider.script = taking_turns(calling(call("mcp_time")))
    assert gateway.chat(body(tools=[own])).json()["choices"][0]["finish_reason"] == "tool_calls"
    assert [tool["function"]["name"] for tool in asked(provider)[0]["tools"]] == ["mcp_time", "mcp_add"]
    assert toolbox.calls == []


def test_a_mixed_turn_comes_back_with_our_results_on_our_calls_and_goes_on_when_echoed(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    signature = {"google": {"thought_signature": "s=="}}
    ours = call("mcp_time", id="a", extra_content=signature)
    theirs = call("own", id="b")
    provider.script = taking_turns(calling(ours, theirs), saying("done"))
    message = gateway.chat(body(tools=[OWN])).json()["choices"][0]["message"]
    marked = {**ours, "extra_content": {**signature, "gateway": {"result": "mcp_time: {}"}}}
    assert message["tool_calls"] == [marked, theirs]

    echo = [*MESSAGES, message, {"role": "tool", "tool_call_id": "b", "content": "mine"}]
    assert gateway.chat(body(tools=[OWN], messages=echo)).json()["choices"][0]["message"]["content"] == "done"
    assert asked(provider)[1]["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [ours, theirs]},
        {"role": "tool", "tool_call_id": "a", "content": "mcp_time: {}"},
        {"role": "tool", "tool_call_id": "b", "content": "mine"},
    ]
    assert toolbox.calls == [("mcp_time", {})]


def test_our_result_counts_where_a_client_answers_our_call_too(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    marked = call("mcp_time", id="a", extra_content={"gateway": {"result": "noon"}})
    echo = [
        *MESSAGES,
        {"role": "assistant", "tool_calls": [marked]},
        {"role": "tool", "tool_call_id": "a", "content": "Error: there is no tool"},
    ]
    gateway.chat(body(messages=echo))
    assert asked(provider)[0]["messages"][1:] == [
        {"role": "assistant", "tool_calls": [call("mcp_time", id="a")]},
        {"role": "tool", "tool_call_id": "a", "content": "noon"},
    ]


def test_echoed_calls_that_nobody_answered_are_dropped(gateway: FakeGateway, provider: FakeProvider) -> None:
    echo = [
        *MESSAGES,
        {"role": "assistant", "content": "all of it", "tool_calls": [call("mcp_time", id="a")]},
        {"role": "assistant", "content": "", "tool_calls": [call("mcp_add", id="b"), call("own", id="c")]},
        {"role": "user", "content": "go on"},
    ]
    gateway.chat(body(messages=echo, tools=[OWN]))
    assert asked(provider)[0]["messages"][1:] == [{"role": "assistant", "content": "all of it"}, echo[-1]]


def test_calls_of_the_client_alone_are_left_as_it_wrote_them(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    echo = [*MESSAGES, {"role": "assistant", "tool_calls": [call("own")]}, {"role": "user", "content": "x"}]
    gateway.chat(body(messages=echo, tools=[OWN]))
    assert asked(provider)[0]["messages"] == echo


def test_calls_of_a_turn_run_side_by_side_up_to_the_cap_and_answer_in_order(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    together = asyncio.Event()

    async def act(name: str, arguments: Any) -> ToolResult:
        if toolbox.running == 2:
            together.set()
        await together.wait()
        return ToolResult(str(arguments["n"]))

    toolbox.act = act
    calls = [call("mcp_add", {"n": n}, id=f"c{n}") for n in range(5)]
    provider.script = taking_turns(calling(*calls), saying("done"))
    gateway = start(MCP_MAX_PARALLEL_CALLS="2")
    assert gateway.chat(body()).status == 200
    assert [m["content"] for m in asked(provider)[1]["messages"][2:]] == ["0", "1", "2", "3", "4"]
    assert toolbox.most_running == 2


def test_a_model_that_never_stops_calling_is_stopped_and_the_answer_says_so(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def script(asked: Call) -> None:
        await asked.respond_json(calling(call("mcp_time"), content="hm"))

    provider.script = script
    choice = start(MCP_MAX_ITERATIONS="3").chat(body()).json()["choices"][0]
    assert len(provider.calls) == 3
    assert len(toolbox.calls) == 2
    assert choice["finish_reason"] == "length"
    assert "tool_calls" not in choice["message"]
    assert choice["message"]["content"] == "hm\n\n[stopped after 3 turns: the model kept calling tools]"


def test_calls_that_may_be_cut_off_are_not_run(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    cut = calling(call("mcp_time"), finish="length")
    provider.script = taking_turns(cut)
    assert gateway.chat(body()).json() == cut
    assert toolbox.calls == []


@pytest.mark.parametrize(
    ("choice", "then"),
    [
        ("required", "auto"),
        ("none", "none"),
        ({"type": "function", "function": {"name": "mcp_time"}}, "auto"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        ),
    ],
)
def test_a_call_is_forced_in_the_first_turn_only(
    gateway: FakeGateway, provider: FakeProvider, choice: Any, then: Any
) -> None:
    provider.script = taking_turns(calling(call("mcp_time")), saying("done"))
    gateway.chat(body(tool_choice=choice))
    assert [each["tool_choice"] for each in asked(provider)] == [choice, then]


def test_thoughts_and_signatures_survive(gateway: FakeGateway, provider: FakeProvider) -> None:
    signed = call("mcp_time", extra_content={"google": {"thought_signature": "s"}}, index=0)
    thought = {
        "reasoning_content": "why",
        "reasoning": "why",
        "reasoning_details": [{"a": 1}],
        "refusal": None,
    }
    provider.script = taking_turns(calling(signed, **thought), saying("done"))
    gateway.chat(body())
    del signed["index"]
    assert asked(provider)[1]["messages"][1] == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "why",
        "reasoning_details": [{"a": 1}],
        "tool_calls": [signed],
    }


def test_a_failing_tool_is_told_to_the_model(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        if name == "mcp_time":
            raise UpstreamError("the server is gone")
        return ToolResult("no", is_error=True)

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_time"), call("mcp_add", id="c2")), saying("done"))
    assert gateway.chat(body()).status == 200
    told = [m["content"] for m in asked(provider)[1]["messages"][2:]]
    assert told == ["Error: the server is gone", "Error: no"]


def test_a_providers_error_in_a_later_turn_comes_with_its_own_status(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    async def script(asked: Call) -> None:
        if len(provider.calls) == 1:
            await asked.respond_json(calling(call("mcp_time")))
        else:
            await asked.respond_json({"error": {"message": "slow down"}}, 429, [("retry-after", "7")])

    provider.script = script
    reply = gateway.chat(body())
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert reply.json() == {"error": {"message": "slow down"}}


@pytest.mark.parametrize(("vision", "kinds"), [("true", ["tool", "user"]), ("false", ["tool"])])
def test_images_are_shown_to_models_where_images_are_accepted(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox, vision: str, kinds: list[str]
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        return ToolResult("a chart", images=("data:image/png;base64,AA==",))

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_time")), saying("done"))
    start(ENABLE_VISION=vision).chat(body())
    told = asked(provider)[1]["messages"][2:]
    assert [m["role"] for m in told] == kinds
    if vision == "true":
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        assert told[1]["content"][1] == image
    else:
        assert told[0]["content"] == "a chart\n[images left out: 1]"


@pytest.mark.parametrize("vision", ["true", "false"])
def test_images_of_a_mixed_turn_are_shown_once_all_results_are_there(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox, vision: str
) -> None:
    url = "data:image/png;base64,AA=="

    async def act(name: str, arguments: Any) -> ToolResult:
        return ToolResult("", images=(url,))

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_time", id="a"), call("own", id="b")), saying("done"))
    gateway = start(ENABLE_VISION=vision)
    message = gateway.chat(body(tools=[OWN])).json()["choices"][0]["message"]
    echo = [*MESSAGES, message, {"role": "tool", "tool_call_id": "b", "content": "mine"}, MESSAGES[0]]
    gateway.chat(body(tools=[OWN], messages=echo))
    _, _, ours, theirs, *rest = asked(provider)[1]["messages"]
    assert theirs == {"role": "tool", "tool_call_id": "b", "content": "mine"}
    if vision == "true":
        assert message["tool_calls"][0]["extra_content"] == {
            "gateway": {"result": "[images: 1]", "images": [url]}
        }
        assert ours["content"] == "[images: 1]"
        [shown, last] = rest
        assert shown["content"][1] == {"type": "image_url", "image_url": {"url": url}}
        assert last == MESSAGES[0]
    else:
        assert ours["content"] == "[images left out: 1]"
        assert rest == [MESSAGES[0]]


def test_images_that_could_not_be_sent_back_do_not_ride(
    start: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    large = "data:image/png;base64," + "A" * 3_000_000

    async def act(name: str, arguments: Any) -> ToolResult:
        return ToolResult("a chart", images=(large,))

    toolbox.act = act
    calls = (call("mcp_time", id="a"), call("mcp_time", id="b"), call("own", id="c"))
    provider.script = taking_turns(calling(*calls))
    first, second, _ = (
        start(ENABLE_VISION="true").chat(body(tools=[OWN])).json()["choices"][0]["message"]["tool_calls"]
    )
    assert first["extra_content"] == {"gateway": {"result": "a chart", "images": [large]}}
    assert second["extra_content"] == {"gateway": {"result": "a chart\n[images left out: 1]"}}


def test_images_of_an_echo_are_not_shown_where_images_are_not_accepted(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    mark = {"result": "a chart", "images": ["data:image/png;base64,AA=="]}
    made = call("mcp_time", extra_content={"gateway": mark})
    gateway.chat(body(messages=[*MESSAGES, {"role": "assistant", "tool_calls": [made]}]))
    assert asked(provider)[0]["messages"][2:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "a chart\n[images left out: 1]"}
    ]


@pytest.mark.parametrize("extra", [[], 5, None, "x"])
def test_what_a_provider_calls_extra_content_may_be_anything(
    gateway: FakeGateway, provider: FakeProvider, extra: Any
) -> None:
    provider.script = taking_turns(
        calling(call("mcp_time", id="a", extra_content=extra), call("own", id="b"))
    )
    made = gateway.chat(body(tools=[OWN])).json()["choices"][0]["message"]["tool_calls"]
    assert made[0]["extra_content"] == {"gateway": {"result": "mcp_time: {}"}}


@pytest.mark.parametrize("marks", [{"gateway": 5}, {"gateway_calls": 5}, {"gateway_calls": [5]}])
def test_marks_that_are_none_say_nothing(gateway: FakeGateway, provider: FakeProvider, marks: Any) -> None:
    answered = [
        {"role": "assistant", "tool_calls": [call("own", extra_content=marks)]},
        {"role": "tool", "tool_call_id": "c1", "content": "mine"},
    ]
    gateway.chat(body(messages=[*MESSAGES, *answered]))
    assert asked(provider)[0]["messages"][1:] == [
        {"role": "assistant", "tool_calls": [call("own")]},
        answered[1],
    ]


def test_every_later_stage_applies_to_every_turn(
    monkeypatch: pytest.MonkeyPatch, start_gateway: Start, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    monkeypatch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: [toolbox])
    provider.script = taking_turns(calling(call("mcp_time")), saying("<think>a</think>b"))
    gateway = start_gateway(MISTRAL_API_KEY="k", MISTRAL_API_URL=provider.url)
    reply = gateway.chat(body("mistral/m", reasoning_format="parsed", stream_options={}))
    assert reply.json()["choices"][0]["message"]["reasoning_content"] == "a"
    for each in asked(provider):
        assert each.keys() == {"model", "messages", "tools"}


def test_the_same_conversation_asks_in_the_same_bytes(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        # The first call of a turn ends last.
        await asyncio.sleep(0 if arguments else 0.01)
        return ToolResult(json.dumps(arguments))

    toolbox.act = act
    provider.script = taking_turns(
        calling(call("mcp_time", id="a"), call("mcp_add", {"n": 1}, id="b")),
        calling(call("mcp_time")),
        saying("x"),
    )
    for _ in range(2):
        gateway.chat(body(tools=[OWN], temperature=1.0))
    bodies = [each.body for each in provider.calls]
    assert bodies[:3] == bodies[3:]
    assert bodies[1].split(b'"messages"')[1].startswith(bodies[0].split(b'"messages"')[1][:30])


def test_several_choices_are_relayed_without_our_tools(gateway: FakeGateway, provider: FakeProvider) -> None:
    gateway.chat(body(n=2))
    assert "tools" not in asked(provider)[0]


def test_without_tools_on_offer_a_request_stays_as_it_is(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    toolbox.names = ()
    request = body()
    gateway.chat(request)
    assert provider.calls[0].body == request.replace(b"openai/m", b"m")


@pytest.mark.parametrize("tools", ["x", [1], {"a": 1}])
def test_tools_that_are_none_are_refused(gateway: FakeGateway, provider: FakeProvider, tools: Any) -> None:
    reply = gateway.chat(body(tools=tools))
    assert reply.status == 400
    assert "'tools'" in reply.json()["error"]
    assert provider.calls == []


@pytest.mark.parametrize("header", ["X-MCP-Bypass", "X-Direct-Provider"])
def test_a_caller_may_pass_the_tools_by(gateway: FakeGateway, provider: FakeProvider, header: str) -> None:
    gateway.chat(body(), headers={header: "true"})
    gateway.chat(body(), headers={header: "false"})
    first, second = asked(provider)
    assert "tools" not in first
    assert "tools" in second


@pytest.mark.parametrize(
    ("header", "left"), [("X-MCP-Bypass", "a2a_ask"), ("X-A2A-Bypass", "mcp_time")], ids=["mcp", "a2a"]
)
def test_one_family_of_tools_can_be_passed_by_alone(
    start_gateway: Start, provider: FakeProvider, toolbox: FakeToolbox, header: str, left: str
) -> None:
    boxes = [FakeToolbox("mcp_time"), FakeToolbox("a2a_ask", family="a2a")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inference_gateway.server.api.gateway.toolboxes", lambda *_: boxes)
        gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    provider.script = taking_turns(calling(call("mcp_time"), call("a2a_ask", id="c2")))
    reply = gateway.chat(body(), headers={header: "true"})
    assert [tool["function"]["name"] for tool in asked(provider)[0]["tools"]] == [left]
    marked = {
        each["function"]["name"]: "extra_content" in each
        for each in reply.json()["choices"][0]["message"]["tool_calls"]
    }
    assert marked == {"mcp_time": left == "mcp_time", "a2a_ask": left == "a2a_ask"}


def test_a_direct_request_is_not_changed_and_still_held_to_the_rules(
    start_gateway: Start, provider: FakeProvider
) -> None:
    gateway = start_gateway(MISTRAL_API_KEY="k", MISTRAL_API_URL=provider.url, DISALLOWED_MODELS="bad")
    request = body("mistral/m", stream_options={"include_usage": False}, reasoning_format="raw")
    direct = {"X-Direct-Provider": "true"}
    assert gateway.chat(request, headers=direct).status == 200
    assert provider.calls[0].body == request.replace(b"mistral/m", b"m")
    assert gateway.chat(body("mistral/bad"), headers=direct).status == 403
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    assert gateway.chat(body("mistral/m", messages=image), headers=direct).status == 400


@pytest.mark.parametrize("header", ["X-MCP-Bypass", "X-A2A-Bypass", "X-Direct-Provider"])
def test_the_operator_may_forbid_to_pass_by(start: Start, provider: FakeProvider, header: str) -> None:
    gateway = start(MCP_BYPASS_ALLOWED="false")
    reply = gateway.chat(body(), headers={header: "true"})
    assert reply.status == 403
    assert reply.json() == {"error": f"{header} is not allowed here"}
    assert provider.calls == []
    assert gateway.chat(body(), headers={header: "false"}).status == 200


def test_a_client_that_goes_away_stops_its_tools(
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

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_time"), call("mcp_add", id="c2")))
    request = body()
    with gateway.connect() as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
        )
        client.sendall(request)
        gateway.thread.call(within(started))
    gateway.thread.call(within(stopped))
    assert gateway.request("GET", "/health").status == 200
    assert toolbox.cancelled == 2


def test_tools_keep_to_the_time_of_the_call(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    async def act(name: str, arguments: Any) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError

    toolbox.act = act
    provider.script = taking_turns(calling(call("mcp_time")))
    reply = gateway.chat(body(), headers={"X-Gateway-Timeout": "0.3s"})
    assert reply.status == 504
    assert toolbox.cancelled == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": []},
        {"choices": [{"message": {"tool_calls": {}}}]},
        {"choices": [{"message": {"tool_calls": [1]}}]},
        {"choices": [{"message": {"tool_calls": None}}]},
        {"tool_calls": 1},
        answer("tool_calls", tool_calls=[{"id": "x", "type": "custom", "custom": {"name": "mcp_time"}}]),
    ],
)
def test_answers_of_another_shape_are_relayed(gateway: FakeGateway, provider: FakeProvider, odd: Any) -> None:
    provider.script = taking_turns({**odd, "tool_calls": odd.get("tool_calls", 0)})
    reply = gateway.chat(body())
    assert reply.status == 200
    assert reply.json() == {**odd, "tool_calls": odd.get("tool_calls", 0)}


def test_parsed_arguments_and_missing_ids_are_taken(
    gateway: FakeGateway, provider: FakeProvider, toolbox: FakeToolbox
) -> None:
    bare = {"function": {"name": "mcp_add", "arguments": {"a": 1}}}
    provider.script = taking_turns(
        calling(bare, {"function": {"name": "mcp_time"}}, finish="stop"), saying("done")
    )
    assert gateway.chat(body()).json()["choices"][0]["message"]["content"] == "done"
    assert toolbox.calls == [("mcp_add", {"a": 1}), ("mcp_time", {})]
    _, said, *results = asked(provider)[1]["messages"]
    assert (
        [c["id"] for c in said["tool_calls"]]
        == [r["tool_call_id"] for r in results]
        == ["call_x_0", "call_x_1"]
    )
