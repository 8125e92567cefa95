"""The SDK's log: one line per attempt, never a body, never a secret.

`INFERENCE_GATEWAY_LOG=info` (or `debug`, which adds headers) shows it on standard error; without the
variable the logger `inference_gateway` is the application's to set up.
"""

import logging
from collections.abc import Mapping

from inference_gateway.client.environment import log_level

log = logging.getLogger("inference_gateway")

_SECRET = ("authorization", "cookie", "token", "secret", "key")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}


def set_up() -> None:
    """Obey the environment variable, if it is set. Asked by every new client."""
    level = _LEVELS.get(log_level())
    if level is None:
        return
    log.setLevel(level)
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        log.addHandler(handler)


class Redacted:
    """Headers as text, with what may be secret masked; written only if the line is."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __str__(self) -> str:
        return ", ".join(f"{name}: {_shown(name, value)}" for name, value in self._headers.items())


def _shown(name: str, value: str) -> str:
    secret = any(word in name.lower() for word in _SECRET) and name.lower() != "idempotency-key"
    return "***" if secret else value
