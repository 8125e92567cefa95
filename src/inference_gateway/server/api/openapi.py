"""The OpenAPI document: the wire types, the route table, and what is said below about each operation.

`python -m inference_gateway.server.api.openapi` writes `openapi.yaml` beside `pyproject.toml` and the
same document as JSON into the package, from where the gateway serves it. Nothing here runs in the gateway.

https://spec.openapis.org/oas/v3.1.0
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import JsonValue

from inference_gateway._version import __version__
from inference_gateway.server import errors
from inference_gateway.server.api.openapi_page import PAGE_OPERATIONS, PAGE_TYPES
from inference_gateway.server.api.openapi_row import ANY, Operation
from inference_gateway.server.api.openapi_schemas import schemas
from inference_gateway.server.api.openapi_texts import DESCRIPTION, STREAM_EXAMPLE
from inference_gateway.server.api.routes import ROUTES

Json = dict[str, JsonValue]

CHECKOUT = Path(__file__).resolve().parents[4]
PACKAGED = Path(__file__).with_name("openapi.json")


class RouteLike(Protocol):
    """A row of the route table, as far as it is documented."""

    @property
    def methods(self) -> tuple[str, ...]:
        """HTTP methods, in capitals."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Path templates; the first is the one to use, the others are its aliases."""

    @property
    def operation_id(self) -> str:
        """Key into `OPERATIONS`."""

    @property
    def summary(self) -> str:
        """What the operation does, in a line."""

    @property
    def is_public(self) -> bool:
        """Whether it never asks for a token."""


SWITCHES: Mapping[str, tuple[str, str]] = {
    "MCPBypass": ("X-MCP-Bypass", "Offer no tools of MCP servers; the operator may forbid it."),
    "A2ABypass": ("X-A2A-Bypass", "Offer no agents as tools; the operator may forbid it."),
    "DirectProvider": (
        "X-Direct-Provider",
        "Pass by every stage that would change the request; the operator may forbid it.",
    ),
    "StreamToolCalls": ("X-MCP-Stream-Tool-Calls", "Whether a stream shows the calls that the gateway runs."),
}
"""Request headers that are on or off."""


# ---- what is said about operations -------------------------------------------------------------------

BODY = (errors.BodyTooLarge, errors.UnsupportedMediaType)
CALLERS = (errors.Unauthorized, errors.Forbidden)
UPSTREAM = (errors.UpstreamError, errors.UpstreamTimeout)

