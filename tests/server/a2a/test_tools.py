"""Agents as a model's tools: agents by script, some of them bad, and chats with a model that has one too."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.provider import Call, FakeProvider
from fakes.scripted_agent import Refusal, ScriptedAgent, event, hang, news, piece, task
from fakes.turns import call, calling, saying, taking_turns

Start = Callable[..., ScriptedAgent]


@pytest.fixture
def start_agent() -> Iterator[Start]:
    """Start scripted agents; each runs until the test ends."""
    started: list[ScriptedAgent] = []

    def start(answers: Any = None, **options: Any) -> ScriptedAgent:
        started.append(ScriptedAgent(answers or {}, **options))
        return started[-1]

    yield start
    for agent in started:
        agent.close()


class Chats:
    """A gateway with agents, and what its models are told."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def call(self, name: str, /, *, headers: Any = None, **arguments: Any) -> str:
        """Have a model call a tool; return what it is told."""
        script = json.dumps([[{"name": name, "arguments": arguments}]])
        reply = self.gateway.chat(
            body("mock/tools", messages=[{"role": "user", "content": script}]), headers=headers
        )
        return str(reply.json()["choices"][0]["message"]["content"])

    def submit(self, message: str = "act", **arguments: Any) -> Any:
        """Have a model give the scripted agent work; return what it is told."""
        return json.loads(self.call("a2a_submit_task", agent="scripted", message=message, **arguments))

    def fails(self, message: str = "act", **arguments: Any) -> str:
        """Have a model give work that cannot be done; return what it is told."""
        said = self.call("a2a_submit_task", **{"agent": "scripted", "message": message, **arguments})
        assert said.startswith("Error: ")
        return said.removeprefix("Error: ")

    def states(self) -> list[str]:
        """How the agents are."""
        agents = self.gateway.server._gateway.a2a
        assert agents is not None
        return [agent.state for agent in agents.listed()]


Open = Callable[..., Chats]


@pytest.fixture
def open_chats(start_gateway: Callable[..., FakeGateway]) -> Open:
    """Start a gateway that knows these agents, and wait until they are available."""

    def start(*agents: ScriptedAgent, wait: bool = True, **environ: str) -> Chats:
        settings = {
            "A2A_ENABLED": "true",
            "A2A_AGENTS": ",".join(agent.url for agent in agents),
            "A2A_INITIAL_BACKOFF": "10ms",
            "A2A_POLLING_INTERVAL": "10ms",
            "MOCK_ENABLED": "true",
            **environ,
        }
        chats = Chats(start_gateway(**settings))
        if wait:
            eventually(lambda: set(chats.states()) <= {"available"})
        return chats

    return start


# ---- what is offered -------------------------------------------------------------------------------------


def offered(chats: Chats, provider: FakeProvider, **headers: str) -> dict[str, Any]:
    """What a provider is offered as tools, by name."""
    assert chats.gateway.chat(body(), headers=headers).status == 200
    tools = provider.calls[-1].json().get("tools", [])
    return {tool["function"]["name"]: tool["function"] for tool in tools}


def with_provider(provider: FakeProvider) -> dict[str, str]:
    return {"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url}


def test_three_tools_are_offered_that_name_the_agents(
    start_agent: Start, open_chats: Open, provider: FakeProvider
) -> None:
    chats = open_chats(start_agent(name="Second"), start_agent(name="First"), **with_provider(provider))
    tools = offered(chats, provider)
    assert list(tools) == ["a2a_query_agent_card", "a2a_submit_task", "a2a_query_task"]
    for tool in tools.values():
        assert tool["parameters"]["properties"]["agent"]["enum"] == ["second", "first"]
    assert tools["a2a_submit_task"]["parameters"]["required"] == ["agent", "message"]
    assert "Acts." not in json.dumps(tools)


def test_each_skill_is_a_tool_in_direct_mode(
    start_agent: Start, open_chats: Open, provider: FakeProvider
) -> None:
    skills = [
        {"id": "a/b", "name": "One", "description": "x" * 5000, "tags": []},
        {"id": "a b", "name": "Two", "description": "Line\nbreaks.", "tags": [], "examples": ["do\nit"]},
        {"id": "n" * 200, "name": "Three", "description": "", "tags": []},
    ]
    many = start_agent(name="Many", skills=skills)
    bare = start_agent(name="Bare", skills=[], description="Does all.")
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
    start_agent: Start, open_chats: Open, provider: FakeProvider
) -> None:
    skill = {"id": "task", "name": "x", "description": "", "tags": []}
    chats = open_chats(
        start_agent(name="Query", skills=[skill]), A2A_TOOL_MODE="direct", **with_provider(provider)
    )
    taken, own = offered(chats, provider)
    assert taken.startswith("a2a_query_task_")
    assert own == "a2a_query_task"


