"""What can go wrong, as types: `status` and `code` are the contract, the message is for the caller.

`outcome` is how a request counts that ends in the error.

No message may carry a secret or the text of an exception that was not written for callers.
"""

import re
from typing import ClassVar

from inference_gateway.server.outcome import Outcome

# https://www.rfc-editor.org/rfc/rfc6750#section-3
_UNQUOTABLE = re.compile(r"[^ !#-\[\]-~]")
"""What must not stand in a description of `WWW-Authenticate`."""


class GatewayError(Exception):
    """Base of every error that ends in an answer to the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    outcome: ClassVar[Outcome] = Outcome.REJECTED

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        """Seconds after which the caller may try again; becomes `Retry-After`."""


class BadRequest(GatewayError):
    """The request cannot be understood; the message names the field."""

    status = 400
    code = "bad_request"


class Unauthorized(GatewayError):
    """Nobody known asks. The body says no more than that; `reason` goes into `WWW-Authenticate`.

    https://www.rfc-editor.org/rfc/rfc6750#section-3

    :param reason: what is wrong with the credentials, without quotes; empty where there are none.
    """

    status = 401
    code = "unauthorized"

    def __init__(self, reason: str = "") -> None:
        super().__init__("unauthorized")
        self.reason = reason

    @property
    def challenge(self) -> str:
        """Value of `WWW-Authenticate`."""
        why = f', error="invalid_token", error_description="{self.reason}"' if self.reason else ""
        return f'Bearer realm="inference-gateway"{why}'


class Forbidden(GatewayError):
    """Understood, and not allowed here."""

    status = 403
    code = "forbidden"


class InsufficientScope(Forbidden):
    """The caller is known, and its token does not grant what the operator asks for.

    :param scopes: what it must grant, for `WWW-Authenticate`.
    """

    code = "insufficient_scope"

    def __init__(self, message: str, *, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.scopes = scopes

    @property
    def challenge(self) -> str:
        """Value of `WWW-Authenticate`."""
        scope = f', scope="{" ".join(self.scopes)}"' if self.scopes else ""
        why = f'error="insufficient_scope", error_description="{_UNQUOTABLE.sub("?", self.message)}"'
        return f'Bearer realm="inference-gateway", {why}{scope}'


class CrossSite(Forbidden):
    """A web page of another origin asks, and none of those that may."""

    code = "cross_site"


class ModelNotAllowed(Forbidden):
    """The operator does not serve this model."""

    code = "model_not_allowed"


class NotFound(GatewayError):
    """No such thing here."""

    status = 404
    code = "not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not; `allow` lists those that do."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(GatewayError):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(GatewayError):
    """The request's body is over the limit."""

    status = 413
    code = "body_too_large"


class URLTooLong(GatewayError):
    """The request's target is over the limit."""

    status = 414
    code = "url_too_long"


class UnsupportedMediaType(GatewayError):
    """The request's body comes in an encoding that is not read here."""

    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(GatewayError):
    """The request's header section is over the limit."""

    status = 431
    code = "headers_too_large"


class NotImplementedHere(GatewayError):
    """A part of HTTP that this server does not offer."""

    status = 501
    code = "not_implemented"


class UpstreamError(GatewayError):
    """The provider could not be reached, or what it sent is not an answer."""

    status = 502
    code = "upstream_error"
    outcome = Outcome.PROVIDER_ERROR


class UpstreamUnreachable(UpstreamError):
    """There was no connection: nothing of the request was sent."""


class UpstreamCut(UpstreamError):
    """The provider's answer broke off."""

    outcome = Outcome.CUT


class Overloaded(GatewayError):
    """No room for more at the moment."""

    status = 503
    code = "overloaded"


class IdentityUnavailable(GatewayError):
    """Nobody can be recognised: the issuer of tokens has not answered yet."""

    status = 503
    code = "identity_unavailable"


class ShuttingDown(Overloaded):
    """The gateway ends, and the request with it."""

    outcome = Outcome.CANCELLED


class UpstreamTimeout(GatewayError):
    """The provider did not answer in time."""

    status = 504
    code = "upstream_timeout"
    outcome = Outcome.STALLED


class VersionNotSupported(GatewayError):
    """Not HTTP/1.0 or HTTP/1.1."""

    status = 505
    code = "http_version_not_supported"
