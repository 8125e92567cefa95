"""How a request ended, in one word. Facts only: `Exchange` and its ASGI twin tell it, once per request."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended. Each ends in exactly one."""

    COMPLETE = "complete"
    """Answered, and the answer is whole."""
    PROVIDER_ERROR = "provider_error"
    """The provider could not be reached, answered with an error, or with what is no answer."""
    CUT = "cut"
    """The provider's answer broke off."""
    STALLED = "stalled"
    """The provider, or the whole call, took longer than it may."""
    CLIENT_GONE = "client_gone"
    """The client left, or took nothing, before the answer's end."""
    CANCELLED = "cancelled"
    """The gateway ended it, because it shuts down."""
    REJECTED = "rejected"
    """The gateway refused it, or failed on it."""
