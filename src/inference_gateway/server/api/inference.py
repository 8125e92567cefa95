"""Inference endpoints: a JSON body comes in, a model's work goes out."""

import asyncio
from collections.abc import Awaitable
from math import inf

from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.operations import CHAT
from inference_gateway.server.api.query import parameter
from inference_gateway.server.api.wishes import wishes
from inference_gateway.server.codec import Document
from inference_gateway.server.configuration.values import duration
from inference_gateway.server.errors import BadRequest, UnsupportedMediaType
from inference_gateway.server.inference import InferenceRequest, Operation
from inference_gateway.server.transport.messages import Request, Response


def create_chat_completion(gateway: Gateway, request: Request) -> Awaitable[Response]:
    """Answer `POST /v1/chat/completions`."""
    return _infer(gateway, request, CHAT)


async def _infer(gateway: Gateway, request: Request, operation: Operation) -> Response:
    coding = request.header(b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        raise UnsupportedMediaType("the request body must not be compressed here")
    body = await request.body.read()
    if not body:
        raise BadRequest("the request body is empty: send a JSON object with 'model' and 'messages'")
    wished = wishes(request, bypass_allowed=gateway.bypass_allowed)
    request.inference = InferenceRequest(
        operation,
        Document(body),
        headers=gateway.header_rule.inference(request.headers),
        provider_hint=parameter(request.query, "provider"),
        request_id=request.request_id,
        expires_at=expiry(request),
        faults=request.header(b"x-mock-faults") if gateway.takes_faults else None,
        principal=request.principal,
        wishes=wished,
        trace=request.trace,
    )
    return await (gateway.infer_directly if wished.direct else gateway.infer)(request.inference)


def expiry(request: Request) -> float:
    """Time of the loop's clock by which `X-Gateway-Timeout` wants the call ended, in seconds.

    :raises BadRequest: the header is not a duration.
    """
    value = request.header(b"x-gateway-timeout")
    if value is None:
        return inf
    try:
        seconds = duration(value.decode("latin-1"))
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise BadRequest("X-Gateway-Timeout must be a duration above zero, such as 3s or 2.5")
    return asyncio.get_running_loop().time() + seconds
