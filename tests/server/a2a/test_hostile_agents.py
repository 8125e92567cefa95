"""Agents that misbehave, and clients that do."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from fakes.gateway import FakeGateway
from fakes.http_server import eventually
from fakes.outcomes import Outcomes
from fakes.provider import Call
from inference_gateway.server.outcome import Outcome
from server.a2a.conftest import DONE, MESSAGE, OLD_MESSAGE, WORKING, Speak, ask, event, reply

Run = Callable[..., FakeGateway]
STREAMED = pytest.mark.parametrize("method", ["SendStreamingMessage", "message/stream"])


def streaming(*results: object, end: bool = True) -> Speak:
    """Answer with a stream of these results, which is cut at the end unless that is to be in order."""

    async def script(call: Call) -> None:
        await call.begin_stream()
        for result in results:
            await call.piece(result if isinstance(result, bytes) else event(reply(call, result)))
        if end:
            await call.end_stream()
        else:
            call.reset()

    return script


def posted(method: str, *fields: bytes) -> bytes:
    """A request as it goes over the wire."""
    message = OLD_MESSAGE if "/" in method else MESSAGE
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": {"message": message}}).encode()
    lines = (b"POST /a2a/scripted HTTP/1.1", b"host: h", b"content-length: %d" % len(body), *fields, b"", b"")
    return b"\r\n".join(lines) + body


class Streamed:
    """An answer that is a stream, as a client that is not ours sees its bytes."""

    def __init__(self, gateway: FakeGateway, method: str) -> None:
        raw = gateway.exchange(posted(method, b"connection: close"))
        self.head, _, rest = raw.partition(b"\r\n\r\n")
        self.is_whole = rest.endswith(b"\r\n0\r\n\r\n") or rest == b"0\r\n\r\n"
        lines = [line[6:] for line in rest.split(b"\n") if line.startswith(b"data: ")]
        self.replies: list[dict[str, Any]] = [json.loads(line) for line in lines]


@STREAMED
def test_a_stream_that_says_everything_is_whole(speak: Run, method: str) -> None:
    gateway = speak(streaming(WORKING, DONE))
    outcomes = Outcomes(gateway)
    streamed = Streamed(gateway, method)
    assert b"content-type: text/event-stream" in streamed.head.lower()
    assert streamed.is_whole
    assert len(streamed.replies) == 2
    assert outcomes.wait() == [Outcome.COMPLETE]


@STREAMED
@pytest.mark.parametrize(
    ("script", "code", "outcome"),
    [
        (streaming(WORKING, end=False), -32603, Outcome.CUT),
        (streaming(WORKING), -32603, Outcome.CUT),
        (streaming(WORKING, b"data: <html>\n\n"), -32006, Outcome.PROVIDER_ERROR),
        (streaming(WORKING, b'data: {"jsonrpc":"2.0","id":7}\n\n'), -32006, Outcome.PROVIDER_ERROR),
        (streaming(WORKING, b'data: {"jsonr', end=False), -32603, Outcome.CUT),
    ],
)
@pytest.mark.own_server(reason="about how our own server shows an answer that broke off")
def test_a_stream_that_breaks_off_says_so_and_never_looks_whole(
    speak: Run, method: str, script: Speak, code: int, outcome: Outcome
) -> None:
    gateway = speak(script)
    outcomes = Outcomes(gateway)
    streamed = Streamed(gateway, method)
    first, last = streamed.replies
    assert "result" in first
    assert (last["id"], last["error"]["code"]) == (7, code)
    assert last["error"]["message"].startswith("the agent")
    assert not streamed.is_whole
    assert outcomes.wait() == [outcome]


@STREAMED
def test_an_error_of_the_agents_own_ends_a_stream_in_order(speak: Run, method: str) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        error = {"code": -32005, "message": "cannot read that"}
        await call.piece(event({"jsonrpc": "2.0", "id": call.json()["id"], "error": error}))
        await call.end_stream()

    gateway = speak(script)
    outcomes = Outcomes(gateway)
    streamed = Streamed(gateway, method)
    assert streamed.replies[-1]["error"] == {"code": -32005, "message": "cannot read that"}
    assert streamed.is_whole
    assert outcomes.wait() == [Outcome.PROVIDER_ERROR]


@STREAMED
def test_an_agent_that_closes_late_has_said_everything(speak: Run, method: str) -> None:
    gateway = speak(streaming(WORKING, DONE, end=False))
    outcomes = Outcomes(gateway)
    assert Streamed(gateway, method).is_whole
    assert outcomes.wait() == [Outcome.COMPLETE]


@STREAMED
def test_a_stream_may_be_one_reply_and_no_stream(speak: Run, method: str) -> None:
    async def script(call: Call) -> None:
        error = {"code": -32004, "message": "no streams"}
        await call.respond_json({"jsonrpc": "2.0", "id": call.json()["id"], "error": error})

    message = OLD_MESSAGE if "/" in method else MESSAGE
    answer = ask(speak(script), method, {"message": message})
    assert (answer.status, answer.json()["error"]["code"]) == (200, -32004)


@pytest.mark.parametrize("method", ["SendMessage", "message/send"])
def test_a_stream_where_one_reply_is_due_is_refused(speak: Run, method: str) -> None:
    message = OLD_MESSAGE if "/" in method else MESSAGE
    answer = ask(speak(streaming(DONE)), method, {"message": message})
    assert (answer.status, answer.json()["error"]["code"]) == (502, -32603)


def test_comments_keep_a_translated_stream_alive(speak: Run) -> None:
    gateway = speak(streaming(b": ping\n\n", DONE))
    body = {"jsonrpc": "2.0", "id": 7, "method": "message/stream", "params": {"message": OLD_MESSAGE}}
    assert gateway.request("POST", "/a2a/scripted", body).body.startswith(b":\n\ndata: ")


# ---- time ------------------------------------------------------------------------------------------------


async def silent(call: Call) -> None:
    """Take a request and say nothing."""
    await call.client_gone()


@pytest.mark.parametrize("method", ["SendMessage", "SendStreamingMessage"])
def test_an_agent_that_hangs_is_given_up(speak: Run, method: str) -> None:
    gateway = speak(silent, settings={"A2A_CLIENT_TIMEOUT": "200ms"})
    outcomes = Outcomes(gateway)
    answer = ask(gateway, method)
    assert (answer.status, answer.json()["error"]["code"]) == (504, -32603)
    assert outcomes.wait() == [Outcome.STALLED]


def test_a_caller_may_have_less_patience(speak: Run) -> None:
    answer = ask(speak(silent), "SendMessage", headers={"x-gateway-timeout": "0.2"})
    assert answer.status == 504


@pytest.mark.own_server(reason="about how our own server shows an answer that broke off")
def test_a_stream_that_falls_silent_is_given_up(speak: Run) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        await call.client_gone()

    gateway = speak(script, settings={"CLIENT_STREAM_IDLE_TIMEOUT": "200ms"})
    outcomes = Outcomes(gateway)
    streamed = Streamed(gateway, "SendStreamingMessage")
    assert streamed.replies[-1]["error"]["code"] == -32603
    assert not streamed.is_whole
    assert outcomes.wait() == [Outcome.STALLED]


# ---- size, and who holds what ----------------------------------------------------------------------------


def test_an_answer_that_is_too_large_is_refused(speak: Run) -> None:
    async def script(call: Call) -> None:
        await call.respond_json(reply(call, {"task": "x" * 5000}))

    answer = ask(speak(script, settings={"CLIENT_MAX_RESPONSE_BODY_SIZE": "4000"}), "SendMessage")
    assert answer.status == 502
    assert "larger than the 4000 bytes" in answer.json()["error"]["message"]


@STREAMED
@pytest.mark.own_server(reason="about what our own server holds for a client that takes nothing")
def test_a_client_that_takes_nothing_holds_the_agent(speak: Run, method: str) -> None:
    sent = 0
    piece = {
        "artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a", "parts": [{"text": "x" * 60_000}]}}
    }
    gone: list[bool] = []

    async def script(call: Call) -> None:
        nonlocal sent
        await call.begin_stream()
        try:
            while True:
                await call.piece(event(reply(call, piece)))
                sent += 1
        finally:
            gone.append(True)

    gateway = speak(script)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    with client:
        client.connect(("127.0.0.1", gateway.port))
        client.sendall(posted(method))
        eventually(lambda: _is_stuck(gateway))
        held = sent
        assert client.recv(100)
        assert sent - held < 100
    eventually(lambda: bool(gone))


def _is_stuck(gateway: FakeGateway) -> bool:
    server: Any = gateway.server
    return any(connection.stuck for connection in list(server._connections.open))


@STREAMED
def test_a_client_that_leaves_frees_the_agent(speak: Run, method: str) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(event(reply(call, WORKING)))
        await call.client_gone()

    gateway = speak(script)
    outcomes = Outcomes(gateway)
    pool = gateway.server._gateway.pool
    with gateway.connect() as client:
        client.sendall(posted(method))
        assert client.recv(100)
        assert pool.open - pool.idle == 1
    assert outcomes.wait() == [Outcome.CLIENT_GONE]
    eventually(lambda: pool.open == pool.idle)


def test_a_redirect_is_not_followed(speak: Run) -> None:
    seen: list[str] = []

    async def script(call: Call) -> None:
        seen.append(call.target)
        await call.respond(307, b"", [("location", "/elsewhere")])

    answer = ask(speak(script), "SendMessage")
    assert (answer.status, answer.json()["error"]["code"]) == (502, -32603)
    assert seen == ["/v1"]


# ---- connections -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["SendMessage", "SendStreamingMessage", "CancelTask", "own/method", "GetTask"]
)
def test_only_what_changes_nothing_may_reach_an_agent_twice(speak: Run, method: str) -> None:
    asked: list[str] = []

    async def script(call: Call) -> None:
        asked.append(call.json()["method"])
        if asked.count(method) == 1 and len(asked) > 1:
            call.reset()
        else:
            await call.respond_json(reply(call, {}))

    gateway = speak(script)
    version = {"a2a-version": "1.0"}
    assert ask(gateway, "ListTasks").status == 200
    answer = ask(gateway, method, headers=version)
    times = 2 if method == "GetTask" else 1
    assert asked == ["ListTasks", *[method] * times]
    assert answer.status == (200 if times == 2 else 502)
