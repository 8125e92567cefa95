"""The providers' settings, put together from all sources. Knows no provider's wire."""

from collections.abc import Mapping

import msgspec

from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.catalogue import (
    PROVIDER_FIELDS,
    provider_variable,
    variable_fields,
)
from inference_gateway.server.configuration.document import Document, ProviderSection
from inference_gateway.server.configuration.report import Given, Report, nearest
from inference_gateway.server.configuration.values import provider_header, read
from inference_gateway.server.configuration.variables import Variables, first
from inference_gateway.server.settings import BUILT_IN_PROVIDERS, ProviderSettings, Secret


class ProviderReader:
    """Makes each provider's settings; `sources` says where each of them is from."""

    def __init__(self, variables: tuple[Variables, ...], document: Document, report: Report) -> None:
        self.sources: dict[str, str] = {}
        self._variables = variables
        self._document = document
        self._report = report

    def read(self) -> dict[str, ProviderSettings]:
        """Return the built-in providers, then the file's own."""
        sections = self._document.providers
        built_in = {id: self._built_in(id) for id in BUILT_IN_PROVIDERS}
        return built_in | {id: self._custom(sections[id]) for id in sections if id not in built_in}

    def _built_in(self, id: str) -> ProviderSettings:
        section = self._document.providers.get(id)
        given = self._given(section) if section else {}
        for field in variable_fields(id):
            one = first(self._variables, provider_variable(id, field))
            if one:
                given[field] = one
                # Both say where the key is, and a variable comes before the file.
                if field == "api_key":
                    given.pop("api_key_env", None)
        return self._provider(id, given, section.headers if section else {})

    def _custom(self, section: ProviderSection) -> ProviderSettings:
        given = self._given(section)
        if "url" not in given:
            likely = nearest(section.id, BUILT_IN_PROVIDERS)
            hint = f", or did you mean {likely}?" if likely else ""
            self._report.problem(
                section.where, f"providers.{section.id}: a custom provider needs a url{hint}"
            )
        provider = self._provider(section.id, given, section.headers)
        if provider.auth is not None:
            return provider
        has_key = "api_key" in given or "api_key_env" in given
        return msgspec.structs.replace(provider, auth="bearer" if has_key else "none")

    def _given(self, section: ProviderSection) -> dict[str, Given]:
        given = dict(section.values)
        if "api_key" in given and "api_key_env" in given:
            self._report.refuse(given["api_key_env"], "stands beside api_key; keep one")
            del given["api_key_env"]
        return given

    def _provider(
        self, id: str, given: Mapping[str, Given], headers: Mapping[str, Given]
    ) -> ProviderSettings:
        values: dict[str, object] = {"id": id, "headers": self._headers(id, headers)}
        for field, one in given.items():
            try:
                values[field] = read(PROVIDER_FIELDS[field], one.text)
            except Refused as error:
                self._report.refuse(one, error)
            self.sources[source_name(id, field)] = one.where
        if "api_key_env" in given:
            values["api_key"] = self._named_key(id, given["api_key_env"], str(values.get("api_key_env", "")))
        return msgspec.convert(values, ProviderSettings)

    def _named_key(self, id: str, named: Given, variable: str) -> object:
        one = first(self._variables, variable)
        if one is None:
            if variable:
                self._report.warn(named.where, f"{named.name}: {variable} is not set, so {id} has no key")
            return None
        self.sources[source_name(id, "api_key")] = one.where
        try:
            return read(PROVIDER_FIELDS["api_key"], one.text)
        except Refused as error:
            self._report.refuse(one, error)
            return None

    def _headers(self, id: str, given: Mapping[str, Given]) -> dict[str, Secret]:
        headers: dict[str, Secret] = {}
        for name, one in given.items():
            try:
                lower, value = provider_header(name, one.text)
                if lower in headers:
                    raise Refused("the same header twice; keep one")
            except Refused as error:
                self._report.refuse(one, error)
            else:
                headers[lower] = value
                self.sources[source_name(id, f"headers.{lower}")] = one.where
        return headers


def source_name(id: str, field: str) -> str:
    """Name of a provider's setting: its variable where there is one, else its place in the file."""
    if id in BUILT_IN_PROVIDERS and field in variable_fields(id):
        return provider_variable(id, field)
    return f"providers.{id}.{field}"