OPERATIONS: Mapping[str, Operation] = {
    "healthCheck": Operation(
        "Health",
        "Answers as long as the process can answer. No provider is asked.",
        "Healthy",
        ANY,
    ),
    "healthLive": Operation("Health", "Whether the process is alive; if not, restart it.", "Healthy", ANY),
    "healthReady": Operation(
        "Health",
        "Whether new requests are welcome. 503 while shutting down, with streams still being finished.",
        "Healthy",
        ANY,
    ),
    "listModels": Operation(
        "Models",
        "Lists the models of every configured provider, or of one. Without `provider`, a provider that "
        "does not answer is left out.",
        "Models",
        (*ANY, *UPSTREAM),
        parameters=("Provider", "Include", "GatewayTimeout"),
    ),
    "getModel": Operation(
        "Models",
        "Describes one model.",
        "Model",
        (*ANY, errors.NotFound, *UPSTREAM),
        parameters=("Include", "GatewayTimeout"),
    ),
    "createChatCompletion": Operation(
        "Completions",
        "Completes a conversation, in one answer or, with `stream: true`, in events. The provider is that "
        "of the `provider` parameter, or else the first segment of the model. Fields that this document "
        "does not name are passed on, in both directions.",
        "ChatCompletion",
        (*ANY, errors.Forbidden, *BODY, *UPSTREAM),
        parameters=("Provider", "GatewayTimeout", *SWITCHES),
        body="ChatCompletion",
        relays=True,
    ),
    "pushMetrics": Operation(
        "Telemetry",
        "Takes metrics that clients measured, as OTLP over HTTP brings them, with delta temporality. The "
        "answer says how many points were not taken, and why. 403 unless the operator takes them.",
        "MetricsTaken",
        (*ANY, *BODY, errors.Forbidden),
        body="Metrics",
    ),
    "listTools": Operation(
        "MCP",
        "Lists the tools that the gateway found on MCP servers. 403 unless the operator exposes them.",
        "Tools",
        (*ANY, errors.Forbidden),
    ),
    "mcpHealth": Operation(
        "MCP",
        "Tells of each configured MCP server whether it is available, and how many tools it offers.",
        "ToolServers",
        ANY,
    ),
    "mcpServer": Operation(
        "MCP",
        "The gateway as an MCP server: streamable HTTP without sessions, with every tool that `GET "
        "/v1/mcp/tools` lists. 403 unless the operator exposes them.",
        "MCPMessage",
        (*ANY, *BODY, errors.Forbidden, errors.NotFound, errors.UnsupportedMediaType),
        body="MCPMessage",
    ),
    "listAgents": Operation(
        "A2A",
        "Lists the agents that the gateway speaks to. 403 unless the operator exposes them.",
        "Agents",
        (*ANY, errors.Forbidden),
    ),
    "getAgent": Operation(
        "A2A",
        "Describes an agent: how it is, and its card. 403 unless the operator exposes agents.",
        "Agent",
        (*ANY, errors.Forbidden, errors.NotFound),
    ),
    "getAgentCard": Operation(
        "A2A",
        "The card of an agent, which leads to the gateway, in the writing of the dialect that `A2A-Version` "
        "names; in both where it names none.",
        "AgentCard",
        (*ANY, errors.Forbidden, errors.NotFound, errors.UpstreamError),
        parameters=("A2AVersion",),
    ),
    "getEarlyAgentCard": Operation(
        "A2A",
        "The same, at the path of A2A before 0.3.",
        "AgentCard",
        (*ANY, errors.Forbidden, errors.NotFound, errors.UpstreamError),
        parameters=("A2AVersion",),
    ),
    "speakToAgent": Operation(
        "A2A",
        "JSON-RPC of the Agent2Agent protocol, in the dialect 1.0 or 0.3, whichever the agent speaks. What "
        "the agent refuses, or cannot be asked, is a JSON-RPC error.",
        "AgentReply",
        (*ANY, *BODY, errors.Forbidden, errors.NotFound, *UPSTREAM),
        parameters=("A2AVersion", "GatewayTimeout"),
        body="AgentRequest",
        relays=True,
    ),
    "proxy": Operation(
        "Proxy",
        "Passes a request to the provider's own API, with the provider's credentials. Status, headers and "
        "body of the answer are the provider's.",
        "ProviderAnswer",
        (*ANY, *BODY, *UPSTREAM),
        parameters=("GatewayTimeout",),
        body="ProviderRequest",
        relays=True,
    ),
    "getOpenAPI": Operation("Meta", "This document.", "Document", ANY),
    **PAGE_OPERATIONS,
}

TAGS = {
    "Completions": "Generate text.",
    "Models": "What can be asked, and by which name.",
    "Telemetry": "What clients measure themselves.",
    "MCP": "Tools of Model Context Protocol servers.",
    "A2A": "Agents, by the Agent2Agent protocol.",
    "Proxy": "A provider's own API.",
    "Health": "Probes.",
    "Status page": "How the gateway does, for people. See docs/ui.md.",
    "Meta": "About this API.",
}

