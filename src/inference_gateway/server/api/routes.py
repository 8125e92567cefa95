"""Every endpoint: one line, one function."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from inference_gateway.server.api import a2a, documents, health, inference, mcp, metrics_push, models, raw, ui
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.operations import CHAT
from inference_gateway.server.inference import Operation
from inference_gateway.server.transport.messages import Request, Response

Endpoint = Callable[[Gateway, Request], Awaitable[Response]]

_GET = ("GET", "HEAD")
_ANY = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Route(msgspec.Struct, frozen=True):
    """Where an endpoint is reached: every path is the same thing."""

    methods: tuple[str, ...]
    paths: tuple[str, ...]
    """OpenAPI templates."""
    operation_id: str
    summary: str
    endpoint: Endpoint
    is_public: bool = False
    """Whether it answers callers who do not say who they are; its paths have no parameters."""
    always_answered: bool = False
    """Whether it is answered however much is under way: whoever watches must not take busy for dead."""
    operation: Operation | None = None
    """The inference API that it is; its paths have no parameters."""
    of_page: bool = False
    """Whether it is there only with the status page."""


ROUTES = (
    Route(
        _GET,
        ("/health", "/v1/health"),
        "healthCheck",
        "Whether the gateway runs",
        health.live,
        is_public=True,
        always_answered=True,
    ),
    Route(
        _GET,
        ("/health/live", "/v1/health/live"),
        "healthLive",
        "Whether the gateway runs",
        health.live,
        is_public=True,
        always_answered=True,
    ),
    Route(
        _GET,
        ("/health/ready", "/v1/health/ready"),
        "healthReady",
        "Whether the gateway takes requests",
        health.ready,
        is_public=True,
        always_answered=True,
    ),
    Route(_GET, ("/v1/models",), "listModels", "List models", models.list_models),
    Route(_GET, ("/v1/models/{id}",), "getModel", "Describe a model", models.get_model),
    Route(
        ("POST",),
        ("/v1/chat/completions",),
        "createChatCompletion",
        "Create a chat completion, whole or as a stream",
        inference.create_chat_completion,
        operation=CHAT,
    ),
    Route(("POST",), ("/v1/metrics",), "pushMetrics", "Push metrics", metrics_push.push_metrics),
    Route(_GET, ("/v1/mcp/tools",), "listTools", "List MCP tools", mcp.list_tools),
    Route(_GET, ("/v1/mcp/health",), "mcpHealth", "How the MCP servers are", mcp.health),
    Route(("POST",), ("/mcp",), "mcpServer", "The tools, for MCP clients", mcp.serve),
    Route(_GET, ("/a2a/agents", "/v1/a2a/agents"), "listAgents", "List agents", a2a.list_agents),
    Route(
        _GET,
        ("/a2a/agents/{agent}", "/v1/a2a/agents/{agent}"),
        "getAgent",
        "Describe an agent",
        a2a.get_agent,
    ),
    Route(
        _GET,
        ("/a2a/{agent}/.well-known/agent-card.json", "/v1/a2a/{agent}/.well-known/agent-card.json"),
        "getAgentCard",
        "An agent's card",
        a2a.get_card,
    ),
    Route(
        _GET,
        ("/a2a/{agent}/.well-known/agent.json", "/v1/a2a/{agent}/.well-known/agent.json"),
        "getEarlyAgentCard",
        "An agent's card, where cards were before",
        a2a.get_card,
    ),
    Route(("POST",), ("/a2a/{agent}", "/v1/a2a/{agent}"), "speakToAgent", "Speak to an agent", a2a.speak),
    Route(
        _ANY,
        ("/proxy/{provider}/{path}", "/v1/proxy/{provider}/{path}"),
        "proxy",
        "Relay a request to a provider's own API",
        raw.proxy,
    ),
    Route(_GET, ("/openapi.json",), "getOpenAPI", "This document", documents.openapi),
    Route(_GET, ("/ui",), "getPage", "The status page", ui.shell, is_public=True, of_page=True),
    Route(
        _GET,
        ("/ui/api/status",),
        "uiStatus",
        "Figures of the gateway",
        ui.status,
        always_answered=True,
        of_page=True,
    ),
    Route(_GET, ("/ui/api/errors",), "uiErrors", "What went wrong lately", ui.mishaps, of_page=True),
    Route(_GET, ("/ui/api/services",), "uiServices", "Providers and services", ui.services, of_page=True),
    Route(_GET, ("/ui/api/settings",), "uiSettings", "Settings in effect", ui.settings, of_page=True),
)

ALWAYS_ANSWERED = frozenset(
    path.encode("ascii") for route in ROUTES if route.always_answered for path in route.paths
)
INFERENCE_PATHS = {
    path.encode("ascii"): route.operation for route in ROUTES if route.operation for path in route.paths
}


def routes_of(gateway: Gateway) -> tuple[Route, ...]:
    """Return what this gateway offers, the files of its status page included."""
    page = gateway.page
    if page is None:
        return tuple(route for route in ROUTES if not route.of_page)
    files = tuple(path.decode("ascii") for path in page.assets.by_path)
    return (
        *ROUTES,
        Route(_GET, files, "getPageFile", "A file of the status page", ui.asset, is_public=True),
        Route(_GET, ("/ui/",), "movePage", "Where the status page is", ui.moved, is_public=True),
    )


def public_paths(routes: Iterable[Route]) -> frozenset[bytes]:
    """Return the paths that answer everybody: all others, existing or not, are for callers that are known."""
    return frozenset(path.encode("ascii") for route in routes if route.is_public for path in route.paths)


def page_paths(routes: Iterable[Route]) -> frozenset[bytes]:
    """Return the paths of the status page, which it asks for all the time."""
    return frozenset(path.encode("ascii") for route in routes if route.of_page for path in route.paths)
