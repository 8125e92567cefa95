"""What the SDK raises: one tree, filled alike whichever HTTP library carried the call.

`InferenceGatewayError` is the root. Below it: a wrong argument (nothing was sent), an answer with an
error status, no whole answer at all, and an answer that cannot be read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from inference_gateway.client.retry_after import retry_after
from inference_gateway.types import CreateChatCompletionResponse, Error, ErrorDetail

_LONGEST_QUOTE = 500
"""Characters of a body that is not JSON which the message of an error quotes."""

Headers = Mapping[str, str]


class InferenceGatewayError(Exception):
    """Root of everything that the SDK raises on purpose."""


def client_closed() -> InferenceGatewayError:
    """Make the error for a call of a client that was closed."""
    return InferenceGatewayError("Request failed: the client is closed")


# ---- arguments, and answers that are not what they should be ---------------------------------------------


class FieldError(NamedTuple):
    """One thing that is wrong: the dotted name of the field, and what it should be."""

    field: str
    problem: str


class InferenceGatewayValidationError(InferenceGatewayError, ValueError):
    """An argument is wrong. Nothing was sent.

    :ivar errors: everything that is wrong, by field.
    """

    prefix = "Request/response validation failed"

    def __init__(self, problem: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(problem)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return f"{self.prefix}: {self.args[0]}"

    @property
    def field(self) -> str:
        """Dotted name of the first wrong field; "" if the problem is not one field's."""
        return self.errors[0].field if self.errors else ""


class ResponseValidationError(InferenceGatewayValidationError):
    """The server answered with success, but not with what was asked for.

    :ivar status_code: the status, a 2xx.
    :ivar headers: of the answer.
    :ivar body: the answer as text.
    """

    prefix = "Response validation failed"

    def __init__(
        self,
        problem: str,
        errors: Iterable[FieldError] = (),
        *,
        status_code: int = 200,
        headers: Headers | None = None,
        body: str = "",
    ) -> None:
        super().__init__(problem, errors)
        self.status_code = status_code
        self.headers: Headers = headers if headers is not None else {}
        self.body = body

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, if it sent one."""
        return request_id_of(self.headers)


def wrong(field: str, problem: str) -> InferenceGatewayValidationError:
    """Name one wrong argument."""
    return InferenceGatewayValidationError(f"{field}: {problem}", [FieldError(field, problem)])


def field_errors(error: ValidationError) -> list[FieldError]:
    """Say what pydantic found, without the values, which may be secret or huge."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [FieldError(".".join(map(str, each["loc"])), each["msg"]) for each in found]


def sentence(errors: Sequence[FieldError]) -> str:
    """Write the first few problems on one line."""
    shown = "; ".join(f"{field}: {problem}" if field else problem for field, problem in errors[:5])
    return shown if len(errors) <= 5 else f"{shown}; and {len(errors) - 5} more"


# ---- answers with an error status ------------------------------------------------------------------------


