"""Every setting once: its type, default, bounds and meaning. Reads nothing; `configuration` does.

A field's variable is GROUP_FIELD in upper case (a general one has no group) unless its metadata
names another, and its place in a YAML file is `group.field`. The documentation, `.env.example` and
the `check` command are derived from these structs and tables.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from inference_gateway.server.setting_kinds import LONGEST, MASK, Duration, Secret, Timeout
from inference_gateway.server.settings_a2a import A2AAgentSettings, A2ASettings
from inference_gateway.server.settings_mcp import MCPServerSettings, MCPSettings
from inference_gateway.server.settings_tracing import TracingSettings
from inference_gateway.server.settings_ui import UISettings

# Whoever reads settings need not know that they stand in several files.
__all__ = [
    "LONGEST",
    "MASK",
    "A2AAgentSettings",
    "A2ASettings",
    "Duration",
    "MCPServerSettings",
    "MCPSettings",
    "Secret",
    "Timeout",
    "TracingSettings",
    "UISettings",
]

MOST_WORKERS: Final = 1024
"""The most processes that one port is served by."""

SHORTEST_KEY: Final = 16
"""The fewest characters of an API key that is taken from the settings."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Listening, and what clients are held to."""

    host: Annotated[
        str,
        Meta(description="Address to listen on; 0.0.0.0 is every interface.", extra={"kind": "host"}),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes any free one.")] = 8080
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_WORKERS)] | Literal["auto"],
        Meta(
            description="Processes that serve the port: a number, or `auto` for one per processor that "
            "may be used.",
            extra={"kind": "workers"},
        ),
    ] = 1
    tls_cert_path: Annotated[
        str | None,
        Meta(
            description="PEM file of the certificate shown to clients, the chain behind it; with the key, "
            "the port speaks TLS only.",
            extra={"kind": "file"},
        ),
    ] = None
    tls_key_path: Annotated[
        str | None,
        Meta(description="PEM file of the certificate's key, without a password.", extra={"kind": "file"}),
    ] = None
    tls_min_version: Annotated[
        Literal["TLS12", "TLS13"], Meta(description="Oldest TLS version spoken with clients.")
    ] = "TLS12"
    tls_client_ca_path: Annotated[
        str | None,
        Meta(
            description="PEM file of authorities; a client must then show a certificate of one of them.",
            extra={"kind": "file"},
        ),
    ] = None
    tls_handshake_timeout: Annotated[
        Timeout, Meta(description="Time a client has for the TLS handshake; 0 is no bound.")
    ] = 10.0
    read_timeout: Annotated[
        Timeout, Meta(description="Time a client has to send its request; 0 is no bound.")
    ] = 30.0
    write_timeout: Annotated[
        Timeout, Meta(description="Time a client may take none of its answer; 0 is no bound.")
    ] = 30.0
    idle_timeout: Annotated[
        Timeout, Meta(description="Time a connection may wait for its next request; 0 is no bound.")
    ] = 120.0
    drain_timeout: Annotated[
        Duration,
        Meta(description="Time that running requests have to end after SIGTERM; 0 cuts them at once."),
    ] = 25.0
    max_request_body_size: Annotated[
        int,
        Meta(
            description="Largest request body in bytes; 0 or less means the default.",
            extra={"kind": "size"},
        ),
    ] = 10_485_760
    max_header_size: Annotated[
        int, Meta(ge=1024, le=1_048_576, description="Largest header section of a request in bytes.")
    ] = 32_768
    public_url: Annotated[
        str | None,
        Meta(
            description="URL by which clients reach the gateway, for what it says of itself; unset, it is "
            "made of the address it listens on.",
            extra={"kind": "url"},
        ),
    ] = None
    max_url_size: Annotated[
        int, Meta(ge=256, le=1_048_576, description="Longest request target in bytes.")
    ] = 8192
    allow_unauthenticated: Annotated[
        bool,
        Meta(description="Whether others than this machine may call although nobody must say who they are."),
    ] = False
    max_connections: Annotated[
        int, Meta(ge=1, description="Client connections that each worker process holds open at one time.")
    ] = 10_000
    max_concurrent_requests: Annotated[
        int,
        Meta(
            ge=0,
            description="Requests that each worker process has under way; more get 503. 0 is no cap.",
        ),
    ] = 0
    max_inflight_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="Bytes of request bodies that each worker process holds at one time; a request that "
            "would exceed them is answered 503. 0 is no cap, else at least SERVER_MAX_REQUEST_BODY_SIZE.",
        ),
    ] = 268_435_456
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Comma list of origins whose pages may call the gateway, such as "
            "https://app.example.com or chrome-extension://abc, or `*` for all.",
            extra={"kind": "origins"},
        ),
    ] = ()


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether callers must say who they are; unset, they must where an issuer or keys are "
            "given."
        ),
    ] = None
    oidc_issuer: Annotated[
        str | None,
        Meta(
            description="OpenID Connect issuer whose tokens are taken, exactly as it writes itself; https, "
            "or http on loopback.",
            extra={"kind": "issuer"},
        ),
    ] = None
    oidc_client_id: Annotated[
        str | None, Meta(description="Client id that a token may be meant for (its `aud`).")
    ] = None
    oidc_audiences: Annotated[
        tuple[str, ...],
        Meta(description="Comma list of further audiences that a token may have.", extra={"kind": "words"}),
    ] = ()
    oidc_leeway: Annotated[
        Annotated[float, Meta(ge=0, le=300)],
        Meta(description="Difference between the issuer's clock and ours that is put up with; at most 5m."),
    ] = 30.0
    required_scopes: Annotated[
        tuple[str, ...],
        Meta(description="Comma list of scopes that a token must grant.", extra={"kind": "scopes"}),
    ] = ()
    required_claims: Annotated[
        tuple[str, ...],
        Meta(
            description="Comma list of `claim=value` that a token must say, or `claim` that it must have; a "
            "list in the token need only hold the value.",
            extra={"kind": "claims"},
        ),
    ] = ()
    api_keys: Annotated[
        tuple[Secret, ...],
        Meta(
            description="Comma list of keys that callers may show, each of 16 characters or more.",
            extra={"kind": "keys"},
        ),
    ] = ()
    api_keys_file: Annotated[
        str | None,
        Meta(description="File of hashed keys, written by `inference-gateway keys create`; mode 0600."),
    ] = None

    @property
    def active(self) -> bool:
        """Whether callers must say who they are."""
        given = bool(self.oidc_issuer or self.api_keys or self.api_keys_file)
        return given if self.enabled is None else self.enabled


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Connections to providers."""

    connect_timeout: Annotated[
        Timeout, Meta(description="Time to open a connection to a provider; 0 is no bound.")
    ] = 10.0
    tls_handshake_timeout: Annotated[
        Timeout, Meta(description="Time for the TLS handshake with a provider; 0 is no bound.")
    ] = 10.0
    response_header_timeout: Annotated[
        Timeout, Meta(description="Time to the first byte of the body of a provider's answer; 0 is no bound.")
    ] = 600.0
    stream_idle_timeout: Annotated[
        Timeout, Meta(description="Time between two pieces of a provider's answer; 0 is no bound.")
    ] = 300.0
    timeout: Annotated[
        Timeout, Meta(description="Time for a whole call of a provider, its answer included; 0 is no bound.")
    ] = None
    max_idle_conns: Annotated[
        int, Meta(ge=0, description="Idle connections kept for reuse, all providers together; 0 keeps none.")
    ] = 1024
    max_idle_conns_per_host: Annotated[
        int, Meta(ge=0, description="Idle connections kept for reuse for each provider; 0 keeps none.")
    ] = 256
    max_conns_per_host: Annotated[
        int, Meta(ge=0, description="Connections to each provider, idle or busy; 0 is no cap.")
    ] = 0
    idle_conn_timeout: Annotated[
        Timeout, Meta(description="Time after which an idle connection is closed; 0 is no bound.")
    ] = 30.0
    tls_min_version: Annotated[
        Literal["TLS12", "TLS13"], Meta(description="Oldest TLS version spoken with providers.")
    ] = "TLS12"
    max_response_body_size: Annotated[
        int, Meta(ge=1, description="Largest answer in bytes that is held in memory as a whole.")
    ] = 67_108_864
    ca_file: Annotated[
        str | None,
        Meta(
            description="PEM file of certificate authorities to trust beside the system's own.",
            extra={"kind": "file", "variable": "SSL_CERT_FILE"},
        ),
    ] = None
    http_proxy: Annotated[
        Secret | None,
        Meta(
            description="Proxy for providers with an http URL, as `http://user:password@host:port`.",
            extra={"kind": "proxy", "variable": "HTTP_PROXY"},
        ),
    ] = None
    https_proxy: Annotated[
        Secret | None,
        Meta(
            description="Proxy for providers with an https URL, written likewise.",
            extra={"kind": "proxy", "variable": "HTTPS_PROXY"},
        ),
    ] = None
    all_proxy: Annotated[
        Secret | None,
        Meta(
            description="Proxy where the scheme has none of its own.",
            extra={"kind": "proxy", "variable": "ALL_PROXY"},
        ),
    ] = None
    no_proxy: Annotated[
        tuple[str, ...],
        Meta(
            description="Comma list of hosts, domains, addresses and networks reached without a proxy, "
            "or `*` for all; loopback always is.",
            extra={"kind": "exceptions", "variable": "NO_PROXY"},
        ),
    ] = ()


class ModelsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The list of models."""

    cache_ttl: Annotated[
        Duration, Meta(description="Time for which a provider's list is reused; 0 asks anew each time.")
    ] = 60.0
    timeout: Annotated[
        Timeout, Meta(description="Time a provider has to list its models; 0 is no bound.")
    ] = 10.0


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics."""

    enabled: Annotated[
        bool, Meta(description="Whether requests are counted and metrics offered on a port of their own.")
    ] = False
    metrics_host: Annotated[
        str, Meta(description="Address of the metrics; they ask for no password.", extra={"kind": "host"})
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int, Meta(ge=0, le=65535, description="Port of `GET /metrics`; 0 takes any free one.")
    ] = 9464
    metrics_push_enabled: Annotated[
        bool,
        Meta(
            description="Whether clients may push metrics to `POST /v1/metrics`, where metrics are on; needs "
            "the extra [otel]."
        ),
    ] = False
    max_models: Annotated[
        int, Meta(ge=0, le=1000, description="Models with series of their own; others count as `other`.")
    ] = 200


class MockSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The built-in provider that answers without a key."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether `mock` is offered; unset means only where no other provider is configured."
        ),
    ] = None


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. What is None is left to the provider's built-in row, or to the OpenAI way."""

    id: str
    url: Annotated[
        str | None, Meta(description="Base URL; required of a custom provider.", extra={"kind": "url"})
    ] = None
    api_key: Annotated[Secret | None, Meta(description="Key that the provider gave you.")] = None
    api_key_env: Annotated[
        str | None,
        Meta(description="Variable that holds the key, in place of `api_key`.", extra={"kind": "variable"}),
    ] = None
    account_id: Annotated[
        str | None, Meta(description="Account in the URL; `cloudflare` only.", extra={"kind": "account"})
    ] = None
    name: Annotated[str | None, Meta(description="Name to show.")] = None
    auth: Annotated[
        Literal["bearer", "xheader", "query", "none"] | None,
        Meta(
            description="How the key is sent: as a bearer token, in `x-api-key`, as `?key=`, or not at all; "
            "a custom provider's default is `bearer` with a key, else `none`.",
            extra={"kind": "auth"},
        ),
    ] = None
    headers: Annotated[
        dict[str, Secret], Meta(description="Headers added to each request; their values are never shown.")
    ] = msgspec.field(default_factory=dict)
    models_path: Annotated[
        str | None, Meta(description="Path of the list of models below `url`.", extra={"kind": "path"})
    ] = None
    chat_path: Annotated[
        str | None, Meta(description="Path of chat completions below `url`.", extra={"kind": "path"})
    ] = None
    accepts_stream_options: Annotated[
        bool | None, Meta(description="Whether the provider understands `stream_options`.")
    ] = None
    reasoning_format: Annotated[
        bool | None, Meta(description="Whether the provider understands `reasoning_format`.")
    ] = None
    omits_finish_reason: Annotated[
        bool | None,
        Meta(description="Whether a stream that ends with `[DONE]` is whole without a `finish_reason`."),
    ] = None
    connect_timeout: Annotated[
        Duration | None, Meta(description="In place of CLIENT_CONNECT_TIMEOUT; 0 is no bound.")
    ] = None
    response_header_timeout: Annotated[
        Duration | None, Meta(description="In place of CLIENT_RESPONSE_HEADER_TIMEOUT; 0 is no bound.")
    ] = None
    stream_idle_timeout: Annotated[
        Duration | None, Meta(description="In place of CLIENT_STREAM_IDLE_TIMEOUT; 0 is no bound.")
    ] = None
    timeout: Annotated[Duration | None, Meta(description="In place of CLIENT_TIMEOUT; 0 is no bound.")] = None
    client_cert_path: Annotated[
        str | None,
        Meta(description="PEM certificate that the gateway shows this provider.", extra={"kind": "file"}),
    ] = None
    client_key_path: Annotated[
        str | None,
        Meta(
            description="PEM key of `client_cert_path`, without a passphrase, where it is not in that file.",
            extra={"kind": "file"},
        ),
    ] = None
    ca_path: Annotated[
        str | None,
        Meta(
            description="PEM file of certificate authorities to trust for this provider, beside the others.",
            extra={"kind": "file"},
        ),
    ] = None

    @property
    def has_own_tls(self) -> bool:
        """Whether TLS with it differs from TLS with the others."""
        return bool(self.client_cert_path or self.client_key_path or self.ca_path)


