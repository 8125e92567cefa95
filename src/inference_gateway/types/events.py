"""One server-sent event, as the SDK hands it out. Parsing the stream is `inference_gateway.sse`."""

from typing import TYPE_CHECKING

from inference_gateway.types.base import WireModel
from inference_gateway.types.words import EventType
from inference_gateway.types.wrappers import Open


class SSEvent(WireModel):
    """One event; on a chat stream `data` is the JSON of a `CreateChatCompletionStreamResponse`."""

    data: str | None = None
    event: Open[EventType] | None = None
    id: str | None = None
    retry: int | None = None
    """Milliseconds to wait before a new connection, if the server asks for that."""

    if TYPE_CHECKING:  # A plain word is taken for its wrapper.

        def __init__(
            self,
            *,
            data: str | None = None,
            event: str | None = None,
            id: str | None = None,
            retry: int | None = None,
            **extra: object,
        ) -> None: ...
