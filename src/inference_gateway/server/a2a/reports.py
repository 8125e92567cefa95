"""What a model is told of an agent's work: one JSON object, in which an agent's words stay its own. Pure."""

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from inference_gateway.server.a2a.progress import Progress
from inference_gateway.server.tool_results import LARGEST_IMAGE, MOST_IMAGES, cut, picture, short, written
from inference_gateway.server.toolbox import ToolResult
from inference_gateway.types.a2a import Part

_ENTRY: Final = 100
"""Characters that an entry of a list counts at least."""
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/yaml")
"""Kinds of files that are text."""
_FAILED: Final = frozenset({"failed", "rejected", "canceled"})


def write(progress: Progress, *, agent: str, note: str, limit: int) -> ToolResult:
    """Tell what an agent said and made.

    :param note: what the model can do about it, in our words; empty for nothing.
    :param limit: most characters of what the agent says; what is cut off is said.
    """
    writer = _Writer(limit)
    report: dict[str, object] = {"agent": agent}
    if progress.is_task:
        report |= {"task_id": progress.task_id, "state": str(progress.state)}
    if progress.context_id:
        report["context_id"] = progress.context_id
    if progress.said is not None and (said := writer.parts(progress.said.parts)):
        report["message"] = said
    if artifacts := writer.artifacts(progress):
        report["artifacts"] = artifacts
    if left_out := progress.left_out + writer.left_out:
        report["left_out"] = left_out
    if note:
        report["note"] = note
    return ToolResult(written(report), images=tuple(writer.images), is_error=_has_failed(progress))


def _has_failed(progress: Progress) -> bool:
    return progress.is_task and progress.state in _FAILED


class _Writer:
    """Fits things into a report, the first ones first."""

    def __init__(self, limit: int) -> None:
        self.images: list[str] = []
        self.left_out = 0
        self._room = limit

    def artifacts(self, progress: Progress) -> list[dict[str, object]]:
        """Write what was made."""
        found = []
        for artifact in progress.artifacts.values():
            if self._takes_entry():
                about = {"name": artifact.name, "description": artifact.description}
                named: dict[str, object] = {key: short(value) for key, value in about.items() if value}
                found.append(named | self.parts(artifact.parts))
        return found

    def parts(self, parts: Iterable[Part]) -> dict[str, object]:
        """Write pieces of one message or artifact: texts as one, the others by their kind."""
        texts: list[str] = []
        values: list[object] = []
        files: list[dict[str, object]] = []
        for part in parts:
            if part.text is not None:
                texts.append(part.text)
            elif part.raw is not None or part.url is not None:
                if self._takes_entry():
                    files.append(self._file(part))
            elif self._takes_entry():
                values.append(self._value(part))
        found = {"text": self._fitting("".join(texts)), "data": values, "files": files}
        return {name: value for name, value in found.items() if value}

    def _value(self, part: Part) -> object:
        text = written(part.data)
        if len(text) > self._room:
            return self._fitting(text)
        self._room -= len(text)
        return part.data

    def _file(self, part: Part) -> dict[str, object]:
        about = {"name": part.filename, "media_type": part.media_type, "url": part.url}
        found: dict[str, object] = {name: short(value) for name, value in about.items() if value}
        if part.raw is not None:
            found |= self._content(part.raw, part.media_type or "")
        return found

    def _content(self, raw: str, media_type: str) -> dict[str, object]:
        """Show a file's content as far as a chat can: pictures as such, texts as text."""
        if media_type.startswith("image/"):
            url = picture(media_type, raw) if len(raw) <= LARGEST_IMAGE else None
            if url is None or len(self.images) == MOST_IMAGES:
                return {"note": "a picture too large, too many or unreadable: left out"}
            self.images.append(url)
            return {"note": f"picture {len(self.images)}"}
        if media_type.startswith(_TEXTS):
            try:
                return {"text": self._fitting(base64.b64decode(raw, validate=True).decode("utf-8"))}
            except (binascii.Error, ValueError):
                return {"note": "not readable as text: left out"}
        return {"size": len(raw) * 3 // 4, "note": "a chat cannot carry it: left out"}

    def _fitting(self, text: str) -> str:
        room, self._room = self._room, max(0, self._room - len(text))
        return cut(text, limit=room)

    def _takes_entry(self) -> bool:
        if self._room < _ENTRY:
            self.left_out += 1
            return False
        self._room -= _ENTRY
        return True
