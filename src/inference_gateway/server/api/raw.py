"""Raw proxying: `/proxy/{provider}/{path}` with the provider's credentials put in."""

from functools import partial
from time import perf_counter

import msgspec

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.inference import expiry
from inference_gateway.server.api.operations import RAW
from inference_gateway.server.codec import Document
from inference_gateway.server.errors import BadRequest, Forbidden, UnsupportedMediaType
from inference_gateway.server.inference import RawCall
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline import raw_usage
from inference_gateway.server.pipeline.call_spans import judged, noted
from inference_gateway.server.providers.http_backend import HTTPBackend
from inference_gateway.server.providers.wire import checked_path
from inference_gateway.server.transport import headers
from inference_gateway.server.transport.messages import Request, Response, Source

_nullable_string: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_BEFORE_JSON = b" \t\n\r\0\xef\xbb\xbf\xfe\xff"
"""White space, the marks of UTF-8 and UTF-16, and the zeros of the latter: JSON to a lenient reader."""


async def proxy(gateway: Gateway, request: Request) -> Response:
    """Relay a request and its answer as they are, both ways as they come."""
    if request.principal is not None and request.principal.allowed_models:
        # A provider may take a model from a path, a header or a file: no list could be held to all of them.
        raise Forbidden("this key is good for some models only, and raw requests could reach others")
    provider_id = request.params["provider"].decode("latin-1")
    gateway.registry.require(provider_id)
    backend = gateway.backends[provider_id]
    if not isinstance(backend, HTTPBackend):
        raise BadRequest(f"the provider {provider_id!r} is built in: it has no raw API")
    call = request.raw = RawCall(RAW, provider_id)
    relay = partial(_relay, gateway, backend, request)
    return await (relay(call) if gateway.measuring is None else gateway.measuring(call, relay))


async def _relay(gateway: Gateway, backend: HTTPBackend, request: Request, call: RawCall) -> Response:
    path = checked_path(b"/" + request.params["path"])
    upload = await _body(gateway, request, call.provider_id)
    span, along = None, gateway.header_rule.raw(request.headers)
    if gateway.calls is not None:
        span, along = gateway.calls.begin_raw(request.trace, call.provider_id, request.method, along)
    began = perf_counter()
    with judged(span):
        try:
            answer = await backend.raw(
                request.method,
                path,
                query=request.query,
                headers=along,
                body=upload,
                length=request.body.length,
                expires_at=expiry(request),
            )
        finally:
            if call.measurement is not None:
                call.measurement.waited = perf_counter() - began
        is_here = answer.complete and request.method != "HEAD"
        body: bytes | Source = await answer.read(gateway.largest_answer) if is_here else answer
    fields = headers.raw_answer(answer.headers, secrets=backend.query_secrets)
    outcome = Outcome.COMPLETE if answer.status < 400 else Outcome.PROVIDER_ERROR
    if call.measurement is not None:
        body = raw_usage.read(body, fields, call.measurement)
    if span is not None:
        body = noted(body, span, answer.status, outcome)
    return Response(answer.status, fields, body, length=None if is_here else answer.length, outcome=outcome)


async def _body(gateway: Gateway, request: Request, provider_id: str) -> bytes | Source | None:
    """Body to send: none, one that is here whole and can be sent twice, or one that is still coming."""
    if gateway.rules.active:
        return await _checked_body(gateway, request, provider_id)
    if request.body.length == 0:
        return b"" if request.header(b"content-length") is not None else None
    return await request.body.read() if request.body.complete else request.body


async def _checked_body(gateway: Gateway, request: Request, provider_id: str) -> bytes | None:
    """Hold a body that names a model to the rules, whatever it says of its own type."""
    codings = {value.lower() for name, value in request.headers if name == b"content-encoding"}
    if codings - {b"identity"}:
        raise UnsupportedMediaType(
            "the request body must not be compressed: the models served here are limited"
        )
    body = await request.body.read()
    if body.lstrip(_BEFORE_JSON).startswith(b"{"):
        _check_model(gateway, Document(body), provider_id)
    return body if body or request.header(b"content-length") is not None else None


def _check_model(gateway: Gateway, document: Document, provider_id: str) -> None:
    # Some providers ignore the case of names.
    for spelling in document.spellings("model"):
        name = document.get(spelling, _nullable_string, expected="a string")
        if name is not None:
            gateway.rules.check(provider_id, name)
