"""Clients of either dialect, official and our own, that speak to agents of either through the gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from a2a.client import A2AClientError, Client, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.helpers.proto_helpers import new_text_message
from a2a.types import a2a_pb2 as pb
from a2a.utils import errors

from fakes.agents import Agents
from fakes.gateway import FakeGateway
from inference_gateway import (
    A2AMessage,
    InferenceGatewayClient,
    Task,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from server.a2a.conftest import Start

PATIENCE = 30.0
Use = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def gateway(start: Start, agents: Agents) -> FakeGateway:
    return start(f"{agents.url}/new", f"{agents.url}/old")


class Official:
    """The official client, made to speak one dialect to one agent of the gateway."""

    def __init__(self, gateway: FakeGateway, agent: str, version: str) -> None:
        self._url = f"{gateway.url}/a2a/{agent}"
        self._version = version

    def use(self, use: Use) -> Any:
        """Have something done with a client."""

        async def run() -> Any:
            async with httpx.AsyncClient(timeout=PATIENCE) as http:
                asked = {"headers": {"A2A-Version": self._version}}
                card = await A2ACardResolver(http, self._url).get_agent_card(http_kwargs=asked)
                client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
                is_old = isinstance(client._transport, CompatJsonRpcTransport)  # type: ignore[attr-defined]
                assert is_old is (self._version == "0.3")
                return await use(client)

        return asyncio.run(run())

    def say(self, text: str) -> list[Any]:
        """Send a message; return what comes."""

        async def use(client: Client) -> list[Any]:
            request = pb.SendMessageRequest(message=new_text_message(text, role=pb.ROLE_USER))
            return [event async for event in client.send_message(request)]

        events: list[Any] = self.use(use)
        return events


@pytest.fixture(params=["shouter", "old-shouter"])
def agent(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["1.0", "0.3"])
def official(gateway: FakeGateway, agent: str, request: pytest.FixtureRequest) -> Official:
    return Official(gateway, agent, request.param)


def test_the_official_client_follows_a_task(official: Official) -> None:
    events = official.say("shout hi")
    assert [event.WhichOneof("payload") for event in events] == [
        "task",
        "status_update",
        "artifact_update",
        "status_update",
    ]
    assert events[2].artifact_update.artifact.parts[0].text == "HI"
    assert events[3].status_update.status.state == pb.TASK_STATE_COMPLETED


def test_the_official_client_gets_a_message(official: Official) -> None:
    [event] = official.say("talk hello")
    assert event.message.parts[0].text == "Hello"
    assert event.message.role == pb.ROLE_AGENT


def test_the_official_client_reads_lists_and_refuses_as_with_the_agent_itself(official: Official) -> None:
    task = official.say("ask")[0].task

    async def use(client: Client) -> None:
        read = await client.get_task(pb.GetTaskRequest(id=task.id))
        assert read.status.state == pb.TASK_STATE_INPUT_REQUIRED
        with pytest.raises(errors.TaskNotFoundError):
            await client.get_task(pb.GetTaskRequest(id="none"))
        cancelled = await client.cancel_task(pb.CancelTaskRequest(id=task.id))
        assert cancelled.status.state == pb.TASK_STATE_CANCELED
        with pytest.raises(errors.TaskNotCancelableError):
            await client.cancel_task(pb.CancelTaskRequest(id=task.id))

    official.use(use)


def test_the_official_client_says_where_to_be_called_back(official: Official) -> None:
    task = official.say("ask")[0].task

    async def use(client: Client) -> None:
        config = pb.TaskPushNotificationConfig(task_id=task.id, id="c-1", url="http://127.0.0.1:9/hook")
        config.authentication.scheme = "Bearer"
        made = await client.create_task_push_notification_config(config)
        assert (made.task_id, made.url, made.authentication.scheme) == (task.id, config.url, "Bearer")
        wanted = pb.GetTaskPushNotificationConfigRequest(task_id=task.id, id="c-1")
        assert (await client.get_task_push_notification_config(wanted)).id == "c-1"
        every = pb.ListTaskPushNotificationConfigsRequest(task_id=task.id)
        listed = await client.list_task_push_notification_configs(every)
        assert [each.id for each in listed.configs] == ["c-1"]
        gone = pb.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="c-1")
        await client.delete_task_push_notification_config(gone)
        assert not (await client.list_task_push_notification_configs(every)).configs

    official.use(use)


def test_the_official_client_follows_a_task_again(official: Official) -> None:
    async def use(client: Client) -> None:
        request = pb.SendMessageRequest(message=new_text_message("wait", role=pb.ROLE_USER))
        events = client.send_message(request)
        task = (await anext(events)).task
        again = client.subscribe(pb.SubscribeToTaskRequest(id=task.id))
        first = await anext(again)
        assert first.WhichOneof("payload") in {"task", "status_update"}
        await client.cancel_task(pb.CancelTaskRequest(id=task.id))
        rest = [event async for event in again]
        assert rest[-1].status_update.status.state == pb.TASK_STATE_CANCELED
        await events.aclose()  # type: ignore[attr-defined]

    official.use(use)


def test_the_official_client_is_told_what_the_agent_cannot(gateway: FakeGateway) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(errors.UnsupportedOperationError):
            await client.list_tasks(pb.ListTasksRequest())

    Official(gateway, "old-shouter", "1.0").use(use)


def test_the_official_client_reads_an_extended_card_that_leads_here(gateway: FakeGateway) -> None:
    async def use(client: Client) -> None:
        card = await client.get_extended_agent_card(pb.GetExtendedAgentCardRequest())
        assert {offer.url for offer in card.supported_interfaces} == {f"{gateway.url}/a2a/shouter"}

    Official(gateway, "shouter", "1.0").use(use)


def test_the_official_client_is_told_of_an_agent_that_is_down(start: Start) -> None:
    running = Agents()
    try:
        gateway = start(f"{running.url}/new")
        official = Official(gateway, "shouter", "1.0")
        assert official.say("talk hi")
    finally:
        running.close()
    with pytest.raises(A2AClientError, match="502"):
        official.say("talk hi")


# ---- our own client --------------------------------------------------------------------------------------


@pytest.fixture
def client(gateway: FakeGateway) -> Any:
    with InferenceGatewayClient(f"{gateway.url}/v1") as client:
        yield client


def test_our_client_lists_and_describes_agents(client: Any) -> None:
    listed = client.a2a.list_agents().data
    assert [(each.id, each.state, each.dialects) for each in listed] == [
        ("shouter", "available", ["1.0"]),
        ("old-shouter", "available", ["0.3"]),
    ]
    assert client.a2a.get_agent("shouter").skills[0].name == "Shout"


@pytest.mark.parametrize("protocol", ["auto", "1.0", "0.3"])
def test_our_client_speaks_to_an_agent_by_its_id(client: Any, agent: str, protocol: Any) -> None:
    spoken = client.a2a.agent(agent, protocol=protocol)
    done = spoken.send_message("shout hi")
    assert isinstance(done, Task)
    assert done.text == "HI"
    assert isinstance(spoken.send_message("talk hi"), A2AMessage)
    events = list(spoken.stream_message("shout hi"))
    assert events[-1].status.state == "completed"
    assert list(spoken.stream_message("ask"))[-1].status.state == "input-required"
    with pytest.raises(TaskNotFoundError):
        spoken.get_task("none")


def test_our_client_is_told_what_the_agent_cannot(client: Any) -> None:
    with pytest.raises(UnsupportedOperationError):
        client.a2a.agent("old-shouter", protocol="1.0").list_tasks()
    assert client.a2a.agent("shouter").list_tasks().tasks is not None
