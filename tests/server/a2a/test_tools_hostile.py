"""Agents that break the rules, and callers that go away, while a model has given work."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fakes.chats import body
from fakes.http_server import eventually
from fakes.provider import Call, FakeProvider
from fakes.scripted_agent import Refusal, ScriptedAgent, event, hang, task
from fakes.turns import call, calling, saying, taking_turns
from server.a2a.conftest import Chats, OpenChats, StartScripted, with_provider

# ---- agents that break the rules -------------------------------------------------------------------------


def test_an_agent_that_never_answers_is_given_up(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendMessage": hang})
    assert "scripted" in open_chats(agent, A2A_CLIENT_TIMEOUT="200ms").fails()
    assert agent.methods() == ["SendMessage"]


def test_an_error_of_the_agent_is_told_with_its_code(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    answers = {"SendMessage": Refusal(-32005, "text only"), "GetTask": Refusal(-32001, "")}
    chats = open_chats(start_scripted(answers))
    assert chats.fails() == "the agent 'scripted' refused: text only (code -32005)"
    said = chats.call("a2a_query_task", agent="scripted", task_id="x")
    assert said == "Error: the agent 'scripted' refused: no reason given (code -32001)"


@pytest.mark.parametrize("result", [5, {}, {"task": {"id": "t"}}, {"message": []}, None])
def test_answers_that_make_no_sense_are_errors(
    start_scripted: StartScripted, open_chats: OpenChats, result: Any
) -> None:
    chats = open_chats(start_scripted({"SendMessage": result}))
    assert chats.fails().startswith("the agent 'scripted' cannot be used: ")
    assert chats.gateway.request("GET", "/health").status == 200


def test_a_message_is_sent_again_only_where_it_surely_did_not_arrive(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def reset(call: Call, request: Any) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\n")
        call.reset()

    agent = start_scripted({"SendMessage": reset})
    chats = open_chats(agent)
    chats.fails()
    assert agent.methods() == ["SendMessage"]
    agent.close()
    assert "cannot connect" in chats.fails()


def test_a_question_after_a_task_is_asked_again(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    failures = iter(range(2))

    async def get(call: Call, request: Any) -> None:
        if next(failures, None) is not None:
            await call.respond(503)
        else:
            result = task("COMPLETED", "done")
            await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    agent = start_scripted({"SendMessage": {"task": task("WORKING")}, "GetTask": get})
    assert open_chats(agent).submit()["message"] == {"text": "done"}


def test_a_task_that_is_lost_sight_of_is_told_as_last_seen(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def broken(call: Call, request: Any) -> None:
        await call.respond(503)

    agent = start_scripted({"SendMessage": {"task": task("WORKING")}, "GetTask": broken})
    told = open_chats(agent, A2A_MAX_RETRIES="1").submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")
    assert "status 503" in told["note"]


def test_a_huge_answer_is_cut_and_says_so(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    agent = start_scripted({"SendMessage": {"task": task("COMPLETED", "x" * 1_000_000)}})
    text = open_chats(agent, A2A_MAX_RESULT_SIZE="2000").submit()["message"]["text"]
    assert text.endswith("[cut off: 2000 of 1000000 characters are shown]")
    assert len(text) < 2100


@pytest.mark.parametrize("arguments", ["{", "[]", '{"agent": 5}', '"x"'])
def test_arguments_that_are_none_are_told(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider, arguments: str
) -> None:
    called = call("a2a_submit_task")
    called["function"]["arguments"] = arguments
    provider.script = taking_turns(calling(called), saying("ok"))
    chats = open_chats(start_scripted(), **with_provider(provider))
    assert chats.gateway.chat(body()).status == 200
    told = provider.calls[-1].json()["messages"][-1]["content"]
    assert told.startswith("Error: the arguments of a2a_submit_task cannot be read: ")


def test_a_call_that_lacks_something_is_told_what(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    chats = open_chats(start_scripted())
    assert chats.fails(" ") == "a2a_submit_task requires a 'message'"
    assert chats.call("a2a_query_task", agent="scripted") == "Error: a2a_query_task requires a 'task_id'"


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"<html>Sign in</html>", [("content-type", "text/html")]),
        (302, b"", [("location", "https://elsewhere.example/")]),
        (500, b'{"detail": "secret stack"}', []),
        (200, b"", []),
        (200, b'{"jsonrpc": "2.0", "id": 1}', []),
    ],
    ids=["page", "redirect", "broken", "nothing", "neither"],
)
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "plain"])
def test_what_is_no_reply_is_an_error_for_the_model_alone(
    start_scripted: StartScripted,
    open_chats: OpenChats,
    streaming: bool,
    status: int,
    body: bytes,
    headers: Any,
) -> None:
    async def answer(call: Call, request: Any) -> None:
        await call.respond(status, body, headers)

    agent = start_scripted({"SendStreamingMessage": answer, "SendMessage": answer}, streaming=streaming)
    chats = open_chats(agent)
    said = chats.fails()
    assert said.startswith("the agent 'scripted' cannot be used: ")
    assert "secret" not in said
    assert len(agent.methods()) == 1
    assert chats.states() == ["available"]


def test_an_event_without_end_is_not_read_to_its_end(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def huge(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        for _ in range(20):
            await call.piece(b"data: " + b"x" * 1024 * 1024)
        await hang(call, request)

    agent = start_scripted(
        {"SendStreamingMessage": huge, "GetTask": task("COMPLETED", "done")}, streaming=True
    )
    assert open_chats(agent).submit()["message"] == {"text": "done"}


def test_a_stream_that_ends_in_an_error_tells_what_is_known(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def failing(call: Call, request: Any) -> None:
        error = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32603, "message": "Oh."}}
        told = event(request, {"task": task("WORKING")})
        await call.stream([told, b"data: " + json.dumps(error).encode() + b"\n\n"])

    told = open_chats(start_scripted({"SendStreamingMessage": failing}, streaming=True)).submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")
    assert "the agent says 'Oh.'" in told["note"]


def test_a_stream_that_tells_nothing_is_an_error(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendStreamingMessage": []}, streaming=True)
    assert open_chats(agent).fails().startswith("the agent 'scripted' cannot be used: ")
    assert agent.methods() == ["SendStreamingMessage"]


# ---- callers that go away --------------------------------------------------------------------------------


def leave(chats: Chats, agent: ScriptedAgent, method: str, *, streamed: bool = False, **more: str) -> None:
    """Ask for work, and go away once the agent was asked for it."""
    script = [[{"name": "a2a_submit_task", "arguments": {"agent": "scripted", "message": "x", **more}}]]
    messages = [{"role": "user", "content": json.dumps(script)}]
    request = body("mock/tools", messages=messages, stream=streamed)
    with chats.gateway.connect() as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
        client.sendall(head + request)
        eventually(lambda: method in agent.methods())


def cancelled(agent: ScriptedAgent) -> list[str]:
    return [params["id"] for method, params in agent.asked if method == "CancelTask"]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "polled"])
def test_a_client_that_goes_away_has_the_task_cancelled(
    start_scripted: StartScripted, open_chats: OpenChats, streaming: bool, streamed: bool
) -> None:
    async def endless(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        await hang(call, request)

    answers = {
        "SendStreamingMessage": endless,
        "SendMessage": {"task": task("WORKING")},
        "GetTask": task("WORKING"),
        "CancelTask": task("CANCELED"),
    }
    agent = start_scripted(answers, streaming=streaming)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000", A2A_POLLING_TIMEOUT="0")
    leave(chats, agent, "SendStreamingMessage" if streaming else "GetTask", streamed=streamed)
    eventually(lambda: cancelled(agent) == ["t1"])


def test_a_task_without_a_name_is_cancelled_once_it_has_one(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    go = asyncio.Event()

    async def slow(call: Call, request: Any) -> None:
        await go.wait()
        result = {"task": task("WORKING")}
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    async def let_go() -> None:
        go.set()

    answers = {"SendMessage": slow, "GetTask": task("WORKING"), "CancelTask": task("CANCELED")}
    agent = start_scripted(answers)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000")
    leave(chats, agent, "SendMessage")
    agent.run(let_go())
    eventually(lambda: cancelled(agent) == ["t1"])


def test_a_task_that_is_answered_is_cancelled_by_its_name(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendMessage": hang, "CancelTask": task("CANCELED")})
    chats = open_chats(agent)
    leave(chats, agent, "SendMessage", task_id="t9")
    eventually(lambda: cancelled(agent) == ["t9"])


def test_a_gateway_that_ends_has_its_tasks_cancelled(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    answers = {
        "SendMessage": {"task": task("WORKING")},
        "GetTask": task("WORKING"),
        "CancelTask": task("CANCELED"),
    }
    agent = start_scripted(answers)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000", SERVER_DRAIN_TIMEOUT="50ms")
    with ThreadPoolExecutor(1) as elsewhere:
        asked = elsewhere.submit(chats.call, "a2a_submit_task", agent="scripted", message="x")
        eventually(lambda: "GetTask" in agent.methods())
        chats.gateway.thread.call(chats.gateway.server.stop())
        assert cancelled(agent) == ["t1"]
        asked.exception()


def test_time_that_runs_out_has_the_task_cancelled(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    answers = {
        "SendMessage": {"task": task("WORKING")},
        "GetTask": task("WORKING"),
        "CancelTask": task("CANCELED"),
    }
    agent = start_scripted(answers)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000")
    script = [[{"name": "a2a_submit_task", "arguments": {"agent": "scripted", "message": "x"}}]]
    request = body("mock/tools", messages=[{"role": "user", "content": json.dumps(script)}])
    assert chats.gateway.chat(request, headers={"X-Gateway-Timeout": "300ms"}).status == 504
    eventually(lambda: cancelled(agent) == ["t1"])