# The provider registry has one row for each.
BUILT_IN_PROVIDERS: Final = (
    "anthropic",
    "cloudflare",
    "cohere",
    "deepseek",
    "google",
    "groq",
    "llamacpp",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "ollama",
    "ollama_cloud",
    "openai",
    "zai",
)

PROVIDERS_WITH_ACCOUNT: Final = frozenset({"cloudflare"})
"""Built-in providers whose URL holds an account, set by <ID>_ACCOUNT_ID."""

MOCK_PROVIDER: Final = "mock"
"""Id of the built-in provider that answers without a key; no custom provider may take it."""


def _built_in_providers() -> dict[str, ProviderSettings]:
    return {id: ProviderSettings(id=id) for id in BUILT_IN_PROVIDERS}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """General settings."""

    environment: Annotated[
        Literal["production", "development"],
        Meta(description="What this process is for; `development` logs more."),
    ] = "production"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least severe level that is logged; unset in `development`, it is `debug`."),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"],
        Meta(description="One JSON object a line, or lines for people; unset in `development`, those."),
    ] = "json"
    log_access: Annotated[
        bool,
        Meta(
            description="Whether each request is logged when it ends, health checks and the status page's "
            "data left out."
        ),
    ] = False
    log_content: Annotated[
        bool, Meta(description="Whether that line holds what people write to models: the request's body.")
    ] = False
    allowed_models: Annotated[
        frozenset[str],
        Meta(
            description="Comma list of the only models served, `id` or `provider/id`, in any case.",
            extra={"kind": "names"},
        ),
    ] = frozenset()
    disallowed_models: Annotated[
        frozenset[str],
        Meta(
            description="Comma list of models not served, named likewise; an allow list wins over it.",
            extra={"kind": "names"},
        ),
    ] = frozenset()
    enable_vision: Annotated[
        bool, Meta(description="Whether requests may carry images; if not, a request with one is refused.")
    ] = False
    forward_request_headers: Annotated[
        tuple[str, ...],
        Meta(
            description="Comma list of further request headers that are passed on to providers.",
            extra={"kind": "headers"},
        ),
    ] = ()
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    client: ClientSettings = ClientSettings()
    models: ModelsSettings = ModelsSettings()
    mock: MockSettings = MockSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    tracing: TracingSettings = TracingSettings()
    mcp: MCPSettings = MCPSettings()
    a2a: A2ASettings = A2ASettings()
    ui: UISettings = UISettings()
    providers: dict[str, ProviderSettings] = msgspec.field(default_factory=_built_in_providers)
    """By id: every built-in provider, configured or not, then the custom ones."""


