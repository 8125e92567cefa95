"""What travels down the pipeline: one inference request, whatever API it came in by."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple, Protocol

import msgspec

from inference_gateway.server.codec import Document
from inference_gateway.server.errors import BadRequest
from inference_gateway.server.principal import Principal
from inference_gateway.server.spans import Tracing
from inference_gateway.server.usage import Usage

_nullable_string: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_nullable_flag: msgspec.json.Decoder[bool | None] = msgspec.json.Decoder(bool | None)


class Operation(NamedTuple):
    """One inference API: what its requests look like and where providers take them."""

    name: str
    endpoint: str
    """Which of a provider's paths serves it; the name of a field of its row."""


class Wishes(NamedTuple):
    """What the caller wishes of the request's way."""

    direct: bool = False
    """Past every stage that would change the request."""
    bypassed: frozenset[str] = frozenset()
    """Families of the gateway's tools that are not to be offered."""
    shows_tool_calls: bool | None = None
    """Whether a stream shows the calls that the gateway runs; None leaves it to the settings."""


NO_WISHES = Wishes()


class SaysUsage(Protocol):
    """A stream that may say how many tokens it took."""

    @property
    def usage(self) -> bytes:
        """What it said last, as JSON; empty while it said nothing."""


class Measurement:
    """What is noted of a request while it is under way, where somebody counts. Times in seconds of one clock.

    :param began: when it began.
    :ivar waited: how long providers, and tools, were waited for before the answer began.
    :ivar first: when the first event of a stream left, 0 while none has.
    :ivar has_usage: whether a provider said how many tokens it took.
    :ivar asks_usage: whether it was the gateway alone that asked a stream to say so.
    :ivar streams: providers' streams that the answer was made of.
    :ivar status: what the client was answered with, 0 while it was not.
    :ivar tools: the tool of each call that models made, in answers the client does not see as well.
    """

    __slots__ = (
        "asks_usage",
        "began",
        "first",
        "has_usage",
        "status",
        "streamed",
        "streams",
        "tools",
        "usage",
        "waited",
    )

    def __init__(self, began: float) -> None:
        self.began = began
        self.waited = 0.0
        self.first = 0.0
        self.usage = Usage()
        self.has_usage = False
        self.asks_usage = False
        self.streamed = False
        self.streams: list[SaysUsage] = []
        self.status = 0
        self.tools: list[str] = []

    def note(self, usage: bytes) -> None:
        """Add what a provider says of one of its answers."""
        self.has_usage = self.usage.add(usage) or self.has_usage

    def settle(self) -> None:
        """Add what its streams said, as far as they came."""
        streams, self.streams = self.streams, []
        for stream in streams:
            self.note(stream.usage)


class Measured(Protocol):
    """What is asked of a provider, as far as it is counted."""

    operation: Operation
    provider_id: str
    """Who is to answer, empty while that is not known."""
    model: str
    """The model as the client names it, empty where it does not."""
    measurement: Measurement | None
    """What is noted of it, None where nobody counts."""


class RawCall:
    """A request to a provider's own API.

    :param provider_id: who is to answer.
    """

    __slots__ = ("measurement", "model", "operation", "provider_id")

    def __init__(self, operation: Operation, provider_id: str) -> None:
        self.operation = operation
        self.provider_id = provider_id
        self.model = ""
        self.measurement: Measurement | None = None


class InferenceRequest:
    """A request for a model's work.

    `document` stays as the client sent it; `changes` collects what is to be different on the wire to
    the provider, so that the body is written once, at the end.

    :ivar provider_id: who is to answer, once that is decided; `upstream_model` is its name for the model.
    :ivar measurement: what is noted of it, None where nobody counts.
    :param headers: the client's headers that go along to a provider.
    :param faults: value of `X-Mock-Faults`, for the mock alone.
    :param provider_hint: value of `?provider=`, empty without.
    :param expires_at: time of the loop's clock at which the call must have ended, in seconds.
    :param principal: who asks, where callers must say so.
    :param trace: what is known of its trace, where requests are traced.
    """

    __slots__ = (
        "changes",
        "document",
        "expires_at",
        "faults",
        "headers",
        "measurement",
        "model",
        "operation",
        "principal",
        "provider_hint",
        "provider_id",
        "request_id",
        "stream",
        "trace",
        "upstream_model",
        "wishes",
    )

    def __init__(
        self,
        operation: Operation,
        document: Document,
        *,
        headers: list[tuple[bytes, bytes]],
        provider_hint: str = "",
        request_id: str = "",
        expires_at: float = inf,
        faults: bytes | None = None,
        principal: Principal | None = None,
        wishes: Wishes = NO_WISHES,
        trace: Tracing | None = None,
    ) -> None:
        self.wishes = wishes
        self.trace = trace
        self.operation = operation
        self.document = document
        self.headers = headers
        self.provider_hint = provider_hint
        self.request_id = request_id
        self.expires_at = expires_at
        self.faults = faults
        self.principal = principal
        self.model = _required_model(document)
        stream: bool | None = document.get("stream", _nullable_flag, expected="true or false")
        self.stream = stream is True
        self.changes: dict[str, bytes | None] = {}
        self.provider_id = ""
        self.upstream_model = ""
        self.measurement: Measurement | None = None

    def again(self, changes: dict[str, bytes | None]) -> "InferenceRequest":
        """Make another request for the same, with changes of its own."""
        again = InferenceRequest(
            self.operation,
            self.document,
            headers=self.headers,
            provider_hint=self.provider_hint,
            request_id=self.request_id,
            expires_at=self.expires_at,
            faults=self.faults,
            principal=self.principal,
            wishes=self.wishes,
            trace=self.trace,
        )
        again.changes = changes
        again.provider_id = self.provider_id
        again.upstream_model = self.upstream_model
        again.measurement = self.measurement
        return again

    def body(self) -> bytes:
        """Body for the provider: the client's bytes with the changes in them."""
        changes: Mapping[str, bytes | None] = self.changes
        return self.document.edited(changes)


def _required_model(document: Document) -> str:
    model = document.get("model", _nullable_string, expected="a string")
    if not model:
        raise BadRequest("'model' is missing: give the name of a model, such as 'openai/gpt-4o'")
    return model
