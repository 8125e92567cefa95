"""The environment variables that the SDK reads, and the one place where it reads them.

A client's arguments never come from here by themselves: only `from_env()` asks for the URL and the token.
"""

import os

URL = "INFERENCE_GATEWAY_URL"
TOKEN = "INFERENCE_GATEWAY_TOKEN"  # noqa: S105  # the name of a variable
LOG = "INFERENCE_GATEWAY_LOG"

DEFAULT_URL = "http://localhost:8080/v1"


def gateway_url() -> str:
    """Return the gateway's URL, `/v1` included; a gateway on this machine if none is set."""
    return os.environ.get(URL) or DEFAULT_URL


def gateway_token() -> str | None:
    """Return the token, None if none is set."""
    return os.environ.get(TOKEN) or None


def log_level() -> str:
    """Return the level of log that is asked for, in lower case; "" if none is."""
    return os.environ.get(LOG, "").strip().lower()
