"""Tools of MCP servers. Only `client`, `links` and `service` need the `mcp` package."""
