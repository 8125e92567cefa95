"""What clients see of agents: a list of them, their cards, and a place to speak to each."""

from typing import TYPE_CHECKING

from inference_gateway.server.api.answers import json_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.inference import expiry
from inference_gateway.server.errors import Forbidden, NotFound, UnsupportedMediaType
from inference_gateway.server.transport.messages import Request, Response

if TYPE_CHECKING:
    from inference_gateway.server.a2a.hosting import Hosting


async def list_agents(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /a2a/agents`.

    :raises Forbidden: A2A_EXPOSE is not set.
    """
    _check_exposed(gateway)
    agents = await gateway.agent_host.listed() if gateway.agent_host is not None else []
    return json_response({"object": "list", "data": agents})


async def get_agent(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /a2a/agents/{id}`.

    :raises Forbidden: A2A_EXPOSE is not set.
    :raises NotFound: there is no such agent.
    """
    return json_response(await _host(gateway).described(_id(request)))


async def get_card(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /a2a/{id}/.well-known/agent-card.json`.

    :raises Forbidden: A2A_EXPOSE is not set.
    :raises NotFound: there is no such agent.
    :raises UpstreamError: its card is not known yet.
    """
    card = await _host(gateway).card(_id(request), request.header(b"a2a-version"))
    response = json_response(card)
    response.headers.append((b"vary", b"a2a-version"))
    return response


async def speak(gateway: Gateway, request: Request) -> Response:
    """Answer `POST /a2a/{id}`: JSON-RPC, for the agent.

    :raises Forbidden: A2A_EXPOSE is not set.
    :raises NotFound: there is no such agent.
    :raises UnsupportedMediaType: the body is compressed.
    """
    host = _host(gateway)
    if request.header(b"content-encoding") not in {None, b"identity"}:
        raise UnsupportedMediaType("the request body must not be compressed here")
    headers = gateway.header_rule.agent(request.headers)
    if gateway.calls is not None:
        headers = gateway.calls.along(headers, request.trace)
    return await host.answer(_id(request), request, headers=headers, expires_at=expiry(request))


def _host(gateway: Gateway) -> "Hosting":
    _check_exposed(gateway)
    if gateway.agent_host is None:
        raise NotFound("A2A is off here")
    return gateway.agent_host


def _check_exposed(gateway: Gateway) -> None:
    if not gateway.exposes_agents:
        raise Forbidden("agents are not exposed: A2A_EXPOSE is off")


def _id(request: Request) -> str:
    return request.params["agent"].decode("latin-1")