def test_agents_that_cannot_be_reached_are_not_offered(
    start_agent: Start, open_chats: Open, provider: FakeProvider
) -> None:
    there, gone = start_agent(name="There"), start_agent(name="Gone")
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
    start_agent: Start, open_chats: Open, provider: FakeProvider
) -> None:
    slow = start_agent(hides_card=True)
    chats = open_chats(slow, start_agent(), wait=False, **with_provider(provider))
    found: list[Any] = []

    def is_offered() -> bool:
        found[:] = offered(chats, provider).values()
        return bool(found)

    eventually(is_offered)
    assert found[0]["parameters"]["properties"]["agent"]["enum"] == ["scripted"]


@pytest.mark.parametrize("header", ["X-A2A-Bypass", "X-Direct-Provider"])
def test_a_caller_may_do_without_agents(
    start_agent: Start, open_chats: Open, provider: FakeProvider, header: str
) -> None:
    chats = open_chats(start_agent(), **with_provider(provider))
    assert offered(chats, provider, **{header: "true"}) == {}
    assert len(offered(chats, provider, **{"X-MCP-Bypass": "true"})) == 3


# ---- cards -----------------------------------------------------------------------------------------------


def test_a_model_is_told_which_agents_there_are_and_what_one_can_do(
    start_agent: Start, open_chats: Open
) -> None:
    skill = {"id": "act", "name": "Act", "description": "Acts. " * 1000, "tags": ["x"], "examples": ["go"]}
    chats = open_chats(start_agent(skills=[skill]), start_agent(name="Other"))
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


def test_an_agent_that_is_not_there_is_told_with_those_that_are(start_agent: Start, open_chats: Open) -> None:
    chats = open_chats(start_agent())
    for name in ("a2a_query_agent_card", "a2a_submit_task"):
        said = chats.call(name, agent="nobody", message="x")
        assert said == "Error: there is no agent 'nobody'; there are: scripted"


# ---- tasks -----------------------------------------------------------------------------------------------


def test_a_message_is_answered(start_agent: Start, open_chats: Open) -> None:
    said = {"message": {"messageId": "m", "role": "ROLE_AGENT", "contextId": "c", "parts": [{"text": "hi"}]}}
    agent = start_agent({"SendMessage": said})
    told = open_chats(agent).submit("hello", context_id="c")
    assert told == {"agent": "scripted", "context_id": "c", "message": {"text": "hi"}}
    [(_, params)] = agent.asked
    assert params["message"]["parts"] == [{"text": "hello"}]
    assert params["message"]["contextId"] == "c"
    assert params["configuration"] == {"returnImmediately": True}


def test_a_task_is_asked_after_until_it_ends(start_agent: Start, open_chats: Open) -> None:
    states = iter(["SUBMITTED", "WORKING", "WORKING"])

    async def get(call: Call, request: Any) -> None:
        result = task(next(states, "COMPLETED"), artifacts=[{"artifactId": "a", "parts": [{"text": "done"}]}])
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    agent = start_agent({"SendMessage": {"task": task("SUBMITTED")}, "GetTask": get})
    told = open_chats(agent).submit()
    assert (told["state"], told["artifacts"]) == ("completed", [{"text": "done"}])
    assert agent.methods() == ["SendMessage", *["GetTask"] * 4]


def test_a_stream_is_followed_to_its_end(start_agent: Start, open_chats: Open) -> None:
    events = [{"task": task("SUBMITTED")}, news("WORKING"), piece("HEL"), piece("LO", append=True)]
    agent = start_agent({"SendStreamingMessage": [*events, news("COMPLETED")]}, streaming=True)
    told = open_chats(agent).submit()
    assert (told["state"], told["artifacts"]) == ("completed", [{"text": "HELLO"}])
    assert agent.methods() == ["SendStreamingMessage"]


def test_an_agent_that_has_no_streams_after_all_is_asked_plainly(
    start_agent: Start, open_chats: Open
) -> None:
    answers = {
        "SendStreamingMessage": Refusal(-32004, "no streams"),
        "SendMessage": {"task": task("COMPLETED", "done")},
    }
    told = open_chats(start_agent(answers, streaming=True)).submit()
    assert told["message"] == {"text": "done"}


