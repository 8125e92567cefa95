"""The MCP servers of the YAML file: entries made into settings. Knows nothing of the protocol."""

from typing import Final

import msgspec

from inference_gateway.server.configuration.document import Document, Entry
from inference_gateway.server.configuration.entries import EntryReader
from inference_gateway.server.configuration.report import Report
from inference_gateway.server.configuration.variables import Variables
from inference_gateway.server.settings import MCPServerSettings

_OF_URLS: Final = frozenset({"headers", "query", "token", "token_env"})


class ServerReader:
    """Makes each entry's settings; `sources` says where each of them is from."""

    def __init__(self, variables: tuple[Variables, ...], document: Document, report: Report) -> None:
        self._reader = EntryReader("mcp.servers", variables, document, report)
        self._report = report
        self.sources = self._reader.sources

    def read(self) -> tuple[MCPServerSettings, ...]:
        """Return the servers in the order of the file."""
        servers = tuple(self._server(entry) for entry in self._reader.entries)
        self._check_names(servers)
        return servers

    def _server(self, entry: Entry) -> MCPServerSettings:
        self._check_kind(entry)
        return msgspec.convert(self._reader.values(entry), MCPServerSettings)

    def _check_kind(self, entry: Entry) -> None:
        given = entry.values.keys()
        if ("url" in given) == ("command" in given):
            self._report.problem(entry.where, f"{entry.place}: give a url or a command, and not both")
        elif "command" in given and (entry.maps.keys() | given) & _OF_URLS:
            self._report.problem(
                entry.where, f"{entry.place}: a program takes no headers, no query and no token"
            )
        elif "url" in given and ("env" in entry.maps or "args" in given):
            self._report.problem(entry.where, f"{entry.place}: args and env go with a command")

    def _check_names(self, servers: tuple[MCPServerSettings, ...]) -> None:
        seen: set[str] = set()
        for entry, server in zip(self._reader.entries, servers, strict=True):
            if server.name is not None and server.name in seen:
                self._report.refuse(entry.values["name"], "another server has this name; give each its own")
            seen.add(server.name or "")
