"""An agent's card as the gateway shows it: it leads to the gateway, and asks for what that asks for. Pure.

The gateway answers in both dialects, whatever the agent speaks, so the card offers both, in the writing of
the dialect that is asked for. A reader that does not say which gets one that either can read.
https://a2a-protocol.org/latest/specification/#441-agentcard
"""

from typing import Final

from pydantic import JsonValue

from inference_gateway.server.a2a.jsonrpc import Json
from inference_gateway.types.a2a_interfaces import Version

# Where the agent is, what it asks for, and its signature below both: none of it holds for the gateway.
_ITS_OWN: Final = frozenset(
    {
        "additionalInterfaces",
        "preferredTransport",
        "protocolVersion",
        "protocolVersions",
        "security",
        "securityRequirements",
        "securitySchemes",
        "signatures",
        "supportedInterfaces",
        "supportsAuthenticatedExtendedCard",
        "url",
    }
)
_OF_SKILL: Final = frozenset({"security", "securityRequirements"})
_SCHEME: Final = "gateway"
_MEANING: Final = "An API key of the gateway, or a token of its issuer."
_WRITTEN: Final[dict[Version, str]] = {"1.0": "1.0", "0.3": "0.3.0"}


def shown(document: Json, url: str, *, own: Version | None, wanted: Version | None, asks_who: bool) -> Json:
    """Write the card that the gateway shows.

    :param document: the agent's card, in either writing.
    :param url: where the gateway takes requests for the agent.
    :param own: the dialect that the agent speaks itself, which is offered first.
    :param wanted: the dialect whose writing is asked for; None is both.
    :param asks_who: whether the gateway's callers must say who they are.
    """
    card: Json = {name: value for name, value in document.items() if name not in _ITS_OWN}
    capabilities = document.get("capabilities")
    capabilities = dict(capabilities) if isinstance(capabilities, dict) else {}
    is_extended = bool(
        document.get("supportsAuthenticatedExtendedCard") or capabilities.pop("extendedAgentCard", False)
    )
    card["capabilities"] = capabilities
    card["skills"] = _skills(document.get("skills"))
    if wanted != "0.3":
        card["supportedInterfaces"] = _interfaces(url, own)
        if is_extended:
            card["capabilities"] = {**capabilities, "extendedAgentCard": True}
    if wanted != "1.0":
        card |= {"url": url, "preferredTransport": "JSONRPC", "protocolVersion": _WRITTEN["0.3"]}
        if is_extended:
            card["supportsAuthenticatedExtendedCard"] = True
    return {**card, **_security(wanted)} if asks_who else card


def _interfaces(url: str, own: Version | None) -> list[JsonValue]:
    versions: list[Version] = ["0.3", "1.0"] if own == "0.3" else ["1.0", "0.3"]
    return [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version} for version in versions]


def _skills(skills: JsonValue) -> JsonValue:
    if not isinstance(skills, list):
        return []
    return [
        {name: value for name, value in skill.items() if name not in _OF_SKILL}
        for skill in skills
        if isinstance(skill, dict)
    ]


def _security(wanted: Version | None) -> Json:
    new: Json = {"httpAuthSecurityScheme": {"scheme": "Bearer", "description": _MEANING}}
    old: Json = {"type": "http", "scheme": "Bearer", "description": _MEANING}
    scheme = {**(new if wanted != "0.3" else {}), **(old if wanted != "1.0" else {})}
    told: Json = {"securitySchemes": {_SCHEME: scheme}}
    if wanted != "0.3":
        told["securityRequirements"] = [{"schemes": {_SCHEME: {"list": []}}}]
    if wanted != "1.0":
        told["security"] = [{_SCHEME: []}]
    return told