class InferenceGatewayAPIError(InferenceGatewayError):
    """The server answered with an error.

    :ivar message: what went wrong, in a sentence that starts "Request failed".
    :ivar status_code: HTTP status; 0 where there was none.
    :ivar response_data: the body, if it is a JSON object; else empty.
    :ivar headers: of the answer.
    :ivar body: the body as text, whatever it is.
    :ivar retry_after: seconds that the server asks to wait, or None.
    """

    def __init__(
        self,
        message: str,
        status_code: int = 0,
        response_data: Mapping[str, JsonValue] | None = None,
        *,
        headers: Headers | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.response_data: dict[str, JsonValue] = dict(response_data or {})
        self.headers: Headers = headers if headers is not None else {}
        self.body = body
        self.retry_after = retry_after(self.headers)
        self._detail = _detail(self.response_data)

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, if it sent one."""
        return request_id_of(self.headers)

    @property
    def code(self) -> str | int | None:
        """The provider's code of the error, if it sent an error object."""
        return self._detail.code

    @property
    def type(self) -> str | None:
        """The provider's kind of the error, if it sent an error object."""
        return self._detail.type

    @property
    def param(self) -> str | None:
        """The parameter that the provider blames, if it sent an error object."""
        return self._detail.param


class BadRequestError(InferenceGatewayAPIError):
    """400: the server cannot make sense of the request."""


class AuthenticationError(InferenceGatewayAPIError):
    """401: no token, or a wrong one."""


class PermissionDeniedError(InferenceGatewayAPIError):
    """403: not allowed, or not exposed."""


class NotFoundError(InferenceGatewayAPIError):
    """404: no such model, provider or path."""


class RequestTimeoutError(InferenceGatewayAPIError):
    """408: the server waited too long for the request."""


class ConflictError(InferenceGatewayAPIError):
    """409: the request clashes with another."""


class RequestTooLargeError(InferenceGatewayAPIError):
    """413: the body is larger than the server takes."""


class UnprocessableEntityError(InferenceGatewayAPIError):
    """422: the request is well formed, and wrong."""


class RateLimitError(InferenceGatewayAPIError):
    """429: too many requests; `retry_after` may say when to come back."""


class InternalServerError(InferenceGatewayAPIError):
    """5xx: something broke behind the server's door."""


class BadGatewayError(InternalServerError):
    """502: the provider's answer was not usable."""


class ServiceUnavailableError(InternalServerError):
    """503: overloaded or down; `retry_after` may say when to come back."""


class GatewayTimeoutError(InternalServerError):
    """504: the provider took too long."""


class StreamError(InferenceGatewayAPIError):
    """The server reported an error in the middle of a stream, or sent what is no event of one.

    `status_code` is that of the answer that carried the stream, a 2xx.
    """


_BY_STATUS: Mapping[int, type[InferenceGatewayAPIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: GatewayTimeoutError,
}


def api_error(status: int, headers: Headers, body: bytes) -> InferenceGatewayAPIError:
    """Make the error of an answer, from whatever its body is."""
    text = body.decode("utf-8", "replace")
    parsed = _object_in(text)
    kind = _BY_STATUS.get(status) or (InternalServerError if status >= 500 else InferenceGatewayAPIError)
    message = f"Request failed: {status} {_phrase(status)}".rstrip()
    if said := _said(parsed, text, headers):
        message += f": {said}"
    return kind(message, status, parsed, headers=headers, body=text)


def stream_error(text: str, status: int, headers: Headers) -> StreamError:
    """Make the error that the data of an event reports."""
    parsed = _object_in(text)
    said = _said(parsed, text, {}) or "the server reported an error"
    return StreamError(f"Request failed in mid-stream: {said}", status, parsed, headers=headers, body=text)


def request_id_of(headers: Headers) -> str | None:
    """Find the id of a call in the headers of its answer."""
    return headers.get("x-request-id") or headers.get("request-id")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _object_in(text: str) -> dict[str, JsonValue]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _detail(data: Mapping[str, JsonValue]) -> ErrorDetail:
    """Read the error object; a sentence in its place is its message."""
    try:
        error = Error.model_validate(data).error
    except ValidationError:
        message = data.get("message", data.get("detail"))
        return ErrorDetail(message=message) if isinstance(message, str) else ErrorDetail()
    return ErrorDetail(message=error) if isinstance(error, str) else error


def _said(parsed: Mapping[str, JsonValue], text: str, headers: Headers) -> str:
    """Find the server's own words. A page of HTML is nobody's words."""
    if message := _detail(parsed).message:
        return message
    text = text.strip()
    if "html" in headers.get("content-type", "").lower() or text[:1] == "<":
        return ""
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


# ---- no whole answer -------------------------------------------------------------------------------------


class InferenceGatewayConnectionError(InferenceGatewayError):
    """There is no connection, or it was lost before the answer was whole."""


class InferenceGatewayTimeoutError(InferenceGatewayConnectionError):
    """The server took longer than it was given."""


class IncompleteStreamError(InferenceGatewayConnectionError):
    """A stream ended before its answer did: what came so far is not the whole."""


def closed_early() -> IncompleteStreamError:
    """Make the error for reading on in a stream that was closed, or left by an interrupt."""
    return IncompleteStreamError("Request failed: the stream was closed before its end")


# ---- answers that cannot be parsed into what was asked for -----------------------------------------------


class LengthFinishReasonError(InferenceGatewayError):
    """The model met the token limit before its structured answer was whole.

    :ivar completion: the answer as far as it goes.
    """

    def __init__(self, completion: CreateChatCompletionResponse) -> None:
        super().__init__("the answer was cut at the token limit: it is not the structure asked for")
        self.completion = completion


class ContentFilterFinishReasonError(InferenceGatewayError):
    """A content filter withheld the structured answer.

    :ivar completion: the answer as far as it goes.
    """

    def __init__(self, completion: CreateChatCompletionResponse) -> None:
        super().__init__("a content filter withheld the answer: it is not the structure asked for")
        self.completion = completion
