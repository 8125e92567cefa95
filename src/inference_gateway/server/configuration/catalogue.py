"""What `settings` says, as rows: each field's kind, bounds and names. Reads no source."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from inference_gateway.server.settings import (
    BUILT_IN_PROVIDERS,
    CONFIG_PATH_VARIABLE,
    DEPRECATED,
    FEATURE_SECTIONS,
    MISSING_FEATURES,
    PROVIDERS_WITH_ACCOUNT,
    WITHOUT_EFFECT,
    A2AAgentSettings,
    MCPServerSettings,
    ProviderSettings,
    Secret,
    Settings,
)

_KINDS: Final[Mapping[object, str]] = {
    bool: "switch",
    int: "integer",
    float: "duration",
    str: "text",
    Secret: "key",
    dict: "map",
    Literal: "choice",
}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a settings struct."""

    name: str
    kind: str
    """Which reading in `values` turns text into the field's type."""
    type: object
    """The annotation, bounds included."""
    default: object
    description: str
    variable: str = ""
    """The variable's name where it does not follow from the field's."""
    bounds: str = ""
    """The bounds of an integer in words, such as `0 to 65535`."""
    choices: tuple[str, ...] = ()


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A field with its two names."""

    variable: str
    path: str
    """Place in a YAML file, such as `server.port`."""
    group: str
    """Name of the group's field on `Settings`; empty for a general setting."""
    field: Field


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one struct."""

    name: str
    title: str
    settings: tuple[Setting, ...]


def _parts(annotation: object) -> tuple[object, list[Meta]]:
    """Take the metadata and the `| None` off a type."""
    metas: list[Meta] = []
    while get_origin(annotation) in {Annotated, Union, types.UnionType}:
        inner, *others = get_args(annotation)
        metas += [other for other in others if isinstance(other, Meta)]
        annotation = inner
    return annotation, metas


def _bounds(metas: list[Meta]) -> str:
    low = next((meta.ge for meta in metas if meta.ge is not None), None)
    high = next((meta.le for meta in metas if meta.le is not None), None)
    if low is None:
        return ""
    return f"{low} or more" if high is None else f"{low} to {high}"


def _field(info: msgspec.structs.FieldInfo) -> Field:
    base, metas = _parts(info.type)
    extra = {key: value for meta in metas for key, value in (meta.extra or {}).items()}
    kind = str(extra.get("kind") or _KINDS[get_origin(base) or base])
    return Field(
        name=info.name,
        kind=kind,
        type=info.type,
        default=None if info.default is msgspec.NODEFAULT else info.default,
        description=next((meta.description for meta in metas if meta.description), ""),
        variable=str(extra.get("variable", "")),
        bounds=_bounds(metas) if kind == "integer" else "",
        choices=get_args(base) if get_origin(base) is Literal else (),
    )


def _group(struct: type[msgspec.Struct], name: str, infos: list[msgspec.structs.FieldInfo]) -> Group:
    prefix = f"{name}." if name else ""
    fields = [_field(info) for info in infos]
    return Group(
        name=name,
        title=(struct.__doc__ or "").partition("\n")[0].rstrip("."),
        settings=tuple(
            Setting(
                variable=field.variable or (prefix + field.name).replace(".", "_").upper(),
                path=prefix + field.name,
                group=name,
                field=field,
            )
            for field in fields
        ),
    )


def _groups() -> Iterator[Group]:
    infos = msgspec.structs.fields(Settings)
    structs = {info.name: info.type for info in infos if isinstance(info.type, type(msgspec.Struct))}
    yield _group(Settings, "", [info for info in infos if info.name not in {*structs, "providers"}])
    for name, struct in structs.items():
        yield _group(struct, name, list(msgspec.structs.fields(struct)))


GROUPS: Final = tuple(_groups())
"""The general settings, then the groups in the order of `Settings`."""

SETTINGS: Final = tuple(setting for group in GROUPS for setting in group.settings)

PROVIDER_FIELDS: Final[Mapping[str, Field]] = {
    info.name: _field(info) for info in msgspec.structs.fields(ProviderSettings) if info.name != "id"
}

MCP_SERVER_FIELDS: Final[Mapping[str, Field]] = {
    info.name: _field(info) for info in msgspec.structs.fields(MCPServerSettings)
}

A2A_AGENT_FIELDS: Final[Mapping[str, Field]] = {
    info.name: _field(info) for info in msgspec.structs.fields(A2AAgentSettings)
}

LISTED: Final[Mapping[str, Mapping[str, Field]]] = {
    "mcp.servers": MCP_SERVER_FIELDS,
    "a2a.agents": A2A_AGENT_FIELDS,
}
"""Places of a YAML file whose entries are sections, and what stands in each."""


def provider_variable(id: str, field: str) -> str:
    """Name of the variable that sets a field of a built-in provider."""
    return f"{id}_{'api_url' if field == 'url' else field}".upper()


def variable_fields(id: str) -> tuple[str, ...]:
    """Fields of a built-in provider that have a variable."""
    return ("url", "api_key", "account_id") if id in PROVIDERS_WITH_ACCOUNT else ("url", "api_key")


def yaml_path(switch: str) -> str:
    """Place of a missing feature's switch in a YAML file."""
    section, _, rest = switch.lower().partition("_")
    groups = {group.name for group in GROUPS}
    return f"{section}.{rest}" if section in {*FEATURE_SECTIONS, *groups} else switch.lower()


VARIABLES: Final = frozenset(
    {
        CONFIG_PATH_VARIABLE,
        *(setting.variable for setting in SETTINGS),
        *(provider_variable(id, field) for id in BUILT_IN_PROVIDERS for field in variable_fields(id)),
        *(name for feature in MISSING_FEATURES for name in (*feature.switches, *feature.settings)),
        *WITHOUT_EFFECT,
        *DEPRECATED,
    }
)
"""Every variable that means something to this program."""
