"""The skills of all agents as tools: which there are, and what they are called. Pure; asks no agent.

An agent's words about itself are bounded here, and stand behind words of ours that say whose they are.
"""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from inference_gateway.server.a2a.agent import Agent
from inference_gateway.server.tool_names import bounded, clean, marked
from inference_gateway.types.a2a import AgentSkill

PREFIX: Final = "a2a_"
MOST_SKILLS: Final = 64
"""Skills of one agent that become tools."""
LONGEST_DESCRIPTION: Final = 1024
"""Characters; what OpenAI takes of a function's description."""


class SkillTool(msgspec.Struct, frozen=True):
    """A skill under the name of its tool.

    :ivar skill: the agent's name for it; empty where an agent names none, and is a tool as a whole.
    """

    name: str
    description: str
    agent: Agent
    skill: str


def skill_tools(agents: Collection[Agent], *, reserved: Collection[str]) -> list[SkillTool]:
    """Name the skills of these agents, in their order; the same agents get the same names.

    :param reserved: names that no skill may have.
    """
    taken = set(reserved)
    found = []
    for agent in agents:
        for skill in _skills(agent):
            name = _free(agent.id, skill.id or skill.name, taken)
            taken.add(name)
            found.append(SkillTool(name, _description(agent, skill), agent, skill.id))
    return found


def _skills(agent: Agent) -> Iterator[AgentSkill]:
    card = agent.card
    if card is None:
        return
    if not card.skills:
        yield AgentSkill(description=card.description)
    seen = set()
    for skill in card.skills[:MOST_SKILLS]:
        if skill.id not in seen:
            seen.add(skill.id)
            yield skill


def _free(agent_id: str, skill_id: str, taken: Collection[str]) -> str:
    """Name a tool by agent and skill; the mark of a clash is made of nothing but these two."""
    name = bounded(f"{PREFIX}{agent_id}_{clean(skill_id)}" if skill_id else f"{PREFIX}{agent_id}")
    origin = f"{agent_id} {skill_id}"
    while name in taken:
        name, origin = marked(name, origin), f"{origin} again"
    return name


def _description(agent: Agent, skill: AgentSkill) -> str:
    said = f"{skill.name}: {skill.description}" if skill.name else skill.description
    examples = f" For example: {'; '.join(skill.examples)}" if skill.examples else ""
    words = " ".join(f"{said}{examples}".split())
    whole = f"Has the agent {agent.id!r} work. In its own words: {words}"
    return whole if len(whole) <= LONGEST_DESCRIPTION else whole[: LONGEST_DESCRIPTION - 1] + "…"
