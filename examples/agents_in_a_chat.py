"""Two agents and a chat that uses both. Agents, gateway and model all run here.

The agents are made with the official `a2a-sdk`, which `make setup` installs. The model is the gateway's
own and does what a script says. Name another one (`EXAMPLE_MODEL=openai/gpt-4o`, with its key in the
environment), and it is asked in words.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette

from inference_gateway import InferenceGatewayClient, Message

HEIGHTS = {"mont blanc": 4806, "everest": 8849, "fuji": 3776}
QUESTION = "How tall is Fuji? Have it made a headline."
SCRIPT = [
    [{"name": "a2a_query_agent_card", "arguments": {}}],
    [{"name": "a2a_submit_task", "arguments": {"agent": "almanac", "message": "How tall is Fuji?"}}],
    [{"name": "a2a_submit_task", "arguments": {"agent": "herald", "message": "fuji is 3776 metres tall"}}],
    "The almanac knew it, and the herald has made a headline of it.",
]
"""What the built-in model does, turn by turn."""


class Almanac(AgentExecutor):
    """Knows how tall mountains are, and asks back where it does not."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer with an artifact."""
        updater = await begin(context, event_queue)
        asked = context.get_user_input().lower()
        known = [f"{name.title()}: {height} m" for name, height in HEIGHTS.items() if name in asked]
        if not known:
            await updater.requires_input(updater.new_agent_message([new_text_part("Which mountain?")]))
            return
        await updater.add_artifact([new_text_part("\n".join(known))], name="heights")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Nothing takes long here."""


class Herald(AgentExecutor):
    """Makes a headline of anything."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer with an artifact."""
        updater = await begin(context, event_queue)
        await updater.add_artifact(
            [new_text_part(f"+++ {context.get_user_input().upper()} +++")], name="headline"
        )
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Nothing takes long here."""


async def begin(context: RequestContext, event_queue: EventQueue) -> TaskUpdater:
    """Begin a task, or go on with it."""
    if context.current_task is None:
        await event_queue.enqueue_event(new_task_from_user_message(context.message))
    updater = TaskUpdater(event_queue, context.task_id, context.context_id)
    await updater.start_work()
    return updater


def agent(executor: AgentExecutor, base: str, name: str, says: str) -> Starlette:
    """Put an agent together."""
    card = AgentCard(
        name=name,
        description=says,
        version="1.0.0",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True),
        skills=[AgentSkill(id="answer", name="Answer", description=says, tags=["example"])],
        supported_interfaces=[AgentInterface(url=base, protocol_binding="JSONRPC", protocol_version="1.0")],
    )
    handler = DefaultRequestHandler(agent_executor=executor, task_store=InMemoryTaskStore(), agent_card=card)
    return Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")])


@contextmanager
def serving(executor: AgentExecutor, name: str, says: str) -> Iterator[str]:
    """Have an agent listen on a port of its own; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    config = uvicorn.Config(agent(executor, url, name, says), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def gateway(agents: list[str]) -> Iterator[InferenceGatewayClient]:
    """Run a gateway that knows these agents; gives a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "A2A_ENABLED": "true",
        "A2A_EXPOSE": "true",
        "A2A_AGENTS": ",".join(agents),
        "MOCK_ENABLED": "true",
        "SERVER_PORT": str(port),
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "inference_gateway.server", "serve"], env=os.environ | settings
    )
    try:
        with InferenceGatewayClient(f"http://127.0.0.1:{port}/v1") as client:
            wait_for(client)
            yield client
    finally:
        process.terminate()
        process.wait()


def wait_for(client: InferenceGatewayClient) -> None:
    """Wait until the gateway listens and has read the agents' cards."""
    until = time.monotonic() + 30
    while not client.health_check() or any(
        each.state != "available" for each in client.a2a.list_agents().data
    ):
        if time.monotonic() > until:
            raise SystemExit("the gateway or an agent did not start")
        time.sleep(0.05)


def chat(client: InferenceGatewayClient) -> None:
    """Ask one question, and show what the model does about it."""
    model = os.environ.get("EXAMPLE_MODEL", "mock/tools")
    content = json.dumps(SCRIPT) if model == "mock/tools" else QUESTION
    print(f"user: {QUESTION}")
    answer = client.create_chat_completion_stream(model, [Message(role="user", content=content)])
    with answer as stream:
        for chunk in stream.chunks():
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or []:
                    show(call.model_dump())
                print(choice.delta.content or "", end="", flush=True)
    print()


def show(call: dict[str, dict[str, dict[str, str]]]) -> None:
    """Show a piece of a call that the gateway runs: what is asked, and then what came of it."""
    function = call.get("function") or {}
    print("".join(filter(None, (function.get("name"), function.get("arguments")))), end="", flush=True)
    result = (call.get("extra_content") or {}).get("gateway")
    if result:
        print(f"\n→ {result['result']}")


def main() -> None:
    """Run everything, and end it again."""
    with (
        serving(Almanac(), "Almanac", "Knows how tall mountains are.") as almanac,
        serving(Herald(), "Herald", "Makes a headline of any sentence.") as herald,
        gateway([almanac, herald]) as client,
    ):
        chat(client)


if __name__ == "__main__":
    main()
