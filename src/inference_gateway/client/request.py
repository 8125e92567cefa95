"""Arguments in, HTTP calls out: the one builder behind the sync and the async client. No I/O.

Whatever is wrong with an argument is found here, before anything is sent.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict, Unpack, cast
from urllib.parse import quote, unquote

from inference_gateway._version import __version__
from inference_gateway.client.body import chat_body, encode_fields, encode_value, merged
from inference_gateway.client.errors import InferenceGatewayValidationError, wrong
from inference_gateway.client.options import (
    CallOptions,
    ClientOptions,
    HeaderMap,
    QueryMap,
    Timeout,
    check_header_value,
    check_headers,
    check_middleware,
    check_query,
)
from inference_gateway.client.retry import RetryConfig

PROXY_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")

_JSON = "application/json"
_EVENTS = "text/event-stream, application/json"
_VERSION_SEGMENT = re.compile(r"/v[0-9]+\Z")
_ONCE = RetryConfig(enabled=False)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One logical call, ready to be sent as often as it takes.

    :ivar signs: whether every attempt gets the client's token; not if the caller's headers have their own.
    :ivar foreign: whether it goes elsewhere than to the gateway: nothing that the HTTP library's client
        holds for the gateway may go along.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    signs: bool
    timeout: Timeout
    retry: RetryConfig
    content: bytes | None = None
    stream: bool = False
    follows_redirects: bool = True
    foreign: bool = False


@dataclass(frozen=True, kw_only=True)
class ProxyTarget:
    """What a call of a provider's own API is about."""

    provider: str
    path: str
    method: str = "GET"
    json_data: object = None
    params: QueryMap | None = None
    content: bytes | None = None
    headers: HeaderMap | None = None


class _Shape(TypedDict, total=False):
    """What kind of call it is."""

    query: QueryMap
    content: bytes | None
    content_type: str
    headers: HeaderMap
    accept: str
    stream: bool
    retry: RetryConfig


class RequestBuilder:
    """Builds calls by a client's options."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options

    @property
    def root_url(self) -> str:
        """The base URL without its version: where the health and the providers' own APIs are."""
        return _VERSION_SEGMENT.sub("", self._options.base_url)

    def chat(self, fields: Mapping[str, object], keywords: Mapping[str, object], *, stream: bool) -> Call:
        """Build a chat completion call.

        :param fields: the method's own arguments: fields of the body, and `provider`.
        :param keywords: the rest: fields of the body, and options of the call.
        :raises InferenceGatewayValidationError: an argument is wrong; it names the field.
        """
        options = {name: value for name, value in keywords.items() if name in CallOptions.__annotations__}
        given = {**fields, **{name: value for name, value in keywords.items() if name not in options}}
        if given.pop("stream", stream) is not stream:
            raise _other_method(stream)
        provider, extra = given.pop("provider", None), given.pop("extra_body", None)
        body = merged(chat_body({**given, "stream": stream}), extra)
        return self.build(
            "POST",
            self._options.base_url + "/chat/completions",
            options,
            query={"provider": provider_id(provider)},
            content=encode_fields(body),
            content_type=_JSON,
            accept=_EVENTS if stream else _JSON,
            stream=stream,
        )

    def models(self, provider: object, include: object, options: Mapping[str, object]) -> Call:
        """Build the call that lists models."""
        query = {"provider": provider_id(provider), "include": _joined(include)}
        return self.build("GET", self._options.base_url + "/models", options, query=query)

    def model(self, model_id: object, options: Mapping[str, object]) -> Call:
        """Build the call that describes one model."""
        if not isinstance(model_id, str) or not model_id:
            raise wrong("model_id", "must be the id of a model, such as 'openai/gpt-4o'")
        path = f"/models/{_path('model_id', model_id)}"
        return self.build("GET", self._options.base_url + path, options)

    def tools(self, options: Mapping[str, object]) -> Call:
        """Build the call that lists the gateway's own tools."""
        return self.build("GET", self._options.base_url + "/mcp/tools", options)

    def health(self, options: Mapping[str, object]) -> Call:
        """Build the probe, which is tried once."""
        return self.build("GET", f"{self.root_url}/health", options, retry=_ONCE)

    def proxy(self, target: ProxyTarget, options: Mapping[str, object], *, stream: bool = False) -> Call:
        """Build a call of a provider's own API.

        :raises InferenceGatewayValidationError: an argument is wrong; it names the field.
        """
        method = _proxy_method(target.method)
        path, _, query = _proxy_path(target.path)
        url = f"{self.root_url}/proxy/{_proxy_provider(target.provider)}/{_path('path', path.lstrip('/'))}"
        check_query("params", target.params or {})
        check_headers("headers", target.headers or {})
        return self.build(
            method,
            f"{url}?{quote(query, safe=_IN_QUERY)}" if query else url,
            options,
            query=target.params or {},
            content=_proxy_content(target),
            content_type="" if target.json_data is None else _JSON,
            headers=target.headers or {},
            accept="*/*" if stream else _JSON,
            stream=stream,
        )

    def build(self, method: str, url: str, options: Mapping[str, object], **shape: Unpack[_Shape]) -> Call:
        """Put a call together from what it is and from what its caller says.

        :raises InferenceGatewayValidationError: an option is wrong; it names the option.
        """
        said = _checked(options)
        headers = self._headers(said, shape)
        if method != "GET":
            headers.setdefault("idempotency-key", ("Idempotency-Key", _idempotency_key(said)))
        query = [self._options.default_query, shape.get("query") or {}, said.get("extra_query") or {}]
        return Call(
            method=method,
            url=_with_query(url, {name: value for each in query for name, value in each.items()}),
            headers={name: value for name, value in headers.values() if value is not None},
            signs="authorization" not in headers,
            timeout=Timeout.of(said.get("timeout", self._options.timeout)),
            retry=shape.get("retry") or self._options.retry,
            content=shape.get("content"),
            stream=shape.get("stream", False),
        )

    def _headers(self, said: CallOptions, shape: _Shape) -> dict[str, tuple[str, str | None]]:
        """Merge headers by lower-case name, the most particular last; None takes one away."""
        own: dict[str, str | None] = {
            "Accept": shape.get("accept", _JSON),
            "User-Agent": f"inference-gateway-python/{__version__}",
        }
        if content_type := shape.get("content_type"):
            own["Content-Type"] = content_type
        if shape.get("stream"):
            # What arrives has to be readable at once, not when a decoder's buffer is full.
            own["Accept-Encoding"] = "identity"
        middleware = said.get("middleware_options") or self._options.middleware_options
        layers: list[HeaderMap] = [
            own,
            self._options.default_headers,
            middleware.headers,
            shape.get("headers") or {},
            said.get("extra_headers") or {},
        ]
        return {name.lower(): (name, value) for layer in layers for name, value in layer.items()}


