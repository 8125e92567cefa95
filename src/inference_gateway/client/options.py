"""What a client is told once, and what a single call may say otherwise. Checked when it is given."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

from inference_gateway.client.errors import wrong
from inference_gateway.client.retry import RetryConfig

if TYPE_CHECKING:
    import httpx2
    import requests

LONGEST_SECONDS = 2_000_000
"""Most seconds to wait for anything: 23 days. A socket's timer does not take many more."""

HeaderMap = Mapping[str, str | None]
"""Headers by name; None takes a default header away."""

QueryValue = str | int | float | bool | None
QueryMap = Mapping[str, QueryValue | Sequence[str]]
"""Query parameters by name; a sequence repeats the parameter, None leaves it out."""

TokenProvider = Callable[[], str]
AsyncTokenProvider = Callable[[], str | Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """How long a call may take, in seconds; None is without bound.

    A stream is bound by `connect` and `read` until its headers are there, and from then on by the
    client's `stream_idle_timeout`.

    :param total: from sending to the last byte of the answer.
    :param connect: to reach the server.
    :param read: between two pieces of the answer, and before the first.
    :raises InferenceGatewayValidationError: a number is not above 0.
    """

    total: float | None = None
    connect: float | None = None
    read: float | None = None

    def __post_init__(self) -> None:
        for name in ("total", "connect", "read"):
            check_seconds(f"timeout.{name}", getattr(self, name))

    @classmethod
    def of(cls, value: "float | Timeout | None") -> "Timeout":
        """Read the short form: a number bounds the whole call and each of its steps."""
        if isinstance(value, Timeout):
            return value
        check_seconds("timeout", value)
        return cls(total=value, connect=value, read=value)

    @property
    def longest_wait(self) -> float | None:
        """Most seconds to wait for any one piece."""
        return min((each for each in (self.read, self.total) if each is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class MiddlewareOptions:
    """Which of the gateway's own work to leave out.

    :param skip_mcp: no tools of the gateway's MCP servers (`X-MCP-Bypass`).
    :param skip_a2a: none of the gateway's agents as tools (`X-A2A-Bypass`).
    :param direct_provider: nothing between the caller and the provider (`X-Direct-Provider`).
    """

    skip_mcp: bool = False
    skip_a2a: bool = False
    direct_provider: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so."""
        flags = {
            "X-MCP-Bypass": self.skip_mcp,
            "X-A2A-Bypass": self.skip_a2a,
            "X-Direct-Provider": self.direct_provider,
        }
        return {name: "true" for name, wanted in flags.items() if wanted}


class CallOptions(TypedDict, total=False):
    """What every call takes as keywords, beside its own."""

    extra_headers: HeaderMap | None
    """Headers of this call; None as a value takes a default header away."""
    extra_query: QueryMap | None
    """Query parameters of this call."""
    timeout: float | Timeout | None
    """In place of the client's, in seconds."""
    middleware_options: MiddlewareOptions | None
    """In place of the client's."""
    idempotency_key: str | None
    """Name of this logical call, the same in all its attempts; a random one if left out."""


class BodyOptions(CallOptions, total=False):
    """What every call with a JSON object as its body takes as keywords, beside its own."""

    extra_body: Mapping[str, object] | None
    """Fields that the SDK does not know, sent as they are."""


class ClientSettings(TypedDict, total=False):
    """What a client takes as keywords, beside its URL and its token."""

    timeout: float | Timeout | None
    retry: RetryConfig | int | bool | None
    default_headers: HeaderMap | None
    default_query: QueryMap | None
    middleware_options: MiddlewareOptions | None
    stream_idle_timeout: float | None


class BlockingSettings(ClientSettings, total=False):
    """The same for the blocking client, with what carries its calls."""

    use_httpx: bool
    http_client: "requests.Session | httpx2.Client | None"
    token_provider: TokenProvider | None


class AsyncSettings(ClientSettings, total=False):
    """The same for the async client, with what carries its calls."""

    http_client: "httpx2.AsyncClient | None"
    token_provider: AsyncTokenProvider | None


class ClientOverrides(ClientSettings, total=False):
    """What `with_options` may change. Headers and query are merged, all else is replaced."""

    base_url: str
    token: str | None


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """Everything a client was told, checked.

    :raises InferenceGatewayValidationError: something is not usable; it names the argument.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    timeout: float | Timeout | None = 30.0
    retry: RetryConfig = field(default_factory=RetryConfig)
    default_headers: HeaderMap = field(default_factory=dict, repr=False)
    default_query: QueryMap = field(default_factory=dict, repr=False)
    middleware_options: MiddlewareOptions = MiddlewareOptions()
    stream_idle_timeout: float | None = 120.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _checked_base_url(self.base_url))
        Timeout.of(self.timeout)
        if self.token is not None:
            check_header_value("token", self.token)
        check_headers("default_headers", self.default_headers)
        check_query("default_query", self.default_query)
        check_seconds("stream_idle_timeout", self.stream_idle_timeout)
        check_middleware(self.middleware_options)

    def overridden(self, overrides: "ClientSettings | ClientOverrides") -> "ClientOptions":
        """Return options with some of them changed.

        :raises InferenceGatewayValidationError: one is not known, or not usable.
        """
        known: dict[str, object] = dict(overrides)
        if unknown := known.keys() - ClientOverrides.__annotations__.keys():
            raise wrong(min(unknown), "is not an option of a client")
        values = {**vars(self), **known}
        if "retry" in overrides:
            values["retry"] = RetryConfig.of(overrides["retry"])
        values["middleware_options"] = values["middleware_options"] or MiddlewareOptions()
        for name in ("default_headers", "default_query"):
            values[name] = {**getattr(self, name), **_mapping(name, known.get(name))}
        return ClientOptions(**values)


def _mapping(name: str, value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    check_mapping(name, value)
    assert isinstance(value, Mapping)
    return value


def _checked_base_url(url: object) -> str:
    if not isinstance(url, str):
        raise wrong("base_url", f"must be a string, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        # Libraries fail in ways of their own over a name that is too long, or has an empty label.
        (parts.hostname or "").encode("idna")
    except ValueError:
        usable = False
    if not usable or any(character <= " " or character == "\x7f" for character in url):
        raise wrong("base_url", f"must look like http://host:port/v1, not {_without_password(url)!r}")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise wrong("base_url", "must not have a query or a fragment")
    if "@" in parts.netloc:
        raise wrong("base_url", "must not have a user or a password: say it with `token`")
    return url.rstrip("/")


def _without_password(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('//')[0]}//***@{after}" if at else url


def check_seconds(name: str, value: object) -> None:
    """Refuse what is neither None nor a number of seconds that can be waited."""
    if value is None:
        return
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST_SECONDS:
        return
    raise wrong(name, f"must be above 0 and at most {LONGEST_SECONDS} seconds, or None, not {value!r}")


def check_mapping(name: str, value: object) -> None:
    """Refuse what is no mapping of names."""
    if not isinstance(value, Mapping):
        raise wrong(name, f"must be a mapping, not {type(value).__name__}")
    for key in value:
        if not isinstance(key, str) or not key:
            raise wrong(name, f"has a name that is not text: {key!r}")


# https://www.rfc-editor.org/rfc/rfc9110#name-field-names and the section on values below it
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def check_headers(name: str, headers: HeaderMap) -> None:
    """Refuse headers that cannot go over the wire, before a library does it in its own words."""
    check_mapping(name, headers)
    for key, value in headers.items():
        if not _HEADER_NAME.fullmatch(key):
            raise wrong(name, f"{key!r} cannot be the name of a header")
        if value is not None:
            check_header_value(f"{name}.{key}", value)


def check_header_value(name: str, value: object) -> None:
    """Refuse text that cannot be a header's value. The value is not quoted: it may be secret."""
    if not isinstance(value, str):
        raise wrong(name, f"must be a string, not {type(value).__name__}")
    if value != value.strip() or not _HEADER_VALUE.fullmatch(value):
        raise wrong(name, "must be one line of latin-1 text without white space around it")


def check_query(name: str, query: QueryMap) -> None:
    """Refuse query parameters that have no plain form."""
    check_mapping(name, query)
    for key, value in query.items():
        for each in value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else (value,):
            if each is not None and not isinstance(each, str | int | float):
                raise wrong(f"{name}.{key}", f"must be text or a number, not {type(each).__name__}")


def check_middleware(value: object) -> None:
    """Refuse what is no MiddlewareOptions."""
    if not isinstance(value, MiddlewareOptions):
        raise wrong("middleware_options", f"must be MiddlewareOptions, not {type(value).__name__}")
