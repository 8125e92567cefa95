"""How the streams of several turns move: pauses reach whichever turn speaks, and nothing is left behind."""

import asyncio
from collections.abc import Callable

from fakes.provider import DONE
from fakes.turns import pieces, stream_of
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.pipeline.tool_relay import Ending, Show, ToolRelay
from inference_gateway.server.pipeline.tool_stream import ToolStream
from inference_gateway.server.pipeline.tool_turn import Turn
from inference_gateway.server.tasks import Background
from inference_gateway.server.transport.iterable_source import IterableSource
from inference_gateway.server.transport.messages import Response

CALLING = stream_of(*pieces("mcp_x", "{}"), finish="tool_calls")
SAYING = stream_of({"content": "a"})


class Client:
    """Remembers what it got."""

    def __init__(self) -> None:
        self.got = b""
        self.end: Exception | str | None = None
        self.ended = asyncio.Event()
        self.written: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        assert self.end is None
        self.got += data
        self.written()

    def finish(self) -> None:
        assert self.end is None
        self.end = "well"
        self.ended.set()

    def abort(self, error: Exception) -> None:
        assert self.end is None
        self.end = error
        self.ended.set()


class Turns:
    """A relay over these streams, and the client that reads it."""

    def __init__(self, *following: list[bytes]) -> None:
        self.background = Background()
        self.stream = ToolStream(lambda _: True, shown=True, wants_usage=False, limit=1 << 20)
        self.following = [IterableSource(events) for events in following]
        self.running, self.run_on = asyncio.Event(), asyncio.Event()
        self.relay = ToolRelay(IterableSource(CALLING), self.stream, self._go_on, self.background)
        self.client = Client()

    async def _go_on(self, turn: Turn, show: Show) -> Ending | Response:
        self.running.set()
        await self.run_on.wait()
        show(self.stream.go_on({0: {"result": "r"}}))
        return Response(200, [], self.following.pop(0))


async def within(waiting: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await waiting.wait()


def test_a_client_that_reads_slowly_holds_the_next_turn_too() -> None:
    async def work() -> None:
        turns = Turns(SAYING)
        turns.relay.start(turns.client)
        await within(turns.running)
        turns.relay.pause()
        turns.run_on.set()
        assert turns.relay._work is not None
        await asyncio.wait([turns.relay._work], timeout=10)
        assert b"gateway" in turns.client.got
        assert DONE not in turns.client.got
        turns.relay.resume()
        await within(turns.client.ended)
        assert turns.client.end == "well"
        assert turns.client.got.endswith(DONE)

    asyncio.run(work())


def test_a_client_that_leaves_while_tools_run_leaves_nothing() -> None:
    async def work() -> None:
        turns = Turns(SAYING)
        turns.relay.start(turns.client)
        await within(turns.running)
        turns.relay.close()
        turns.relay.close()
        await turns.background.close()
        assert turns.client.end is None
        assert len(turns.following) == 1
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(work())


def test_a_client_that_leaves_while_it_is_written_to_hears_no_more() -> None:
    async def work() -> None:
        turns = Turns(SAYING)
        turns.relay.start(turns.client)
        await within(turns.running)
        turns.client.written = turns.relay.close
        turns.run_on.set()
        assert turns.relay._work is not None
        await asyncio.wait([turns.relay._work], timeout=10)
        await turns.background.close()
        assert turns.client.end is None

    asyncio.run(work())


def test_an_end_that_cannot_be_reached_is_a_bad_one() -> None:
    async def work() -> None:
        async def fail(turn: Turn, show: Show) -> Ending | Response:
            raise UpstreamError("no")

        background, client = Background(), Client()
        stream = ToolStream(lambda _: True, shown=True, wants_usage=False, limit=1 << 20)
        relay = ToolRelay(IterableSource(CALLING), stream, fail, background)
        relay.start(client)
        await within(client.ended)
        assert isinstance(client.end, UpstreamError)
        assert DONE not in client.got

    asyncio.run(work())
