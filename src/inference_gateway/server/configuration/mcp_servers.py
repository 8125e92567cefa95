"""The MCP servers of the YAML file: entries made into settings. Knows nothing of the protocol."""

from typing import Final

import msgspec

from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.catalogue import MCP_SERVER_FIELDS
from inference_gateway.server.configuration.document import Document, ServerEntry
from inference_gateway.server.configuration.report import Report
from inference_gateway.server.configuration.values import (
    program_variable,
    provider_header,
    read,
    url_parameter,
)
from inference_gateway.server.configuration.variables import Variables, first
from inference_gateway.server.settings import MCPServerSettings, Secret

_OF_URLS: Final = frozenset({"headers", "query", "token", "token_env"})


class ServerReader:
    """Makes each entry's settings; `sources` says where each of them is from."""

    def __init__(self, variables: tuple[Variables, ...], document: Document, report: Report) -> None:
        self.sources: dict[str, str] = {}
        self._variables = variables
        self._document = document
        self._report = report

    def read(self) -> tuple[MCPServerSettings, ...]:
        """Return the servers in the order of the file."""
        servers = tuple(self._server(entry) for entry in self._document.mcp_servers)
        self._check_names(servers)
        return servers

    def _server(self, entry: ServerEntry) -> MCPServerSettings:
        self._check_kind(entry)
        values: dict[str, object] = {key: self._pairs(entry, key) for key in entry.maps}
        for field, one in entry.values.items():
            try:
                values[field] = read(MCP_SERVER_FIELDS[field], one.text)
            except Refused as error:
                self._report.refuse(one, error)
            self.sources[f"{entry.place}.{field}"] = one.where
        if "token_env" in entry.values and "token" not in entry.values:
            values["token"] = self._named_token(entry, str(values.get("token_env", "")))
        return msgspec.convert(values, MCPServerSettings)

    def _check_kind(self, entry: ServerEntry) -> None:
        given = entry.values.keys()
        if ("url" in given) == ("command" in given):
            self._report.problem(entry.where, f"{entry.place}: give a url or a command, and not both")
        elif "command" in given and (entry.maps.keys() | given) & _OF_URLS:
            self._report.problem(
                entry.where, f"{entry.place}: a program takes no headers, no query and no token"
            )
        elif "url" in given and ("env" in entry.maps or "args" in given):
            self._report.problem(entry.where, f"{entry.place}: args and env go with a command")
        if {"token", "token_env"} <= given:
            self._report.refuse(entry.values["token_env"], "stands beside token; keep one")

    def _check_names(self, servers: tuple[MCPServerSettings, ...]) -> None:
        seen: set[str] = set()
        for entry, server in zip(self._document.mcp_servers, servers, strict=True):
            if server.name is not None and server.name in seen:
                self._report.refuse(entry.values["name"], "another server has this name; give each its own")
            seen.add(server.name or "")

    def _named_token(self, entry: ServerEntry, variable: str) -> Secret | None:
        one = first(self._variables, variable)
        if one is None:
            if variable:
                self._report.refuse(entry.values["token_env"], f"{variable} is not set")
            return None
        self.sources[f"{entry.place}.token"] = one.where
        try:
            token = read(MCP_SERVER_FIELDS["token"], one.text)
        except Refused as error:
            self._report.refuse(one, error)
            return None
        return token if isinstance(token, Secret) else None

    def _pairs(self, entry: ServerEntry, field: str) -> dict[str, Secret]:
        pairs: dict[str, Secret] = {}
        for name, one in entry.maps[field].items():
            try:
                key, value = _pair(field, name, one.text)
                if key in pairs:
                    raise Refused("given twice; keep one")
            except Refused as error:
                self._report.refuse(one, error)
            else:
                pairs[key] = value
                self.sources[f"{entry.place}.{field}.{key}"] = one.where
        return pairs


def _pair(field: str, name: str, text: str | tuple[str, ...]) -> tuple[str, Secret]:
    if field == "headers":
        return provider_header(name, text)
    return name, program_variable(name, text) if field == "env" else url_parameter(name, text)
