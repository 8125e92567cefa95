"""What the endpoints work with: one gateway, put together from its settings."""

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

import msgspec

from inference_gateway.server.api.agents import open_a2a, open_agent_tools, open_host
from inference_gateway.server.api.authentication import Guard, open_guard
from inference_gateway.server.api.cross_site import SiteRule, site_rule
from inference_gateway.server.api.push_opening import open_push
from inference_gateway.server.api.tool_servers import open_mcp
from inference_gateway.server.api.tracing import open_tracing
from inference_gateway.server.pipeline.call_spans import CallSpans
from inference_gateway.server.pipeline.caller_models import CallerModels
from inference_gateway.server.pipeline.chain import Handler, Stage, compose
from inference_gateway.server.pipeline.field_rules import FieldRules
from inference_gateway.server.pipeline.measuring import Measuring, UsageWish
from inference_gateway.server.pipeline.messages import Conversation
from inference_gateway.server.pipeline.model_filter import ModelFilter
from inference_gateway.server.pipeline.reasoning import Reasoning
from inference_gateway.server.pipeline.routing import Routing
from inference_gateway.server.pipeline.tool_runner import ToolRunner
from inference_gateway.server.pipeline.tools import Bounds, ToolLoop
from inference_gateway.server.pipeline.upstream import Upstream
from inference_gateway.server.providers.backend import Backend
from inference_gateway.server.providers.catalog import Catalog
from inference_gateway.server.providers.http_backend import HTTPBackend, Patience
from inference_gateway.server.providers.mock.backend import MockBackend
from inference_gateway.server.providers.model_rules import ModelRules
from inference_gateway.server.providers.registry import Provider, Registry, registry
from inference_gateway.server.settings import ProviderSettings, Settings
from inference_gateway.server.tasks import Background
from inference_gateway.server.telemetry.board import Board
from inference_gateway.server.telemetry.recorder import Recorder
from inference_gateway.server.telemetry.totals import Totals
from inference_gateway.server.toolbox import Ran, Toolbox, ToolServer
from inference_gateway.server.transport.headers import RequestHeaderRule
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.ui.page import Page, open_page

if TYPE_CHECKING:
    from inference_gateway.server.a2a.hosting import Hosting
    from inference_gateway.server.a2a.registry import Agents
    from inference_gateway.server.a2a.toolboxes import AgentTools
    from inference_gateway.server.mcp.service import MCP
    from inference_gateway.server.telemetry.push import Push
    from inference_gateway.server.tracing.tracer import Tracer


class Ways(msgspec.Struct, frozen=True):
    """The pipeline, and the same without the stages that change a request."""

    measuring: Measuring | None
    """Their first stage, where they are measured."""
    whole: Handler
    direct: Handler


