"""An agent that answers what a test says, by the method that is called; for what no well-behaved one does."""

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fakes.provider import Call, FakeProvider

Act = Callable[[Call, dict[str, Any]], Awaitable[None]]
"""Answers a request itself; it gets the whole request, decoded."""

SKILL = {"id": "act", "name": "Act", "description": "Acts.", "tags": ["test"]}


def task(state: str = "COMPLETED", text: str = "", *, id: str = "t1", **more: Any) -> dict[str, Any]:
    """A task of A2A 1.0, with what the agent says to its state."""
    return {"id": id, "contextId": "c1", "status": status(state, text), **more}


def status(state: str, text: str = "") -> dict[str, Any]:
    """The status of a task."""
    said = {"messageId": "m1", "role": "ROLE_AGENT", "parts": [{"text": text}]}
    return {"state": f"TASK_STATE_{state}", **({"message": said} if text else {})}


def news(state: str, text: str = "", *, id: str = "t1") -> dict[str, Any]:
    """An event of a stream: a task got further."""
    return {"statusUpdate": {"taskId": id, "contextId": "c1", "status": status(state, text)}}


def piece(text: str, *, append: bool = False, id: str = "t1") -> dict[str, Any]:
    """An event of a stream: an artifact, or more of it."""
    artifact = {"artifactId": "a1", "parts": [{"text": text}]}
    return {"artifactUpdate": {"taskId": id, "contextId": "c1", "artifact": artifact, "append": append}}


def event(request: Mapping[str, Any], result: object) -> bytes:
    """Write an event of a stream."""
    return (
        b"data: " + json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode() + b"\n\n"
    )


class Refusal:
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        self.error = {"code": code, "message": message}


async def hang(call: Call, request: dict[str, Any]) -> None:
    """Answer nothing until the caller hangs up."""
    await call.client_gone()


class ScriptedAgent:
    """An agent of A2A 1.0 on a free loopback port.

    :param answers: by method: a result, a list of events for a stream, a `Refusal`, or what answers itself.
    :param hides_card: whether it takes requests for its card and never answers them.
    :param card: members of its card.
    """

    def __init__(
        self,
        answers: Mapping[str, Any],
        *,
        streaming: bool = False,
        hides_card: bool = False,
        **card: Any,
    ) -> None:
        self._hides_card = hides_card
        self.answers = dict(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Methods and parameters of the requests that came."""
        self._is_closed = False
        self._http = FakeProvider(self._serve)
        self.port = self._http.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.card: dict[str, Any] = {
            "name": "Scripted",
            "description": "Does as told.",
            "version": "1.0.0",
            "supportedInterfaces": [
                {"url": self.url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            ],
            "capabilities": {"streaming": streaming},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [SKILL],
            **card,
        }

    def methods(self) -> list[str]:
        """Methods that were called, in their order."""
        return [method for method, _ in self.asked]

    async def _serve(self, call: Call) -> None:
        if call.method == "GET":
            await (hang(call, {}) if self._hides_card else call.respond_json(self.card))
            return
        request = call.json()
        self.asked.append((request["method"], request.get("params", {})))
        answer = self.answers.get(request["method"], Refusal(-32601, "no such method"))
        if callable(answer):
            await answer(call, request)
        elif isinstance(answer, Refusal):
            await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "error": answer.error})
        elif isinstance(answer, list):
            await call.stream([event(request, each) for each in answer])
        else:
            await call.respond_json({"jsonrpc": "2.0", "id": request["id"], "result": answer})

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something where it runs."""
        self._http.run(work)

    def close(self) -> None:
        """End. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._http.close()
