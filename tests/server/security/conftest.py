"""Issuers, and gateways that trust them."""

from collections.abc import Callable, Iterator

import pytest

from fakes.gateway import FakeGateway
from fakes.issuer import AUDIENCE, FakeIssuer
from fakes.provider import FakeProvider

StartGateway = Callable[..., FakeGateway]


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    """An issuer of tokens."""
    started = FakeIssuer()
    yield started
    started.stop()


@pytest.fixture
def trusting(start_gateway: StartGateway, provider: FakeProvider, issuer: FakeIssuer) -> StartGateway:
    """Start gateways that trust the issuer, in front of a provider."""

    def start(**environ: str) -> FakeGateway:
        settings = {
            "OPENAI_API_KEY": "sk-provider",
            "OPENAI_API_URL": provider.url,
            "AUTH_ENABLED": "true",
            "AUTH_OIDC_ISSUER": issuer.url,
            "AUTH_OIDC_CLIENT_ID": AUDIENCE,
        }
        return start_gateway(**{**settings, **environ})

    return start
