"""Settings of the Model Context Protocol; `settings` has the rest, and says how they are read."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from inference_gateway.server.setting_kinds import Duration, Secret, Timeout


class MCPServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One MCP server: reached at a URL, or started as a process."""

    name: Annotated[
        str | None,
        Meta(
            description="Short name of the server, part of qualified tool names; unset, the server's own.",
            extra={"kind": "slug"},
        ),
    ] = None
    url: Annotated[
        str | None,
        Meta(description="Where it speaks streamable HTTP, or HTTP with SSE.", extra={"kind": "endpoint"}),
    ] = None
    query: Annotated[
        dict[str, Secret], Meta(description="Parameters added to the URL; their values are never shown.")
    ] = msgspec.field(default_factory=dict)
    command: Annotated[
        str | None,
        Meta(description="Program to start instead; it speaks over its standard input and output."),
    ] = None
    args: Annotated[
        tuple[str, ...], Meta(description="Arguments of the program.", extra={"kind": "arguments"})
    ] = ()
    env: Annotated[
        dict[str, Secret], Meta(description="Variables of the program; their values are never shown.")
    ] = msgspec.field(default_factory=dict)
    token: Annotated[Secret | None, Meta(description="Bearer token that the server asks for.")] = None
    token_env: Annotated[
        str | None,
        Meta(description="Variable that holds the token, in place of `token`.", extra={"kind": "variable"}),
    ] = None
    headers: Annotated[
        dict[str, Secret], Meta(description="Headers added to each request; their values are never shown.")
    ] = msgspec.field(default_factory=dict)
    timeout: Annotated[
        Timeout, Meta(description="Time for one call of its tools, in place of `MCP_CLIENT_TIMEOUT`.")
    ] = None
    include: Annotated[
        tuple[str, ...], Meta(description="The only tools of it that are offered.", extra={"kind": "tools"})
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Meta(description="Tools of it that are not offered; `include` wins.", extra={"kind": "tools"}),
    ] = ()


class MCPSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Tools of Model Context Protocol servers."""

    enabled: Annotated[
        bool, Meta(description="Whether models may use the tools of MCP servers; needs the extra [mcp].")
    ] = False
    expose: Annotated[
        bool, Meta(description="Whether clients may list the tools, and use them at `/mcp` without a model.")
    ] = False
    servers: Annotated[
        tuple[MCPServerSettings, ...],
        Meta(
            description="Comma list of URLs of servers; in YAML also entries with a name, headers and more.",
            extra={"kind": "servers"},
        ),
    ] = ()
    include_tools: Annotated[
        tuple[str, ...],
        Meta(description="Comma list of the only tools offered; it wins.", extra={"kind": "tools"}),
    ] = ()
    exclude_tools: Annotated[
        tuple[str, ...], Meta(description="Comma list of tools not offered.", extra={"kind": "tools"})
    ] = ()
    tool_mode: Annotated[
        Literal["selector", "direct"],
        Meta(description="Offer a model two tools that find and run the others, or each tool itself."),
    ] = "selector"
    client_timeout: Annotated[Timeout, Meta(description="Time for one call of a tool; 0 is no bound.")] = 30.0
    dial_timeout: Annotated[Timeout, Meta(description="Time to connect to a server; 0 is no bound.")] = 3.0
    response_header_timeout: Annotated[
        Timeout, Meta(description="Time to the head of a server's answer; 0 leaves it to the other bounds.")
    ] = None
    request_timeout: Annotated[
        Timeout, Meta(description="Time for the handshake with a server; 0 is no bound.")
    ] = 5.0
    max_retries: Annotated[
        int, Meta(ge=0, le=1000, description="Attempts after the first before a server is held unavailable.")
    ] = 3
    initial_backoff: Annotated[
        Duration, Meta(description="Wait before the second attempt; it doubles with each.")
    ] = 1.0
    retry_interval: Annotated[
        Duration, Meta(description="Longest wait between attempts until a server is held unavailable.")
    ] = 5.0
    enable_reconnect: Annotated[
        bool, Meta(description="Whether a server that is held unavailable is tried again, for ever.")
    ] = True
    reconnect_interval: Annotated[
        Duration, Meta(description="Wait between attempts at a server that is held unavailable.")
    ] = 30.0
    polling_enabled: Annotated[
        bool, Meta(description="Whether servers are asked for their tools again and again: the health check.")
    ] = True
    polling_interval: Annotated[Duration, Meta(description="Wait between two health checks.")] = 30.0
    polling_timeout: Annotated[
        Timeout, Meta(description="Time that a server has to list its tools; 0 is no bound.")
    ] = 5.0
    disable_healthcheck_logs: Annotated[
        bool, Meta(description="Whether only changes of a server's state are logged, and no single check.")
    ] = True
    max_result_size: Annotated[
        int,
        Meta(ge=1024, description="Characters of a tool's result that a model gets; the rest is cut off."),
    ] = 262_144
    max_iterations: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Turns that a model may take for one request while it calls the gateway's tools.",
        ),
    ] = 10
    max_parallel_calls: Annotated[
        int, Meta(ge=1, le=256, description="Tool calls of one turn that run at one time.")
    ] = 8
    stream_tool_calls: Annotated[
        bool, Meta(description="Whether streams show the calls that the gateway runs.")
    ] = True
    bypass_allowed: Annotated[
        bool,
        Meta(
            description="Whether callers may skip tools by X-MCP-Bypass, agents by X-A2A-Bypass, and every "
            "stage that changes a request by X-Direct-Provider."
        ),
    ] = True
