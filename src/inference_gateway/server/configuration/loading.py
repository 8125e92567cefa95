"""All sources to one `Settings`: the environment before `.env`, before the YAML file, before defaults."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from inference_gateway.server.configuration.addresses import Refused
from inference_gateway.server.configuration.agents import AgentReader
from inference_gateway.server.configuration.catalogue import (
    LISTED,
    PROVIDER_FIELDS,
    SETTINGS,
    Field,
    Setting,
    yaml_path,
)
from inference_gateway.server.configuration.document import Document, read_document
from inference_gateway.server.configuration.mcp_servers import ServerReader
from inference_gateway.server.configuration.providers import ProviderReader, source_name
from inference_gateway.server.configuration.report import Given, Report, SettingsError
from inference_gateway.server.configuration.values import read, switch, write
from inference_gateway.server.configuration.variables import (
    Variables,
    first,
    from_dotenv,
    from_environment,
    suggest_names,
)
from inference_gateway.server.settings import (
    CONFIG_PATH_VARIABLE,
    MASK,
    MISSING_FEATURES,
    A2AAgentSettings,
    AuthSettings,
    MCPServerSettings,
    MissingFeature,
    ProviderSettings,
    ServerSettings,
    Settings,
    TracingSettings,
)
from inference_gateway.server.settings_tracing import SHARED_PREFIX

DEFAULT: Final = "default"
"""Source of a setting that no source names."""

_SET: Final = "set"
"""Source of a setting that some source names, where it is not known which."""
_UNSET: Final = object()
_TERMS: Final = (
    "AUTH_OIDC_CLIENT_ID",
    "AUTH_OIDC_AUDIENCES",
    "AUTH_REQUIRED_SCOPES",
    "AUTH_REQUIRED_CLAIMS",
)
"""What tokens are held to: given without an issuer, a name was misspelt or forgotten."""
_WAYS_IN: Final = ("AUTH_OIDC_ISSUER", "AUTH_API_KEYS", "AUTH_API_KEYS_FILE")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that can be used, and where they are from."""

    settings: Settings
    warnings: tuple[str, ...]
    """One line each, for the log."""
    sources: dict[str, str]
    """`environment`, `.env:3`, `gateway.yaml:7` or `default`, by the setting's name: its variable,
    or its place in the YAML file where it has none. Of the providers, only what was given."""


class Row(NamedTuple):
    """One setting as it is in effect."""

    name: str
    value: str
    """As text that could be given; `********` in place of a secret."""
    source: str


def load_process_settings(config: str | None = None) -> Loaded:
    """Read this process's environment, `.env` in its working directory and the YAML file.

    :param config: path of the YAML file; None leaves it to GATEWAY_CONFIG_PATH.
    :raises SettingsError: anything that any of them says cannot be used.
    """
    return load(environ=os.environ, config=config)


def load(*, environ: Mapping[str, str], config: str | None = None, dotenv: str | None = ".env") -> Loaded:
    """Read all sources.

    :param environ: variables that come first.
    :param config: path of the YAML file; None leaves it to GATEWAY_CONFIG_PATH.
    :param dotenv: path of a file of variables that come second; it need not exist.
    :raises SettingsError: anything that any of them says cannot be used.
    """
    report = Report()
    variables = (from_environment(environ, report), from_dotenv(dotenv, report) if dotenv else {})
    named = first(variables, CONFIG_PATH_VARIABLE)
    document = read_document(config or (str(named.text) if named else None), report)
    for source in variables:
        suggest_names(source, document.key_variables(), report)
    for feature in MISSING_FEATURES:
        _check_off(feature, variables, document, report)
    reader = _SettingsReader(variables, document, report)
    settings = reader.read()
    _check_tls(reader.sources, report)
    _check_auth(settings.auth, reader.sources, report)
    _check_sizes(settings.server, reader.sources, report)
    _check_tracing(settings.tracing, reader.sources, report)
    if report.problems:
        raise SettingsError(tuple(report.problems))
    return Loaded(settings=settings, warnings=tuple(report.warnings), sources=reader.sources)


