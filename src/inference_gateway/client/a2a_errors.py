"""What an agent refuses, as exceptions: a JSON-RPC error is one, whatever the HTTP status around it.

https://www.jsonrpc.org/specification#error_object
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from inference_gateway.client.errors import Headers, InferenceGatewayAPIError

_LONGEST_MESSAGE = 500
"""Characters of an agent's message that the message of an error quotes."""


class A2AError(InferenceGatewayAPIError):
    """An agent answered with a JSON-RPC error.

    :ivar data: what else the agent says about it.
    """

    rpc_code: ClassVar[int] = 0

    def __init__(
        self,
        said: str,
        code: int | None = None,
        data: JsonValue = None,
        *,
        status_code: int = 0,
        response_data: Mapping[str, JsonValue] | None = None,
        headers: Headers | None = None,
    ) -> None:
        self._code = self.rpc_code if code is None else code
        shown = said if len(said) <= _LONGEST_MESSAGE else f"{said[:_LONGEST_MESSAGE]}…"
        # Without a status nobody answered: the client knows by itself that the agent cannot.
        message = f"Request failed: {'the agent answered ' if status_code else ''}{self._code}: {shown}"
        super().__init__(message, status_code, response_data, headers=headers)
        self.data = data

    @property
    def code(self) -> int:
        """The JSON-RPC code of the error."""
        return self._code


class A2AParseError(A2AError):
    """-32700: the agent could not read the request as JSON."""

    rpc_code = -32700


class A2AInvalidRequestError(A2AError):
    """-32600: what was sent is no request to the agent."""

    rpc_code = -32600


class A2AMethodNotFoundError(A2AError):
    """-32601: the agent does not know the method."""

    rpc_code = -32601


class A2AInvalidParamsError(A2AError):
    """-32602: the agent does not take the parameters."""

    rpc_code = -32602


class A2AInternalError(A2AError):
    """-32603: something broke in the agent."""

    rpc_code = -32603


class TaskNotFoundError(A2AError):
    """-32001: the agent has no such task."""

    rpc_code = -32001


class TaskNotCancelableError(A2AError):
    """-32002: the task has ended, or cannot be stopped."""

    rpc_code = -32002


class PushNotificationNotSupportedError(A2AError):
    """-32003: the agent does not call back."""

    rpc_code = -32003


class UnsupportedOperationError(A2AError):
    """-32004: the agent does not do this, or its dialect has no word for it."""

    rpc_code = -32004


class ContentTypeNotSupportedError(A2AError):
    """-32005: the agent does not take such content."""

    rpc_code = -32005


class InvalidAgentResponseError(A2AError):
    """-32006: the agent made an answer that is none."""

    rpc_code = -32006


class ExtendedCardNotConfiguredError(A2AError):
    """-32007: the agent has no extended card."""

    rpc_code = -32007


class ExtensionSupportRequiredError(A2AError):
    """-32008: the agent wants an extension that was not named."""

    rpc_code = -32008


class VersionNotSupportedError(A2AError):
    """-32009: the agent does not speak this version of the protocol."""

    rpc_code = -32009


_BY_CODE: Mapping[int, type[A2AError]] = {
    kind.rpc_code: kind
    for kind in (
        A2AParseError,
        A2AInvalidRequestError,
        A2AMethodNotFoundError,
        A2AInvalidParamsError,
        A2AInternalError,
        TaskNotFoundError,
        TaskNotCancelableError,
        PushNotificationNotSupportedError,
        UnsupportedOperationError,
        ContentTypeNotSupportedError,
        InvalidAgentResponseError,
        ExtendedCardNotConfiguredError,
        ExtensionSupportRequiredError,
        VersionNotSupportedError,
    )
}


def rpc_error(reply: Mapping[str, JsonValue], status: int, headers: Headers) -> A2AError | None:
    """Make the error that a JSON-RPC reply reports; None if its error is no error object."""
    error = reply.get("error")
    if not isinstance(error, dict):
        return None
    code, said = error.get("code"), error.get("message")
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    return _BY_CODE.get(code, A2AError)(
        said if isinstance(said, str) else "without a word",
        code,
        error.get("data"),
        status_code=status,
        response_data=reply,
        headers=headers,
    )