# ---- options of a call -----------------------------------------------------------------------------------


def _checked(options: Mapping[str, object]) -> CallOptions:
    if unknown := options.keys() - CallOptions.__annotations__.keys():
        raise wrong(min(unknown), "is not an argument of this call")
    said = cast(CallOptions, options)  # its names are, and its values are checked below
    check_headers("extra_headers", said.get("extra_headers") or {})
    check_query("extra_query", said.get("extra_query") or {})
    if (middleware := said.get("middleware_options")) is not None:
        check_middleware(middleware)
    if (key := said.get("idempotency_key")) is not None:
        check_header_value("idempotency_key", key)
    return said


def _idempotency_key(said: CallOptions) -> str:
    return said.get("idempotency_key") or str(uuid.uuid4())


def _other_method(stream: bool) -> InferenceGatewayValidationError:
    if stream:
        return wrong("stream", "is always true here; create_chat_completion answers at once")
    return wrong("stream", "cannot be true here: call create_chat_completion_stream")


def _proxy_method(method: object) -> str:
    name = method.upper() if isinstance(method, str) else ""
    if name not in PROXY_METHODS:
        raise wrong("method", f"must be one of {', '.join(PROXY_METHODS)}, not {method!r}")
    return name


def _proxy_path(path: object) -> tuple[str, str, str]:
    if not isinstance(path, str):
        raise wrong("path", f"must be a string, not {type(path).__name__}")
    return path.partition("?")


def _proxy_content(target: ProxyTarget) -> bytes | None:
    if target.json_data is None:
        if target.content is not None and not isinstance(target.content, bytes):
            raise wrong("content", f"must be bytes, not {type(target.content).__name__}")
        return target.content
    if target.content is not None:
        raise wrong("content", "cannot be sent beside json_data")
    return encode_value("json_data", target.json_data)


# ---- URLs ------------------------------------------------------------------------------------------------

_IN_PATH = "/:@!$&'()*+,;=~%"
_IN_QUERY = "/:@!$&'()*+,;=~%?"


def provider_id(provider: object) -> str | None:
    """Check the id of a provider; None stays None.

    :raises InferenceGatewayValidationError: it is no text, or empty.
    """
    if provider is not None and (not isinstance(provider, str) or not provider):
        raise wrong("provider", f"must be a Provider or the id of one, not {provider!r}")
    return None if provider is None else str(provider)


def _proxy_provider(provider: object) -> str:
    if (known := provider_id(provider)) is None:
        raise wrong("provider", "is required")
    return quote(known, safe="")


def _path(name: str, path: str) -> str:
    if not path:
        raise wrong(name, "must not be empty")
    # Libraries would resolve these, and the call would end up somewhere else.
    if not {".", ".."}.isdisjoint(unquote(path).split("/")):
        raise wrong(name, "must not have the segments '.' or '..'")
    return _quoted(name, path)


def _quoted(name: str, path: str) -> str:
    try:
        return quote(path, safe=_IN_PATH)
    except UnicodeEncodeError as error:
        raise wrong(name, "is not well-formed Unicode") from error


def _joined(include: object) -> str | None:
    if include is None or isinstance(include, str):
        return include or None
    if not isinstance(include, Sequence) or not all(isinstance(word, str) for word in include):
        raise wrong("include", f"must be text or a list of it, not {include!r}")
    return ",".join(include) or None


def _with_query(url: str, query: QueryMap) -> str:
    pairs = [f"{quote(name, safe='')}={quote(value, safe=',')}" for name, value in _pairs(query)]
    return url + ("&" if "?" in url else "?") + "&".join(pairs) if pairs else url


def _pairs(query: QueryMap) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for each in value if isinstance(value, Sequence) and not isinstance(value, str) else (value,):
            if isinstance(each, bool):
                yield name, "true" if each else "false"
            elif each is not None:
                yield name, str(each)
