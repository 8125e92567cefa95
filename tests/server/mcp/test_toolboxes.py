"""What a model is offered in either mode, and what its calls become."""

import json
from typing import Any

import pytest

from inference_gateway.server.mcp.catalogue import Catalogue, Entry, Rules, Tool
from inference_gateway.server.mcp.toolboxes import DirectToolbox, SelectorToolbox
from inference_gateway.server.toolbox import ToolResult

SCHEMA: dict[str, object] = {"type": "object", "properties": {"b": {}, "a": {}}}


async def run(entry: Entry, arguments: dict[str, object]) -> ToolResult:
    return ToolResult(f"{entry.tool.name} {json.dumps(arguments)}")


@pytest.fixture
def catalogue() -> Catalogue:
    made = Catalogue(Rules.of((), ["secret"]), [Rules.of((), ())])
    tools = [
        Tool("echo", "Say it again.", SCHEMA),
        Tool("add", "Sum up.", SCHEMA),
        Tool("secret", "", SCHEMA),
    ]
    made.update(0, "calc", tools)
    return made


@pytest.fixture
def direct(catalogue: Catalogue) -> DirectToolbox:
    return DirectToolbox(catalogue, run, limit=1000)


@pytest.fixture
def selector(catalogue: Catalogue) -> SelectorToolbox:
    return SelectorToolbox(catalogue, run, limit=1000)


def test_each_tool_is_offered_under_its_name(direct: DirectToolbox) -> None:
    definitions = direct.definitions()
    assert definitions[0] == (
        b'{"type":"function","function":{"name":"mcp_echo","description":"Say it again.",'
        b'"parameters":{"type":"object","properties":{"b":{},"a":{}}}}}'
    )
    assert len(definitions) == 2
    assert direct.definitions() is definitions


@pytest.mark.parametrize("arguments", ["", "{}", "null"])
async def test_no_arguments_are_none(direct: DirectToolbox, arguments: str) -> None:
    assert await direct.run("mcp_echo", arguments) == ToolResult("echo {}")


@pytest.mark.parametrize("arguments", ["{", "[]", '"x"', '{"a":1'])
async def test_arguments_that_are_no_object_are_told(direct: DirectToolbox, arguments: str) -> None:
    found = await direct.run("mcp_echo", arguments)
    assert found.is_error
    assert found.text.startswith("Error: the arguments are not a JSON object")


async def test_what_is_not_offered_is_not_run(direct: DirectToolbox, selector: SelectorToolbox) -> None:
    order = json.dumps({"name": "secret"})
    for found in (
        await direct.run("mcp_secret", ""),
        await selector.run("mcp_secret", ""),
        await selector.run("mcp_tools_execute", order),
    ):
        assert found.is_error
        assert "there is no tool" in found.text
        assert found.tool == "mcp_unknown"


def test_every_call_under_our_prefix_is_ours_to_answer(
    direct: DirectToolbox, selector: SelectorToolbox
) -> None:
    for toolbox in (direct, selector):
        assert toolbox.runs("mcp_echo")
        assert toolbox.runs("mcp_secret")
        assert not toolbox.runs("echo")


def test_the_selector_offers_two_tools_or_none(catalogue: Catalogue, selector: SelectorToolbox) -> None:
    offered = [json.loads(each)["function"] for each in selector.definitions()]
    assert [each["name"] for each in offered] == ["mcp_tools_get", "mcp_tools_execute"]
    assert set(offered[0]["parameters"]["properties"]) == {"query", "names"}
    assert "required" not in offered[0]["parameters"]
    assert offered[1]["parameters"]["required"] == ["name"]
    catalogue.withdraw(0)
    assert selector.definitions() == ()


async def listed(selector: SelectorToolbox, **query: Any) -> Any:
    return json.loads((await selector.run("mcp_tools_get", json.dumps(query))).text)


async def test_tools_are_found_by_words_and_by_name(selector: SelectorToolbox) -> None:
    add = {"name": "mcp_add", "description": "Sum up.", "server": "calc"}
    assert await listed(selector, query="SUM") == [add]
    assert [each["name"] for each in await listed(selector)] == ["mcp_echo", "mcp_add"]
    assert json.loads((await selector.run("mcp_tools_get", "")).text) == await listed(selector)
    for name in ("add", "mcp_add", "mcp_calc_add", " MCP_ADD "):
        assert await listed(selector, names=[name]) == [{**add, "input_schema": SCHEMA}]
    assert await listed(selector, query="nothing like it") == []


@pytest.mark.parametrize("name", ["mcp_add", "add", "mcp_calc_add", "calc_add"])
async def test_tools_are_run_by_any_of_their_names(selector: SelectorToolbox, name: str) -> None:
    order = json.dumps({"name": name, "arguments": {"a": 1}})
    assert await selector.run("mcp_tools_execute", order) == ToolResult('add {"a": 1}', tool="mcp_add")


async def test_a_tool_that_the_selector_told_of_can_be_called_by_itself(selector: SelectorToolbox) -> None:
    assert selector.runs("mcp_add")
    assert await selector.run("mcp_add", "{}") == ToolResult("add {}")


@pytest.mark.parametrize("order", ["", "{}", '{"name":""}', "null"])
async def test_an_order_without_a_name_is_told(selector: SelectorToolbox, order: str) -> None:
    found = await selector.run("mcp_tools_execute", order)
    assert found == ToolResult("Error: mcp_tools_execute requires a 'name'", is_error=True)


@pytest.mark.parametrize("name", ["mcp_tools_get", "mcp_tools_execute"])
@pytest.mark.parametrize("arguments", ["{", "5", '{"query":5,"name":5}'])
async def test_calls_of_the_two_that_cannot_be_read_are_told(
    selector: SelectorToolbox, name: str, arguments: str
) -> None:
    found = await selector.run(name, arguments)
    assert found.is_error
    assert "cannot be read" in found.text
