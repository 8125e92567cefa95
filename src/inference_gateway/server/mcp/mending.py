"""What servers answer, made to fit the protocol where that costs nothing of it. No I/O.

The official client takes a result whole or not at all, so that one bad tool would cost a server all others,
and one bad block a call its result. A tool that no model could be offered is left out, a text without a text
is an empty one, and a block that cannot be read becomes a note. The rest is for the client to judge.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from mcp_types import methods
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from msgspec import Meta
from pydantic import ValidationError

from inference_gateway.server import codec

MOST_TOOLS: Final = 1000
"""Tools of one server."""
_MOST_BLOCKS: Final = 1000
_LARGEST_DEFINITION: Final = 64 * 1024
"""Bytes of one tool's name, description and schema."""
_NOTE: Final = 100
"""Characters of a server's word in a note."""

LeftOut = Callable[[str, str], None]
"""Told the name of a tool that is left out, and why."""

_VERSIONS: Final = (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION)


class _Schema(msgspec.Struct):
    type: Literal["object"] = "object"
    properties: dict[str, dict[str, object] | bool] | None = None
    required: list[str] | None = None
    dialect: str | None = msgspec.field(name="$schema", default=None)


class _Tool(msgspec.Struct, rename="camel"):
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    input_schema: _Schema
    description: str | None = None


def mended(result: dict[str, object], left_out: LeftOut) -> dict[str, object]:
    """Return the result of a request as the official client takes it.

    :param result: decoded JSON; what is not a list of tools or the content of a call stays as it is.
    """
    tools, content = result.get("tools"), result.get("content")
    if isinstance(tools, list):
        # One more tells the reader that there are too many.
        kept = [_tool(each, left_out) for each in tools[: MOST_TOOLS + 1]]
        return {**result, "tools": [each for each in kept if each is not None]}
    if content is None and "structuredContent" in result:
        content = []
    return _mended_call(result, content) if isinstance(content, list) else result


def _mended_call(result: dict[str, object], content: list[object]) -> dict[str, object]:
    given = {name: value for name, value in result.items() if value is not None}
    structured = given.get("structuredContent", {})
    if not isinstance(structured, dict):
        # Not all versions of the protocol know these; who writes them should have written them as text, too.
        del given["structuredContent"]
        content = content or [_text(codec.encode(structured).decode())]
    return {**given, "content": _blocks(content)}


def _tool(listed: object, left_out: LeftOut) -> dict[str, object] | None:
    """Reduce a tool to what a model is told of it; the rest of what its server says may be wrong."""
    try:
        msgspec.convert(listed, _Tool)
        assert isinstance(listed, dict)
        schema = {"type": "object", **listed["inputSchema"]}
        tool = {"name": listed["name"], "description": listed.get("description"), "inputSchema": schema}
        size = len(codec.encode(tool))
    except (*codec.UNREADABLE, UnicodeEncodeError) as error:
        left_out(_name(listed), str(error))
        return None
    if size > _LARGEST_DEFINITION:
        left_out(_name(listed), f"its definition is larger than {_LARGEST_DEFINITION} bytes")
        return None
    return {name: value for name, value in tool.items() if value is not None}


def _name(listed: object) -> str:
    name = listed.get("name") if isinstance(listed, dict) else None
    return name if isinstance(name, str) else ""


def _blocks(content: list[object]) -> list[object]:
    blocks = [_mended_block(each) for each in content[:_MOST_BLOCKS]]
    if len(content) > _MOST_BLOCKS:
        blocks.append(_text(f"[{len(content) - _MOST_BLOCKS} more parts were left out]"))
    return blocks


def _mended_block(block: object) -> object:
    if not isinstance(block, dict):
        return _text("[a part that cannot be read was left out]")
    if block.get("type") == "text" and not isinstance(block.get("text"), str):
        said = block.get("text")
        block = {**block, "text": "" if said is None else codec.encode(said).decode()}
    if _fits(block):
        return block
    bare = {name: value for name, value in block.items() if name not in ("annotations", "_meta")}
    if _fits(bare):
        return bare
    return _text(f"[a part of the type {str(block.get('type'))[:_NOTE]!r} that cannot be read was left out]")


def _fits(block: dict[str, object]) -> bool:
    alone = {"content": [block], "resultType": "complete"}
    try:
        for version in _VERSIONS:
            methods.validate_server_result("tools/call", version, alone)
    except ValidationError:
        return False
    return True


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}
