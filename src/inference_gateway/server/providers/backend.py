"""How the pipeline asks a provider, whatever stands behind it: the network or the gateway itself."""

from collections.abc import Awaitable
from typing import Protocol

from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.transport.messages import Header, Source


class ProviderAnswer(Source, Protocol):
    """What a provider answers: a head, and a body to read whole or to start as a source."""

    status: int
    headers: list[Header]

    def header(self, name: bytes) -> bytes | None:
        """Value of the first field of this (lower-case) name."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        :raises UpstreamError: it broke off, or is larger than `limit` bytes.
        """

    def drain(self) -> None:
        """Want no more of a body whose end is near."""


class Backend(Protocol):
    """One provider that can be asked."""

    def infer(self, request: InferenceRequest) -> Awaitable[ProviderAnswer]:
        """Send an inference request; return once the head of its answer is there.

        :raises GatewayError: there is no answer.
        """

    async def models(self) -> tuple[Model, ...]:
        """Return all of its models.

        :raises GatewayError: it does not say.
        """
