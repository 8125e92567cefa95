"""Answers that are here whole: as they came, and as the types that were asked for."""

import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, ValidationError

from inference_gateway.client.errors import (
    FieldError,
    Headers,
    ResponseValidationError,
    field_errors,
    request_id_of,
    sentence,
)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class RawResponse:
    """An answer with a success status, as it came."""

    status_code: int
    headers: Headers
    content: bytes

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, if it sent one."""
        return request_id_of(self.headers)

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body.

        :raises ResponseValidationError: it is not JSON.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise self.unreadable("the body is not JSON" if self.content else "the body is empty") from error

    def unreadable(self, problem: str, errors: list[FieldError] | None = None) -> ResponseValidationError:
        """Make the error for an answer that is not what was asked for."""
        return ResponseValidationError(
            f"{self.status_code}: {problem}",
            errors or (),
            status_code=self.status_code,
            headers=self.headers,
            body=self.text,
        )


@dataclass(frozen=True)
class APIResponse(Generic[T]):
    """What a method returns, together with the answer it was read from."""

    parsed: T
    http: RawResponse

    @property
    def status_code(self) -> int:
        """HTTP status."""
        return self.http.status_code

    @property
    def headers(self) -> Headers:
        """Headers, by name in any case."""
        return self.http.headers

    @property
    def request_id(self) -> str | None:
        """Id under which the gateway knows the call, if it sent one."""
        return self.http.request_id


_captured: ContextVar[list[RawResponse] | None] = ContextVar("captured", default=None)
"""Where answers are noted down while somebody wants to see them."""


def with_response(method: Callable[P, T]) -> Callable[P, APIResponse[T]]:
    """Make a method return the answer beside what it read from it."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> APIResponse[T]:
        seen: list[RawResponse] = []
        token = _captured.set(seen)
        try:
            parsed = method(*args, **kwargs)
        finally:
            _captured.reset(token)
        return APIResponse(parsed, seen[-1])

    return call


def awith_response(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[APIResponse[T]]]:
    """Make an async method return the answer beside what it read from it."""

    @wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> APIResponse[T]:
        seen: list[RawResponse] = []
        token = _captured.set(seen)
        try:
            parsed = await method(*args, **kwargs)
        finally:
            _captured.reset(token)
        return APIResponse(parsed, seen[-1])

    return call


def capture(raw: RawResponse) -> RawResponse:
    """Note an answer down, if somebody wants to see it."""
    if (seen := _captured.get()) is not None:
        seen.append(raw)
    return raw


def parsed_as(model: type[M], raw: RawResponse) -> M:
    """Read an answer as a type.

    :raises ResponseValidationError: it is not JSON, or not of this type.
    """
    try:
        return model.model_validate(raw.json())
    except ValidationError as error:
        found = field_errors(error)
        raise raw.unreadable(sentence(found), found) from error


def proxied(raw: RawResponse) -> Any:
    """Read a provider's own answer; an empty one, as to a DELETE, is an empty object.

    :raises ResponseValidationError: it is not JSON.
    """
    return raw.json() if raw.content else {}
