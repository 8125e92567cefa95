"""Tokens of an OpenID Connect issuer. What checks signatures is imported only where there is one."""

from typing import TYPE_CHECKING

from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.pool import Pool

if TYPE_CHECKING:
    from inference_gateway.server.oidc.tokens import Tokens

_NEEDED = frozenset({"jwt", "cryptography"})


class MissingExtra(Exception):
    """A package that checking tokens needs is not installed; the message says what to install."""


def open_tokens(policy: Policy, pool: Pool, background: Background) -> "Tokens":
    """Make what checks tokens. Asks the issuer nothing yet.

    :raises MissingExtra: the packages that it needs are not installed.
    """
    try:
        from inference_gateway.server.oidc.issuer import Issuer
        from inference_gateway.server.oidc.tokens import Tokens
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        raise MissingExtra(
            f"AUTH_OIDC_ISSUER needs {error.name!r}, which is not installed; "
            "install the extra [auth], for example: pip install '.[server,auth]'"
        ) from error
    return Tokens(policy, Issuer(policy.issuer, pool, background))
