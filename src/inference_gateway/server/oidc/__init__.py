"""Tokens of an OpenID Connect issuer. What checks signatures is imported only where there is one."""

from typing import TYPE_CHECKING

from inference_gateway.server.extras import needed
from inference_gateway.server.oidc.policy import Policy
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.pool import Pool

if TYPE_CHECKING:
    from inference_gateway.server.oidc.tokens import Tokens

_NEEDED = frozenset({"jwt", "cryptography"})


def open_tokens(policy: Policy, pool: Pool, background: Background) -> "Tokens":
    """Make what checks tokens. Asks the issuer nothing yet.

    :raises MissingExtra: the packages that it needs are not installed.
    """
    with needed("AUTH_OIDC_ISSUER", "auth", _NEEDED):
        from inference_gateway.server.oidc.issuer import Issuer
        from inference_gateway.server.oidc.tokens import Tokens
    return Tokens(policy, Issuer(policy.issuer, pool, background))
