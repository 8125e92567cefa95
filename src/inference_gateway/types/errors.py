"""What an answer with an error status carries. Exceptions are the client's and the server's own."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from inference_gateway.types.base import WireModel


class ErrorDetail(WireModel):
    """A provider's error, in the shape that OpenAI gave it."""

    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class Error(WireModel):
    """An error, in a sentence. A provider's own object is read as well."""

    error: Annotated[
        str | ErrorDetail,
        Field(description="What went wrong, in a sentence."),
        WithJsonSchema({"type": "string"}),
    ]

    @property
    def message(self) -> str:
        """The sentence, from whichever shape."""
        return self.error if isinstance(self.error, str) else self.error.message
