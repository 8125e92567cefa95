"""What a client asks of an agent, on its way there and back.

A caller and an agent of one dialect exchange their bytes untouched. Where they speak two, what they say is
translated, and what cannot be said is a JSON-RPC error. An answer that would lead past the gateway, the
extended card, is written anew in any case.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from pydantic import JsonValue

from inference_gateway import sse
from inference_gateway.server import codec
from inference_gateway.server.a2a import jsonrpc, methods
from inference_gateway.server.a2a.agent import Agent, is_stream
from inference_gateway.server.a2a.agent_relay import AgentRelay
from inference_gateway.server.a2a.agent_stream import AgentStream, Rewrite
from inference_gateway.server.a2a.card import Endpoint
from inference_gateway.server.a2a.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_AGENT_RESPONSE,
    METHOD_NOT_FOUND,
    VERSION_NOT_SUPPORTED,
    AgentRefused,
    Asked,
    BadCall,
    Json,
    Unreadable,
)
from inference_gateway.server.a2a.line import A_STREAM, ONE_REPLY
from inference_gateway.server.a2a.methods import Method
from inference_gateway.server.errors import GatewayError, UpstreamError
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.transport.headers import EVENT_STREAM, limits_and_ids
from inference_gateway.server.transport.messages import Header, Request, Response
from inference_gateway.server.transport.upstream import Answer
from inference_gateway.types.a2a_interfaces import Version, dialect_of

_JSON: Final[Header] = (b"content-type", b"application/json")
_EXTENSIONS: Final[dict[Version, bytes]] = {"1.0": b"a2a-extensions", "0.3": b"x-a2a-extensions"}
_EXTENSION_NAMES: Final = frozenset(_EXTENSIONS.values())
_LONGEST_QUOTE: Final = 4096
"""Bytes of an agent's error that are passed on where it is no JSON-RPC reply."""

ShowCard = Callable[[Agent, JsonValue, Version], Json]
"""Writes an agent's extended card as the gateway shows it, in a dialect."""


class Errand(msgspec.Struct, frozen=True):
    """One request, and how it is to be answered."""

    agent: Agent
    endpoint: Endpoint
    asked: Asked
    spoken: Version
    """The dialect of the caller."""
    method: Method | None
    """None is one that only the agent may know."""

    @property
    def is_untouched(self) -> bool:
        """Whether bytes go to and fro as they are."""
        is_card = self.method is not None and self.method.kind == "card"
        return self.endpoint.version == self.spoken and not is_card

    @property
    def accepted(self) -> bytes:
        """What the answer may be."""
        may_stream = self.method is None or self.method.kind == "stream"
        return A_STREAM if may_stream else ONE_REPLY


class Proxy:
    """Passes requests to agents.

    :param show_card: writes the extended cards that agents answer with.
    """

    def __init__(self, show_card: ShowCard) -> None:
        self._show_card = show_card

    async def answer(
        self, agent: Agent, request: Request, *, headers: list[Header], expires_at: float
    ) -> Response:
        """Answer a JSON-RPC request, errors included.

        :param headers: of the caller, that may reach the agent.
        :raises GatewayError: the request's body did not come whole.
        """
        body = await request.body.read()
        id = jsonrpc.NO_ID
        try:
            asked = jsonrpc.read_request(body)
            id = asked.id
            errand = _errand(agent, asked, request.header(b"a2a-version"))
            sent = _sent(errand)
            fields = [*headers, *_extensions(request.headers, errand.endpoint.version)]
            answer = await agent.line.post(
                errand.endpoint,
                sent,
                accept=errand.accepted,
                headers=fields,
                expires_at=expires_at,
                repeatable=errand.method is not None and errand.method.repeatable,
            )
            return await self._answered(errand, answer)
        except BadCall as error:
            return _refusal(error.id, error)
        except AgentRefused as error:
            return _refusal(id, error)
        except GatewayError as error:
            return _failure(id, error)

    async def _answered(self, errand: Errand, answer: Answer) -> Response:
        fields = limits_and_ids(answer.headers)
        fields += _extensions(answer.headers, errand.spoken)
        if not is_stream(answer):
            return self._whole(errand, answer.status, await errand.agent.line.whole(answer), fields)
        if errand.accepted == ONE_REPLY:
            answer.close()
            raise UpstreamError("the agent answered with a stream where one reply was due")
        stream = AgentStream(self._rewrite(errand), is_of_task=errand.method is not None)
        relay = AgentRelay(answer, stream, decoder=errand.agent.line.decoder(answer))
        response = Response(200, EVENT_STREAM + fields, relay, ending=_ending(errand.asked.id))
        relay.response = response
        return response

    def _whole(self, errand: Errand, status: int, body: bytes, fields: list[Header]) -> Response:
        id = errand.asked.id
        if 300 <= status < 400:
            raise UpstreamError(f"the agent answered with a redirect ({status}), which is not followed")
        is_void = errand.method is None or errand.method.gives_nothing
        is_well = status < 400
        try:
            if errand.is_untouched:
                is_well = not jsonrpc.is_error(body, may_be_void=is_void) and is_well
            else:
                body = jsonrpc.success(
                    id, self._translated(errand, jsonrpc.result_of(body, may_be_void=is_void))
                )
        except AgentRefused as error:
            body, is_well = jsonrpc.failure(id, error), False
        except Unreadable as error:
            return _no_reply(id, status, body, fields, reason=str(error))
        outcome = Outcome.COMPLETE if is_well else Outcome.PROVIDER_ERROR
        return Response(status, [_JSON, *fields], body, outcome=outcome)

    def _rewrite(self, errand: Errand) -> Rewrite | None:
        """Make what writes the events of a stream anew; None where they pass as they are."""
        if errand.is_untouched:
            return None
        id = errand.asked.id

        def rewrite(data: bytes) -> bytes:
            try:
                result = jsonrpc.result_of(data)
            except AgentRefused as error:
                return jsonrpc.failure(id, error)
            return jsonrpc.success(id, self._translated(errand, result))

        return rewrite

    def _translated(self, errand: Errand, result: JsonValue) -> JsonValue:
        method = errand.method
        assert method is not None  # one that is not known passes untouched, or not at all
        if method.kind == "card":
            return self._show_card(errand.agent, result, errand.spoken)
        return methods.translated_result(method, result, errand.endpoint.version, errand.spoken)


