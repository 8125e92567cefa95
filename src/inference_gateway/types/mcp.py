"""The list of tools that the gateway knows through the Model Context Protocol."""

from typing import Annotated

from pydantic import AliasChoices, ConfigDict, Field, JsonValue

from inference_gateway.types.base import WireModel


class MCPTool(WireModel):
    """A tool of an MCP server."""

    model_config = ConfigDict(json_schema_extra={"required": ["name", "description", "server"]})

    name: Annotated[str, Field(description="Name to call the tool by.")]
    description: Annotated[str, Field(description="What the tool does.")] = ""
    server: Annotated[str, Field(description="URL of the MCP server that has the tool.")] = ""
    input_schema: Annotated[
        dict[str, JsonValue] | None,
        Field(
            validation_alias=AliasChoices("input_schema", "inputSchema"),
            description="JSON Schema of the tool's arguments.",
        ),
    ] = None


class ListToolsResponse(WireModel):
    """The tools of every connected MCP server."""

    model_config = ConfigDict(json_schema_extra={"required": ["object", "data"]})

    object: Annotated[str, Field(description="Always `list`.", examples=["list"])] = "list"
    data: Annotated[
        list[MCPTool],
        Field(validation_alias=AliasChoices("data", "tools"), description="The tools."),
    ]
