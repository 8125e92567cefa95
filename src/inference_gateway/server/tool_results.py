"""What came of a tool's call, within what a chat can carry. Pure; knows no protocol of tools."""

import re
from typing import Final

from inference_gateway.server import codec
from inference_gateway.server.toolbox import ToolResult

MOST_IMAGES: Final = 16
LARGEST_IMAGE: Final = 20 * 1024 * 1024
"""Characters of one picture, as base64."""
_MEDIA_TYPE: Final = re.compile(r"image/[A-Za-z0-9.+-]{1,64}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_NOTE: Final = 200
"""Characters of a name or an address in a note."""


def failure(message: str, *, limit: int) -> ToolResult:
    """Tell a model that a call did not work."""
    return ToolResult(text=cut(f"Error: {message}", limit=limit), is_error=True)


def cut(text: str, *, limit: int) -> str:
    """Bound a text, and say in it how much was cut off."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut off: {limit} of {len(text)} characters are shown]"


def short(text: str) -> str:
    """Bound what is a part of a sentence."""
    return text if len(text) <= _NOTE else text[:_NOTE] + "…"


def picture(media_type: str, content: str) -> str | None:
    """Write a picture as a `data:` URL; None where it is none.

    :param content: the picture in base64.
    """
    if not _MEDIA_TYPE.fullmatch(media_type) or not content or not _BASE64.fullmatch(content):
        return None
    return f"data:{media_type};base64,{content}"


def written(value: object) -> str:
    """Write a value as JSON; half a surrogate pair in it, which no UTF-8 has, as an escape."""
    try:
        return codec.encode(value).decode("utf-8")
    except UnicodeEncodeError:
        return codec.encode_leniently(value).decode("utf-8")