def _errand(agent: Agent, asked: Asked, version: bytes | None) -> Errand:
    """Find out what is asked in which dialect, and where the agent takes it.

    :raises AgentRefused: nothing that there is.
    :raises UpstreamError: nowhere.
    """
    announced = _announced(version)
    method, spoken = methods.SPOKEN.get(asked.method, (None, announced or "0.3"))
    if method is not None and announced not in {spoken, None}:
        raise AgentRefused(
            METHOD_NOT_FOUND,
            f"{asked.method!r} is of A2A {spoken}, and A2A-Version says {announced}",
        )
    endpoint = agent.endpoint(spoken)
    if method is None and endpoint.version != spoken:
        raise AgentRefused(
            METHOD_NOT_FOUND,
            f"there is no method {asked.method[:100]!r} that could be said in A2A {endpoint.version}",
        )
    return Errand(agent, endpoint, asked, spoken, method)


def _announced(version: bytes | None) -> Version | None:
    """Read A2A-Version; None where it is not given.

    :raises AgentRefused: it is no version that is spoken here.
    """
    if not version:
        return None
    text = version.decode("latin-1")
    dialect = dialect_of(text)
    if dialect is None:
        raise AgentRefused(
            VERSION_NOT_SUPPORTED, f"A2A-Version is {text[:100]!r}; 1.0 and 0.3 are spoken here"
        )
    return dialect


def _sent(errand: Errand) -> bytes:
    """Write what the agent gets.

    :raises BadCall: the parameters are no object.
    :raises AgentRefused: they cannot be said in the agent's dialect.
    """
    asked, endpoint, method = errand.asked, errand.endpoint, errand.method
    if errand.endpoint.version == errand.spoken or method is None:
        if endpoint.tenant is None:
            return asked.document.body
        params = {**jsonrpc.params_of(asked), "tenant": endpoint.tenant}
        return asked.document.edited({"params": jsonrpc.encoded(params)})
    name = method.name(endpoint.version)
    said = methods.translated_params(method, jsonrpc.params_of(asked), errand.spoken, endpoint.version)
    if endpoint.tenant is not None and isinstance(said, dict):
        said = {**said, "tenant": endpoint.tenant}
    try:
        return jsonrpc.request(asked.id, name, said)
    except Unreadable as error:
        raise BadCall(jsonrpc.INVALID_PARAMS, f"'params' cannot be passed on: {error}", asked.id) from None


def _extensions(headers: list[Header], version: Version) -> list[Header]:
    """Say which extensions are meant, by the name that a dialect has for it."""
    named = [value for name, value in headers if name in _EXTENSION_NAMES]
    return [(_EXTENSIONS[version], b", ".join(named))] if named else []


# ---- answers that are errors -----------------------------------------------------------------------------


def _refusal(id: bytes, error: AgentRefused) -> Response:
    """Refuse what was asked, as agents do: in the body of an answer that is well."""
    return Response(200, [_JSON], jsonrpc.failure(id, error), outcome=Outcome.REJECTED)


def _failure(id: bytes, error: GatewayError) -> Response:
    """Say that there is no answer of the agent."""
    told = jsonrpc.failure(id, AgentRefused(INTERNAL_ERROR, error.message))
    problem = error.message if error.status >= 500 else ""
    response = Response(error.status, [_JSON], told, outcome=error.outcome, problem=problem)
    if error.retry_after is not None:
        response.headers.append((b"retry-after", b"%d" % error.retry_after))
    return response


def _no_reply(id: bytes, status: int, body: bytes, fields: list[Header], *, reason: str) -> Response:
    """Wrap what an agent, or something before it, answered in place of a reply."""
    if status < 400:
        told = jsonrpc.failure(id, AgentRefused(INVALID_AGENT_RESPONSE, reason))
        return Response(502, [_JSON], told, outcome=Outcome.PROVIDER_ERROR, problem=reason)
    reason = f"the agent answered with status {status}"
    told = jsonrpc.failure(id, AgentRefused(INTERNAL_ERROR, reason, _quoted(body)))
    problem = reason if status >= 500 else ""
    return Response(status, [_JSON, *fields], told, outcome=Outcome.PROVIDER_ERROR, problem=problem)


def _quoted(body: bytes) -> JsonValue:
    if len(body) <= _LONGEST_QUOTE:
        try:
            codec.check_text(body)
            value: JsonValue = codec.decode(body)
        except codec.UNREADABLE:
            pass
        else:
            return value
    return body[:_LONGEST_QUOTE].decode("utf-8", "replace").strip() or None


def _ending(id: bytes) -> Callable[[Exception], bytes]:
    """Make what writes the last event of a stream that ends early."""

    def ending(error: Exception) -> bytes:
        is_nonsense = isinstance(error, UpstreamError) and error.outcome is Outcome.PROVIDER_ERROR
        code = INVALID_AGENT_RESPONSE if is_nonsense else INTERNAL_ERROR
        return sse.encode(jsonrpc.failure(id, AgentRefused(code, str(error))))

    return ending
