"""Agents as a model's tools: what is offered, what a model is told, and how tasks are followed."""

import json
from typing import Any

import pytest

from fakes.chats import body
from fakes.http_server import eventually
from fakes.provider import Call, FakeProvider
from fakes.scripted_agent import Refusal, event, hang, news, piece, task
from server.a2a.conftest import Chats, OpenChats, StartScripted, with_provider

# ---- what is offered -------------------------------------------------------------------------------------


def offered(chats: Chats, provider: FakeProvider, **headers: str) -> dict[str, Any]:
    """What a provider is offered as tools, by name."""
    assert chats.gateway.chat(body(), headers=headers).status == 200
    tools = provider.calls[-1].json().get("tools", [])
    return {tool["function"]["name"]: tool["function"] for tool in tools}


def test_three_tools_are_offered_that_name_the_agents(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider
) -> None:
    chats = open_chats(start_scripted(name="Second"), start_scripted(name="First"), **with_provider(provider))
    tools = offered(chats, provider)
    assert list(tools) == ["a2a_query_agent_card", "a2a_submit_task", "a2a_query_task"]
    for tool in tools.values():
        assert tool["parameters"]["properties"]["agent"]["enum"] == ["second", "first"]
    assert tools["a2a_submit_task"]["parameters"]["required"] == ["agent", "message"]
    assert "Acts." not in json.dumps(tools)


def test_each_skill_is_a_tool_in_direct_mode(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider
) -> None:
    skills = [
        {"id": "a/b", "name": "One", "description": "x" * 5000, "tags": []},
        {"id": "a b", "name": "Two", "description": "Line\nbreaks.", "tags": [], "examples": ["do\nit"]},
        {"id": "n" * 200, "name": "Three", "description": "", "tags": []},
    ]
    many = start_scripted(name="Many", skills=skills)
    bare = start_scripted(name="Bare", skills=[], description="Does all.")
    chats = open_chats(many, bare, A2A_TOOL_MODE="direct", **with_provider(provider))
    tools = offered(chats, provider)
    one, two, three, whole, query = tools
    assert one == "a2a_many_a_b"
    assert two.startswith("a2a_many_a_b_")
    assert three.startswith("a2a_many_nnn")
    assert (whole, query) == ("a2a_bare", "a2a_query_task")
    assert all(len(name) <= 64 for name in tools)
    assert all(len(tool["description"]) <= 1024 for tool in tools.values())
    assert tools[two]["description"] == (
        "Has the agent 'many' work. In its own words: Two: Line breaks. For example: do it"
    )
    again = open_chats(many, bare, A2A_TOOL_MODE="direct", **with_provider(provider))
    assert list(offered(again, provider)) == list(tools)


def test_a_skill_cannot_take_the_name_of_a_tool_of_ours(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider
) -> None:
    skill = {"id": "task", "name": "x", "description": "", "tags": []}
    chats = open_chats(
        start_scripted(name="Query", skills=[skill]), A2A_TOOL_MODE="direct", **with_provider(provider)
    )
    taken, own = offered(chats, provider)
    assert taken.startswith("a2a_query_task_")
    assert own == "a2a_query_task"


def test_agents_that_cannot_be_reached_are_not_offered(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider
) -> None:
    there, gone = start_scripted(name="There"), start_scripted(name="Gone")
    gone.close()
    settings = {"A2A_MAX_RETRIES": "0", **with_provider(provider)}
    chats = open_chats(there, gone, wait=False, **settings)
    eventually(lambda: chats.states() == ["available", "unavailable"])
    tools = offered(chats, provider)
    assert tools["a2a_submit_task"]["parameters"]["properties"]["agent"]["enum"] == ["there"]
    alone = open_chats(gone, wait=False, **settings)
    eventually(lambda: alone.states() == ["unavailable"])
    assert offered(alone, provider) == {}


def test_agents_are_offered_once_they_have_their_names(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider
) -> None:
    slow = start_scripted(hides_card=True)
    chats = open_chats(slow, start_scripted(), wait=False, **with_provider(provider))
    found: list[Any] = []

    def is_offered() -> bool:
        found[:] = offered(chats, provider).values()
        return bool(found)

    eventually(is_offered)
    assert found[0]["parameters"]["properties"]["agent"]["enum"] == ["scripted"]