def test_a_stream_that_breaks_off_is_no_end_of_the_task(start_agent: Start, open_chats: Open) -> None:
    async def cut(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        call.reset()

    answers = {"SendStreamingMessage": cut, "GetTask": task("COMPLETED", "done")}
    agent = start_agent(answers, streaming=True)
    assert open_chats(agent).submit()["message"] == {"text": "done"}
    assert agent.methods() == ["SendStreamingMessage", "GetTask"]


def test_a_task_that_waits_for_input_goes_on_with_its_id(start_agent: Start, open_chats: Open) -> None:
    async def send(call: Call, request: Any) -> None:
        message = request["params"]["message"]
        result = task("COMPLETED", "chosen") if "taskId" in message else task("INPUT_REQUIRED", "Which?")
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": {"task": result}})

    agent = start_agent({"SendMessage": send})
    chats = open_chats(agent)
    told = chats.submit()
    assert (told["task_id"], told["state"], told["message"]) == ("t1", "input-required", {"text": "Which?"})
    assert "a2a_submit_task" in told["note"]
    assert chats.submit("this", task_id=told["task_id"])["message"] == {"text": "chosen"}


def test_an_answered_task_may_be_told_as_it_was_before_it_goes_on(
    start_agent: Start, open_chats: Open
) -> None:
    events = [{"task": task("INPUT_REQUIRED", "Which?")}, news("WORKING"), news("COMPLETED", "chosen")]
    agent = start_agent({"SendStreamingMessage": events}, streaming=True)
    assert open_chats(agent).submit("this", task_id="t1")["message"] == {"text": "chosen"}


def test_an_answer_is_waited_for_where_there_are_no_streams(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("COMPLETED", "chosen")}})
    assert open_chats(agent).submit("this", task_id="t1")["message"] == {"text": "chosen"}
    assert "configuration" not in agent.asked[0][1]


def test_a_stream_that_falls_silent_while_a_task_waits_is_left(start_agent: Start, open_chats: Open) -> None:
    async def silent(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("INPUT_REQUIRED", "Which?")}))
        await hang(call, request)

    agent = start_agent({"SendStreamingMessage": silent}, streaming=True)
    assert open_chats(agent).submit()["message"] == {"text": "Which?"}


def test_what_needs_somebody_to_sign_in_is_told(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("AUTH_REQUIRED", "Who are you?")}})
    told = open_chats(agent).submit()
    assert told["state"] == "auth-required"
    assert "tell the user" in told["note"]


def test_a_task_that_failed_is_an_error(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("FAILED", "No luck.")}})
    said = json.loads(open_chats(agent).fails())
    assert (said["state"], said["message"]) == ("failed", {"text": "No luck."})


def test_a_task_that_takes_too_long_goes_on_and_can_be_asked_after(
    start_agent: Start, open_chats: Open
) -> None:
    agent = start_agent({"SendMessage": {"task": task("WORKING")}, "GetTask": task("WORKING")})
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="2")
    told = chats.submit()
    assert told["state"] == "working"
    assert "a2a_query_task" in told["note"]
    agent.answers["GetTask"] = task("COMPLETED", "done")
    told = json.loads(chats.call("a2a_query_task", agent="scripted", task_id="t1"))
    assert (told["state"], told["message"]) == ("completed", {"text": "done"})
    assert "CancelTask" not in agent.methods()


def test_a_stream_without_end_is_left_and_its_task_told(start_agent: Start, open_chats: Open) -> None:
    async def endless(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        await hang(call, request)

    agent = start_agent({"SendStreamingMessage": endless}, streaming=True)
    told = open_chats(agent, A2A_POLLING_TIMEOUT="300ms").submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")


def test_without_polling_a_task_is_waited_for_by_the_agent(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("WORKING")}, "GetTask": task("WORKING")})
    chats = open_chats(agent, A2A_POLLING_ENABLED="false")
    assert chats.submit()["state"] == "working"
    assert "configuration" not in agent.asked[0][1]
    assert json.loads(chats.call("a2a_query_task", agent="scripted", task_id="t1"))["state"] == "working"
    assert agent.methods() == ["SendMessage", "GetTask"]