class _SettingsReader:
    """Makes `Settings`; what cannot be used is reported and left at its default."""

    def __init__(self, variables: tuple[Variables, ...], document: Document, report: Report) -> None:
        self.sources: dict[str, str] = {}
        self._variables = variables
        self._document = document
        self._report = report
        self._of_tracing: list[tuple[Given, Refused]] = []
        """What cannot be used of variables that may be meant for other programs."""

    def read(self) -> Settings:
        values: dict[str, dict[str, object]] = {}
        for setting in SETTINGS:
            value = self._value(setting)
            if value is not _UNSET:
                values.setdefault(setting.group, {})[setting.field.name] = value
        if values.get("tracing", {}).get("enabled"):
            for given, error in self._of_tracing:
                self._report.refuse(given, error)
        general = values.pop("", {})
        if general.get("environment") == "development":
            general.setdefault("log_level", "debug")
            general.setdefault("log_format", "console")
        providers = ProviderReader(self._variables, self._document, self._report)
        self._read_entries(values)
        tree = {**general, **values, "providers": providers.read()}
        self.sources.update(providers.sources)
        return msgspec.convert(tree, Settings)

    def _read_entries(self, values: dict[str, dict[str, object]]) -> None:
        """Take the entries of the file's lists where no variable says what is in the list."""
        readers: dict[str, ServerReader | AgentReader] = {
            "mcp.servers": ServerReader(self._variables, self._document, self._report),
            "a2a.agents": AgentReader(self._variables, self._document, self._report),
        }
        for place, reader in readers.items():
            group, _, field = place.partition(".")
            variable = place.replace(".", "_").upper()
            given = reader.read()
            if given and self.sources[variable] == DEFAULT:
                values.setdefault(group, {})[field] = given
                self.sources[variable] = self._document.entries[place][0].where
                self.sources.update(reader.sources)

    def _value(self, setting: Setting) -> object:
        given = _given(setting.variable, setting.path, self._variables, self._document)
        self.sources[setting.variable] = given.where if given else DEFAULT
        if given is None:
            return _UNSET
        try:
            return read(setting.field, given.text)
        except Refused as error:
            if setting.variable.startswith(SHARED_PREFIX):
                self._of_tracing.append((given, error))
            else:
                self._report.refuse(given, error)
            return _UNSET


def _given(variable: str, path: str, variables: tuple[Variables, ...], document: Document) -> Given | None:
    return first(variables, variable) or document.values.get(path)


def _check_off(
    feature: MissingFeature, variables: tuple[Variables, ...], document: Document, report: Report
) -> None:
    for name in feature.switches:
        given = _given(name, yaml_path(name), variables, document)
        if given is None:
            continue
        try:
            is_on = _is_on(feature, given)
        except Refused as error:
            report.refuse(given, error)
            return
        if is_on:
            off = f"set it to {feature.off}" if feature.off else "empty"
            ways = f"leave it unset or {off}"
            report.refuse(given, f"{feature.title} is not part of this version; {ways}")
            return


def _check_tls(sources: Mapping[str, str], report: Report) -> None:
    """Report a certificate without its key or the other way round, and authorities without either."""
    certificate, key = "SERVER_TLS_CERT_PATH", "SERVER_TLS_KEY_PATH"
    given = [name for name in (certificate, key) if sources[name] != DEFAULT]
    if len(given) == 1:
        report.problem(sources[given[0]], f"{certificate} and {key} go together; give both or neither")
    authorities = "SERVER_TLS_CLIENT_CA_PATH"
    if sources[authorities] != DEFAULT and not given:
        report.problem(sources[authorities], f"{authorities}: needs {certificate} and {key} as well")


def _check_auth(auth: AuthSettings, sources: Mapping[str, str], report: Report) -> None:
    """Report what would let nobody in, or somebody whom nobody meant."""
    if auth.enabled is not False and sources["AUTH_OIDC_ISSUER"] == DEFAULT:
        for name in _TERMS:
            if sources[name] != DEFAULT:
                report.problem(
                    sources[name],
                    f"{name}: no token is checked without AUTH_OIDC_ISSUER; give it, or leave this out",
                )
    if not auth.active:
        return
    # A source that was refused has been reported already, and its setting is as if it were not there.
    named = [name for name in _WAYS_IN if sources[name] != DEFAULT]
    if not named:
        report.problem(
            sources["AUTH_ENABLED"],
            f"AUTH_ENABLED: nobody could call; give {' or '.join(_WAYS_IN)} as well",
        )
    audiences = ("AUTH_OIDC_CLIENT_ID", "AUTH_OIDC_AUDIENCES")
    if auth.oidc_issuer and all(sources[name] == DEFAULT for name in audiences):
        report.problem(
            sources["AUTH_OIDC_ISSUER"],
            f"AUTH_OIDC_ISSUER: needs {' or '.join(audiences)}, so that tokens made for others are refused",
        )


