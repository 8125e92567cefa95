"""What is said of an operation in the OpenAPI document, beside what the route table says."""

import msgspec

from inference_gateway.server import errors


class Operation(msgspec.Struct, frozen=True):
    """What the route table does not say about an operation. Names are those of components."""

    tag: str
    description: str
    success: str
    errors: tuple[type[errors.GatewayError], ...]
    parameters: tuple[str, ...] = ()
    body: str | None = None
    relays: bool = False
    """Whether a provider's own error can be the answer."""


ANY = (
    errors.BadRequest,
    errors.RequestTimeout,
    errors.URLTooLong,
    errors.HeadersTooLarge,
    errors.GatewayError,
    errors.Overloaded,
)
"""What any operation may be answered with."""
