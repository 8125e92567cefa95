"""The wire types as JSON Schema, for the OpenAPI document. Nothing here runs in the gateway."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from pydantic import JsonValue, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from inference_gateway import types
from inference_gateway.server.api.openapi_page import PAGE_TYPES
from inference_gateway.types import a2a

SCHEMAS: Mapping[str, TypeAdapter[object]] = {
    name: TypeAdapter(getattr(types, name))
    for name in (
        "CreateChatCompletionRequest",
        "CreateChatCompletionResponse",
        "CreateChatCompletionStreamResponse",
        "Error",
        "HealthStatus",
        "ListModelsResponse",
        "ListToolsResponse",
        "MCPHealth",
        "Model",
        "ModelsInclude",
        "Provider",
        "ProviderAuthType",
        "ProviderSpecificResponse",
        "SSEvent",
    )
} | {name: TypeAdapter(getattr(a2a, name)) for name in ("Agent", "AgentCard", "ListAgentsResponse")}


class _Schemas(GenerateJsonSchema):
    """Leave out what repeats a name, and defaults: they are for reading, no server fills them in."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        made.pop("default", None)
        return made


def schemas() -> dict[str, JsonValue]:
    """Describe every wire type, and what it is made of."""
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[object]]] = [
        (name, "validation", adapter) for name, adapter in SCHEMAS.items()
    ]
    _, whole = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    _, of_page = msgspec.json.schema_components(
        PAGE_TYPES.values(), ref_template="#/components/schemas/{name}"
    )
    return dict(sorted({**of_page, **whole["$defs"]}.items()))
