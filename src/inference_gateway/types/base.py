"""The two kinds of wire object: what a server sends, and what a user builds. Both keep unknown fields."""

import math
from typing import Annotated, ClassVar, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator
from pydantic.fields import FieldInfo

Switch = Annotated[bool, Field(strict=True)]
"""True or false, and not a word or a number for it."""


def _whole_seconds(value: object) -> object:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


UnixTime = Annotated[int, BeforeValidator(_whole_seconds)]
"""Seconds since 1970. Some servers send fractions, which nobody misses."""


class WireModel(BaseModel):
    """A JSON object. Fields it does not declare are kept and sent on as they came.

    Servers send null for want of a value, where the field has another word for that as well: its default.
    """

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    _null_is_default: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        cls._null_is_default = frozenset(
            name for name, field in cls.model_fields.items() if not (field.is_required() or _has_null(field))
        )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, given: object) -> object:
        if not isinstance(given, dict) or None not in given.values():
            return given
        return {
            name: value
            for name, value in given.items()
            if value is not None or name not in cls._null_is_default
        }


def _has_null(field: FieldInfo) -> bool:
    kind = field.annotation
    return type(None) in get_args(kind) or (isinstance(kind, type) and issubclass(kind, RootModel))


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