def test_a_skill_is_told_to_its_agent(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("INPUT_REQUIRED", "Which?")}})
    chats = open_chats(agent, A2A_TOOL_MODE="direct")
    told = json.loads(chats.call("a2a_scripted_act", message="go"))
    assert "a2a_scripted_act" in told["note"]
    assert agent.asked[0][1]["message"]["metadata"] == {"skillId": "act"}


# ---- agents that break the rules -------------------------------------------------------------------------


def test_an_agent_that_never_answers_is_given_up(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": hang})
    assert "scripted" in open_chats(agent, A2A_CLIENT_TIMEOUT="200ms").fails()
    assert agent.methods() == ["SendMessage"]


def test_an_error_of_the_agent_is_told_with_its_code(start_agent: Start, open_chats: Open) -> None:
    answers = {"SendMessage": Refusal(-32005, "text only"), "GetTask": Refusal(-32001, "")}
    chats = open_chats(start_agent(answers))
    assert chats.fails() == "the agent 'scripted' refused: text only (code -32005)"
    said = chats.call("a2a_query_task", agent="scripted", task_id="x")
    assert said == "Error: the agent 'scripted' refused: no reason given (code -32001)"


@pytest.mark.parametrize("result", [5, {}, {"task": {"id": "t"}}, {"message": []}, None])
def test_answers_that_make_no_sense_are_errors(start_agent: Start, open_chats: Open, result: Any) -> None:
    chats = open_chats(start_agent({"SendMessage": result}))
    assert chats.fails().startswith("the agent 'scripted' cannot be used: ")
    assert chats.gateway.request("GET", "/health").status == 200


def test_a_message_is_sent_again_only_where_it_surely_did_not_arrive(
    start_agent: Start, open_chats: Open
) -> None:
    async def reset(call: Call, request: Any) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\n")
        call.reset()

    agent = start_agent({"SendMessage": reset})
    chats = open_chats(agent)
    chats.fails()
    assert agent.methods() == ["SendMessage"]
    agent.close()
    assert "cannot connect" in chats.fails()


def test_a_question_after_a_task_is_asked_again(start_agent: Start, open_chats: Open) -> None:
    failures = iter(range(2))

    async def get(call: Call, request: Any) -> None:
        if next(failures, None) is not None:
            await call.respond(503)
        else:
            result = task("COMPLETED", "done")
            await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    agent = start_agent({"SendMessage": {"task": task("WORKING")}, "GetTask": get})
    assert open_chats(agent).submit()["message"] == {"text": "done"}


def test_a_task_that_is_lost_sight_of_is_told_as_last_seen(start_agent: Start, open_chats: Open) -> None:
    async def broken(call: Call, request: Any) -> None:
        await call.respond(503)

    agent = start_agent({"SendMessage": {"task": task("WORKING")}, "GetTask": broken})
    told = open_chats(agent, A2A_MAX_RETRIES="1").submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")
    assert "status 503" in told["note"]


def test_a_huge_answer_is_cut_and_says_so(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": {"task": task("COMPLETED", "x" * 1_000_000)}})
    text = open_chats(agent, A2A_MAX_RESULT_SIZE="2000").submit()["message"]["text"]
    assert text.endswith("[cut off: 2000 of 1000000 characters are shown]")
    assert len(text) < 2100


@pytest.mark.parametrize("arguments", ["{", "[]", '{"agent": 5}', '"x"'])
def test_arguments_that_are_none_are_told(
    start_agent: Start, open_chats: Open, provider: FakeProvider, arguments: str
) -> None:
    called = call("a2a_submit_task")
    called["function"]["arguments"] = arguments
    provider.script = taking_turns(calling(called), saying("ok"))
    chats = open_chats(start_agent(), **with_provider(provider))
    assert chats.gateway.chat(body()).status == 200
    told = provider.calls[-1].json()["messages"][-1]["content"]
    assert told.startswith("Error: the arguments of a2a_submit_task cannot be read: ")


def test_a_call_that_lacks_something_is_told_what(start_agent: Start, open_chats: Open) -> None:
    chats = open_chats(start_agent())
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
    start_agent: Start, open_chats: Open, streaming: bool, status: int, body: bytes, headers: Any
) -> None:
    async def answer(call: Call, request: Any) -> None:
        await call.respond(status, body, headers)

    agent = start_agent({"SendStreamingMessage": answer, "SendMessage": answer}, streaming=streaming)
    chats = open_chats(agent)
    said = chats.fails()
    assert said.startswith("the agent 'scripted' cannot be used: ")
    assert "secret" not in said
    assert len(agent.methods()) == 1
    assert chats.states() == ["available"]


def test_an_event_without_end_is_not_read_to_its_end(start_agent: Start, open_chats: Open) -> None:
    async def huge(call: Call, request: Any) -> None:
        await call.begin_stream()
        await call.piece(event(request, {"task": task("WORKING")}))
        for _ in range(20):
            await call.piece(b"data: " + b"x" * 1024 * 1024)
        await hang(call, request)

    agent = start_agent({"SendStreamingMessage": huge, "GetTask": task("COMPLETED", "done")}, streaming=True)
    assert open_chats(agent).submit()["message"] == {"text": "done"}


def test_a_stream_that_ends_in_an_error_tells_what_is_known(start_agent: Start, open_chats: Open) -> None:
    async def failing(call: Call, request: Any) -> None:
        error = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32603, "message": "Oh."}}
        told = event(request, {"task": task("WORKING")})
        await call.stream([told, b"data: " + json.dumps(error).encode() + b"\n\n"])

    told = open_chats(start_agent({"SendStreamingMessage": failing}, streaming=True)).submit()
    assert (told["task_id"], told["state"]) == ("t1", "working")
    assert "the agent says 'Oh.'" in told["note"]


