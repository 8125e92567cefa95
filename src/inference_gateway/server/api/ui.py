"""The status page at `/ui`, open to all, and its data at `/ui/api`, for callers who may use every model."""

import time

import msgspec

from inference_gateway._version import __version__
from inference_gateway.server.api.answers import json_response
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import Forbidden
from inference_gateway.server.providers.catalog import Listing
from inference_gateway.server.telemetry.board import Mishap
from inference_gateway.server.transport.messages import Header, Request, Response
from inference_gateway.server.ui.assets import SAFE, Asset
from inference_gateway.server.ui.page import Counted, Page

_FRESH: Header = (b"cache-control", b"no-store")


class UIStatus(msgspec.Struct, frozen=True):
    """How the gateway does."""

    now: float
    """Its clock, in seconds since 1970."""
    version: str
    page: str
    """Which version of the page it has; another one than its own, and the page is to be loaded anew."""
    counted: Counted | None
    """Null where figures are not there, as under an ASGI server."""


class UIMishaps(msgspec.Struct, frozen=True):
    """What went wrong lately, the newest first. Neither what people write nor what models answer."""

    failures: list[Mishap]
    """Requests that failed at a provider, or in the gateway."""
    refusals: list[Mishap]
    """Requests that the gateway refused."""


class UITool(msgspec.Struct, frozen=True):
    """A tool or a skill."""

    name: str
    description: str


class UIService(msgspec.Struct, frozen=True):
    """Somebody whom the gateway speaks to beside the providers."""

    name: str
    state: str
    detail: str
    error: str | None
    tools: list[UITool]


class UISection(msgspec.Struct, frozen=True):
    """Services of one kind."""

    title: str
    services: list[UIService]


class UIProvider(msgspec.Struct, frozen=True):
    """A configured provider."""

    id: str
    name: str
    address: str
    """Where it is; empty for one inside the gateway."""
    models: int | None
    """How many models it listed; null where it never listed any."""
    error: str | None
    """Why it did not list its models when it was asked last."""


class UIServices(msgspec.Struct, frozen=True):
    """Whom the gateway speaks to, as the process sees them that answers."""

    providers: list[UIProvider]
    sections: list[UISection]


class UISetting(msgspec.Struct, frozen=True):
    """A setting in effect."""

    name: str
    value: str
    """As text that could be given; `********` in place of a secret."""
    source: str
    """`default`, or `set`."""


class UIEffective(msgspec.Struct, frozen=True):
    """Every setting in effect, secrets masked."""

    settings: list[UISetting]


def _page(gateway: Gateway, request: Request) -> Page:
    page, caller = gateway.page, request.principal
    assert page is not None
    if caller is not None and caller.allowed_models:
        raise Forbidden("this key is good for some models only, and the status page tells of everything")
    return page


def _told(value: object) -> Response:
    response = json_response(value)
    response.headers += (_FRESH, *SAFE)
    return response


async def shell(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /ui`."""
    assert gateway.page is not None
    return _file(gateway.page.assets.shell, request)


async def asset(gateway: Gateway, request: Request) -> Response:
    """Answer with a file of the page."""
    assert gateway.page is not None
    return _file(gateway.page.assets.by_path[request.path], request)


async def moved(gateway: Gateway, request: Request) -> Response:
    """Send `GET /ui/` to where the page is: its own links count from there."""
    return Response(308, [(b"location", b"../ui"), *SAFE])


def _file(file: Asset, request: Request) -> Response:
    if request.header(b"if-none-match") == file.tag:
        return Response(304, list(file.headers))
    return Response(200, list(file.headers), file.body)


async def status(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /ui/api/status`: figures, and everybody counts from now on.

    :raises Forbidden: a key that is limited to some models.
    """
    page = _page(gateway, request)
    return _told(UIStatus(time.time(), __version__, page.assets.digest, page.counted()))


async def mishaps(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /ui/api/errors`.

    :raises Forbidden: a key that is limited to some models.
    """
    said = _page(gateway, request).mishaps()
    return _told(UIMishaps(said.failures, said.refusals))


async def settings(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /ui/api/settings`.

    :raises Forbidden: a key that is limited to some models.
    """
    return _told(UIEffective([UISetting(*row) for row in _page(gateway, request).settings]))


async def services(gateway: Gateway, request: Request) -> Response:
    """Answer `GET /ui/api/services`. Has lists of models that are old asked for anew, and waits for none.

    :raises Forbidden: a key that is limited to some models.
    """
    _page(gateway, request)
    providers = [
        _provider(gateway, provider_id, gateway.catalog.look(provider_id))
        for provider_id in gateway.registry.configured
    ]
    sections = [section for section in (make(gateway) for make in _SECTIONS) if section is not None]
    return _told(UIServices(providers, sections))


def _provider(gateway: Gateway, provider_id: str, listing: Listing) -> UIProvider:
    provider = gateway.registry.configured[provider_id]
    return UIProvider(
        id=provider_id,
        name=provider.name,
        address=provider.base_url,
        models=listing.models,
        error=listing.error,
    )


def _tool_servers(gateway: Gateway) -> UISection | None:
    if gateway.mcp is None:
        return None
    services = [
        UIService(
            name=health.name,
            state=health.status,
            detail=" · ".join(filter(None, (address, health.transport, health.protocol_version))),
            error=health.error,
            tools=[UITool(tool.name, tool.description) for tool in tools],
        )
        for health, address, tools in gateway.mcp.offers()
    ]
    return UISection("MCP servers", services)


def _agents(gateway: Gateway) -> UISection | None:
    if gateway.a2a is None:
        return None
    services = [
        UIService(
            name=agent.name or agent.id,
            state=agent.state,
            detail=" · ".join(filter(None, (agent.id, agent.url, agent.dialect))),
            error=agent.last_error or None,
            tools=[UITool(skill.name, skill.description) for skill in agent.card.skills]
            if agent.card
            else [],
        )
        for agent in gateway.a2a.listed()
    ]
    return UISection("A2A agents", services)


_SECTIONS = (_tool_servers, _agents)
"""Makes the section of each kind of services; None where there are none."""
