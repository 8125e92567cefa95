"""What the gateway tells of the servers that it knows through the Model Context Protocol."""

from typing import Annotated

from pydantic import AliasChoices, ConfigDict, Field, JsonValue

from inference_gateway.types.base import WireModel


class MCPTool(WireModel):
    """A tool of an MCP server."""

    model_config = ConfigDict(json_schema_extra={"required": ["name", "description", "server"]})

    name: Annotated[str, Field(description="Name to call the tool by.")]
    description: Annotated[str, Field(description="What the tool does.")] = ""
    server: Annotated[str, Field(description="URL of the MCP server that has the tool.")] = ""
    changed: Annotated[
        bool, Field(description="Whether its definition is not the one that the gateway saw first.")
    ] = False
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


class MCPServerHealth(WireModel):
    """How an MCP server is."""

    model_config = ConfigDict(json_schema_extra={"required": ["name", "status"]})

    name: Annotated[str, Field(description="What the server is called.")]
    status: Annotated[
        str, Field(description="`connecting`, `available` or `unavailable`.", examples=["available"])
    ]
    transport: Annotated[str, Field(description="How it is spoken to.", examples=["streamable-http"])] = ""
    protocol_version: Annotated[str, Field(description="Version of the protocol that is spoken.")] = ""
    tools: Annotated[int, Field(description="How many of its tools are offered.")] = 0
    left_out: Annotated[
        int, Field(description="How many tools it lists that no model could be offered; the log says why.")
    ] = 0
    error: Annotated[str | None, Field(description="Why it is not available.")] = None


class MCPHealth(WireModel):
    """How the MCP servers are."""

    model_config = ConfigDict(json_schema_extra={"required": ["status", "servers"]})

    status: Annotated[
        str,
        Field(
            description="`ok`: all servers are available; `degraded`: some; `unavailable`: none; "
            "`disabled`: MCP is off.",
            examples=["ok"],
        ),
    ]
    servers: Annotated[list[MCPServerHealth], Field(description="The servers, as configured.")]
