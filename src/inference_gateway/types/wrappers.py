"""Values inside a `.root`, which compare, hash and print as the value itself.

A `RootStr` is a word from a closed list: building one from another word is an error. What servers send
may be newer than this list, so a field read from the wire is an `Open[...]` of it and takes any word.
"""

import inspect
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")
S = TypeVar("S", bound="RootStr")

# JSON encoders outside pydantic may refuse a subclass of str.
_AS_PLAIN_STR = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())


class RootStr(str):
    """A `str` with a `.root`, for code written against wrappers and code that expects a string.

    :raises ValueError: the value is not one of `known`.
    """

    __slots__ = ()

    known: ClassVar[tuple[str, ...]] = ()
    synonyms: ClassVar[Mapping[str, str]] = {}
    """Historic spellings and the word each one stands for."""

    def __new__(cls, root: str) -> Self:
        """Take one of the known words, or a synonym of it."""
        word = cls.synonyms.get(root, root)
        if word not in cls.known:
            raise ValueError(f"{root!r} is not a {cls.__name__}: expected one of {', '.join(cls.known)}")
        return str.__new__(cls, word)

    @classmethod
    def read(cls, root: str) -> Self:
        """Take a word from the wire, known or not."""
        return str.__new__(cls, cls.synonyms.get(root, root))

    @property
    def root(self) -> str:
        """The plain string."""
        return str(self)

    @property
    def is_known(self) -> bool:
        """Whether this release has heard of the word."""
        return self in self.known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    # Copies and pickles must not refuse a word that was read from the wire.
    def __reduce__(self) -> tuple[object, ...]:
        return type(self).read, (str(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
            serialization=_AS_PLAIN_STR,
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": list(cls.known), "description": inspect.cleandoc(cls.__doc__ or "")}


class _OnRead:
    """Annotation: try the closed list first, then take the word as it is."""

    def __get_pydantic_core_schema__(
        self, source: type[RootStr], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        as_it_is = core_schema.no_info_after_validator_function(
            source.read, core_schema.str_schema(), serialization=_AS_PLAIN_STR
        )
        return core_schema.union_schema([handler(source), as_it_is], mode="left_to_right")


Open = Annotated[S, _OnRead()]
"""`Open[FinishReason]`: a finish reason, and any other word a server may send in its place."""


class RootValue(RootModel[T]):
    """A value that is not a string, under `.root`; equal to the value and to another wrapper of it."""

    def __eq__(self, other: object) -> bool:
        return bool(self.root == (other.root if isinstance(other, RootValue) else other))

    def __hash__(self) -> int:
        return hash(self.root)

    def __str__(self) -> str:
        return str(self.root)

    def __bool__(self) -> bool:
        return bool(self.root)