class Gateway(msgspec.Struct):
    """Everything that lives as long as the server."""

    registry: Registry
    backends: Mapping[str, Backend]
    catalog: Catalog
    rules: ModelRules
    header_rule: RequestHeaderRule
    infer: Handler
    """The pipeline."""
    infer_directly: Handler
    """The same without the stages that change a request."""
    bypass_allowed: bool
    """Whether callers may pass by the tools, or by all that changes their request."""
    pool: Pool
    background: Background
    takes_faults: bool
    """Whether somebody is here who breaks on demand."""
    largest_answer: int
    """Most bytes of an answer that is held as a whole."""
    guard: Guard | None
    """Finds out who asks; None where nobody must say."""
    sites: SiteRule | None
    """Turns web pages away where callers need no key that a page could lack."""
    mcp: "MCP | None"
    """The tools of MCP servers, where that is on."""
    exposes_tools: bool
    """Whether clients may list tools, and use them without a model."""
    a2a: "Agents | None"
    """The agents, where that is on."""
    agent_host: "Hosting | None"
    """Shows agents to clients, where that is on as well."""
    agent_tools: "AgentTools | None"
    """Lets models give agents work, where agents are on."""
    exposes_agents: bool
    """Whether clients may list agents, and speak to them."""
    known_origins: frozenset[str]
    """Origins of web pages that may call the gateway; `*` stands for all."""
    measuring: Measuring | None = None
    """Takes note of requests, where somebody counts or logs them."""
    recorder: Recorder | None = None
    """Counts what happens, where telemetry or the status page is on."""
    push: "Push | None" = None
    """Counts what clients measured, where that is taken."""
    tracer: "Tracer | None" = None
    """Follows requests, where that is on."""
    calls: CallSpans | None = None
    """Notes the calls of providers for it."""
    board: Board | None = None
    """Where it tells of itself and of what went wrong, likewise."""
    unmeasured: Ways | None = None
    """The ways of requests while nobody looks, where they differ from `measured`."""
    measured: Ways | None = None
    """The ways of requests on which they are counted, where that can begin and end."""
    page: Page | None = None
    """The status page, where that is on."""
    ready: bool = True
    """Whether new work is welcome; off while draining."""

    def take(self, ways: Ways) -> None:
        """Have requests go these ways from now on."""
        self.measuring, self.infer, self.infer_directly = ways.measuring, ways.whole, ways.direct

    def start(self) -> None:
        """Begin what runs beside requests. Requests that come before it do no harm. Idempotent."""
        if self.guard is not None:
            self.guard.start()
        if self.mcp is not None:
            self.mcp.start()
        if self.tracer is not None:
            self.tracer.exporter.start(self.background)
        if self.a2a is not None:
            self.a2a.start()

    def lost_spans(self) -> int:
        """Tell how many spans never reached a collector."""
        return self.tracer.exporter.dropped if self.tracer is not None else 0

    def tool_servers(self) -> list[ToolServer]:
        """Tell how the servers are that bring tools, and the agents."""
        servers = self.mcp.servers() if self.mcp is not None else []
        return servers + self.a2a.servers() if self.a2a is not None else servers

    async def close(self) -> None:
        """Close connections and end background work."""
        if self.mcp is not None:
            self.mcp.end()
        if self.agent_tools is not None:
            await self.agent_tools.delegations.close()
        if self.tracer is not None:
            await self.tracer.exporter.close()
        await self.background.close()
        self.pool.close()


def build(settings: Settings, pool: Pool, totals: Totals | None = None) -> Gateway:
    """Put a gateway together. Opens no connection.

    :param totals: where it is to count what happens, if it is.
    :raises UnusableKeys: the file of API keys cannot be used.
    :raises MissingExtra: a package that a feature needs is not installed.
    :raises UnusableFile: a certificate for the collector of traces cannot be used.
    """
    providers = registry(settings)
    recorder = _recorder(settings, providers, totals)
    background = Background()
    backends = {p.id: _backend(p, pool, settings) for p in providers.configured.values()}
    catalog = Catalog(backends, background, ttl=settings.models.cache_ttl)
    rules = ModelRules(settings.allowed_models, settings.disallowed_models, providers.configured)
    is_scraped = recorder is not None and settings.telemetry.enabled
    ran = recorder.tool_ran if recorder is not None and is_scraped else None
    mcp = open_mcp(settings, background, ran=ran)
    agents = open_a2a(settings, pool, background)
    agent_tools = open_agent_tools(settings, agents, background) if agents is not None else None
    tools = _tool_loop(settings, toolboxes(mcp, agent_tools), background, ran)
    tracer = open_tracing(settings)
    calls = CallSpans(providers.configured, propagates=tracer.propagates) if tracer is not None else None
    counts_always = is_scraped or settings.log_access or tracer is not None
    stages = _stages(settings, providers, catalog, rules, tools)
    stages += _last_stages(providers, calls, asks_usage=is_scraped or tracer is not None)
    upstream = _upstream(settings, providers, backends)
    ways = _ways(stages, upstream, Measuring(recorder) if counts_always else None)
    is_watched = recorder is not None and not counts_always
    return Gateway(
        registry=providers,
        backends=backends,
        catalog=catalog,
        rules=rules,
        header_rule=RequestHeaderRule(settings.forward_request_headers),
        infer=ways.whole,
        infer_directly=ways.direct,
        bypass_allowed=settings.mcp.bypass_allowed,
        pool=pool,
        background=background,
        takes_faults=any(provider.built_in for provider in providers.configured.values()),
        largest_answer=settings.client.max_response_body_size,
        guard=open_guard(settings.auth, pool, background),
        sites=None if settings.auth.active else site_rule(settings.server),
        mcp=mcp,
        exposes_tools=settings.mcp.expose,
        a2a=agents,
        agent_host=open_host(settings, agents),
        agent_tools=agent_tools,
        exposes_agents=settings.a2a.expose,
        known_origins=frozenset(settings.server.cors_origins),
        measuring=ways.measuring,
        recorder=recorder,
        tracer=tracer,
        calls=calls,
        push=open_push(settings.telemetry, totals, recorder if is_scraped else None),
        board=Board(recorder.region) if recorder is not None else None,
        unmeasured=ways if is_watched else None,
        measured=_ways(stages, upstream, Measuring(recorder)) if is_watched else None,
        page=open_page(settings, totals, counts_always=counts_always),
    )