CONFIG_PATH_VARIABLE: Final = "GATEWAY_CONFIG_PATH"
"""Variable that names the YAML file where the command line does not."""


class MissingFeature(msgspec.Struct, frozen=True):
    """What this version lacks: its settings are taken while its switches are off."""

    title: str
    switches: tuple[str, ...]
    settings: tuple[str, ...] = ()
    off: Literal["false", "true", ""] = "false"
    """The value of a switch that asks for nothing; empty means that any value asks for it."""


# A feature that arrives loses its row here and gains its fields above.
MISSING_FEATURES: Final = (
    MissingFeature(
        "guardrails",
        ("GUARDRAILS_ENABLED",),
        (
            "GUARDRAILS_POLICY_DIR",
            "GUARDRAILS_FAIL_MODE",
            "GUARDRAILS_EXTERNAL_URL",
            "GUARDRAILS_EXTERNAL_TIMEOUT",
        ),
    ),
    MissingFeature("model routing", ("ROUTING_ENABLED",), ("ROUTING_CONFIG_PATH",)),
    MissingFeature("the Images API", ("ENABLE_IMAGES",)),
    MissingFeature(
        "finding agents in Kubernetes",
        ("A2A_SERVICE_DISCOVERY_ENABLED",),
        (
            "A2A_SERVICE_DISCOVERY_NAMESPACE",
            "A2A_SERVICE_DISCOVERY_LABEL_SELECTOR",
            "A2A_SERVICE_DISCOVERY_POLLING_INTERVAL",
        ),
    ),
    MissingFeature("rewriting relayed answers for official SDKs", ("CLIENT_COMPAT",), off=""),
    MissingFeature(
        "asking providers for compressed answers to inference requests",
        ("CLIENT_DISABLE_COMPRESSION",),
        off="true",
    ),
)

