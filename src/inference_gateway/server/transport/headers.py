"""Which header fields cross the gateway, and which never do. No I/O.

https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
"""

from collections.abc import Iterable

from inference_gateway.server.transport.messages import Header

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

EVENT_STREAM: list[Header] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    # Tells nginx and its like not to collect events before passing them on.
    (b"x-accel-buffering", b"no"),
]
"""Fields of an answer that is a stream of events."""

_FORWARDED = frozenset({b"traceparent", b"tracestate"})
_FORWARDED_PREFIXES = (b"anthropic-", b"openai-")
_KEY = b"-api-key"
"""A client's credential, whoever it names."""
# What describes a raw body and the answer wanted for it: only where the body itself is relayed raw.
_REPRESENTATION = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"digest",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
    }
)

_RATE_LIMIT_PREFIXES = (b"x-ratelimit-", b"ratelimit", b"anthropic-ratelimit-")
_RATE_LIMITS = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
_REQUEST_IDS = frozenset({b"x-request-id", b"request-id"})
# Their first letters, which settle most fields.
_RETURNED = frozenset(name[:1] for name in (*_RATE_LIMIT_PREFIXES, *_RATE_LIMITS, *_REQUEST_IDS))
# The gateway's own, or of use to the provider's origin only: a browser would take them for the gateway's, ask
# its user for a password, forget what the page had stored, or report elsewhere.
_NEVER_RELAYED = HOP_BY_HOP | {
    b"alt-svc",
    b"authentication-info",
    b"authorization",
    b"clear-site-data",
    b"content-length",
    b"date",
    b"nel",
    b"refresh",
    b"report-to",
    b"reporting-endpoints",
    b"server",
    b"service-worker-allowed",
    b"set-cookie",
    b"set-cookie2",
    b"strict-transport-security",
    b"www-authenticate",
    b"x-request-id",
}


class RequestHeaderRule:
    """The one rule for what of a client's request headers reaches a provider or an agent.

    Credentials, cookies and forwarding headers are not on any list and so never cross;
    `extra` (FORWARD_REQUEST_HEADERS) names what else an operator lets through.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._names = _FORWARDED | {name.encode("ascii") for name in extra}
        self._raw_names = self._names | _REPRESENTATION
        # Their first letters, which settle most fields.
        self._initials = frozenset(name[:1] for name in (*self._raw_names, *_FORWARDED_PREFIXES))

    def inference(self, headers: list[Header]) -> list[Header]:
        """Fields that go along with an inference request, whose body the gateway writes."""
        return self._crossing(headers, self._names)

    def agent(self, headers: list[Header]) -> list[Header]:
        """Fields that go along with a request to an agent, who is none of the providers that some are for."""
        return [h for h in self.inference(headers) if h[0] in self._names]

    def raw(self, headers: list[Header]) -> list[Header]:
        """Fields that go along with a raw request."""
        return self._crossing(headers, self._raw_names)

    def _crossing(self, headers: list[Header], names: frozenset[bytes]) -> list[Header]:
        """Fields of these names, except those that `Connection` names."""
        kept = [
            h
            for h in headers
            if h[0][:1] in self._initials
            and (h[0] in names or (h[0].startswith(_FORWARDED_PREFIXES) and not h[0].endswith(_KEY)))
        ]
        if not kept:
            return kept
        named = connection_options(headers)
        return [h for h in kept if h[0] not in named] if named else kept


def connection_options(headers: list[Header]) -> frozenset[bytes]:
    """Names listed by `Connection`, in lower case."""
    options = [value for name, value in headers if name == b"connection"]
    return frozenset(o.strip().lower() for o in b",".join(options).split(b",")) if options else frozenset()


def limits_and_ids(headers: list[Header]) -> list[Header]:
    """What of a provider's answer comes back on every answer: rate limits and its request id."""
    kept = []
    for name, value in headers:
        if name[:1] not in _RETURNED:
            continue
        if name in _RATE_LIMITS or name.startswith(_RATE_LIMIT_PREFIXES):
            kept.append((name, value))
        elif name in _REQUEST_IDS:
            kept.append((b"x-upstream-request-id", value))
    return kept


def raw_answer(headers: list[Header], *, secrets: tuple[bytes, ...] = ()) -> list[Header]:
    """What of a provider's answer comes back where it is relayed raw.

    :param secrets: the key in the writings that the query of a call may give it; a field that repeats it, as
        the location of a redirect may, is left out.
    """
    named = connection_options(headers)
    if secrets:
        headers = [h for h in headers if not any(secret in h[1] for secret in secrets)]
    kept = [
        h
        for h in headers
        if h[0] not in _NEVER_RELAYED and h[0] not in named and not h[0].startswith(b"access-control-")
    ]
    kept.extend((b"x-upstream-request-id", value) for name, value in headers if name in _REQUEST_IDS)
    return kept
