"""Which ways to speak to an agent its card offers."""

import pytest

from inference_gateway.types.a2a import AgentCard
from inference_gateway.types.a2a_interfaces import card_urls, dialect_of, offers, origin


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("1.0", "1.0"),
        ("1.0.1", "1.0"),
        ("1.2", "1.0"),
        ("0.3", "0.3"),
        ("0.3.0", "0.3"),
        ("0.2.5", None),
        ("2.0", None),
        ("1", None),
        ("", None),
    ],
)
def test_a_version_names_a_dialect(version: str, dialect: str | None) -> None:
    assert dialect_of(version) == dialect


def test_the_newest_dialect_comes_first_and_other_bindings_do_not_count() -> None:
    card = AgentCard.model_validate(
        {
            "name": "x",
            "url": "/old",
            "protocolVersion": "0.3.0",
            "supportedInterfaces": [
                {"url": "/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
                {"url": "/new", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "t"},
            ],
        }
    )
    assert [(offer.url, offer.version, offer.tenant) for offer in offers(card)] == [
        ("/new", "1.0", "t"),
        ("/old", "0.3", None),
    ]


def test_a_card_stands_below_its_agent_or_where_it_is_said_to() -> None:
    assert card_urls("http://h/a/?x=1") == (
        "http://h/a/.well-known/agent-card.json",
        "http://h/a/.well-known/agent.json",
    )
    assert card_urls("http://h/card.json") == ("http://h/card.json",)


def test_a_port_that_is_not_written_is_the_one_of_its_scheme() -> None:
    assert origin("https://h/a") == origin("https://h:443/b") != origin("http://h/a")
