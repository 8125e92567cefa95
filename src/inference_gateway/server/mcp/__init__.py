"""Tools of MCP servers. All but `catalogue`, `names`, `results` and `toolboxes` need the `mcp` package."""
