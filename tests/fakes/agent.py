"""Agents built on the official SDK of the Agent2Agent protocol, in a process of their own.

`/new` speaks A2A 1.0. `/old` speaks A2A 0.3 alone, and has its card where cards were before that.
What they do is in the text: "shout ..." ends with an artifact, "talk ..." with a message, "ask" waits for
more, "wait" works until it is cancelled.
"""

import asyncio
import socket
from typing import Any

import uvicorn
from a2a.compat.v0_3 import types as old
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as new
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


class Shouting(AgentExecutor):
    async def execute(self, context: Any, event_queue: Any) -> None:
        text = context.get_user_input()
        if text.startswith("talk"):
            await event_queue.enqueue_event(new_text_message(text.removeprefix("talk ").title()))
            return
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        if text == "wait":
            await asyncio.Event().wait()
        if text == "ask":
            await updater.requires_input(updater.new_agent_message([new_text_part("Which one?")]))
            return
        await updater.add_artifact([new_text_part(text.removeprefix("shout ").upper())], name="shouted")
        await updater.complete()

    async def cancel(self, context: Any, event_queue: Any) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def anywhere(url: str) -> bool:
    return True


async def old_card(request: Any) -> JSONResponse:
    card = old.AgentCard(
        name="Old shouter",
        description="Says it louder.",
        version="0.1",
        protocol_version="0.3.0",
        url=str(request.base_url) + "old",
        preferred_transport="JSONRPC",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=old.AgentCapabilities(streaming=True, push_notifications=True),
        skills=[old.AgentSkill(id="shout", name="Shout", description="Louder.", tags=["text"])],
    )
    return JSONResponse(card.model_dump(mode="json", by_alias=True, exclude_none=True))


def new_card(version: str, url: str) -> Any:
    return new.AgentCard(
        name="Shouter",
        description="Says it louder.",
        version="1.2.3",
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        capabilities=new.AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=True),
        skills=[new.AgentSkill(id="shout", name="Shout", description="Louder.", tags=["text"])],
        supported_interfaces=[
            new.AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version)
        ],
    )


def handler(card: Any) -> Any:
    return DefaultRequestHandler(
        agent_executor=Shouting(),
        task_store=InMemoryTaskStore(),
        agent_card=card,
        extended_agent_card=card,
        push_config_store=InMemoryPushNotificationConfigStore(),
        push_url_validator=anywhere,
    )


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    card = new_card("1.0", f"{base}/new")
    compatible = handler(new_card("0.3", f"{base}/old"))
    routes = [
        *create_agent_card_routes(card, card_url="/new/.well-known/agent-card.json"),
        *create_jsonrpc_routes(handler(card), "/new"),
        Route("/old/.well-known/agent.json", old_card),
        *create_jsonrpc_routes(compatible, "/old", enable_v0_3_compat=True),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="critical", timeout_graceful_shutdown=1)
    print(base, flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
