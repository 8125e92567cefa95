"""Every provider as a row of facts, and which of them an operator has set up.

A quirk of a provider is a field of its row. Nothing elsewhere asks which provider it has before it.
"""

import logging
from collections.abc import Mapping
from typing import Literal

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.settings import MOCK_PROVIDER, ProviderSettings, Secret, Settings

logger = logging.getLogger("inference_gateway.providers")

Auth = Literal["bearer", "xheader", "query", "none"]

_ACCOUNT = "{ACCOUNT_ID}"
"""Stands in a URL for the account that the operator has to name."""


class Provider(msgspec.Struct, frozen=True):
    """How to talk to one provider. Paths are relative to `base_url`."""

    id: str
    name: str
    base_url: str
    auth: Auth = "bearer"
    key_required: bool = True
    """Whether it is of no use without a key. Those that need none are configured by their URL."""
    models_path: str = "/models"
    models_query: str = ""
    """What asks for the longest pages, where the list comes in pages."""
    chat_path: str = "/chat/completions"
    model_prefix: str = ""
    """What its list puts before each name, and its chat endpoint does not need."""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Fields sent with each request, in lower case, unless a client's own of the name goes along."""
    operator_headers: Mapping[str, Secret] = msgspec.field(default_factory=dict)
    """Fields that the operator set: sent with each request, whatever a client says."""
    accepts_stream_options: bool = True
    understands_reasoning_format: bool = False
    omits_finish_reason: bool = False
    """Whether `[DONE]` alone ends its streams well. Those of all others say why each choice ended."""
    refused_defaults: frozenset[str] = frozenset()
    """Fields it may refuse even where they say no more than the specification's default."""
    built_in: bool = False
    """Answered inside the gateway, without a network."""
    key: Secret | None = None
    trace_name: str = ""
    """What OpenTelemetry calls it, where that is not its id."""
    tls_identity: str = ""
    """Name of the TLS context for it; empty for the one that providers share."""


ROWS = (
    Provider(
        id="anthropic",
        name="Anthropic",
        base_url="https://api.anthropic.com/v1",
        auth="xheader",
        models_query="limit=1000",
        headers={"anthropic-version": "2023-06-01"},
        # Newer models take temperature or top_p, not both.
        refused_defaults=frozenset({"temperature", "top_p", "logprobs", "parallel_tool_calls"}),
    ),
    Provider(
        id="cloudflare",
        name="Cloudflare",
        base_url="https://api.cloudflare.com/client/v4/accounts/{ACCOUNT_ID}/ai",
        models_path="/finetunes/public?limit=1000",
        chat_path="/v1/chat/completions",
    ),
    Provider(
        id="cohere",
        name="Cohere",
        base_url="https://api.cohere.ai",
        models_path="/v1/models",
        models_query="page_size=1000",
        chat_path="/compatibility/v1/chat/completions",
        accepts_stream_options=False,
        refused_defaults=frozenset({"n", "logprobs", "parallel_tool_calls"}),
    ),
    Provider(id="deepseek", name="DeepSeek", base_url="https://api.deepseek.com"),
    Provider(
        id="google",
        name="Google",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        model_prefix="models/",
        trace_name="gcp.gemini",
        refused_defaults=frozenset(
            {"frequency_penalty", "presence_penalty", "logprobs", "parallel_tool_calls"}
        ),
    ),
    Provider(
        id="groq",
        name="Groq",
        base_url="https://api.groq.com/openai/v1",
        understands_reasoning_format=True,
        refused_defaults=frozenset({"logprobs", "parallel_tool_calls"}),
    ),
    Provider(id="llamacpp", name="llama.cpp", base_url="http://llamacpp:8080/v1", key_required=False),
    Provider(id="minimax", name="MiniMax", base_url="https://api.minimax.io/v1"),
    Provider(
        id="mistral",
        name="Mistral",
        base_url="https://api.mistral.ai/v1",
        trace_name="mistral_ai",
        accepts_stream_options=False,
        refused_defaults=frozenset({"logprobs", "parallel_tool_calls"}),
    ),
    Provider(id="moonshot", name="Moonshot", base_url="https://api.moonshot.ai/v1"),
    Provider(id="nvidia", name="NVIDIA", base_url="https://integrate.api.nvidia.com/v1"),
    Provider(id="ollama", name="Ollama", base_url="http://ollama:8080/v1", key_required=False),
    Provider(id="ollama_cloud", name="Ollama Cloud", base_url="https://ollama.com/v1"),
    Provider(
        id="openai",
        name="OpenAI",
        base_url="https://api.openai.com/v1",
        refused_defaults=frozenset({"parallel_tool_calls"}),
    ),
    Provider(id="zai", name="Z.ai", base_url="https://api.z.ai/api/paas/v4"),
)

