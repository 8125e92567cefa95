"""`POST /v1/metrics`: clients push what they measured.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import zlib
from typing import Final

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.errors import BadRequest, BodyTooLarge, Forbidden, UnsupportedMediaType
from inference_gateway.server.transport.messages import Request, Response

_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an export, as it comes and as it is when its coding is undone."""


async def push_metrics(gateway: Gateway, request: Request) -> Response:
    """Answer `POST /v1/metrics`.

    :raises Forbidden: pushes are not taken.
    :raises UnsupportedMediaType: neither of the two encodings, or another compression than gzip.
    :raises BodyTooLarge: more than is taken.
    :raises BadRequest: not what its headers say that it is.
    """
    push = gateway.push
    if push is None:
        raise Forbidden(
            "Metrics push is not enabled: it takes TELEMETRY_ENABLED and TELEMETRY_METRICS_PUSH_ENABLED"
        )
    content_type, _, _ = (request.header(b"content-type") or b"").partition(b";")
    encoding = push.encodings.get(content_type.strip().lower())
    if encoding is None:
        raise UnsupportedMediaType("Content-Type must be application/x-protobuf or application/json")
    coding = (request.header(b"content-encoding") or b"identity").strip().lower()
    if coding not in {b"identity", b"gzip"}:
        raise UnsupportedMediaType("Content-Encoding must be gzip, or there must be none")
    if (request.body.length or 0) > _LARGEST:
        raise _too_large()
    body = await request.body.read()
    if coding == b"gzip":
        body = _unzipped(body)
    if len(body) > _LARGEST:
        raise _too_large()
    try:
        answer = await push.take(body, encoding)
    except ValueError as error:
        raise BadRequest(f"Failed to decode OTLP payload: {error}") from error
    return Response(200, [(b"content-type", encoding.content_type)], answer)


def _unzipped(body: bytes) -> bytes:
    inflate = zlib.decompressobj(31)
    try:
        plain = inflate.decompress(body, _LARGEST + 1)
    except zlib.error as error:
        raise BadRequest("Invalid gzip payload") from error
    if len(plain) <= _LARGEST and (not inflate.eof or inflate.unused_data):
        raise BadRequest("Invalid gzip payload: it breaks off, or more follows behind its end")
    return plain


def _too_large() -> BodyTooLarge:
    return BodyTooLarge("Payload exceeds 4 MiB limit")
