"""Spans on their way to a collector: a bounded queue, and one task that sends what is in it.

Nobody waits for it, and it keeps the loop for no longer than some spans take to be written. A collector that
is slow or gone costs spans, which are counted, and nothing else.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from gzip import compress
from math import inf
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from inference_gateway._version import __version__
from inference_gateway.server.complaints import Complaints
from inference_gateway.server.errors import GatewayError
from inference_gateway.server.setting_kinds import Secret
from inference_gateway.server.spans import Span, Value
from inference_gateway.server.tasks import Background
from inference_gateway.server.tracing import otlp
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.pool import Pool
from inference_gateway.server.transport.upstream import Answer

logger = logging.getLogger("inference_gateway.tracing")

_SLICE: Final = 32
"""Spans that are written before everybody else has a turn."""
_HEAVIEST_BATCH: Final = 4 * 1024 * 1024
"""Bytes of what people wrote that are sent at once; collectors take 20 MiB."""
_HEAVIEST_QUEUE: Final = 64 * 1024 * 1024
_LONGEST_ANSWER: Final = 64 * 1024
_LAST_WORDS: Final = 3.0
"""Seconds that spans have to leave when the gateway ends."""
_RETRIED: Final = frozenset({429, 502, 503, 504})
"""Answers of a collector that will take the same spans later."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How spans are sent. Times in seconds."""

    url: str
    headers: Mapping[str, Secret]
    gzip: bool
    timeout: float
    """For one try."""
    export_timeout: float
    """For all of them."""
    delay: float
    most_waiting: int
    most_at_once: int


class _Problem(Exception):
    """A try failed; `pause` is how long the collector wants to be left alone, None where it is no use."""

    def __init__(self, reason: str, *, pause: float | None) -> None:
        super().__init__(reason)
        self.pause = pause


class Exporter:
    """Takes spans that have ended, and sends them.

    :param resource: makes what is said of this process, once it is the one that serves.
    :ivar dropped: spans that were lost, ever.
    """

    def __init__(self, terms: Terms, pool: Pool, resource: Callable[[], dict[str, Value]]) -> None:
        self.dropped = 0
        self._terms = terms
        self._pool = pool
        self._make_resource = resource
        self._origin = Origin.of(terms.url)
        self._head = _head(terms, self._origin)
        self._queue: deque[Span] = deque()
        self._weight = 0
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._overflow, self._failure = Complaints(logger), Complaints(logger)

    def start(self, background: Background) -> None:
        """Begin to send. Idempotent."""
        if self._task is None and not self._closing.is_set():
            self._task = background.start(self._run(), name="sending spans")

    def take(self, span: Span) -> None:
        """Take a span that has ended; drop it where too many wait."""
        waiting = len(self._queue)
        if waiting >= self._terms.most_waiting or self._weight + span.weight > _HEAVIEST_QUEUE:
            self.dropped += 1
            self._overflow.trouble(
                "more spans end than the collector takes: %d were lost so far", self.dropped
            )
            return
        self._queue.append(span)
        self._weight += span.weight
        if waiting + 1 >= self._terms.most_at_once:
            self._news.set()

    async def close(self) -> None:
        """Send what waits, for a few seconds at most, and end."""
        self._closing.set()
        self._news.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
            self._task.cancel()
            await asyncio.wait([self._task])
        self._pool.close()
        if self._queue:
            self.dropped += len(self._queue)
            logger.warning("%d spans were lost: there was no time to send them", len(self._queue))
            self._queue.clear()

    async def _run(self) -> None:
        resource = self._make_resource()
        while not self._closing.is_set():
            await _elapse(self._news, self._terms.delay)
            self._news.clear()
            while self._queue:
                await self._send(resource, self._batch())
                # What came meanwhile is collected, lest each request be sent by itself.
                if len(self._queue) < self._terms.most_at_once and not self._closing.is_set():
                    break

    def _batch(self) -> list[Span]:
        batch: list[Span] = []
        weight = 0
        while self._queue and len(batch) < self._terms.most_at_once:
            if batch and weight + self._queue[0].weight > _HEAVIEST_BATCH:
                break
            weight += self._queue[0].weight
            batch.append(self._queue.popleft())
        self._weight -= weight
        return batch

    async def _send(self, resource: dict[str, Value], batch: list[Span]) -> None:
        left = len(batch)
        try:
            left = await self._deliver(await self._written(resource, batch))
        except _Problem as problem:
            self._failure.trouble("%d spans did not reach %s: %s", left, self._origin.address, problem)
        except Exception:
            # A mistake of ours costs a batch, and not all that would come behind it.
            logger.exception("%d spans cannot be sent", left)
        else:
            if left:
                self._failure.trouble("%s refuses spans: %d of %d", self._origin.address, left, len(batch))
            else:
                self._failure.well("spans reach %s again", self._origin.address)
        finally:
            # Whoever cancels this loses them too.
            self.dropped += left

    async def _written(self, resource: dict[str, Value], batch: list[Span]) -> bytes:
        pieces: list[bytes] = []
        for begin in range(0, len(batch), _SLICE):
            pieces.append(otlp.request(resource, batch[begin : begin + _SLICE]))
            await asyncio.sleep(0)
        body = b"".join(pieces)
        return await asyncio.to_thread(compress, body) if self._terms.gzip else body

    async def _deliver(self, body: bytes) -> int:
        """Hand spans over; return how many of them the collector does not want.

        :raises _Problem: it took none of them, however often it was asked.
        """
        loop = asyncio.get_running_loop()
        expires_at = loop.time() + self._terms.export_timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._try(body, expires_at)
            except _Problem as problem:
                if problem.pause is None or self._closing.is_set():
                    raise
                # Many gateways lost the same collector: they are not to come back all at once.
                wait = max(problem.pause, pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
                if loop.time() + wait >= expires_at:
                    raise
            pause = min(2 * pause, _LONGEST_PAUSE)
            await _elapse(self._closing, wait)

    async def _try(self, body: bytes, expires_at: float) -> int:
        expires_at = min(expires_at, asyncio.get_running_loop().time() + self._terms.timeout)
        call = Call(self._origin, self._head, body, connect_timeout=inf, expires_at=expires_at)
        try:
            answer = await self._pool.send(call)
            try:
                content = await answer.read(_LONGEST_ANSWER)
            finally:
                answer.close()
        except GatewayError as error:
            raise _Problem(error.message, pause=0.0) from error
        if answer.status != 200:
            pause = _wish(answer) if answer.status in _RETRIED else None
            raise _Problem(f"it answers with status {answer.status}", pause=pause)
        return otlp.rejected(content)


async def _elapse(event: asyncio.Event, seconds: float) -> None:
    """Wait for so long, or until an event happens."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _wish(answer: Answer) -> float:
    """Seconds that a collector wants to be left alone, as `Retry-After` says; a date is not read."""
    value = answer.header(b"retry-after") or b""
    return float(value) if value.isdigit() and len(value) < 10 else 0.0


def _head(terms: Terms, origin: Origin) -> bytes:
    path = quote(urlsplit(terms.url).path or "/", safe="/%:@!$&'()*+,;=~-._")
    fields = {
        "content-type": "application/x-protobuf",
        "accept-encoding": "identity",
        "user-agent": f"inference-gateway/{__version__}",
    }
    if terms.gzip:
        fields["content-encoding"] = "gzip"
    fields |= {name: value.reveal() for name, value in terms.headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\nhost: {origin.authority}\r\n{lines}".encode("ascii")