def _check_sizes(server: ServerSettings, sources: Mapping[str, str], report: Report) -> None:
    """Report a cap on all bodies that one body alone may exceed: it would be turned away for ever."""
    if 0 < server.max_inflight_bytes < server.max_request_body_size:
        cap, size = "SERVER_MAX_INFLIGHT_BYTES", "SERVER_MAX_REQUEST_BODY_SIZE"
        where = sources[cap] if sources[cap] != DEFAULT else sources[size]
        report.problem(
            where,
            f"{cap}: {server.max_inflight_bytes} is less than {size} allows one request; give at least "
            f"{server.max_request_body_size}, or 0 for no cap",
        )


def _check_tracing(tracing: TracingSettings, sources: Mapping[str, str], report: Report) -> None:
    """Report batches that no queue could hold, and a key without its certificate."""
    if not tracing.active:
        return
    size, queue = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
    if tracing.max_export_batch_size > tracing.max_queue_size:
        where = sources[size] if sources[size] != DEFAULT else sources[queue]
        report.problem(where, f"{size}: more than {queue} lets wait; give {tracing.max_queue_size} at most")
    key = "OTEL_EXPORTER_OTLP_CLIENT_KEY"
    if tracing.client_key is not None and tracing.client_certificate is None:
        report.problem(sources[key], f"{key}: there is no OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it")


def _is_on(feature: MissingFeature, given: Given) -> bool:
    if not feature.off:
        return True
    if not isinstance(given.text, str):
        raise Refused("a list; give true or false")
    return switch(given.text) is not switch(feature.off)


def effective(loaded: Loaded) -> list[Row]:
    """Return every setting as it is in effect, then what was given of the providers."""
    rows = [
        Row(setting.variable, _text(loaded.settings, setting), loaded.sources[setting.variable])
        for setting in SETTINGS
    ]
    for provider in loaded.settings.providers.values():
        rows += _provider_rows(provider, loaded.sources)
    for number, server in enumerate(loaded.settings.mcp.servers, 1):
        rows += _entry_rows("mcp.servers", number, server, loaded.sources)
    for number, agent in enumerate(loaded.settings.a2a.agents, 1):
        rows += _entry_rows("a2a.agents", number, agent, loaded.sources)
    return rows


def in_effect(settings: Settings) -> list[Row]:
    """Return what `effective` does, without knowing sources: of each remains whether it is the default."""
    sources = {
        setting.variable: DEFAULT if _text(settings, setting) == _default(setting) else _SET
        for setting in SETTINGS
    }
    for provider in settings.providers.values():
        sources |= {source_name(provider.id, name): _SET for name in _differing(provider, PROVIDER_FIELDS)}
    for place, entries in (("mcp.servers", settings.mcp.servers), ("a2a.agents", settings.a2a.agents)):
        for number, one in enumerate(entries, 1):
            sources |= {f"{place}.{number}.{name}": _SET for name in _differing(one, LISTED[place])}
    return effective(Loaded(settings=settings, warnings=(), sources=sources))


def _default(setting: Setting) -> str:
    return write(setting.field, setting.field.default)


def _differing(given: msgspec.Struct, fields: Mapping[str, Field]) -> list[str]:
    """Name the fields that are not at their default, and each key of maps."""
    names = []
    for name, field in fields.items():
        value = getattr(given, name)
        if field.kind == "map":
            names += [f"{name}.{key}" for key in value]
        elif value != field.default:
            names.append(name)
    return names


def _text(settings: Settings, setting: Setting) -> str:
    group = getattr(settings, setting.group) if setting.group else settings
    return write(setting.field, getattr(group, setting.field.name))


def _provider_rows(provider: ProviderSettings, sources: Mapping[str, str]) -> list[Row]:
    rows = []
    for field in PROVIDER_FIELDS.values():
        name = source_name(provider.id, field.name)
        if name in sources:
            rows.append(Row(name, write(field, getattr(provider, field.name)), sources[name]))
    for header in provider.headers:
        name = source_name(provider.id, f"headers.{header}")
        rows.append(Row(name, MASK, sources[name]))
    return rows


def _entry_rows(
    list_place: str, number: int, one: MCPServerSettings | A2AAgentSettings, sources: Mapping[str, str]
) -> list[Row]:
    rows, place = [], f"{list_place}.{number}"
    for field in LISTED[list_place].values():
        name, value = f"{place}.{field.name}", getattr(one, field.name)
        if field.kind == "map":
            rows += [Row(f"{name}.{key}", MASK, sources[f"{name}.{key}"]) for key in value]
        elif name in sources:
            rows.append(Row(name, write(field, value), sources[name]))
    return rows