@pytest.mark.parametrize("header", ["X-A2A-Bypass", "X-Direct-Provider"])
def test_a_caller_may_do_without_agents(
    start_scripted: StartScripted, open_chats: OpenChats, provider: FakeProvider, header: str
) -> None:
    chats = open_chats(start_scripted(), **with_provider(provider))
    assert offered(chats, provider, **{header: "true"}) == {}
    assert len(offered(chats, provider, **{"X-MCP-Bypass": "true"})) == 3


# ---- cards -----------------------------------------------------------------------------------------------


def test_a_model_is_told_which_agents_there_are_and_what_one_can_do(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    skill = {"id": "act", "name": "Act", "description": "Acts. " * 1000, "tags": ["x"], "examples": ["go"]}
    chats = open_chats(start_scripted(skills=[skill]), start_scripted(name="Other"))
    listed = json.loads(chats.call("a2a_query_agent_card"))
    assert listed[1] == {
        "agent": "other",
        "name": "Other",
        "state": "available",
        "description": "Does as told.",
        "skills": ["Act"],
    }
    told = json.loads(chats.call("a2a_query_agent_card", agent="scripted"))
    assert (told["agent"], told["version"], told["input_modes"]) == ("scripted", "1.0.0", ["text/plain"])
    assert told["skills"][0]["examples"] == ["go"]
    assert len(told["skills"][0]["description"]) == 2001


def test_an_agent_that_is_not_there_is_told_with_those_that_are(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    chats = open_chats(start_scripted())
    for name in ("a2a_query_agent_card", "a2a_submit_task"):
        said = chats.call(name, agent="nobody", message="x")
        assert said == "Error: there is no agent 'nobody'; there are: scripted"


# ---- tasks -----------------------------------------------------------------------------------------------


def test_a_message_is_answered(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    said = {"message": {"messageId": "m", "role": "ROLE_AGENT", "contextId": "c", "parts": [{"text": "hi"}]}}
    agent = start_scripted({"SendMessage": said})
    told = open_chats(agent).submit("hello", context_id="c")
    assert told == {"agent": "scripted", "context_id": "c", "message": {"text": "hi"}}
    [(_, params)] = agent.asked
    assert params["message"]["parts"] == [{"text": "hello"}]
    assert params["message"]["contextId"] == "c"
    assert params["configuration"] == {"returnImmediately": True}


def test_a_task_is_asked_after_until_it_ends(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    states = iter(["SUBMITTED", "WORKING", "WORKING"])

    async def get(call: Call, request: Any) -> None:
        result = task(next(states, "COMPLETED"), artifacts=[{"artifactId": "a", "parts": [{"text": "done"}]}])
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    agent = start_scripted({"SendMessage": {"task": task("SUBMITTED")}, "GetTask": get})
    told = open_chats(agent).submit()
    assert (told["state"], told["artifacts"]) == ("completed", [{"text": "done"}])
    assert agent.methods() == ["SendMessage", *["GetTask"] * 4]


def test_a_stream_is_followed_to_its_end(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    events = [{"task": task("SUBMITTED")}, news("WORKING"), piece("HEL"), piece("LO", append=True)]
    agent = start_scripted({"SendStreamingMessage": [*events, news("COMPLETED")]}, streaming=True)
    told = open_chats(agent).submit()
    assert (told["state"], told["artifacts"]) == ("completed", [{"text": "HELLO"}])
    assert agent.methods() == ["SendStreamingMessage"]


def test_an_agent_that_has_no_streams_after_all_is_asked_plainly(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    answers = {
        "SendStreamingMessage": Refusal(-32004, "no streams"),
        "SendMessage": {"task": task("COMPLETED", "done")},
    }
    told = open_chats(start_scripted(answers, streaming=True)).submit()
    assert told["message"] == {"text": "done"}


def test_a_stream_that_breaks_off_is_no_end_of_the_task(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def cut(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        call.reset()

    answers = {"SendStreamingMessage": cut, "GetTask": task("COMPLETED", "done")}
    agent = start_scripted(answers, streaming=True)
    assert open_chats(agent).submit()["message"] == {"text": "done"}
    assert agent.methods() == ["SendStreamingMessage", "GetTask"]


def test_a_task_that_waits_for_input_goes_on_with_its_id(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def send(call: Call, request: Any) -> None:
        message = request["params"]["message"]
        result = task("COMPLETED", "chosen") if "taskId" in message else task("INPUT_REQUIRED", "Which?")
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": {"task": result}})

    agent = start_scripted({"SendMessage": send})
    chats = open_chats(agent)
    told = chats.submit()
    assert (told["task_id"], told["state"], told["message"]) == ("t1", "input-required", {"text": "Which?"})
    assert "a2a_submit_task" in told["note"]
    assert chats.submit("this", task_id=told["task_id"])["message"] == {"text": "chosen"}


def test_an_answered_task_may_be_told_as_it_was_before_it_goes_on(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    events = [{"task": task("INPUT_REQUIRED", "Which?")}, news("WORKING"), news("COMPLETED", "chosen")]
    agent = start_scripted({"SendStreamingMessage": events}, streaming=True)
    assert open_chats(agent).submit("this", task_id="t1")["message"] == {"text": "chosen"}


def test_an_answer_is_waited_for_where_there_are_no_streams(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendMessage": {"task": task("COMPLETED", "chosen")}})
    assert open_chats(agent).submit("this", task_id="t1")["message"] == {"text": "chosen"}
    assert "configuration" not in agent.asked[0][1]


def test_a_stream_that_falls_silent_while_a_task_waits_is_left(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def silent(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("INPUT_REQUIRED", "Which?")}))
        await hang(call, request)

    agent = start_scripted({"SendStreamingMessage": silent}, streaming=True)
    assert open_chats(agent).submit()["message"] == {"text": "Which?"}


def test_what_needs_somebody_to_sign_in_is_told(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    agent = start_scripted({"SendMessage": {"task": task("AUTH_REQUIRED", "Who are you?")}})
    told = open_chats(agent).submit()
    assert told["state"] == "auth-required"
    assert "tell the user" in told["note"]


def test_a_task_that_failed_is_an_error(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    agent = start_scripted({"SendMessage": {"task": task("FAILED", "No luck.")}})
    said = json.loads(open_chats(agent).fails())
    assert (said["state"], said["message"]) == ("failed", {"text": "No luck."})


def test_a_task_that_takes_too_long_goes_on_and_can_be_asked_after(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendMessage": {"task": task("WORKING")}, "GetTask": task("WORKING")})
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="2")
    told = chats.submit()
    assert told["state"] == "working"
    assert "a2a_query_task" in told["note"]
    agent.answers["GetTask"] = task("COMPLETED", "done")
    told = json.loads(chats.call("a2a_query_task", agent="scripted", task_id="t1"))
    assert (told["state"], told["message"]) == ("completed", {"text": "done"})
    assert "CancelTask" not in agent.methods()


def test_a_stream_without_end_is_left_and_its_task_told(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    async def endless(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        await hang(call, request)

    agent = start_scripted({"SendStreamingMessage": endless}, streaming=True)
    told = open_chats(agent, A2A_POLLING_TIMEOUT="300ms").submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")


def test_without_polling_a_task_is_waited_for_by_the_agent(
    start_scripted: StartScripted, open_chats: OpenChats
) -> None:
    agent = start_scripted({"SendMessage": {"task": task("WORKING")}, "GetTask": task("WORKING")})
    chats = open_chats(agent, A2A_POLLING_ENABLED="false")
    assert chats.submit()["state"] == "working"
    assert "configuration" not in agent.asked[0][1]
    assert json.loads(chats.call("a2a_query_task", agent="scripted", task_id="t1"))["state"] == "working"
    assert agent.methods() == ["SendMessage", "GetTask"]


def test_the_time_that_agents_take_is_measured(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    agent = start_scripted({"SendMessage": {"task": task("COMPLETED", "done")}})
    chats = open_chats(agent, TELEMETRY_ENABLED="true", TELEMETRY_METRICS_PORT="0")
    chats.submit()
    name, found = "gen_ai_execute_tool_duration_seconds_count", chats.gateway.metrics()
    assert found.total(name, gen_ai_tool_name="a2a_submit_task") == 1


def test_a_skill_is_told_to_its_agent(start_scripted: StartScripted, open_chats: OpenChats) -> None:
    agent = start_scripted({"SendMessage": {"task": task("INPUT_REQUIRED", "Which?")}})
    chats = open_chats(agent, A2A_TOOL_MODE="direct")
    told = json.loads(chats.call("a2a_scripted_act", message="go"))
    assert "a2a_scripted_act" in told["note"]
    assert agent.asked[0][1]["message"]["metadata"] == {"skillId": "act"}
