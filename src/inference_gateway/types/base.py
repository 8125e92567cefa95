"""The two kinds of wire object: what a server sends, and what a user builds. Both keep unknown fields."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Switch = Annotated[bool, Field(strict=True)]
"""True or false, and not a word or a number for it."""


class WireModel(BaseModel):
    """A JSON object. Fields it does not declare are kept and sent on as they came."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class BuiltModel(WireModel):
    """A JSON object that a user builds: checked on assignment too, and `None` means not given."""

    model_config = ConfigDict(validate_assignment=True)

    # Runs for an instance of a subclass too, hence the method, which a subclass can override.
    @model_validator(mode="after")
    def _on_build(self) -> Self:
        self._settle()
        return self

    def _settle(self) -> None:
        given = self.__pydantic_fields_set__
        for name in type(self).model_fields:
            if name in given and getattr(self, name) is None:
                given.discard(name)
