"""What came of a call, from MCP's words into a chat's. Pure; takes the result as decoded JSON.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
"""

import msgspec

from inference_gateway.server.tool_results import LARGEST_IMAGE, MOST_IMAGES, cut, failure, picture, short
from inference_gateway.server.toolbox import ToolResult


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
                about = f": {short(block.description)}" if block.description else ""
                self.parts.append(f"[{short(block.name)} is at {short(block.uri)}{about}]")
            case _:
                kind = short(block.mime_type or block.type or "something unnamed")
                self.parts.append(f"[{kind}, which this chat cannot carry, was left out]")

    def image(self, media_type: str, data: str) -> None:
        if len(self.images) == MOST_IMAGES or len(data) > LARGEST_IMAGE:
            self.parts.append("[a picture too many or too large was left out]")
        elif (url := picture(media_type, data)) is None:
            self.parts.append("[a picture that cannot be read was left out]")
        else:
            self.images.append(url)

    def resource(self, resource: _Resource) -> None:
        if resource.text is not None:
            self.parts.append(resource.text)
        elif resource.blob is not None and resource.mime_type.startswith("image/"):
            self.image(resource.mime_type, resource.blob)
        else:
            kind = short(resource.mime_type or "a file")
            self.parts.append(f"[{short(resource.uri)}: {kind}, which this chat cannot carry]")


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
