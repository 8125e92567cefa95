"""Where an agent's card stands, and which ways to speak to the agent it offers. No I/O.

Only JSON-RPC, in the dialects 1.0 and 0.3: a card may offer more.
https://a2a-protocol.org/latest/specification/#8-agent-discovery-the-agent-card
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from inference_gateway.types.a2a import AgentCard, AgentInterface

Version = Literal["1.0", "0.3"]

CARD_PATHS: Final = ("/.well-known/agent-card.json", "/.well-known/agent.json")
PORTS: Final = {"http": 80, "https": 443}

_VERSION: Final = re.compile(r"(?:(?P<new>1\.[0-9]+)|0\.3)(?:\.[0-9]+)?")


class Offer(NamedTuple):
    """One way to speak to an agent.

    :ivar url: as the card writes it, which may be relative to the card.
    """

    url: str
    version: Version
    tenant: str | None = None


def offers(card: AgentCard) -> list[Offer]:
    """List the ways that a card offers and that are known here, the newest dialect first."""
    return sorted(_offers(card), key=lambda offer: offer.version, reverse=True)


def _offers(card: AgentCard) -> Iterator[Offer]:
    main = AgentInterface(
        url=card.url,
        protocol_binding=card.preferred_transport or "JSONRPC",
        protocol_version=card.protocol_version or "0.3",
    )
    others = [
        each.model_copy(update={"protocol_version": each.protocol_version or main.protocol_version})
        for each in card.additional_interfaces
    ]
    for each in [*card.supported_interfaces, main, *others]:
        version = dialect_of(each.protocol_version or "1.0")
        binding = (each.protocol_binding or each.transport).upper()
        if each.url and version is not None and binding == "JSONRPC":
            yield Offer(each.url, version, each.tenant)


def dialect_of(version: str) -> Version | None:
    """Name the dialect of a version; None where it is not known here.

    Whoever speaks any 1.x speaks 1.0 as well, and a third number is a correction of the text.
    https://a2a-protocol.org/latest/specification/#36-versioning
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    return "1.0" if found["new"] else "0.3"


def card_urls(url: str) -> tuple[str, ...]:
    """List where the card of an agent at a URL may be, in the order in which to look."""
    place = url.partition("?")[0]
    if place.endswith(".json"):
        return (url,)
    return tuple(place.rstrip("/") + path for path in CARD_PATHS)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what has to be the same for two URLs to be one server's."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
