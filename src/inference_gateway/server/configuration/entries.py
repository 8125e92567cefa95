"""Entries of the YAML file's lists: what each says of one thing to speak to. Knows no protocol."""

from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.catalogue import LISTED
from inference_gateway.server.configuration.document import Document, Entry
from inference_gateway.server.configuration.report import Report
from inference_gateway.server.configuration.values import (
    program_variable,
    provider_header,
    read,
    url_parameter,
)
from inference_gateway.server.configuration.variables import Variables, first
from inference_gateway.server.settings import Secret


class EntryReader:
    """Makes values of the entries of one list; `sources` says where each of them is from."""

    def __init__(
        self, list_place: str, variables: tuple[Variables, ...], document: Document, report: Report
    ) -> None:
        self.sources: dict[str, str] = {}
        self.entries: tuple[Entry, ...] = document.entries.get(list_place, ())
        self._fields = LISTED[list_place]
        self._variables = variables
        self._report = report

    def values(self, entry: Entry) -> dict[str, object]:
        """Read what an entry says, its maps and its token included."""
        values: dict[str, object] = {key: self._pairs(entry, key) for key in entry.maps}
        for field, one in entry.values.items():
            try:
                values[field] = read(self._fields[field], one.text)
            except Refused as error:
                self._report.refuse(one, error)
            self.sources[f"{entry.place}.{field}"] = one.where
        if {"token", "token_env"} <= entry.values.keys():
            self._report.refuse(entry.values["token_env"], "stands beside token; keep one")
        elif "token_env" in entry.values:
            values["token"] = self._named_token(entry, str(values.get("token_env", "")))
        return values

    def _named_token(self, entry: Entry, variable: str) -> Secret | None:
        one = first(self._variables, variable)
        if one is None:
            if variable:
                self._report.refuse(entry.values["token_env"], f"{variable} is not set")
            return None
        self.sources[f"{entry.place}.token"] = one.where
        try:
            token = read(self._fields["token"], one.text)
        except Refused as error:
            self._report.refuse(one, error)
            return None
        return token if isinstance(token, Secret) else None

    def _pairs(self, entry: Entry, field: str) -> dict[str, Secret]:
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
