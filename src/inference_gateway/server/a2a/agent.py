"""One agent: what is known of it, and calls to it in A2A 1.0, whatever it speaks itself."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import inf
from typing import Final, Literal

from pydantic import JsonValue

from inference_gateway.server.a2a import jsonrpc, methods
from inference_gateway.server.a2a.card import NO_CARD, Card, Endpoint
from inference_gateway.server.a2a.jsonrpc import Json, Unreadable
from inference_gateway.server.a2a.line import A_STREAM, ONE_REPLY, Line
from inference_gateway.server.a2a.methods import Method
from inference_gateway.server.a2a.reading import Reading
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.settings import A2AAgentSettings
from inference_gateway.server.spans import note
from inference_gateway.server.transport.messages import Header
from inference_gateway.server.transport.upstream import Answer
from inference_gateway.types.a2a import AgentCard
from inference_gateway.types.a2a_interfaces import Version

State = Literal["connecting", "available", "unavailable", "unsupported"]

_CANONICAL: Final[Version] = "1.0"


class Agent:
    """One agent behind the gateway.

    :ivar id: what it is called in paths; for good once its first card was read.
    :ivar state: whether it can be spoken to; `unsupported` where its card offers nothing that is spoken here.
    :ivar last_error: in our own words, why its card could not be read or used; empty where it was.
    :ivar changes: goes up with each card that says something new.
    :ivar reconnects: how often it came back after it was held unavailable.
    """

    def __init__(self, settings: A2AAgentSettings, line: Line, *, id: str) -> None:
        self.settings = settings
        self.id = id
        self.state: State = "connecting"
        self.last_error = ""
        self.changes = 0
        self.reconnects = 0
        self.line = line
        self._card = NO_CARD
        self._ids = itertools.count(1)

    @property
    def name(self) -> str:
        """The configured name, else its card's; empty before that was read."""
        return self.settings.name or self._card.model.name

    @property
    def url(self) -> str:
        """Where the settings say that it is."""
        return self.settings.url

    @property
    def card(self) -> AgentCard | None:
        """Its last good card; None before there was one."""
        return self._card.model if self.changes else None

    @property
    def document(self) -> Json:
        """The same as the agent wrote it; empty before."""
        return self._card.document

    @property
    def dialect(self) -> Version | None:
        """The newest dialect that it speaks; None where that is not known."""
        return next(iter(self._card.endpoints), None)

    @property
    def dialects(self) -> tuple[Version, ...]:
        """The dialects that it speaks, the newest first."""
        return tuple(self._card.endpoints)

    @property
    def streams(self) -> bool:
        """Whether it says that it answers with streams."""
        return self._card.model.capabilities.streaming

    def know(self, card: Card) -> None:
        """Take a card that was read."""
        if card.document != self._card.document or not self.changes:
            self.changes += 1
        self.reconnects += self.state == "unavailable"
        self._card = card
        self.last_error = card.problem
        self.state = "available" if card.endpoints else "unsupported"

    def miss(self, problem: str, *, is_lost: bool) -> None:
        """Take note that its card could not be read; the last one still counts.

        :param is_lost: whether it is held unavailable for that.
        """
        self.last_error = problem
        if is_lost:
            self.state = "unavailable"

    def endpoint(self, wanted: Version) -> Endpoint:
        """Return where it takes requests: in the dialect that is wanted, else in another.

        :raises UpstreamError: nowhere that is known.
        """
        endpoints = self._card.endpoints
        endpoint = endpoints.get(wanted) or next(iter(endpoints.values()), None)
        if endpoint is None:
            reason = self.last_error or "its card was not read yet"
            raise UpstreamError(f"the agent {self.id!r} cannot be spoken to: {reason}")
        return endpoint

    async def call(
        self, method: str, params: Json, *, headers: list[Header] | None = None, expires_at: float = inf
    ) -> JsonValue:
        """Call a method that answers once.

        :param method: its name in A2A 1.0, as are `params` and the result.
        :param headers: what else to send.
        :param expires_at: time of the loop's clock.
        :raises AgentRefused: the agent answered with an error, or its dialect cannot say this.
        :raises GatewayError: there is no answer, or it is none.
        """
        asked, endpoint, body = self._request(method, params)
        answer = await self.line.post(
            endpoint,
            body,
            accept=ONE_REPLY,
            headers=headers or [],
            expires_at=expires_at,
            repeatable=asked.repeatable,
        )
        return self._result(asked, endpoint, await self._reply(asked, answer))

    async def stream(
        self, method: str, params: Json, *, headers: list[Header] | None = None, expires_at: float = inf
    ) -> AsyncGenerator[Json, None]:
        """Call a method that answers with a stream.

        Each event has one of task, message, statusUpdate and artifactUpdate. The last one is followed by
        nothing only where the stream has ended well. Closing the generator hangs up.

        :raises AgentRefused: the agent answered with an error, or its dialect cannot say this.
        :raises GatewayError: there is no answer, or it did not end well.
        """
        asked, endpoint, body = self._request(method, params)
        answer = await self.line.post(
            endpoint,
            body,
            accept=A_STREAM,
            headers=headers or [],
            expires_at=expires_at,
            repeatable=asked.repeatable,
        )
        if not is_stream(answer):
            # One event is a stream as well; most often it is an error.
            yield _event(self._result(asked, endpoint, await self._reply(asked, answer)))
            return

        def read(data: bytes) -> JsonValue:
            result = jsonrpc.result_of(data)
            return methods.translated_result(asked, result, endpoint.version, _CANONICAL)

        reading = Reading(answer, read, decoder=self.line.decoder(answer))
        async with aclosing(reading.events()) as events:
            async for event in events:
                yield _event(event)

    def _request(self, name: str, params: Json) -> tuple[Method, Endpoint, bytes]:
        method, spoken = methods.known(name)
        endpoint = self.endpoint(spoken)
        origin = endpoint.origin
        note({"gen_ai.agent.name": self.id, "server.address": origin.host, "server.port": origin.port})
        said = methods.translated_params(method, params, spoken, endpoint.version)
        if endpoint.tenant is not None and isinstance(said, dict):
            said = {"tenant": endpoint.tenant, **said}
        id = b"%d" % next(self._ids)
        return method, endpoint, jsonrpc.request(id, method.name(endpoint.version), said)

    async def _reply(self, method: Method, answer: Answer) -> JsonValue:
        """Read one reply, whatever status it came with.

        :raises AgentRefused: it is an error.
        :raises UpstreamError: it is none.
        """
        body = await self.line.whole(answer)
        try:
            return jsonrpc.result_of(body, may_be_void=method.gives_nothing)
        except Unreadable as error:
            if answer.status != 200:
                raise UpstreamError(f"the agent {self.id!r} answered with status {answer.status}") from None
            raise UpstreamError(str(error)) from None

    def _result(self, method: Method, endpoint: Endpoint, result: JsonValue) -> JsonValue:
        try:
            return methods.translated_result(method, result, endpoint.version, _CANONICAL)
        except Unreadable as error:
            raise UpstreamError(str(error)) from None


def is_stream(answer: Answer) -> bool:
    """Tell whether an agent's answer says that it is a stream."""
    kind = answer.header(b"content-type") or b""
    return answer.status == 200 and kind.partition(b";")[0].strip().lower() == b"text/event-stream"


def _event(value: JsonValue) -> Json:
    if not isinstance(value, dict):
        raise UpstreamError("the agent sent an event that is no object")
    return value
