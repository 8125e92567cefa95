"""The mock as a provider that can be asked."""

from collections.abc import Iterable

from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.providers.mock import answers
from inference_gateway.server.providers.model_list import Model
from inference_gateway.server.transport.messages import Header, IterableSource


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
            raise UpstreamError(f"the mock's answer is larger than the {limit} bytes taken here")
        return body

    def drain(self) -> None:
        """Drop what is left."""
        self.close()


class MockBackend:
    """Answers inside the gateway."""

    def __init__(self, provider_id: str) -> None:
        self._provider_id = provider_id

    async def infer(self, request: InferenceRequest) -> MockAnswer:
        """Answer a chat completion.

        :raises BadRequest: the request is malformed; the text names the field.
        :raises NotFound: the mock has no such model.
        """
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