def _upstream(settings: Settings, providers: Registry, backends: Mapping[str, Backend]) -> Upstream:
    return Upstream(
        backends,
        omit_finish_reason=[p.id for p in providers.configured.values() if p.omits_finish_reason],
        limit=settings.client.max_response_body_size,
    )


def _last_stages(providers: Registry, calls: CallSpans | None, *, asks_usage: bool) -> list[Stage]:
    stages: list[Stage] = [UsageWish(providers.configured)] if asks_usage else []
    return [*stages, calls] if calls is not None else stages


def _ways(stages: list[Stage], upstream: Upstream, measuring: Measuring | None) -> Ways:
    outermost: list[Stage] = [measuring] if measuring is not None else []
    return Ways(
        measuring,
        compose([*outermost, *stages], upstream),
        compose([*outermost, *(s for s in stages if not isinstance(s, _CHANGING))], upstream),
    )


def _recorder(settings: Settings, providers: Registry, totals: Totals | None) -> Recorder | None:
    if totals is None:
        return None
    return Recorder(totals, providers.configured, max_models=settings.telemetry.max_models)


_CHANGING = (ToolLoop, FieldRules, Reasoning)
"""Stages that change a request; what only checks or limits one is never passed by."""


def toolboxes(mcp: "MCP | None", agents: "AgentTools | None") -> list[Toolbox]:
    """Collect what tools there are, in the order in which their names count."""
    return [each.toolbox for each in (mcp, agents) if each is not None]


def _tool_loop(
    settings: Settings, boxes: list[Toolbox], background: Background, ran: Ran | None
) -> ToolLoop | None:
    if not boxes:
        return None
    mcp = settings.mcp
    bounds = Bounds(
        turns=mcp.max_iterations,
        size=settings.client.max_response_body_size,
        shows_calls=mcp.stream_tool_calls,
        images=settings.enable_vision,
    )
    return ToolLoop(ToolRunner(boxes, parallel=mcp.max_parallel_calls, ran=ran), background, bounds)


def _stages(
    settings: Settings,
    providers: Registry,
    catalog: Catalog,
    rules: ModelRules,
    tools: ToolLoop | None,
) -> list[Stage]:
    """Choose the stages behind the measuring one, outermost first. A feature that is off has no stage."""
    stages: list[Stage] = [Conversation(images=settings.enable_vision), Routing(providers, catalog)]
    if tools is not None:
        # Behind the choice of a provider, which holds for all turns; before all that each turn is held to.
        stages.append(tools)
    if rules.active:
        stages.append(ModelFilter(rules))
    if settings.auth.active:
        stages.append(CallerModels(rules))
    stages += FieldRules(providers.configured), Reasoning(providers.configured)
    return stages


def _backend(provider: Provider, pool: Pool, settings: Settings) -> Backend:
    own = settings.providers.get(provider.id) or ProviderSettings(id=provider.id)
    patience = _patience(settings, own)
    if provider.built_in:
        return MockBackend(provider.id, patience=patience)
    return HTTPBackend(provider, pool, patience=patience, limit=settings.client.max_response_body_size)


def _patience(settings: Settings, own: ProviderSettings) -> Patience:
    """Time that a provider has: its own settings, else those for all; 0 is no bound in either."""
    client = settings.client
    return Patience(
        connect=_either(own.connect_timeout, client.connect_timeout),
        first_byte=_either(own.response_header_timeout, client.response_header_timeout),
        between_pieces=_either(own.stream_idle_timeout, client.stream_idle_timeout),
        whole=_either(own.timeout, client.timeout),
        listing=settings.models.timeout or inf,
    )


def _either(own: float | None, common: float | None) -> float:
    return (common if own is None else own) or inf
