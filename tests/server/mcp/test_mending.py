"""Whatever stands in a list of tools or in a result, the official client takes what is made of it."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mcp_types import methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from inference_gateway.server.mcp.mending import MOST_TOOLS, mended

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def near(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these members, right or wrong."""
    wrong = {name: right | json_values for name, right in fields.items()}
    return st.fixed_dictionaries({}, optional=wrong) | json_values


schemas = near(
    type=st.just("object"),
    properties=st.dictionaries(st.text(max_size=3), json_values, max_size=2),
    required=st.lists(st.text(max_size=3), max_size=2),
    **{"$schema": st.text(max_size=3)},
)
tools = near(
    name=st.text(min_size=1, max_size=5),
    description=st.text(max_size=5),
    inputSchema=schemas,
    outputSchema=schemas,
    annotations=near(title=st.text()),
)
blocks = near(
    type=st.sampled_from(["text", "image", "audio", "resource", "resource_link"]),
    text=st.text(max_size=5),
    data=st.sampled_from(["aGk=", "no base64!"]),
    mimeType=st.just("image/png"),
    uri=st.sampled_from(["x:y", "no uri"]),
    name=st.text(max_size=3),
    resource=near(uri=st.just("x:y"), text=st.text(max_size=3), blob=st.just("aGk=")),
    annotations=near(priority=st.floats(0, 1), audience=st.just(["user"])),
)


def reported(names: list[str]) -> Any:
    return lambda name, reason: names.append(name)


@given(st.lists(tools, max_size=4))
def test_any_list_of_tools_is_taken_but_for_what_is_left_out(listed: list[Any]) -> None:
    left_out: list[str] = []
    made = mended({"tools": listed}, reported(left_out))
    for version in HANDSHAKE_PROTOCOL_VERSIONS:
        methods.validate_server_result("tools/list", version, made)
    assert len(made["tools"]) + len(left_out) == len(listed)  # type: ignore[arg-type]  # a list, as it was


@given(st.lists(blocks, max_size=4))
@example([{"type": "text"}])
def test_any_content_is_taken_part_by_part(content: list[Any]) -> None:
    made = mended({"content": content}, reported([]))
    for version in (*HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION):
        methods.validate_server_result("tools/call", version, {**made, "resultType": "complete"})
    assert len(made["content"]) == len(content)  # type: ignore[arg-type]  # a list, as it was


@given(json_values, st.lists(blocks, max_size=1))
def test_any_structured_content_is_taken(structured: Any, content: list[Any]) -> None:
    made = mended({"content": content, "structuredContent": structured}, reported([]))
    for version in HANDSHAKE_PROTOCOL_VERSIONS:
        methods.validate_server_result("tools/call", version, made)


@given(st.dictionaries(st.sampled_from(["tools", "content", "structuredContent", "x"]), json_values))
def test_no_result_breaks_it(result: dict[str, object]) -> None:
    assert isinstance(mended(result, reported([])), dict)


def test_good_answers_stay_as_they_are() -> None:
    tool = {"name": "act", "description": "Act.", "inputSchema": {"type": "object", "properties": {"a": {}}}}
    content = [{"type": "text", "text": "x", "annotations": {"priority": 1}}, {"type": "text", "text": ""}]
    assert mended({"tools": [tool], "nextCursor": "n"}, reported([])) == {"tools": [tool], "nextCursor": "n"}
    result = {"content": content, "isError": False, "structuredContent": {"a": None}}
    assert mended(result, reported([])) == result


@pytest.mark.parametrize("name", ["", "n" * 257])
def test_names_that_are_none_are_left_out(name: str) -> None:
    left_out: list[str] = []
    listed = [{"name": name, "inputSchema": {}}, {"name": "good", "inputSchema": {}}]
    made = mended({"tools": listed}, reported(left_out))
    assert made == {"tools": [{"name": "good", "inputSchema": {"type": "object"}}]}
    assert left_out == [name]


def test_one_tool_too_many_says_that_there_are_more() -> None:
    listed = [{"name": f"t{n}", "inputSchema": {}} for n in range(MOST_TOOLS + 5)]
    assert len(mended({"tools": listed}, reported([]))["tools"]) == MOST_TOOLS + 1  # type: ignore[arg-type]
