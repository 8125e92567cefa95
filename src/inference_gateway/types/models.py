"""The list of models, and what is known about each. Also the gateway's answer about its health."""

from typing import Annotated

from pydantic import ConfigDict, Field

from inference_gateway.types.base import UnixTime, WireModel
from inference_gateway.types.words import Modality, Provider
from inference_gateway.types.wrappers import Open


class ContextWindow(WireModel):
    """How many tokens a model can see at once."""

    tokens: Annotated[int, Field(description="Size in tokens.")] = 0
    source: Annotated[
        str | None, Field(description="Where the number is from: `runtime`, `provider` or `community`.")
    ] = None


class Pricing(WireModel):
    """What a token costs: decimal numbers in strings, so that no digit is lost."""

    currency: Annotated[str | None, Field(description="ISO 4217 code.", examples=["USD"])] = None
    input_per_token: Annotated[str | None, Field(description="Price of a prompt token.")] = None
    output_per_token: Annotated[str | None, Field(description="Price of a generated token.")] = None
    cache_read_per_token: Annotated[str | None, Field(description="Price of a token read from cache.")] = None
    cache_write_per_token: Annotated[str | None, Field(description="Price of a token written to cache.")] = (
        None
    )
    source: Annotated[
        str | None, Field(description="Where the prices are from: `provider` or `community`.")
    ] = None


class ModelModalities(WireModel):
    """What a model reads and writes."""

    input: list[Open[Modality]] = Field(default_factory=list, description="What it reads.")
    output: list[Open[Modality]] = Field(default_factory=list, description="What it writes.")


class Model(WireModel):
    """A model that can be named in a request. The metadata is there on request, `null` where unknown."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["id", "object", "created", "owned_by", "served_by"]}
    )

    id: Annotated[str, Field(description="Provider and model.", examples=["openai/gpt-4o"])] = ""
    object: Annotated[str, Field(description="Always `model`.", examples=["model"])] = "model"
    created: Annotated[UnixTime, Field(description="Unix time in seconds, 0 if unknown.")] = 0
    owned_by: Annotated[str, Field(description="Who made the model.")] = ""
    served_by: Annotated[Open[Provider], Field(description="Which provider serves it.")] = Field(
        default_factory=lambda: Provider.read("")
    )
    context_window: ContextWindow | None = None
    pricing: Pricing | None = None
    modalities: ModelModalities | None = None


class ListModelsResponse(WireModel):
    """Models, of every configured provider or of the one that was asked for."""

    model_config = ConfigDict(json_schema_extra={"required": ["object", "data"]})

    object: Annotated[str, Field(description="Always `list`.", examples=["list"])] = "list"
    data: Annotated[list[Model], Field(description="The models.")]
    provider: Annotated[
        Open[Provider] | None, Field(description="The provider that was asked for, if one was.")
    ] = None


class HealthStatus(WireModel):
    """The gateway's own word on how it is."""

    message: Annotated[str, Field(description="`OK` if all is well.", examples=["OK"])]


class ProviderSpecificResponse(WireModel):
    """A provider's own answer, passed on as it is."""
