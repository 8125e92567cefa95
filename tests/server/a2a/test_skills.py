"""Names of skills as tools: fit for every provider, the same each time, and no two alike."""

import re
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.a2a.skills import LONGEST_DESCRIPTION, MOST_SKILLS, skill_tools
from inference_gateway.types.a2a import AgentCard, AgentSkill

RESERVED = {"a2a_query_task"}


class Stub(NamedTuple):
    """What of an agent is looked at."""

    id: str
    card: AgentCard | None


def agent(id: str, *skills: str, description: str = "") -> Any:
    listed = [AgentSkill(id=skill, name=skill, description=description) for skill in skills]
    return Stub(id, AgentCard(name=id, skills=listed, description=description))


def names(*agents: Any) -> list[str]:
    return [tool.name for tool in skill_tools(agents, reserved=RESERVED)]


ids = st.text(max_size=80)
slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True)
agents = st.dictionaries(slugs, st.lists(ids, max_size=6), max_size=5)


@given(agents)
def test_names_fit_and_no_two_are_alike(found: dict[str, list[str]]) -> None:
    known = [agent(id, *skills) for id, skills in found.items()]
    given_names = names(*known)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in given_names)
    assert len(set(given_names)) == len(given_names)
    assert RESERVED.isdisjoint(given_names)
    assert names(*known) == given_names


def test_a_name_that_looks_like_the_mark_of_another_takes_nothing_from_it() -> None:
    [_, mark] = names(agent("x", "a b", "a/b"))
    crafted = mark.removeprefix("a2a_x_")
    assert len(set(names(agent("x", crafted, "a b", "a/b")))) == 3


def test_a_name_does_not_depend_on_other_agents() -> None:
    assert names(agent("one", "a"), agent("two", "b"))[1:] == names(agent("two", "b"))


def test_an_agent_without_skills_is_one_tool_and_one_without_a_card_none() -> None:
    assert names(agent("bare"), Stub("unknown", None)) == ["a2a_bare"]


def test_a_skill_that_is_listed_twice_is_one_tool_and_many_are_bounded() -> None:
    assert names(agent("x", "a", "a")) == ["a2a_x_a"]
    assert len(names(agent("x", *map(str, range(1000))))) == MOST_SKILLS


@given(ids, st.text("a \n", max_size=3000))
def test_a_description_says_whose_words_it_has_and_is_bounded(skill: str, said: str) -> None:
    [tool] = skill_tools([agent("x", skill, description=said)], reserved=RESERVED)
    assert tool.description.startswith("Has the agent 'x' work. In its own words: ")
    assert len(tool.description) <= LONGEST_DESCRIPTION
    assert "\n" not in tool.description.removeprefix("Has the agent 'x' work. In its own words: ")
