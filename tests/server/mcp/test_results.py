"""What a chat can carry of a tool's result."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.mcp import results
from inference_gateway.server.toolbox import ToolResult


def read(*content: dict[str, Any], **more: Any) -> ToolResult:
    return results.read({"content": list(content), **more}, limit=1000)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def test_texts_are_joined() -> None:
    assert read(text("one"), text("two")) == ToolResult("one\ntwo")


def test_structured_content_stands_in_for_missing_text() -> None:
    assert read(structuredContent={"a": [1, None]}) == ToolResult('{"a":[1,null]}')
    assert read(text("a is 1"), structuredContent={"a": 1}) == ToolResult("a is 1")


def test_pictures_become_data_urls() -> None:
    image = {"type": "image", "mimeType": "image/png", "data": "aGk="}
    blob = {"type": "resource", "resource": {"uri": "x:y", "mimeType": "image/gif", "blob": "aGk="}}
    assert read(image, blob).images == ("data:image/png;base64,aGk=", "data:image/gif;base64,aGk=")


@pytest.mark.parametrize(
    ("media_type", "data"),
    [("text/html", "aGk="), ("image/png", "not base64!"), ("image/png", ""), ("image/png\r\nx", "aGk=")],
)
def test_what_is_no_picture_is_left_out(media_type: str, data: str) -> None:
    found = read({"type": "image", "mimeType": media_type, "data": data})
    assert found == ToolResult("[a picture that cannot be read was left out]")


def test_too_many_pictures_are_left_out() -> None:
    image = {"type": "image", "mimeType": "image/png", "data": "aGk="}
    found = read(*[image] * 17)
    assert len(found.images) == 16
    assert found.text == "[a picture too many or too large was left out]"


def test_resources_are_told_as_well_as_words_can() -> None:
    found = read(
        {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "inside"}},
        {
            "type": "resource",
            "resource": {"uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": "aA=="},
        },
        {"type": "resource_link", "uri": "file:///b", "name": "b", "description": "more"},
        {"type": "audio", "mimeType": "audio/wav", "data": "aA=="},
        {"type": "hologram"},
    )
    assert found.text.splitlines() == [
        "inside",
        "[file:///a.pdf: application/pdf, which this chat cannot carry]",
        "[b is at file:///b: more]",
        "[audio/wav, which this chat cannot carry, was left out]",
        "[hologram, which this chat cannot carry, was left out]",
    ]


def test_a_failure_is_one_also_without_words() -> None:
    assert read(isError=True) == ToolResult("The tool failed and said nothing.", is_error=True)
    assert read() == ToolResult("The tool returned nothing.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "type", "text", "data", "resource", "isError", "structuredContent"]),
            inner,
        )
    ),
)


@given(json_values)
def test_nothing_that_is_json_breaks_it(value: object) -> None:
    found = results.read(value, limit=100)
    assert found.text
    assert len(found.text) < 200
