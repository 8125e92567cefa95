"""When a call is tried again, and after how long. No I/O: whoever calls does the sleeping."""

import math
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Self

from inference_gateway.client.errors import (
    InferenceGatewayAPIError,
    InferenceGatewayConnectionError,
    InferenceGatewayError,
    wrong,
)

RETRYABLE_STATUS_CODES = frozenset({408, 429, 500, 502, 503, 504})

OnRetry = Callable[[int, InferenceGatewayError, float], None]
"""Called before each wait with the number of the failed attempt (from 1), its error, and the seconds."""


@dataclass(frozen=True, kw_only=True)
class RetryConfig:
    """How calls are repeated: only before the first byte of an answer, and with one idempotency key.

    A number of 0 stands for its default. `jitter` is the exception: 0 switches it off.

    :param enabled: False tries once.
    :param max_attempts: tries in all, the first one included.
    :param initial_backoff_sec: seconds before the second try.
    :param max_backoff_sec: most seconds between two tries.
    :param backoff_multiplier: what each wait is longer by than the one before.
    :param retryable_status_codes: statuses to try again on, in place of 408, 429, 500, 502, 503 and 504.
    :param on_retry: told of every wait before it begins; what it raises ends the call.
    :param jitter: the share, from 0 to 1, by which a wait may be cut at random, so that many clients
        do not come back at once. A wait that the server asked for is never cut.
    :param max_retry_after_sec: a server that asks for more seconds than this is not tried again.
    :param retry_after_status_codes: statuses whose `Retry-After` is obeyed.
    :param honor_should_retry_header: whether `X-Should-Retry` overrules the statuses.
    :raises InferenceGatewayValidationError: a number is negative or no number, or a share above 1.
    """

    enabled: bool = True
    max_attempts: int = 3
    initial_backoff_sec: float = 2.0
    max_backoff_sec: float = 30.0
    backoff_multiplier: float = 2.0
    retryable_status_codes: Collection[int] = ()
    on_retry: OnRetry | None = None
    jitter: float = 0.25
    max_retry_after_sec: float = 120.0
    retry_after_status_codes: Collection[int] = frozenset({429, 503})
    honor_should_retry_header: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                self._settle(field.name, field.default)
        if not isinstance(self.max_attempts, int):
            raise wrong("retry.max_attempts", "must be a whole number")
        if self.jitter > 1:
            raise wrong("retry.jitter", "must be from 0 to 1")

    def _settle(self, name: str, default: float) -> None:
        value = getattr(self, name)
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value) or value < 0:
            raise wrong(f"retry.{name}", f"must be a number that is not negative, not {value!r}")
        if value == 0 and name != "jitter":
            object.__setattr__(self, name, default)

    @classmethod
    def of(cls, value: "RetryConfig | int | bool | None") -> Self:
        """Read the short forms: None and True are the defaults, False and 0 are once, a number the attempts.

        :raises InferenceGatewayValidationError: it is none of these.
        """
        if value is None or value is True:
            return cls()
        if value == 0:
            return cls(enabled=False)
        if isinstance(value, int):
            return cls(max_attempts=value)
        if not isinstance(value, cls):
            raise wrong("retry", f"must be a RetryConfig, a number of attempts or a bool, not {value!r}")
        return value

    @classmethod
    def exact(cls) -> Self:
        """Keep to the bare schedule: no jitter, `Retry-After` on 429 only and however long it is."""
        return cls(jitter=0, max_retry_after_sec=math.inf, retry_after_status_codes=(429,))

    def delay(self, attempt: int) -> float:
        """Compute the wait after this failed attempt (from 1), in seconds, before jitter."""
        try:
            grown = self.initial_backoff_sec * self.backoff_multiplier ** (attempt - 1)
        except OverflowError:
            return self.max_backoff_sec
        return min(grown, self.max_backoff_sec)


class Attempts:
    """The attempts of one logical call."""

    def __init__(self, config: RetryConfig, *, chance: Callable[[], float] = random.random) -> None:
        self._config = config
        self._chance = chance
        self.made = 0

    def delay_after(self, error: InferenceGatewayError) -> float | None:
        """Take note of a failed attempt.

        :return: seconds to wait before the next one, or None if there is none.
        """
        self.made += 1
        config = self._config
        if not config.enabled or self.made >= config.max_attempts or not self._may_pass(error):
            return None
        delay = self._delay(error)
        if delay is not None and config.on_retry is not None:
            config.on_retry(self.made, error, delay)
        return delay

    def _may_pass(self, error: InferenceGatewayError) -> bool:
        if not isinstance(error, InferenceGatewayAPIError):
            return isinstance(error, InferenceGatewayConnectionError)
        advice = error.headers.get("x-should-retry", "").lower()
        if self._config.honor_should_retry_header and advice in {"true", "false"}:
            return advice == "true"
        return error.status_code in (self._config.retryable_status_codes or RETRYABLE_STATUS_CODES)

    def _delay(self, error: InferenceGatewayError) -> float | None:
        config = self._config
        asked = error.retry_after if isinstance(error, InferenceGatewayAPIError) else None
        if asked is None or not self._obeys(error):
            return config.delay(self.made) * (1 - config.jitter * self._chance())
        # To come back earlier than asked would be refused again.
        return asked if asked <= config.max_retry_after_sec else None

    def _obeys(self, error: InferenceGatewayError) -> bool:
        status = error.status_code if isinstance(error, InferenceGatewayAPIError) else 0
        return status in self._config.retry_after_status_codes
