"""The conversation of a request: there must be one, and images only where they are allowed."""

from collections.abc import Awaitable

import msgspec

from inference_gateway.server.chat_shapes import MESSAGES, decode_parts
from inference_gateway.server.codec import UNREADABLE, Document
from inference_gateway.server.errors import BadRequest
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.transport.messages import Response

_NO_IMAGE = (msgspec.Raw(), msgspec.Raw(b"null"))
_IMAGES = frozenset({"image_url", "image", "input_image"})
_SHAPE = "a list of messages, each an object with a 'role' and 'content'"


class Conversation:
    """Check `messages` as far as every provider would, so that none is asked in vain."""

    def __init__(self, *, images: bool) -> None:
        self._images = images

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on if it has messages that may pass."""
        messages = request.document.get("messages", MESSAGES, expected=_SHAPE)
        if not messages:
            raise BadRequest(f"'messages' is missing or empty: give {_SHAPE}")
        if not self._images:
            _check_spelling(request.document)
        for index, message in enumerate(messages):
            content = memoryview(message.content)
            # By its first byte: text, or a list of parts, or null or absent beside tool calls.
            if content and content[0] not in b'"n':
                self._check_parts(message.content, f"messages[{index}].content")
        return call_next(request)

    def _check_parts(self, content: msgspec.Raw, name: str) -> None:
        try:
            parts = decode_parts(content)
        except UNREADABLE:
            raise BadRequest(f"'{name}' must be a string or a list of parts with a 'type'") from None
        if self._images:
            return
        for index, part in enumerate(parts):
            if part.type in _IMAGES or part.image_url not in _NO_IMAGE:
                raise BadRequest(f"'{name}[{index}]' is an image, and images are not accepted here")


def _check_spelling(document: Document) -> None:
    """Refuse messages that one reader takes and another does not: some do not mind the case of a name."""
    for given in document.values:
        if given != "messages" and given.casefold() == "messages":
            raise BadRequest(f"the messages are given twice: 'messages' and {given!r}")
