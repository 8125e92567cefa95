"""How far an answer was read that can be read only once."""

from collections.abc import Iterator
from contextlib import contextmanager

from inference_gateway.client.errors import InferenceGatewayError, closed_early


class ReadOnce:
    """Base of iterators over an answer: one that broke, or was closed early, never looks whole."""

    def __init__(self) -> None:
        self._ended = False
        self._failure: InferenceGatewayError | None = None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Tell the end of the answer from everything else that reading may come to."""
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except (StopIteration, StopAsyncIteration):
            self._ended = True
        except BaseException as error:
            self._failure = error if isinstance(error, InferenceGatewayError) else closed_early()
            raise

    def _give_up(self) -> None:
        if not self._ended and self._failure is None:
            self._failure = closed_early()
