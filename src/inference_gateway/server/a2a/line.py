"""How one agent is called, over the gateway's own connections: what goes along, and how long it may take."""

import asyncio
from math import inf
from typing import Final

import msgspec

from inference_gateway._version import __version__
from inference_gateway.server import encodings
from inference_gateway.server.a2a.card import Card, Endpoint, UnusableCard, read
from inference_gateway.server.errors import GatewayError, UpstreamCut, UpstreamError
from inference_gateway.server.settings import A2AAgentSettings
from inference_gateway.server.spans import along
from inference_gateway.server.trace_context import without
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.messages import Header
from inference_gateway.server.transport.origin import Origin, target
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.upstream import Answer
from inference_gateway.types.a2a_interfaces import card_urls

LARGEST_CARD: Final = 1024 * 1024
"""Bytes."""
_USER_AGENT: Final = f"inference-gateway/{__version__}".encode("ascii")
_PLAIN: Final[list[Header]] = [(b"accept-encoding", b"identity")]
_POSTED: Final[list[Header]] = [(b"content-type", b"application/json"), *_PLAIN]
ONE_REPLY: Final = b"application/json"
A_STREAM: Final = b"text/event-stream, application/json"


class Patience(msgspec.Struct, frozen=True):
    """How long an agent may take, in seconds, and how much it may say at once, in bytes."""

    answer: float
    """To a whole answer, or to the first byte of a stream; `inf` is no bound."""
    between_pieces: float
    largest_answer: int


class Line:
    """Calls to one agent. Holds its credentials: never print it."""

    def __init__(self, agent: A2AAgentSettings, pool: Pool, patience: Patience) -> None:
        self._agent = agent
        self._pool = pool
        self._patience = patience
        self._fixed = _fixed(agent)
        self._fixed_names = frozenset(name for name, _ in self._fixed)

    async def card(self) -> Card:
        """Fetch the agent's card, wherever it stands.

        :raises UnusableCard: there is none.
        :raises GatewayError: nothing came, or not in time.
        """
        expires_at = asyncio.get_running_loop().time() + self._patience.answer
        for url in card_urls(self._agent.url):
            body = await self._document(url, expires_at)
            if body is not None:
                return read(body, url, allow_other_origin=self._agent.allow_other_origin)
        raise UnusableCard("it has no card")

    async def post(
        self,
        endpoint: Endpoint,
        body: bytes,
        *,
        accept: bytes,
        headers: list[Header],
        expires_at: float,
        repeatable: bool,
    ) -> Answer:
        """Send a JSON-RPC request; return once the head of the answer is there.

        :param headers: of the caller, and meant for the agent; what the operator set wins.
        :param repeatable: whether it may reach the agent twice. One that may not has a new connection: a
            kept one may die without a word of whether it had arrived.
        :param expires_at: time of the loop's clock.
        :raises GatewayError: there is no answer.
        """
        if traced := along():
            headers = without(headers) + traced
        given = [header for header in headers if header[0] not in self._fixed_names]
        version = (b"a2a-version", endpoint.version.encode("ascii"))
        fields = [(b"accept", accept), *_POSTED, version, *given, *self._fixed]
        if accept == ONE_REPLY:
            expires_at = min(expires_at, asyncio.get_running_loop().time() + self._patience.answer)
        return await self._send(
            b"POST",
            endpoint.origin,
            endpoint.target,
            fields,
            body,
            expires_at=expires_at,
            repeatable=repeatable,
        )

    async def whole(self, answer: Answer) -> bytes:
        """Read an answer whole, and plain.

        :raises UpstreamError: it broke off, is too large, or cannot be decoded.
        """
        limit = self._patience.largest_answer
        try:
            body = await answer.read(limit)
        finally:
            answer.close()
        decoder = self.decoder(answer)
        if decoder is None:
            return body
        body = decoder.feed(body)
        if not decoder.whole:
            raise UpstreamCut("the agent's answer broke off")
        return body

    def decoder(self, answer: Answer) -> encodings.Decoder | None:
        """Make what undoes the coding of an answer; None where there is none.

        :raises UpstreamError: it is not known; the answer is closed.
        """
        try:
            return encodings.decoder(answer.header(b"content-encoding"), limit=self._patience.largest_answer)
        except GatewayError:
            answer.close()
            raise

    async def _document(self, url: str, expires_at: float) -> bytes | None:
        """Fetch a document; None where there is none. A redirect is not followed."""
        fields = [(b"accept", b"application/json"), *_PLAIN, *self._fixed]
        answer = await self._send(b"GET", Origin.of(url), target(url), fields, None, expires_at=expires_at)
        if answer.status in {404, 405, 410}:
            answer.drain()
            return None
        if answer.status != 200:
            answer.close()
            raise UpstreamError(f"its card was answered with status {answer.status}")
        body = await answer.read(LARGEST_CARD)
        decoder = encodings.decoder(answer.header(b"content-encoding"), limit=LARGEST_CARD)
        return decoder.feed(body) if decoder is not None else body

    async def _send(
        self,
        method: bytes,
        origin: Origin,
        where: bytes,
        fields: list[Header],
        body: bytes | None,
        *,
        expires_at: float,
        repeatable: bool = True,
    ) -> Answer:
        first_line = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, where, origin.authority.encode("ascii"))
        call = Call(
            origin,
            first_line + b"".join([b"%b: %b\r\n" % field for field in fields]),
            body,
            first_byte_timeout=self._patience.answer,
            idle_timeout=self._patience.between_pieces,
            expires_at=expires_at,
            asked="the agent",
            repeatable=repeatable,
        )
        return await self._pool.send(call)


def _fixed(agent: A2AAgentSettings) -> list[Header]:
    """Fields that no caller changes: what the operator set, and the credentials, last."""
    fields = [(b"user-agent", _USER_AGENT)]
    for name, value in agent.headers.items():
        fields.append((name.encode("ascii"), value.reveal().encode("latin-1")))
    if agent.token is not None:
        fields = [field for field in fields if field[0] != b"authorization"]
        fields.append((b"authorization", b"Bearer " + agent.token.reveal().encode("latin-1")))
    return fields


def patience(timeout: float | None, *, between_pieces: float | None, largest_answer: int) -> Patience:
    """Make settings into bounds; None is none."""
    return Patience(timeout or inf, between_pieces or inf, largest_answer)
