"""What a model is told of agents: their cards, as far as they matter to who gives them work. Pure."""

from typing import Final

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.types.a2a import AgentSkill

_LONG: Final = 2000
"""Characters of a description in an agent's own portrait."""
_BRIEF: Final = 300
"""Characters of one in a list."""
_MOST: Final = 100
"""Entries of a list within a portrait."""


def sketch(agent: Agent) -> dict[str, object]:
    """Say in short who an agent is and what it can do."""
    found: dict[str, object] = {
        "agent": agent.id,
        "name": _cut(agent.name or agent.id, _BRIEF),
        "state": agent.state,
    }
    if agent.card is not None:
        found["description"] = _cut(agent.card.description, _BRIEF)
        found["skills"] = [_cut(skill.name or skill.id, _BRIEF) for skill in agent.card.skills[:_MOST]]
    return found


def portrait(agent: Agent) -> dict[str, object]:
    """Say who an agent is and what it can do, as its card has it."""
    found: dict[str, object] = {
        "agent": agent.id,
        "name": _cut(agent.name or agent.id, _BRIEF),
        "state": agent.state,
    }
    if agent.last_error:
        found["last_error"] = agent.last_error
    card = agent.card
    if card is not None:
        found |= {
            "description": _cut(card.description, _LONG),
            "version": _cut(card.version, _BRIEF),
            "input_modes": _cut_all(card.default_input_modes),
            "output_modes": _cut_all(card.default_output_modes),
            "skills": [_skill(skill) for skill in card.skills[:_MOST]],
        }
    return found


def _skill(skill: AgentSkill) -> dict[str, object]:
    told: dict[str, object] = {
        "id": _cut(skill.id, _BRIEF),
        "name": _cut(skill.name, _BRIEF),
        "description": _cut(skill.description, _LONG),
        "tags": _cut_all(skill.tags),
        "examples": _cut_all(skill.examples),
        "input_modes": _cut_all(skill.input_modes),
        "output_modes": _cut_all(skill.output_modes),
    }
    return {name: value for name, value in told.items() if value}


def _cut_all(texts: list[str]) -> list[str]:
    return [_cut(text, _BRIEF) for text in texts[:_MOST]]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"
