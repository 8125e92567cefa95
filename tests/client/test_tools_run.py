"""The tool loop: what is sent, what is executed, and when it ends."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from inference_gateway.client.errors import InferenceGatewayValidationError
from inference_gateway.client.tools import ToolError, ToolResult, ToolRun, tool
from inference_gateway.types import (
    ChatCompletionToolChoiceOption,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    Message,
)

USER: Mapping[str, object] = {"role": "user", "content": "Go."}
Completion = CreateChatCompletionResponse


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(reason: str) -> str:
    """Fail."""
    raise LookupError(reason)


@tool
def decline() -> str:
    """Decline."""
    raise ToolError("not on Sundays")


def call(name: str, arguments: str = "{}", call_id: str = "1", **extra: object) -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **extra}


def answer(
    *calls: dict[str, object], finish_reason: str | None = None, content: str | None = None, **fields: object
) -> Completion:
    message = {
        "role": "assistant",
        "content": content,
        **({"tool_calls": list(calls)} if calls else {}),
        **fields,
    }
    reason = finish_reason or ("tool_calls" if calls else "stop")
    return Completion.model_validate({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})


DONE = answer(content="Done.")


def run_of(*tools: Callable[..., object], **options: Any) -> ToolRun:
    return ToolRun(model="m", messages=[USER], tools=tools, **options)


def results(run: ToolRun, *calls: dict[str, object]) -> list[str]:
    """Answer with calls, execute them, and return the texts that the model gets."""
    run.next_request()
    run.accept(answer(*calls))
    return [message.content.text for message in run.execute_all()]


# ---- one round after the other -------------------------------------------------------------------------


def test_a_run_goes_on_until_the_model_calls_no_more() -> None:
    run = run_of(add, temperature=0.5)
    request = run.next_request()
    assert request == {"model": "m", "messages": [USER], "tools": [add.definition], "temperature": 0.5}
    first = answer(call("add", '{"a": 2, "b": 3}'))
    turn = run.accept(first)
    assert turn.message is first.choices[0].message
    assert [each.function.name for each in turn.calls] == ["add"]
    (added,) = run.execute_all()
    assert added == Message(role="tool", tool_call_id="1", content="5")
    request = run.next_request()
    assert request is not None
    assert request["messages"] == [USER, turn.message, added]
    assert run.accept(DONE).calls == ()
    assert run.next_request() is None
    assert run.completion is DONE
    assert run.messages[-1] is DONE.choices[0].message
    assert not run.exhausted


def test_the_callers_messages_are_left_alone() -> None:
    messages = [USER]
    run = ToolRun(model="m", messages=messages, tools=[add])
    run.accept(DONE)
    assert messages == [USER]


def test_what_a_provider_attached_to_a_call_goes_back_verbatim() -> None:
    extra = {"google": {"thought_signature": "Ew=="}, "other": [1, None]}
    first = answer(call("add", '{"a": 2}', extra_content=extra), reasoning="Hm")
    run = run_of(add)
    run.next_request()
    run.accept(first)
    run.execute_all()
    sent = run.next_request()
    request = CreateChatCompletionRequest.model_validate(sent).model_dump(by_alias=True, exclude_unset=True)
    before = first.model_dump(by_alias=True, exclude_unset=True)["choices"][0]["message"]
    assert request["messages"][1] == before
    assert request["messages"][2] == {"role": "tool", "tool_call_id": "1", "content": "3"}


def test_without_tools_it_is_one_request() -> None:
    run = run_of()
    request = run.next_request()
    assert request == {"model": "m", "messages": [USER]}
    run.accept(DONE)
    assert run.next_request() is None


def test_calls_must_be_executed_before_the_next_request() -> None:
    run = run_of(add)
    run.accept(answer(call("add", '{"a": 1}')))
    with pytest.raises(RuntimeError, match="execute"):
        run.next_request()


def test_it_stops_at_the_limit_and_says_so() -> None:
    run = run_of(add, max_iterations=2)
    assert results(run, call("add", '{"a": 1}')) == ["2"]
    last = answer(call("add", '{"a": 2}'))
    assert run.next_request() is not None
    assert run.accept(last).calls == ()
    assert run.execute_all() == []
    assert run.next_request() is None
    assert run.exhausted
    assert run.completion is last


@pytest.mark.parametrize(
    "end",
    [
        answer(call("add", '{"a": 1}'), refusal="No."),
        answer(call("add", '{"a": 1}'), finish_reason="content_filter"),
        answer(finish_reason="refusal"),
        answer(content="cut", finish_reason="length"),
        Completion(choices=[]),
    ],
)
def test_a_refusal_or_no_call_ends_it(end: Completion) -> None:
    run = run_of(add)
    run.next_request()
    assert run.accept(end).calls == ()
    assert run.execute_all() == []
    assert run.next_request() is None
    assert run.completion is end
    assert not run.exhausted


def test_a_call_of_a_tool_without_a_function_is_handed_to_the_caller() -> None:
    definition = {"type": "function", "function": {"name": "ask"}}
    run = ToolRun(model="m", messages=[USER], tools=[add, definition])
    run.accept(answer(call("add", '{"a": 1}'), call("ask", call_id="2")))
    assert run.execute_all() == []
    assert run.next_request() is None
    assert run.completion is not None
    assert len(run.completion.choices[0].message.tool_calls or []) == 2


def test_a_call_of_another_kind_is_handed_to_the_caller() -> None:
    run = ToolRun(model="m", messages=[USER], tools=[add, {"type": "custom", "custom": {"name": "code"}}])
    run.accept(answer({"id": "1", "type": "custom", "custom": {"name": "code", "input": "x"}}))
    assert run.next_request() is None


@pytest.mark.parametrize("end", ["stop", "tool_calls"])
def test_own_tools_run_whatever_the_finish_reason_says(end: str) -> None:
    run = run_of(add)
    run.accept(answer(call("add", '{"a": 1}'), finish_reason=end))
    assert [message.content.text for message in run.execute_all()] == ["2"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
def test_a_forced_call_is_forced_once(choice: object) -> None:
    run = run_of(add, tool_choice=choice)
    request = run.next_request()
    assert request is not None
    assert request["tool_choice"] == choice
    results(run, call("add", '{"a": 1}'))
    assert "tool_choice" not in (run.next_request() or {})


@pytest.mark.parametrize("choice", ["auto", ChatCompletionToolChoiceOption("auto"), "none"])
def test_a_free_choice_stays(choice: object) -> None:
    run = run_of(add, tool_choice=choice)
    results(run, call("add", '{"a": 1}'))
    assert (run.next_request() or {})["tool_choice"] == choice


# ---- tools that the gateway ran ------------------------------------------------------------------------


def test_calls_that_the_gateway_ran_are_history() -> None:
    run = run_of(add)
    turn = run.accept(answer(call("mcp_search"), call("a2a_ask"), finish_reason="stop", content="Found."))
    assert turn.calls == ()
    assert run.next_request() is None
    # A provider would refuse to go on after calls that have no results.
    last = run.messages[-1]
    assert isinstance(last, Message)
    assert last.model_dump(exclude_unset=True) == {"role": "assistant", "content": "Found."}
    assert turn.message is not None
    assert len(turn.message.tool_calls or []) == 2


def test_own_calls_among_those_that_the_gateway_ran_are_executed() -> None:
    run = run_of(add)
    mixed = answer(call("mcp_search"), call("add", '{"a": 1}', "2"), finish_reason="stop")
    assert [each.id for each in run.accept(mixed).calls] == ["2"]
    (added,) = run.execute_all()
    assert added.tool_call_id == "2"
    kept = run.messages[1]
    assert isinstance(kept, Message)
    assert [each.id for each in kept.tool_calls or []] == ["2"]


def test_a_callers_tool_may_be_named_like_the_gateways() -> None:
    @tool(name="mcp_mine")
    def mine() -> str:
        """Mine."""
        return "mine"

    run = run_of(mine)
    run.accept(answer(call("mcp_mine"), finish_reason="stop"))
    assert [message.content.text for message in run.execute_all()] == ["mine"]


def test_a_gateways_tool_that_is_still_asked_for_is_unknown() -> None:
    (text,) = results(run_of(add), call("mcp_search"))
    assert text == "Error: there is no tool 'mcp_search'; there are: add"


# ---- what goes wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (call("fail", '{"reason": "gone"}'), "Error: LookupError: gone"),
        (call("decline"), "Error: not on Sundays"),
        (call("add", "{}"), "Error: invalid arguments: a: Field required"),
        (call("add", '{"a"'), "Error: invalid arguments: Invalid JSON"),
        (call("nobody"), "Error: there is no tool 'nobody'; there are: add, decline, fail"),
        (call(""), "Error: there is no tool ''"),
    ],
)
def test_what_fails_is_told_to_the_model(wanted: dict[str, object], text: str) -> None:
    (told,) = results(run_of(add, fail, decline), wanted)
    assert told.startswith(text)


async def test_what_fails_is_told_to_the_model_in_async_too() -> None:
    run = run_of(fail)
    run.accept(answer(call("fail", '{"reason": "gone"}'), call("nobody", call_id="2")))
    told = [message.content.text for message in await run.aexecute_all()]
    assert told == ["Error: LookupError: gone", "Error: there is no tool 'nobody'; there are: fail"]


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (call("fail", '{"reason": "gone"}'), LookupError),
        (call("decline"), ToolError),
        (call("add"), ToolError),
        (call("nobody"), ToolError),
    ],
)
def test_what_fails_is_raised_if_that_is_asked_for(
    wanted: dict[str, object], error: type[Exception], parallel: int
) -> None:
    run = run_of(add, fail, decline, on_error="raise", max_parallel_tool_calls=parallel)
    run.accept(answer(wanted, call("add", '{"a": 1}', "2")))
    with pytest.raises(error):
        run.execute_all()
    with pytest.raises(error):
        asyncio.run(run.aexecute_all())
    assert len(run.messages) == 2


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"max_iterations": 0}, "max_iterations"),
        ({"max_iterations": True}, "max_iterations"),
        ({"max_parallel_tool_calls": "2"}, "max_parallel_tool_calls"),
        ({"on_error": "ignore"}, "on_error"),
        ({"tools": [add, add]}, "tools"),
        ({"tools": [add, 3]}, "tools.1"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(InferenceGatewayValidationError) as caught:
        ToolRun(**{"model": "m", "messages": [USER], "tools": [add], **arguments})  # type: ignore[arg-type]
    assert caught.value.field == field


# ---- results -------------------------------------------------------------------------------------------


class Point(BaseModel):
    x: int


class Opaque:
    def __str__(self) -> str:
        return "opaque"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"a": [1, True]}, '{"a":[1,true]}'),
        (Point(x=1), '{"x":1}'),
        ([Point(x=1)], '[{"x":1}]'),
        (Opaque(), '"opaque"'),
        (b"\xff", "Error: PydanticSerializationError"),
    ],
)
def test_what_a_tool_returns_is_text_or_json(value: object, text: str) -> None:
    def give() -> object:
        return value

    (told,) = results(run_of(give), call("give"))
    assert told.startswith(text)


def test_results_come_in_the_order_of_the_calls() -> None:
    run = run_of(add)
    calls = [call("add", f'{{"a": {number}}}', str(number)) for number in range(5)]
    assert results(run, *calls) == ["1", "2", "3", "4", "5"]


# ---- several at a time ---------------------------------------------------------------------------------


def test_calls_run_at_the_same_time_if_allowed() -> None:
    together = threading.Barrier(2, timeout=5)

    def meet(number: int) -> int:
        together.wait()
        return number

    run = run_of(meet, max_parallel_tool_calls=2)
    assert results(run, call("meet", '{"number": 1}'), call("meet", '{"number": 2}', "2")) == ["1", "2"]


async def test_async_calls_run_at_the_same_time_if_allowed() -> None:
    together = asyncio.Barrier(2)

    async def meet(number: int) -> int:
        async with asyncio.timeout(5):
            await together.wait()
        return number

    run = run_of(meet, max_parallel_tool_calls=2)
    run.accept(answer(call("meet", '{"number": 1}'), call("meet", '{"number": 2}', "2")))
    assert [message.content.text for message in await run.aexecute_all()] == ["1", "2"]


async def test_calls_run_one_after_the_other_unless_allowed() -> None:
    at_once = most = 0

    async def count() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1

    run = run_of(count)
    run.accept(answer(*(call("count", call_id=str(number)) for number in range(3))))
    await run.aexecute_all()
    assert most == 1


# ---- progress ------------------------------------------------------------------------------------------


def test_progress_is_told_call_by_call() -> None:
    heard: list[object] = []
    run = ToolRun(
        model="m",
        messages=[USER],
        tools=[add],
        on_tool_start=lambda started: heard.append(started.id),
        on_tool_end=lambda ended, result: heard.append((ended.id, result)),
    )
    results(run, call("add", '{"a": 1}'), call("add", "{}", "2"))
    failed = ToolResult("Error: invalid arguments: a: Field required", is_error=True)
    assert heard == ["1", ("1", ToolResult("2")), "2", ("2", failed)]


async def test_what_a_hook_raises_comes_out() -> None:
    def refuse(*_: object) -> None:
        raise KeyError("hook")

    for hook in ("on_tool_start", "on_tool_end"):
        run = run_of(add, **{hook: refuse})
        run.accept(answer(call("add", '{"a": 1}')))
        with pytest.raises(KeyError, match="hook"):
            run.execute_all()
        with pytest.raises(KeyError, match="hook"):
            await run.aexecute_all()
