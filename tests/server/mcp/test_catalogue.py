"""Names of tools: stable, without clashes, and what every provider takes."""

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.mcp.catalogue import MOST_NAMES, Catalogue, Rules, Tool

NONE = Rules.of((), ())
VALID = re.compile(r"[A-Za-z0-9_-]{1,64}")

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
tricky = st.sampled_from(["echo", "b_c", "c", "a_b_c", "a.b", "a b", "tools_get", "tools_execute", "x" * 70])
lists = st.lists(texts | tricky, max_size=6)
updates = st.lists(
    st.tuples(st.integers(0, 2), texts | st.sampled_from(["a", "b", "a-b"]), lists), max_size=8
)


def tool(name: str, description: str = "") -> Tool:
    return Tool(name, description, {"type": "object"})


def catalogue(*servers: Rules, rules: Rules = NONE) -> Catalogue:
    return Catalogue(rules, servers or (NONE, NONE, NONE))


def names(catalogue: Catalogue) -> list[str]:
    return [entry.name for entry in catalogue.listed()]


@given(updates)
def test_every_tool_has_names_of_its_own_that_last(steps: Sequence[tuple[int, str, list[str]]]) -> None:
    made = catalogue()
    given_names: dict[tuple[int, str], tuple[str, str]] = {}
    for number in range(3):
        made.settle(number)
    for server, title, listed in steps:
        made.update(server, title, map(tool, listed))
        entries = made.listed()
        for entry in entries:
            assert VALID.fullmatch(entry.name)
            assert VALID.fullmatch(entry.qualified)
            both = (entry.name, entry.qualified)
            assert given_names.setdefault((entry.server, entry.tool.name), both) == both
            assert made.find(entry.name) == entry
            assert made.find(entry.qualified) == entry
        assert not {"mcp_tools_get", "mcp_tools_execute"}.intersection(names(made))
        assert [entry.server for entry in entries] == sorted(entry.server for entry in entries)


@given(st.lists(lists, min_size=3, max_size=3), st.permutations(range(3)))
def test_who_connects_first_does_not_matter(servers: list[list[str]], order: list[int]) -> None:
    one, other = catalogue(), catalogue()
    for number in range(3):
        one.update(number, f"s{number}", map(tool, servers[number]))
    for number in order:
        other.listed()
        other.update(number, f"s{number}", map(tool, servers[number]))
    assert one.listed() == other.listed()


def test_the_first_in_the_configuration_keeps_the_plain_name() -> None:
    made = catalogue()
    made.update(1, "Second Server", [tool("echo")])
    made.update(0, "first", [tool("echo"), tool("own")])
    assert names(made) == ["mcp_echo", "mcp_own", "mcp_second-server_echo"]


def test_a_name_once_given_is_kept() -> None:
    made = catalogue()
    made.settle(0)
    made.update(1, "second", [tool("echo")])
    assert names(made) == ["mcp_echo"]
    made.update(0, "first", [tool("echo")])
    assert names(made) == ["mcp_first_echo", "mcp_echo"]
    made.update(1, "renamed", [])
    made.update(1, "renamed", [tool("echo")])
    assert names(made) == ["mcp_first_echo", "mcp_echo"]


def test_two_servers_of_one_name_are_told_apart() -> None:
    made = catalogue()
    made.update(0, "same", [tool("echo")])
    made.update(1, "same", [tool("echo")])
    assert [entry.qualified for entry in made.listed()] == ["mcp_same_echo", "mcp_same-2_echo"]


def test_long_names_are_cut_and_stay_different() -> None:
    made = catalogue()
    made.update(0, "s", [tool("x" * 100 + "1"), tool("x" * 100 + "2")])
    first, second = names(made)
    assert first != second
    assert len(first) == len(second) == 64


def test_include_wins_over_exclude_for_all_servers_and_for_each() -> None:
    made = catalogue(NONE, Rules.of((), ["b"]), rules=Rules.of(["A", " mcp_b "], ["a"]))
    made.update(0, "x", map(tool, "abc"))
    made.update(1, "y", map(tool, "abc"))
    assert names(made) == ["mcp_a", "mcp_b", "mcp_y_a"]
    assert made.find("mcp_c") is None
    assert made.find("mcp_y_b") is None


def test_a_tool_can_be_excluded_by_its_qualified_name() -> None:
    made = catalogue(rules=Rules.of((), ["mcp_y_a"]))
    made.update(0, "x", [tool("a")])
    made.update(1, "y", [tool("a")])
    assert names(made) == ["mcp_a"]


def test_a_changed_definition_is_told_once_and_shown_until_it_is_as_before() -> None:
    made = catalogue()
    assert made.update(0, "s", [tool("a", "one")]) == []
    assert made.update(0, "s", [tool("a", "two")]) == ["a"]
    assert made.update(0, "s", [tool("a", "two")]) == []
    assert made.listed()[0].changed
    assert made.update(0, "s", [tool("a", "one")]) == []
    assert not made.listed()[0].changed


def test_withdrawn_tools_are_listed_and_not_offered() -> None:
    made = catalogue()
    made.update(0, "s", [tool("a")])
    made.withdraw(0)
    assert made.offered() == ()
    assert names(made) == ["mcp_a"]
    made.update(0, "s", [tool("a")])
    assert made.offered() == made.listed()


def test_a_server_that_invents_ever_new_names_gets_no_more() -> None:
    made = catalogue()
    for start in range(0, MOST_NAMES + 2000, 1000):
        made.update(0, "s", [tool(f"t{number}") for number in range(start, start + 1000)])
    assert made.listed() == ()
