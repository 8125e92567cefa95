"""What came of a call, from MCP's words into a chat's. Pure; takes the result as decoded JSON.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
"""

import re
from typing import Final

import msgspec

from inference_gateway.server.toolbox import ToolResult

MOST_IMAGES: Final = 16
LARGEST_IMAGE: Final = 20 * 1024 * 1024
"""Characters of one picture, as base64."""
_MEDIA_TYPE: Final = re.compile(r"image/[A-Za-z0-9.+-]{1,64}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_NOTE: Final = 200
"""Characters of a name or an address in a note."""


class _Resource(msgspec.Struct, frozen=True, rename="camel"):
    uri: str = ""
    mime_type: str = ""
    text: str | None = None
    blob: str | None = None


class _Block(msgspec.Struct, frozen=True, rename="camel"):
    """One block of content; which fields it has depends on its type."""

    type: str = ""
    text: str = ""
    data: str = ""
    mime_type: str = ""
    resource: _Resource = _Resource()
    uri: str = ""
    name: str = ""
    description: str = ""


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    content: tuple[_Block, ...] = ()
    structured_content: object = msgspec.UNSET
    is_error: bool = False


class _Writer:
    """Collects what a chat can carry."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.images: list[str] = []

    def block(self, block: _Block) -> None:
        match block.type:
            case "text":
                self.parts.append(block.text)
            case "image":
                self.image(block.mime_type, block.data)
            case "resource":
                self.resource(block.resource)
            case "resource_link":
                about = f": {_short(block.description)}" if block.description else ""
                self.parts.append(f"[{_short(block.name)} is at {_short(block.uri)}{about}]")
            case _:
                kind = _short(block.mime_type or block.type or "something unnamed")
                self.parts.append(f"[{kind}, which this chat cannot carry, was left out]")

    def image(self, media_type: str, data: str) -> None:
        if len(self.images) == MOST_IMAGES or len(data) > LARGEST_IMAGE:
            self.parts.append("[a picture too many or too large was left out]")
        elif not _MEDIA_TYPE.fullmatch(media_type) or not data or not _BASE64.fullmatch(data):
            self.parts.append("[a picture that cannot be read was left out]")
        else:
            self.images.append(f"data:{media_type};base64,{data}")

    def resource(self, resource: _Resource) -> None:
        if resource.text is not None:
            self.parts.append(resource.text)
        elif resource.blob is not None and resource.mime_type.startswith("image/"):
            self.image(resource.mime_type, resource.blob)
        else:
            kind = _short(resource.mime_type or "a file")
            self.parts.append(f"[{_short(resource.uri)}: {kind}, which this chat cannot carry]")


def read(value: object, *, limit: int) -> ToolResult:
    """Turn the result of `tools/call` into what a chat can carry.

    :param value: the result, as decoded JSON.
    :param limit: most characters of text; what is cut off is said in the text.
    """
    try:
        result = msgspec.convert(value, _Result)
    except msgspec.ValidationError as error:
        return failure(f"the tool's answer is malformed: {error}", limit=limit)
    writer = _Writer()
    for block in result.content:
        writer.block(block)
    # Servers that write both say the same in both; the text is what they chose for readers.
    if result.structured_content is not msgspec.UNSET and not any(map(str.strip, writer.parts)):
        writer.parts.append(msgspec.json.encode(result.structured_content).decode("utf-8"))
    text = "\n".join(part for part in writer.parts if part)
    if not text and not writer.images:
        text = "The tool failed and said nothing." if result.is_error else "The tool returned nothing."
    return ToolResult(text=cut(text, limit=limit), images=tuple(writer.images), is_error=result.is_error)


def failure(message: str, *, limit: int) -> ToolResult:
    """Tell a model that a call did not work."""
    return ToolResult(text=cut(f"Error: {message}", limit=limit), is_error=True)


def cut(text: str, *, limit: int) -> str:
    """Bound a text, and say in it how much was cut off."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut off: {limit} of {len(text)} characters are shown]"


def _short(text: str) -> str:
    return text if len(text) <= _NOTE else text[:_NOTE] + "…"
