"""What the sync and the async client have in common: options, and what can be said of them."""

import copy
from collections.abc import Mapping
from typing import Self, Unpack

from inference_gateway.client import logs
from inference_gateway.client.options import (
    ClientOptions,
    ClientOverrides,
    ClientSettings,
    MiddlewareOptions,
    Timeout,
)
from inference_gateway.client.request import RequestBuilder
from inference_gateway.client.retry import RetryConfig


class BaseClient:
    """Holds checked options. A client derived from another shares its connections and does not close them."""

    _options: ClientOptions
    _request: RequestBuilder
    _is_derived = False

    def __init__(self, options: ClientOptions) -> None:
        logs.set_up()
        self._adopt(options)

    def _adopt(self, options: ClientOptions) -> None:
        """Take options on, at first and as a derived client."""
        self._options = options
        self._request = RequestBuilder(options)

    @property
    def base_url(self) -> str:
        """URL of the gateway, its version included, without a slash at the end."""
        return self._options.base_url

    @property
    def timeout(self) -> float | Timeout | None:
        """How long a call may take, in seconds."""
        return self._options.timeout

    @property
    def retry(self) -> RetryConfig:
        """How calls are repeated."""
        return self._options.retry

    def with_options(self, **overrides: Unpack[ClientOverrides]) -> Self:
        """Return a client that differs in some options and shares the connections of this one.

        Headers and query are merged into this client's, all else is replaced. This client stays as it is,
        and it alone closes the connections.

        :raises InferenceGatewayValidationError: an option is not known, or not usable.
        """
        derived = copy.copy(self)
        derived._is_derived = True
        if "token" in overrides:
            derived._forget_token_provider()
        derived._adopt(self._options.overridden(overrides))
        return derived

    def with_middleware_options(self, options: MiddlewareOptions | None) -> Self:
        """Return a client whose calls leave out what these options say; None changes nothing."""
        return self if options is None else self.with_options(middleware_options=options)

    def _forget_token_provider(self) -> None:
        """Use the token of the options from now on."""

    def __repr__(self) -> str:
        token = "None" if self._options.token is None else "'***'"
        return f"{type(self).__name__}({self.base_url!r}, token={token}, timeout={self.timeout!r})"


def client_options(base_url: str, token: str | None, settings: ClientSettings) -> ClientOptions:
    """Check a client's arguments.

    :raises InferenceGatewayValidationError: one is not usable; it names the argument.
    """
    return ClientOptions(base_url=base_url, token=token).overridden(settings)


def chat_fields(**fields: object) -> Mapping[str, object]:
    """Gather the named arguments of a chat completion method."""
    return fields
