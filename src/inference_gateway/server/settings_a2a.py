"""Settings of the Agent2Agent protocol; `settings` has the rest, and says how they are read."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from inference_gateway.server.setting_kinds import Duration, Secret, Timeout


class A2AAgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One agent."""

    url: Annotated[
        str,
        Meta(
            description="Where the agent is: its card stands below that, or it is the card itself, `….json`.",
            extra={"kind": "url"},
        ),
    ]
    name: Annotated[
        str | None,
        Meta(
            description="Name that the agent's id is made of; unset, the card's own.",
            extra={"kind": "agent_name"},
        ),
    ] = None
    token: Annotated[Secret | None, Meta(description="Bearer token that the agent asks for.")] = None
    token_env: Annotated[
        str | None,
        Meta(description="Variable that holds the token, in place of `token`.", extra={"kind": "variable"}),
    ] = None
    headers: Annotated[
        dict[str, Secret], Meta(description="Headers added to each request; their values are never shown.")
    ] = msgspec.field(default_factory=dict)
    timeout: Annotated[
        Timeout, Meta(description="Time for one call of it, in place of `A2A_CLIENT_TIMEOUT`.")
    ] = None
    allow_other_origin: Annotated[
        bool,
        Meta(description="Whether its card may lead to another origin; token and headers go along."),
    ] = False


class A2ASettings(msgspec.Struct, frozen=True, kw_only=True):
    """Agents, by the Agent2Agent protocol."""

    enabled: Annotated[
        bool, Meta(description="Whether the gateway speaks to agents, and models may use them.")
    ] = False
    expose: Annotated[
        bool, Meta(description="Whether clients may list the agents, and speak to them at `/a2a/{id}`.")
    ] = False
    agents: Annotated[
        tuple[A2AAgentSettings, ...],
        Meta(
            description="Comma list of URLs of agents; in YAML also entries with a name, headers and more.",
            extra={"kind": "agents"},
        ),
    ] = ()
    tool_mode: Annotated[
        Literal["selector", "direct"],
        Meta(description="Offer a model three tools that know and ask the agents, or each skill as a tool."),
    ] = "selector"
    client_timeout: Annotated[
        Timeout,
        Meta(description="Time to an agent's answer, or to the first event of a stream; 0 is no bound."),
    ] = 30.0
    polling_enabled: Annotated[
        bool, Meta(description="Whether a task that a model gave is asked after until it ends.")
    ] = True
    polling_interval: Annotated[Duration, Meta(description="Wait between two questions after a task.")] = 1.0
    polling_timeout: Annotated[
        Timeout, Meta(description="Time that a model waits for a task that it gave; 0 is no bound.")
    ] = 30.0
    max_poll_attempts: Annotated[
        int, Meta(ge=1, le=100_000, description="Times that a task is asked after.")
    ] = 30
    max_result_size: Annotated[
        int,
        Meta(ge=1024, description="Characters of what an agent says that a model gets; the rest is cut off."),
    ] = 262_144
    max_retries: Annotated[
        int, Meta(ge=0, le=1000, description="Attempts after the first before an agent is held unavailable.")
    ] = 3
    initial_backoff: Annotated[
        Duration, Meta(description="Wait before the second attempt; it doubles with each.")
    ] = 1.0
    retry_interval: Annotated[
        Duration, Meta(description="Longest wait between attempts until an agent is held unavailable.")
    ] = 5.0
    enable_reconnect: Annotated[
        bool, Meta(description="Whether an agent that is held unavailable is tried again, for ever.")
    ] = True
    reconnect_interval: Annotated[
        Duration, Meta(description="Wait between attempts at an agent that is held unavailable.")
    ] = 30.0
    refresh_interval: Annotated[
        Duration, Meta(description="Wait between two readings of an available agent's card.")
    ] = 60.0
    disable_healthcheck_logs: Annotated[
        bool, Meta(description="Whether only changes of an agent's state are logged, and no single attempt.")
    ] = True
