"""The mock as a provider that can be asked."""

import asyncio
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic

from inference_gateway.server.errors import UpstreamError, UpstreamTimeout
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.providers.backend import ProviderAnswer
from inference_gateway.server.providers.http_backend import Patience
from inference_gateway.server.providers.mock import answers
from inference_gateway.server.providers.mock.fault_grammar import names_faults
from inference_gateway.server.providers.mock.lab import Lab
from inference_gateway.server.providers.mock.plan import Head, Piece, Plan
from inference_gateway.server.providers.mock.playing import Playing
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.messages import Header, Sink


class MockAnswer(IterableSource):
    """An answer that was ready before it was asked for."""

    def __init__(self, kind: bytes, pieces: Iterable[bytes]) -> None:
        super().__init__(pieces)
        self.status = 200
        self.headers: list[Header] = [(b"content-type", kind)]

    def header(self, name: bytes) -> bytes | None:
        """Value of the field of this name."""
        return dict(self.headers).get(name)

    async def read(self, limit: int) -> bytes:
        """Return the whole body."""
        body = b"".join(self.rest())
        if len(body) > limit:
            raise _too_large(limit)
        return body

    def drain(self) -> None:
        """Drop what is left."""
        self.close()


class PlayedAnswer(Playing):
    """An answer that the fault lab planned; a break is the error that one on the wire would be."""

    def __init__(
        self,
        head: Head,
        plan: Plan,
        *,
        patience: float,
        begins_by: tuple[float, Exception],
        expires_at: float,
    ) -> None:
        super().__init__(plan, _InProcess(), patience=patience, begins_by=begins_by, expires_at=expires_at)
        self.status = head.status
        self.headers = head.headers

    def header(self, name: bytes) -> bytes | None:
        """Value of the field of this name."""
        return dict(self.headers).get(name)

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        :raises UpstreamError: it broke off, came too slowly, or is larger than `limit` bytes.
        """
        reader = _Reader(limit)
        self.start(reader)
        try:
            return await reader.body
        finally:
            self.close()

    def drain(self) -> None:
        """Drop what is left."""
        self.close()


class _InProcess:
    """Breaks without a wire."""

    def tear(self, sink: Sink, piece: Piece) -> None:
        if piece.data:
            sink.write(piece.data)

    def cut(self, sink: Sink, error: Exception) -> None:
        sink.abort(error)

    def reset(self, sink: Sink) -> None:
        sink.abort(UpstreamError("the provider's answer broke off"))


class _Reader:
    """Collects a body."""

    def __init__(self, limit: int) -> None:
        self.body: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pieces = bytearray()
        self._limit = limit

    def write(self, data: bytes) -> None:
        self._pieces += data
        if len(self._pieces) > self._limit:
            self.abort(_too_large(self._limit))

    def finish(self) -> None:
        if not self.body.done():
            self.body.set_result(bytes(self._pieces))

    def abort(self, error: Exception) -> None:
        if not self.body.done():
            self.body.set_exception(error)


class MockBackend:
    """Answers inside the gateway.

    :param patience: bounds its waits, as those of any provider.
    :param clock: time in seconds, for faults that pass.
    """

    def __init__(
        self,
        provider_id: str,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._provider_id = provider_id
        self._patience = patience or Patience()
        self._lab = Lab(clock)

    async def infer(self, request: InferenceRequest) -> ProviderAnswer:
        """Answer a chat completion.

        :raises BadRequest: the request is malformed; the text names the field.
        :raises NotFound: the mock has no such model.
        :raises UpstreamError: a fault was asked for that is one.
        """
        if request.faults is not None or names_faults(request.upstream_model):
            return await self._break(request)
        understood = answers.parse(request.body())
        if understood.stream:
            return MockAnswer(b"text/event-stream", answers.events(understood))
        return MockAnswer(b"application/json", (answers.answer(understood),))

    async def models(self) -> tuple[Model, ...]:
        """Return its models."""
        return tuple(
            Model(
                id=f"{self._provider_id}/{name}",
                object="model",
                created=answers.CREATED,
                owned_by=self._provider_id,
                served_by=self._provider_id,
            )
            for name in answers.MODELS
        )

    async def _break(self, request: InferenceRequest) -> PlayedAnswer:
        plan = self._lab.plan(request.body(), request.faults)
        now = asyncio.get_running_loop().time()
        expires_at = min(request.expires_at, now + self._patience.whole)
        await _wait(plan.wait, most=self._patience.first_byte, until=expires_at)
        if plan.head is None:
            raise UpstreamError("the provider closed the connection without an answer")
        first = self._patience.first_byte
        return PlayedAnswer(
            plan.head,
            plan,
            patience=self._patience.between_pieces,
            begins_by=(now + first, UpstreamTimeout(f"the provider sent no answer for {first:g} s")),
            expires_at=expires_at,
        )


async def _wait(seconds: float, *, most: float, until: float) -> None:
    """Wait for a head, as long as one is waited for.

    :raises UpstreamTimeout: that is not long enough.
    """
    left = until - asyncio.get_running_loop().time() if until != inf else inf
    await asyncio.sleep(min(seconds, most, max(left, 0.0)))
    if left < min(seconds, most):
        raise UpstreamTimeout("the call took longer than its limit")
    if most < seconds:
        raise UpstreamTimeout(f"the provider sent no answer for {most:g} s")


def _too_large(limit: int) -> UpstreamError:
    return UpstreamError(f"the mock's answer is larger than the {limit} bytes taken here")
