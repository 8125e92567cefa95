"""Answers that the gateway writes itself."""

from inference_gateway.server import codec
from inference_gateway.server.errors import GatewayError, InsufficientScope, MethodNotAllowed, Unauthorized
from inference_gateway.server.transport.messages import Header, Response

_JSON: Header = (b"content-type", b"application/json")


def json_response(value: object, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return Response(status, [_JSON], codec.encode(value))


def error_response(error: GatewayError) -> Response:
    """Answer with an error, in the one shape that errors of the gateway have."""
    response = json_response({"error": error.message}, error.status)
    response.outcome = error.outcome
    if error.status >= 500:
        response.problem = error.message
    if error.retry_after is not None:
        response.headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, MethodNotAllowed):
        response.headers.append((b"allow", ", ".join(error.allow).encode("ascii")))
    if isinstance(error, Unauthorized | InsufficientScope):
        response.headers.append((b"www-authenticate", error.challenge.encode("ascii")))
    return response