MOCK = Provider(
    id=MOCK_PROVIDER,
    name="Mock",
    base_url="",
    auth="none",
    key_required=False,
    built_in=True,
    understands_reasoning_format=True,
)

ROW_BY_ID = {row.id: row for row in (*ROWS, MOCK)}


class Registry(msgspec.Struct, frozen=True):
    """The providers of one gateway.

    :ivar known: ids that may stand before a model's name, whether set up or not.
    :ivar configured: providers that can be asked, by id, in a stable order.
    """

    known: frozenset[str]
    configured: Mapping[str, Provider]

    def require(self, provider_id: str) -> None:
        """Check that a provider can be asked.

        :raises BadRequest: it is unknown or not configured; the text says what would be right.
        """
        if provider_id in self.configured:
            return
        if provider_id in self.known:
            raise BadRequest(_how_to_configure(provider_id))
        raise BadRequest(f"unknown provider {provider_id!r}; configured here: {', '.join(self.configured)}")


def _how_to_configure(provider_id: str) -> str:
    row = ROW_BY_ID.get(provider_id)
    if row is MOCK:
        return "the mock provider is switched off here: set MOCK_ENABLED=true"
    if row is None:
        return f"the provider {provider_id!r} has no API key here: set the variable its api_key_env names"
    variable = f"{provider_id.upper()}_API_{'KEY' if row.key_required else 'URL'}"
    account = f" and {provider_id.upper()}_ACCOUNT_ID" if _ACCOUNT in row.base_url else ""
    return f"the provider {provider_id!r} is not configured here: set {variable}{account}"


def registry(settings: Settings) -> Registry:
    """Choose the providers that these settings make usable.

    A provider is usable with its key; one that needs none, with its URL set. The mock is offered where
    it is switched on, or where nothing else could answer and it is not switched off.
    """
    configured = {}
    for id, given in settings.providers.items():
        provider = _merge(ROW_BY_ID.get(id), given)
        if _usable(provider, given):
            configured[id] = provider
        elif provider.key is not None:
            logger.warning("%s", _how_to_configure(id))
    wanted = settings.mock.enabled
    if wanted or (wanted is None and not configured):
        configured[MOCK.id] = MOCK
    return Registry(known=frozenset((*settings.providers, MOCK.id)), configured=configured)


def _usable(provider: Provider, given: ProviderSettings) -> bool:
    if _ACCOUNT in provider.base_url:
        return False
    return provider.key is not None or (not provider.key_required and given.url is not None)


def _merge(row: Provider | None, given: ProviderSettings) -> Provider:
    """Fill a row with what an operator set, or make one for a provider that has none."""
    if row is None:
        row = Provider(id=given.id, name=given.id, base_url="", key_required=given.auth != "none")
    url = given.url or row.base_url
    if given.account_id is not None:
        url = url.replace(_ACCOUNT, given.account_id)
    changes = {
        "name": given.name,
        "auth": given.auth,
        "models_path": given.models_path,
        "chat_path": given.chat_path,
        "accepts_stream_options": given.accepts_stream_options,
        "understands_reasoning_format": given.reasoning_format,
        "omits_finish_reason": given.omits_finish_reason,
    }
    return msgspec.structs.replace(
        row,
        base_url=url.rstrip("/"),
        operator_headers=given.headers,
        key=given.api_key,
        tls_identity=given.id if given.has_own_tls else "",
        **{name: value for name, value in changes.items() if value is not None},
    )
