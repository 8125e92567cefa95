"""Fields that this provider would stumble over, and that say nothing: left out, or called by their name.

Everything else of a request stays as the client wrote it.
"""

from collections.abc import Awaitable, Mapping

import msgspec

from inference_gateway.server import codec
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.transport.messages import Response

# What the OpenAI specification assumes where a field is absent.
_DEFAULTS: Mapping[str, object] = {
    "temperature": 1,
    "top_p": 1,
    "n": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logprobs": False,
    "parallel_tool_calls": True,
}

_NOTHING = msgspec.Raw(b"{}")
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class FieldRules:
    """Apply the rules of the provider's row."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on, with fewer or renamed fields."""
        provider = self._providers[request.provider_id]
        values = request.document.values
        if "stream_options" in values and not provider.accepts_stream_options:
            request.changes["stream_options"] = None
        for name in provider.refused_defaults:
            if name in values and _says_nothing(name, values):
                request.changes[name] = None
        if "response_format" in values:
            _rename_schema(request)
        return call_next(request)


def _says_nothing(name: str, values: Mapping[str, msgspec.Raw]) -> bool:
    if name == "parallel_tool_calls" and "tools" in values:
        return False
    try:
        value = codec.decode(values[name])
    except codec.UNREADABLE:
        return False
    default = _DEFAULTS[name]
    return value == default and isinstance(value, bool) == isinstance(default, bool)


def _rename_schema(request: InferenceRequest) -> None:
    """Take `json_schema.schema_`, as a generated client writes it, for `schema`."""
    raw = request.document.values["response_format"]
    if b'"schema_"' not in bytes(raw):
        return
    try:
        response_format = _decode_members(raw)
        members = _decode_members(response_format.get("json_schema", _NOTHING))
    except codec.UNREADABLE:
        return  # of another shape: the provider will say so
    if "schema_" in members and "schema" not in members:
        renamed = {"schema" if name == "schema_" else name: value for name, value in members.items()}
        response_format["json_schema"] = msgspec.Raw(codec.encode(renamed))
        request.changes["response_format"] = codec.encode(response_format)