ERRORS: Mapping[type[errors.GatewayError], str] = {
    errors.BadRequest: "The request cannot be understood. The message names what is wrong.",
    errors.Unauthorized: "The operator wants to know who asks, and the request does not say, or not well: "
    "`WWW-Authenticate` has the reason.",
    errors.Forbidden: "Not allowed here: a model the operator does not serve, or a feature that is off.",
    errors.NotFound: "No such thing.",
    errors.MethodNotAllowed: "The path exists, but not with this method. `Allow` names those that do.",
    errors.RequestTimeout: "The request came too slowly.",
    errors.BodyTooLarge: "The body is larger than the operator allows.",
    errors.URLTooLong: "The URL is longer than the operator allows.",
    errors.UnsupportedMediaType: "The body comes in an encoding that is not read here.",
    errors.HeadersTooLarge: "The headers are larger than the operator allows.",
    errors.GatewayError: "A mistake in the gateway. The log has more under the request's id.",
    errors.UpstreamError: "The provider could not be reached, or its answer made no sense.",
    errors.Overloaded: "No room for more, or shutting down. `Retry-After` says when to come back.",
    errors.UpstreamTimeout: "The provider did not answer in time.",
}

# ---- components --------------------------------------------------------------------------------------

HEADERS: Mapping[str, tuple[str, str]] = {
    "X-Request-Id": ("string", "Id of the request: the client's own if it sent a sane one."),
    "X-Upstream-Request-Id": ("string", "The provider's id of the request."),
    "Retry-After": ("integer", "Seconds after which to try again."),
    "Allow": ("string", "Methods that the path has."),
    "WWW-Authenticate": ("string", "A challenge as RFC 6750 has it, with the reason."),
    "X-RateLimit-Limit-Requests": ("string", "The provider's limit of requests."),
    "X-RateLimit-Limit-Tokens": ("string", "The provider's limit of tokens."),
    "X-RateLimit-Remaining-Requests": ("string", "Requests left of the provider's limit."),
    "X-RateLimit-Remaining-Tokens": ("string", "Tokens left of the provider's limit."),
    "X-RateLimit-Reset-Requests": ("string", "When the provider's limit of requests is reset."),
    "X-RateLimit-Reset-Tokens": ("string", "When the provider's limit of tokens is reset."),
}
RELAYED = tuple(name for name in HEADERS if name not in ("Allow", "WWW-Authenticate"))


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _headers(*names: str) -> Json:
    return {name: _ref("headers", name) for name in names}


def _json_of(schema: str) -> Json:
    return {"application/json": {"schema": _ref("schemas", schema)}}


def _otlp(message: str) -> Json:
    described = f"An `{message}` of OTLP."
    return {
        "application/x-protobuf": {"schema": {"type": "string", "description": described}},
        "application/json": {"schema": {"type": "object", "description": described}},
    }


def _answer(description: str, content: Json, *headers: str) -> Json:
    return {
        "description": description,
        "headers": _headers("X-Request-Id", *headers),
        "content": content,
    }


def _error_answer(error: type[errors.GatewayError]) -> Json:
    extra = {
        errors.Overloaded: ("Retry-After",),
        errors.MethodNotAllowed: ("Allow",),
        errors.Unauthorized: ("WWW-Authenticate",),
    }
    return _answer(ERRORS[error], _json_of("Error"), *extra.get(error, ()))


def _error_name(error: type[errors.GatewayError]) -> str:
    return "InternalError" if error is errors.GatewayError else error.__name__