FEATURE_SECTIONS: Final = ("guardrails", "routing")
"""Sections of a YAML file that belong to missing features alone."""

WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    "APPLICATION_NAME": "The name is fixed.",
    "AUTH_OIDC_CLIENT_SECRET": "Checking a token needs no client secret.",
    "CLIENT_EXPECT_CONTINUE_TIMEOUT": "Providers are never asked for leave to send a body.",
    "DEBUG_CONTENT_TRUNCATE_WORDS": "LOG_CONTENT decides on message contents.",
    "DEBUG_MAX_MESSAGES": "LOG_CONTENT decides on message contents.",
    "MCP_EXPECT_CONTINUE_TIMEOUT": "MCP servers are never asked for leave to send a body.",
    "MCP_TLS_HANDSHAKE_TIMEOUT": "MCP_DIAL_TIMEOUT bounds the handshake as well.",
}
"""Variables that are taken and do nothing, each with the reason."""

DEPRECATED: Final[Mapping[str, str]] = {
    "ENABLE_AUTH": "AUTH_ENABLED",
    "AUTH_ENABLE": "AUTH_ENABLED",
    "OIDC_ISSUER_URL": "AUTH_OIDC_ISSUER",
    "OIDC_CLIENT_ID": "AUTH_OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET": "AUTH_OIDC_CLIENT_SECRET",
    "ENABLE_TELEMETRY": "TELEMETRY_ENABLED",
    "TELEMETRY_ENABLE": "TELEMETRY_ENABLED",
    "METRICS_PUSH_ENABLED": "TELEMETRY_METRICS_PUSH_ENABLED",
    "MCP_ENABLE": "MCP_ENABLED",
    "EXPOSE_MCP": "MCP_EXPOSE",
    "MCP_POLLING_ENABLE": "MCP_POLLING_ENABLED",
    "A2A_ENABLE": "A2A_ENABLED",
    "A2A_POLLING_ENABLE": "A2A_POLLING_ENABLED",
    "A2A_SERVICE_DISCOVERY_ENABLE": "A2A_SERVICE_DISCOVERY_ENABLED",
}
"""Old name of a variable to the name that took its place."""

OTHER_SPELLINGS: Final[Mapping[str, str]] = {
    name.lower(): name for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
}
"""A name as good as another."""
