"""An agent's card, read: what the agent is, and where and how it is spoken to. No I/O.

A card names its own endpoints. One on another origin than the card's is somebody else's word for where our
credentials and our callers' messages go: it counts only where the operator allows it.
https://a2a-protocol.org/latest/specification/#8-agent-discovery-the-agent-card
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec
from pydantic import ValidationError

from inference_gateway.server import codec
from inference_gateway.server.a2a.jsonrpc import Json
from inference_gateway.server.transport.origin import Origin, target
from inference_gateway.types.a2a import AgentCard
from inference_gateway.types.a2a_interfaces import PORTS, Version, offers, origin

_VISIBLE: Final = re.compile(r"[!-~]+")
_decode: msgspec.json.Decoder[Json] = msgspec.json.Decoder(dict)


class UnusableCard(ValueError):
    """What came is no card; the message is ours and shows nothing of it."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where an agent takes requests of one dialect."""

    origin: Origin
    target: bytes
    """Path and query."""
    version: Version
    tenant: str | None


class Card(msgspec.Struct, frozen=True):
    """A card, and what can be done with it."""

    document: Json
    """As the agent sent it."""
    model: AgentCard
    endpoints: dict[Version, Endpoint]
    """By dialect, the newest first; only JSON-RPC, only where we may go."""
    problem: str
    """Why there are none; empty where there are."""


NO_CARD: Final = Card(document={}, model=AgentCard(name=""), endpoints={}, problem="")


def read(body: bytes, url: str, *, allow_other_origin: bool) -> Card:
    """Read a card that came from a URL.

    :raises UnusableCard: it is none.
    """
    try:
        codec.check_text(body)
        document = _decode.decode(body)
        model = AgentCard.model_validate(document)
    except codec.UNREADABLE:
        raise UnusableCard("its card is not a JSON object") from None
    except ValidationError:
        raise UnusableCard("its card is not what a card should be") from None
    return _judged(document, model, url, allow_other_origin=allow_other_origin)


def _judged(document: Json, model: AgentCard, url: str, *, allow_other_origin: bool) -> Card:
    endpoints: dict[Version, Endpoint] = {}
    problem = "its card offers no JSON-RPC in A2A 1.0 or 0.3"
    for offer in offers(model):
        place = _usable(url, offer.url)
        if place is None:
            problem = "its card names a URL that is none"
        elif origin(place) != origin(url) and not allow_other_origin:
            problem = "its card leads to another origin, which `allow_other_origin` would allow"
        elif offer.version not in endpoints:
            endpoints[offer.version] = Endpoint(Origin.of(place), target(place), offer.version, offer.tenant)
    return Card(document=document, model=model, endpoints=endpoints, problem="" if endpoints else problem)


def _usable(base: str, url: str) -> str | None:
    """Make a card's URL absolute; None where nothing could be sent there."""
    try:
        joined = urljoin(base, url)
        parts = urlsplit(joined)
        is_usable = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    if not is_usable or "@" in parts.netloc or not _VISIBLE.fullmatch(joined):
        return None
    return joined.partition("#")[0]