def _answers() -> Json:
    relayed = RELAYED[1:]
    stream: Json = {
        "schema": {
            "type": "string",
            "description": "Events whose data is a `CreateChatCompletionStreamResponse`, then `[DONE]`.",
        },
        "example": STREAM_EXAMPLE,
    }
    either: Json = {"anyOf": [_ref("schemas", "Error"), _ref("schemas", "ProviderSpecificResponse")]}
    return {
        "Healthy": _answer("All is well.", _json_of("HealthStatus")),
        "Models": _answer("The models.", _json_of("ListModelsResponse")),
        "Model": _answer("The model.", _json_of("Model")),
        "Tools": _answer("The tools.", _json_of("ListToolsResponse")),
        "ToolServers": _answer("How they are.", _json_of("MCPHealth")),
        "MCPMessage": _answer(
            "The answer, by the protocol; events if the call asks for progress.",
            {"application/json": {"schema": {}}, "text/event-stream": {"schema": {"type": "string"}}},
        ),
        "MetricsTaken": _answer("What was taken is counted.", _otlp("ExportMetricsServiceResponse")),
        "Agents": _answer("The agents.", _json_of("ListAgentsResponse")),
        "Agent": _answer("The agent.", _json_of("Agent")),
        "AgentCard": _answer("The card.", _json_of("AgentCard")),
        "AgentReply": _answer(
            "The reply, or the events of one.",
            {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {"schema": {}}},
            *relayed,
        ),
        "Page": _answer("The page.", {"text/html": {"schema": {"type": "string"}}}),
        **{name: _answer("As it is now.", _json_of(name)) for name in PAGE_TYPES},
        "Document": _answer("The document.", {"application/json": {"schema": {"type": "object"}}}),
        "ChatCompletion": _answer(
            "The completion; events if the request says `stream: true`.",
            {**_json_of("CreateChatCompletionResponse"), "text/event-stream": stream},
            *relayed,
        ),
        "ProviderAnswer": _answer(
            "Whatever the provider answers.",
            {**_json_of("ProviderSpecificResponse"), "*/*": {"schema": {}}},
            *relayed,
        ),
        "ProviderError": _answer(
            "The provider's own error, with its status.", {"application/json": {"schema": either}}, *relayed
        ),
        **{_error_name(error): _error_answer(error) for error in ERRORS},
    }


def _switches() -> Json:
    return {
        name: {"name": header, "in": "header", "description": text, "schema": {"type": "boolean"}}
        for name, (header, text) in SWITCHES.items()
    }


def _parameters() -> Json:
    open_provider: Json = {"anyOf": [_ref("schemas", "Provider"), {"type": "string"}]}
    return {
        **_switches(),
        "Provider": {
            "name": "provider",
            "in": "query",
            "description": "The provider to ask.",
            "schema": open_provider,
        },
        "Include": {
            "name": "include",
            "in": "query",
            "description": "Metadata to add to each model, separated by commas.",
            "style": "form",
            "explode": False,
            "schema": {"type": "array", "items": _ref("schemas", "ModelsInclude")},
        },
        "GatewayTimeout": {
            "name": "X-Gateway-Timeout",
            "in": "header",
            "description": "Bound on the whole call, in seconds or with a unit; never beyond the operator's.",
            "schema": {"type": "string", "examples": ["3s", "1.5"]},
        },
        "A2AVersion": {
            "name": "A2A-Version",
            "in": "header",
            "description": "Version of the protocol that the request is in.",
            "schema": {"type": "string", "examples": ["1.0", "0.3"]},
        },
        "AgentPath": {
            "name": "agent",
            "in": "path",
            "required": True,
            "description": "Id from the list of agents.",
            "schema": {"type": "string"},
        },
        "ProviderPath": {
            "name": "provider",
            "in": "path",
            "required": True,
            "description": "The provider to ask.",
            "schema": open_provider,
        },
        "PathPath": {
            "name": "path",
            "in": "path",
            "required": True,
            "description": "The rest of the path, slashes and all, below the provider's base URL.",
            "schema": {"type": "string"},
        },
        "IdPath": {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "Id from the list of models; its slashes may stay as they are.",
            "schema": {"type": "string"},
        },
    }


def _components() -> Json:
    return {
        "securitySchemes": {
            "bearerAuth": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An API key of the gateway, or a token of the operator's OpenID Connect "
                "issuer. Asked for only where the operator has switched authentication on.",
            }
        },
        "parameters": _parameters(),
        "headers": {
            name: {"description": text, "schema": {"type": kind}} for name, (kind, text) in HEADERS.items()
        },
        "requestBodies": {
            "ChatCompletion": {"required": True, "content": _json_of("CreateChatCompletionRequest")},
            "MCPMessage": {
                "required": True,
                "description": "A message of JSON-RPC, as the Model Context Protocol has it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "Metrics": {"required": True, "content": _otlp("ExportMetricsServiceRequest")},
            "AgentRequest": {
                "required": True,
                "description": "A JSON-RPC request, as the Agent2Agent protocol has it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "ProviderRequest": {
                "description": "Whatever the provider expects.",
                "content": {"application/json": {"schema": {}}, "*/*": {"schema": {}}},
            },
        },
        "responses": _answers(),
        "schemas": schemas(),
    }


