"""The async client behind the blocking one's interface, so that one test drives all three ways of calling."""

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

from fakes.loops import PATIENCE
from inference_gateway import AsyncInferenceGatewayClient, InferenceGatewayClient

_ASYNC_PARTS = {"AsyncRawResponses", "AsyncA2AClient", "AsyncA2AAgent"}
"""Parts of a client whose own methods are to be awaited."""


class Blocking:
    """Anything async, with its coroutines run to their end and its async iterators iterated."""

    def __init__(self, wrapped: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.wrapped = wrapped
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._settled(getattr(self.wrapped, name))

    def _settled(self, value: Any) -> Any:
        if inspect.ismethod(value) or inspect.isfunction(value):
            return lambda *args, **kwargs: self._settled(value(*args, **kwargs))
        if inspect.isawaitable(value):
            return self._settled(self._loop.run_until_complete(_awaited(value)))
        if hasattr(value, "__anext__") or isinstance(value, AsyncInferenceGatewayClient):
            return Blocking(value, self._loop)
        return Blocking(value, self._loop) if type(value).__name__ in _ASYNC_PARTS else value

    def __iter__(self) -> Iterator[Any]:
        iterator = aiter(self.wrapped)
        while True:
            try:
                yield self._loop.run_until_complete(_awaited(anext(iterator)))
            except StopAsyncIteration:
                return

    def __next__(self) -> Any:
        try:
            return self._loop.run_until_complete(_awaited(anext(self.wrapped)))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> "Blocking":
        if hasattr(self.wrapped, "__aenter__"):
            self._loop.run_until_complete(self.wrapped.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._loop.run_until_complete(self.wrapped.__aexit__(*error))

    def __repr__(self) -> str:
        return repr(self.wrapped)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what a server sees a moment later than its client."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


async def _awaited(value: Any) -> Any:
    return await value


class Clients:
    """Makes clients of one kind, and closes them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._made: list[Any] = []
        self._loop = asyncio.new_event_loop() if kind == "async" else None

    def __call__(self, base_url: str, token: str | None = None, **options: Any) -> Any:
        options.setdefault("retry", False)
        if self._loop is not None:
            client: Any = Blocking(AsyncInferenceGatewayClient(base_url, token, **options), self._loop)
        else:
            client = InferenceGatewayClient(base_url, token, use_httpx=self.kind == "httpx", **options)
        self._made.append(client)
        return client

    def close(self) -> None:
        for client in self._made:
            client.close()
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
