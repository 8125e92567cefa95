"""A provider's list of models, in any of the shapes that providers use, as ours. No I/O.

OpenAI and most others answer `data`, Cohere `models`, Cloudflare `result`; Anthropic and Cohere answer
in pages.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.providers.registry import Provider

_LISTS = ("data", "models", "result")
_NAMES = ("id", "name", "model")
_UUID_LENGTH = 36


class Model(msgspec.Struct, frozen=True):
    """One model as the gateway lists it. `created` is in Unix seconds, 0 where unknown."""

    id: str
    object: str
    created: int
    owned_by: str
    served_by: str

    @property
    def name(self) -> str:
        """What the provider calls it."""
        return self.id.partition("/")[2]


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `following` is the query that asks for the next, empty at the end."""

    models: tuple[Model, ...]
    following: str = ""


def parse(body: bytes, provider: Provider) -> Page:
    """Read one page of a provider's list. Entries without a name are left out.

    :raises UpstreamError: not a list of models in any known shape.
    """
    try:
        answer = codec.decode(body)
    except codec.UNREADABLE:
        raise UpstreamError("the list of models is not JSON") from None
    entries = answer if isinstance(answer, list) else _entries(answer)
    if entries is None:
        raise UpstreamError("the list of models has no known shape")
    following = _following(answer) if isinstance(answer, dict) else ""
    return Page(tuple(_models(entries, provider)), following)


def _entries(answer: object) -> list[Any] | None:
    if isinstance(answer, dict):
        for name in _LISTS:
            if isinstance(answer.get(name), list):
                return list(answer[name])
        if answer.get("object") == "list":
            return []  # Ollama writes `"data": null` where it has no model
    return None


def _following(answer: Mapping[str, Any]) -> str:
    if answer.get("has_more") is True and isinstance(answer.get("last_id"), str):
        return f"after_id={quote(answer['last_id'], safe='')}"
    token = answer.get("next_page_token")
    return f"page_token={quote(token, safe='')}" if isinstance(token, str) and token else ""


def _models(entries: list[Any], provider: Provider) -> Iterator[Model]:
    seen = set()
    for given in entries:
        entry = {"id": given} if isinstance(given, str) else given
        name = _name(entry).removeprefix(provider.model_prefix)
        if name and name not in seen:
            seen.add(name)
            yield Model(
                id=f"{provider.id}/{name}",
                object="model",
                created=_created(entry),
                owned_by=_text(entry.get("owned_by")) or provider.id,
                served_by=provider.id,
            )


def _name(entry: object) -> str:
    if not isinstance(entry, dict):
        return ""
    names = [text for key in _NAMES if (text := _text(entry.get(key)))]
    # Cloudflare's `id` is a UUID of the listing; the model is called by its `name`.
    if len(names) > 1 and _is_uuid(names[0]):
        return names[1]
    return names[0] if names else ""


def _is_uuid(text: str) -> bool:
    return len(text) == _UUID_LENGTH and text.count("-") == 4 and not set(text) - set("0123456789abcdef-")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _created(entry: Mapping[str, Any]) -> int:
    created = entry.get("created")
    if isinstance(created, int | float) and not isinstance(created, bool):
        return int(created)
    try:
        moment = datetime.fromisoformat(_text(entry.get("created_at")))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0