# ---- the document ------------------------------------------------------------------------------------

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def document(routes: Sequence[RouteLike]) -> Json:
    """Describe these routes, and every wire type.

    :raises LookupError: a route without a row in `OPERATIONS`, or a path parameter that nobody describes.
    :raises ValueError: two operations with one id.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inference Gateway API",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:8080"}],
        "security": [{}, {"bearerAuth": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _paths(routes),
        "components": _components(),
    }


def _paths(routes: Sequence[RouteLike]) -> Json:
    paths: dict[str, Json] = {}
    ids: set[str] = set()
    for route in routes:
        for path, method in _places(route):
            operation = _operation(route, path, method)
            name = str(operation["operationId"])
            if name in ids:
                raise ValueError(f"two operations are called {name!r}")
            ids.add(name)
            paths.setdefault(path, {})[method.lower()] = operation
    return dict(paths)


def _places(route: RouteLike) -> Iterator[tuple[str, str]]:
    for path in route.paths:
        for method in route.methods:
            yield path, method


def _operation(route: RouteLike, path: str, method: str) -> Json:
    try:
        row = OPERATIONS[route.operation_id]
    except KeyError:
        raise LookupError(f"operation {route.operation_id!r} has no row in OPERATIONS") from None
    made: Json = {
        "operationId": _operation_id(route, path, method),
        "summary": route.summary,
        "description": row.description,
        "tags": [row.tag],
    }
    if route.is_public:
        made["security"] = []
    if parameters := [*_path_parameters(path), *row.parameters]:
        made["parameters"] = [_ref("parameters", name) for name in parameters]
    if row.body is not None and method in WITH_BODY:
        made["requestBody"] = _ref("requestBodies", row.body)
    made["responses"] = _responses(row, () if route.is_public else CALLERS)
    return made


def _operation_id(route: RouteLike, path: str, method: str) -> str:
    # HEAD comes with GET and does not make a route one of many methods.
    kinds = [each for each in route.methods if each != "HEAD"]
    of_many = len(kinds) > 1 or (method == "HEAD" and bool(kinds))
    alias = "" if path == route.paths[0] else "V1" if path.startswith("/v1/") else "Root"
    return route.operation_id + (method.capitalize() if of_many else "") + alias


def _path_parameters(path: str) -> list[str]:
    known = _parameters()
    names = [f"{name.capitalize()}Path" for name in re.findall(r"\{(\w+)\}", path)]
    for name in names:
        if name not in known:
            raise LookupError(f"no parameter {name!r} for path {path!r}")
    return names


def _responses(row: Operation, more: tuple[type[errors.GatewayError], ...]) -> Json:
    made: Json = {"200": _ref("responses", row.success)}
    for error in sorted({*row.errors, *more}, key=lambda each: each.status):
        made[str(error.status)] = _ref("responses", _error_name(error))
    if row.relays:
        made["default"] = _ref("responses", "ProviderError")
    return made


# ---- the files ---------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_json(described: Json) -> str:
    """Write the document as JSON, a line per value."""
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def as_yaml(described: Json) -> str:
    """Write the document as YAML, without anchors."""
    unshared = json.loads(json.dumps(described))
    return yaml.dump(unshared, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def main() -> None:
    """Write both files of the checkout that this module lies in."""
    if not (CHECKOUT / "pyproject.toml").is_file():
        sys.exit("the OpenAPI document is written in a checkout, not in an installed package")
    described = document(ROUTES)
    (CHECKOUT / "openapi.yaml").write_text(as_yaml(described), encoding="utf-8")
    PACKAGED.write_text(as_json(described), encoding="utf-8")


if __name__ == "__main__":
    main()
