"""What settings are made of: secrets that do not show, durations, time bounds."""

from typing import Annotated, Final, NoReturn

from msgspec import Meta

MASK: Final = "********"
"""What is shown in place of a secret."""

LONGEST: Final = 100 * 365 * 86_400.0
"""The longest duration taken, in seconds: a hundred years."""


class Secret:
    """Text that must not be shown: `reveal` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


Duration = Annotated[float, Meta(ge=0, le=LONGEST)]
"""Seconds; zero means at once."""

Timeout = Annotated[Annotated[float, Meta(gt=0, le=LONGEST)] | None, Meta(extra={"kind": "timeout"})]
"""Seconds; None means no bound, which is what 0 is read as."""