def test_a_stream_that_tells_nothing_is_an_error(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendStreamingMessage": []}, streaming=True)
    assert open_chats(agent).fails().startswith("the agent 'scripted' cannot be used: ")
    assert agent.methods() == ["SendStreamingMessage"]


# ---- callers that go away --------------------------------------------------------------------------------


def leave(chats: Chats, agent: ScriptedAgent, method: str, **more: str) -> None:
    """Ask for work, and go away once the agent was asked for it."""
    script = [[{"name": "a2a_submit_task", "arguments": {"agent": "scripted", "message": "x", **more}}]]
    request = body("mock/tools", messages=[{"role": "user", "content": json.dumps(script)}])
    with chats.gateway.connect() as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
        client.sendall(head + request)
        eventually(lambda: method in agent.methods())


def cancelled(agent: ScriptedAgent) -> list[str]:
    return [params["id"] for method, params in agent.asked if method == "CancelTask"]


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "polled"])
def test_a_client_that_goes_away_has_the_task_cancelled(
    start_agent: Start, open_chats: Open, streaming: bool
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
    agent = start_agent(answers, streaming=streaming)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000", A2A_POLLING_TIMEOUT="0")
    leave(chats, agent, "SendStreamingMessage" if streaming else "GetTask")
    eventually(lambda: cancelled(agent) == ["t1"])


def test_a_task_without_a_name_is_cancelled_once_it_has_one(start_agent: Start, open_chats: Open) -> None:
    go = asyncio.Event()

    async def slow(call: Call, request: Any) -> None:
        await go.wait()
        result = {"task": task("WORKING")}
        await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": result})

    async def let_go() -> None:
        go.set()

    answers = {"SendMessage": slow, "GetTask": task("WORKING"), "CancelTask": task("CANCELED")}
    agent = start_agent(answers)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000")
    leave(chats, agent, "SendMessage")
    agent.run(let_go())
    eventually(lambda: cancelled(agent) == ["t1"])


def test_a_task_that_is_answered_is_cancelled_by_its_name(start_agent: Start, open_chats: Open) -> None:
    agent = start_agent({"SendMessage": hang, "CancelTask": task("CANCELED")})
    chats = open_chats(agent)
    leave(chats, agent, "SendMessage", task_id="t9")
    eventually(lambda: cancelled(agent) == ["t9"])


def test_time_that_runs_out_has_the_task_cancelled(start_agent: Start, open_chats: Open) -> None:
    answers = {
        "SendMessage": {"task": task("WORKING")},
        "GetTask": task("WORKING"),
        "CancelTask": task("CANCELED"),
    }
    agent = start_agent(answers)
    chats = open_chats(agent, A2A_MAX_POLL_ATTEMPTS="100000")
    script = [[{"name": "a2a_submit_task", "arguments": {"agent": "scripted", "message": "x"}}]]
    request = body("mock/tools", messages=[{"role": "user", "content": json.dumps(script)}])
    assert chats.gateway.chat(request, headers={"X-Gateway-Timeout": "300ms"}).status == 504
    eventually(lambda: cancelled(agent) == ["t1"])
