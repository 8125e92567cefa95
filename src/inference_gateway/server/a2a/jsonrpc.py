"""JSON-RPC 2.0, as far as A2A uses it: requests read, replies read and written. No I/O.

https://www.jsonrpc.org/specification
https://a2a-protocol.org/latest/specification/#54-error-code-mappings
"""

import re
from typing import Final

import msgspec
from pydantic import JsonValue

from inference_gateway.server import codec
from inference_gateway.server.codec import Document, DuplicateMember
from inference_gateway.server.errors import BadRequest

Json = dict[str, JsonValue]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
UNSUPPORTED_OPERATION: Final = -32004
INVALID_AGENT_RESPONSE: Final = -32006
VERSION_NOT_SUPPORTED: Final = -32009

NO_ID: Final = b"null"
"""The id of a reply to what has none that can be read."""

_ID: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:0|[1-9][0-9]*)|null')
_LONGEST_ID: Final = 4096
_decode_method = msgspec.json.Decoder(str).decode
_decode_value: msgspec.json.Decoder[JsonValue] = msgspec.json.Decoder()


class AgentRefused(Exception):
    """A JSON-RPC error: the agent's, or ours where its dialect cannot say what was asked.

    :ivar data: what else is said about it; None where nothing is.
    """

    def __init__(self, code: int, message: str, data: JsonValue = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class BadCall(AgentRefused):
    """What came is no request.

    :ivar id: of the reply that says so, as JSON.
    """

    def __init__(self, code: int, message: str, id: bytes = NO_ID) -> None:
        super().__init__(code, message)
        self.id = id


class Asked(msgspec.Struct, frozen=True):
    """A request as it came. `id` and `params` are JSON; `params` is empty where there are none."""

    document: Document
    id: bytes
    method: str
    params: bytes


def read_request(body: bytes) -> Asked:
    """Read a request, its parameters undecoded.

    :raises BadCall: it is none, or several in one.
    """
    try:
        document = Document(body)
    except DuplicateMember as error:
        raise BadCall(INVALID_REQUEST, f"the request cannot be told apart: {error.message}") from None
    except BadRequest:
        raise _no_object(body) from None
    id = _id(document)
    if bytes(document.values.get("jsonrpc", b"")) != b'"2.0"':
        raise BadCall(INVALID_REQUEST, "'jsonrpc' must be \"2.0\"", id)
    try:
        method = _decode_method(document.values.get("method", b""))
    except codec.UNREADABLE:
        raise BadCall(INVALID_REQUEST, "'method' must be the name of a method", id) from None
    return Asked(document, id, method, bytes(document.values.get("params", b"")))


def _no_object(body: bytes) -> BadCall:
    try:
        value = codec.decode(body)
        codec.check_text(body)
    except codec.UNREADABLE:
        return BadCall(PARSE_ERROR, "the request is not JSON, or not in UTF-8")
    if isinstance(value, list):
        return BadCall(INVALID_REQUEST, "send one request at a time: A2A has no batches")
    return BadCall(INVALID_REQUEST, "the request must be an object with 'jsonrpc', 'id' and 'method'")


def _id(document: Document) -> bytes:
    raw = bytes(document.values.get("id", b""))
    if not raw:
        raise BadCall(INVALID_REQUEST, "'id' is missing: A2A has no notifications")
    if len(raw) > _LONGEST_ID or not _ID.fullmatch(raw):
        raise BadCall(INVALID_REQUEST, "'id' must be a string or a whole number")
    return raw


def params_of(asked: Asked) -> Json:
    """Decode a request's parameters.

    :raises BadCall: they are no object.
    """
    if not asked.params:
        return {}
    try:
        value = _decode_value.decode(asked.params)
    except codec.UNREADABLE:
        value = _decoded_leniently(asked.params)
    if not isinstance(value, dict):
        raise BadCall(INVALID_PARAMS, "'params' must be an object", asked.id)
    return value


def request(id: bytes, method: str, params: JsonValue) -> bytes:
    """Write a request; `id` is JSON."""
    return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (id, codec.encode(method), encoded(params))


def success(id: bytes, result: JsonValue) -> bytes:
    """Write the reply to a request that came to a result."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, encoded(result))


def failure(id: bytes, error: AgentRefused) -> bytes:
    """Write the reply to a request that came to an error."""
    told: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id, encoded(told))


class _Whatever(msgspec.Struct):
    """An object whose members do not matter."""


class _Reply(msgspec.Struct):
    """A reply, as far as it is looked at where it is passed on as it came."""

    jsonrpc: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Whatever | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


class Unreadable(ValueError):
    """An agent's reply is none; the message says why, without a word of it."""


def is_error(body: bytes, *, may_be_void: bool = False) -> bool:
    """Tell whether an agent's reply is an error, without decoding more than that.

    :param may_be_void: whether a reply may lack its result, as some agents write one that is null.
    :raises Unreadable: it is no reply.
    """
    reply = _peeked(body)
    if reply.jsonrpc != "2.0":
        raise Unreadable("the agent's answer is no JSON-RPC 2.0 reply")
    if reply.result is msgspec.UNSET and reply.error is None and not may_be_void:
        raise Unreadable("the agent's answer has neither a result nor an error")
    return reply.error is not None


def _peeked(body: bytes) -> _Reply:
    try:
        codec.check_text(body)
        return _decode_reply(body)
    except codec.UNREADABLE:
        pass
    value = _decoded_leniently(body)
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(error, dict | None):
        raise Unreadable("the agent's answer is no JSON-RPC 2.0 reply")
    return _Reply(
        jsonrpc="2.0" if value.get("jsonrpc") == "2.0" else "",
        result=msgspec.Raw(b"{}") if "result" in value else msgspec.UNSET,
        error=None if error is None else _Whatever(),
    )


def result_of(body: bytes, *, may_be_void: bool = False) -> JsonValue:
    """Read an agent's reply.

    :param may_be_void: see `is_error`.
    :raises AgentRefused: it is an error.
    :raises Unreadable: it is no reply.
    """
    try:
        codec.check_text(body)
        reply = _decode_value.decode(body)
    except codec.UNREADABLE:
        reply = _decoded_leniently(body)
    if not isinstance(reply, dict) or reply.get("jsonrpc") != "2.0":
        raise Unreadable("the agent's answer is no JSON-RPC 2.0 reply")
    error = reply.get("error")
    if error is not None:
        raise _refusal(error)
    if "result" not in reply and not may_be_void:
        raise Unreadable("the agent's answer has neither a result nor an error")
    return reply.get("result")


def _refusal(error: JsonValue) -> Exception:
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int) or isinstance(code, bool):
        return Unreadable("the agent's answer has an error that is none")
    said = error.get("message")
    return AgentRefused(code, said if isinstance(said, str) else "", error.get("data"))


def _decoded_leniently(data: bytes) -> JsonValue:
    """Decode what half a surrogate pair is in; None for what is no JSON at all."""
    try:
        return codec.decode_leniently(data)  # type: ignore[return-value]  # JSON is what it gives
    except (ValueError, RecursionError):
        return None


def encoded(value: JsonValue) -> bytes:
    """Write what was read, large numbers and half surrogate pairs included.

    :raises Unreadable: it cannot be written.
    """
    try:
        return codec.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return _encoded_leniently(value)


def _encoded_leniently(value: JsonValue) -> bytes:
    try:
        return codec.encode_leniently(value)
    except (ValueError, RecursionError):
        raise Unreadable("a number in it is too large, or it is nested too deeply") from None
