"""A request, a response and how their bodies move. Knows no socket.

A body is pushed: its source calls the sink for every piece, and the sink asks the source to pause
while it cannot take more. No task and no queue stand between the two, so that a relayed event costs
one function call, and backpressure is a method call in the other direction.
"""

from collections.abc import Callable
from typing import Protocol

from inference_gateway.server.errors import GatewayError
from inference_gateway.server.inference import InferenceRequest, RawCall
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.principal import Principal
from inference_gateway.server.spans import Tracing

Header = tuple[bytes, bytes]
"""Name in lower case, value without surrounding white space."""


def index(headers: list[Header]) -> dict[bytes, bytes]:
    """Value of the first field of each name."""
    return dict(reversed(headers))


class Sink(Protocol):
    """Takes a body. Exactly one of `finish` and `abort` is called, once, and nothing after it."""

    def write(self, data: bytes) -> None:
        """Take a piece; never empty."""

    def finish(self) -> None:
        """The body is whole."""

    def abort(self, error: Exception) -> None:
        """The body will never be whole."""


class Source(Protocol):
    """Gives a body to a sink. Whoever holds one either starts it or closes it."""

    def start(self, sink: Sink) -> None:
        """Begin; the sink may be called before this returns."""

    def pause(self) -> None:
        """Give nothing until `resume`; what is under way may still arrive."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def close(self) -> None:
        """Give up: free whatever feeds this body and call the sink no more. Idempotent."""


class Request:
    """What a client asks. `path` and `query` are the bytes of the request target, undecoded.

    :param scheme: of its URL, empty where the settings alone say it.
    :param fields: the index of the headers, where somebody has made it already.
    :ivar params: the parts of the path that a route's template names, undecoded.
    :ivar principal: who asks, where callers must say so.
    :ivar inference: what it asks of a model, once that is known.
    :ivar raw: what it asks of a provider's own API, once that is known.
    :ivar began: when it began, by the clock of whoever logs it; 0 where nobody does.
    :ivar status: what it was answered with, 0 while it was not.
    :ivar trace: what is known of its trace, where requests are traced.
    :ivar refusal: the error to answer with and nothing else, where there is no room for the request.
    """

    __slots__ = (
        "_index",
        "began",
        "body",
        "client",
        "headers",
        "inference",
        "method",
        "params",
        "path",
        "principal",
        "query",
        "raw",
        "refusal",
        "request_id",
        "scheme",
        "status",
        "trace",
    )

    def __init__(
        self,
        method: str,
        path: bytes,
        *,
        query: bytes = b"",
        headers: list[Header],
        body: "RequestBody",
        request_id: str = "",
        client: str = "",
        scheme: str = "",
        fields: dict[bytes, bytes] | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.request_id = request_id
        self.client = client
        self.scheme = scheme
        self.params: dict[str, bytes] = {}
        self.principal: Principal | None = None
        self.inference: InferenceRequest | None = None
        self.raw: RawCall | None = None
        self.began = 0.0
        self.status = 0
        self.refusal: GatewayError | None = None
        self.trace: Tracing | None = None
        self._index = fields

    def header(self, name: bytes) -> bytes | None:
        """Value of the first header of this (lower-case) name."""
        if self._index is None:
            self._index = index(self.headers)
        return self._index.get(name)


Ended = Callable[[Request, Outcome, str], None]
"""Told once of each request how it ended, and what went wrong (empty where nothing did)."""


def tell_nobody(request: Request, outcome: Outcome, problem: str) -> None:
    """Take note of nothing."""


LOOSE = 256
"""Pieces of a body that are held one by one: a small one takes far more memory than what is in it."""


def pack(pieces: list[bytes], packed: int) -> int:
    """Join the loose pieces behind the first `packed` ones; return how many are packed now."""
    pieces[packed:] = [b"".join(pieces[packed:])]
    return packed + 1


class RequestBody(Source, Protocol):
    """A request's body: read it whole, or start it as a source."""

    length: int | None
    """Announced length in bytes, None where unknown."""
    complete: bool
    """Whether it is here whole."""

    async def read(self) -> bytes:
        """Return the whole body.

        :raises BodyTooLarge: more than the server takes.
        :raises RequestTimeout: it came too slowly.
        """


class Response:
    """What goes back. A `bytes` body is sent with its length; a source is sent as it comes.

    :param length: bytes that the source will give, where that is known beforehand.
    :param ending: writes the piece that tells a reader why a body that had begun ends early.
    :param outcome: how the request ended once this is sent whole.
    :param problem: what went wrong, for the log; empty where nothing did.
    """

    __slots__ = ("body", "ending", "headers", "length", "outcome", "problem", "status")

    def __init__(
        self,
        status: int,
        headers: list[Header],
        body: "bytes | Source" = b"",
        *,
        length: int | None = None,
        ending: Callable[[Exception], bytes] | None = None,
        outcome: Outcome = Outcome.COMPLETE,
        problem: str = "",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.length = length
        self.ending = ending
        self.outcome = outcome
        self.problem = problem

    def close(self) -> None:
        """Free the body of a response that will not be sent. Idempotent."""
        if not isinstance(self.body, bytes):
            self.body.close()
