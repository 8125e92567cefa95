"""What a request and an event cost, counted: writes, parses, calls, tasks, memory. Nothing is timed."""

import asyncio
import collections
import gc
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from fakes.provider import COMPLETION, chunk
from inference_gateway.server.configuration import load
from inference_gateway.server.serve import Server
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.server import ServerConnection
from inference_gateway.server.transport.upstream import UpstreamConnection

MESSAGES = [{"role": "user", "content": "x" * 800}]
ANSWER = json.dumps(COMPLETION).encode()
PLAIN_ANSWER = (
    b"HTTP/1.1 200 OK\r\ndate: x\r\nserver: y\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: keep-alive\r\n\r\n%b" % (len(ANSWER), ANSWER)
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def request(*, stream: bool) -> bytes:
    fields = {"model": "openai/m", "messages": MESSAGES, "temperature": 0.7, "stream": stream}
    body = json.dumps(fields).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


class Wire:
    """A transport that counts writes and hands them to whoever stands at the other end."""

    def __init__(self, far_end: Callable[[bytes], object]) -> None:
        self.writes = 0
        self._far_end = far_end

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._far_end(data)

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, *, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Bench:
    """The whole gateway between two wires, in one loop, without a socket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        environ = {"OPENAI_API_KEY": "k", "OPENAI_API_URL": "http://provider.test/v1"}
        self.server = Server(load(environ=environ, dotenv=None).settings)
        self.upstream: UpstreamConnection | None = None
        self.provider_wire = Wire(lambda _: self._asked.set())
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()
        self.received = b""
        self.client_wire = Wire(self._receive)
        self.client = ServerConnection(self.server._connections, self._loop)
        self.client.connection_made(self.client_wire)  # type: ignore[arg-type]  # does what is asked of it

        async def connect(
            connector: object, connection: UpstreamConnection, *_: object, **__: object
        ) -> None:
            self.upstream = connection
            connection.connection_made(self.provider_wire)  # type: ignore[arg-type]  # as above

        monkeypatch.setattr(Connector, "open", connect)

    def _receive(self, data: bytes) -> None:
        self.received += data
        self._answered.set()

    async def ask(self, data: bytes) -> UpstreamConnection:
        """Send a request; return the provider's end once it is there."""
        self._asked.clear()
        self.received = b""
        self.client.data_received(data)
        await self._asked.wait()
        assert self.upstream is not None
        return self.upstream

    async def plain(self) -> bytes:
        """Have one plain request answered."""
        upstream = await self.ask(request(stream=False))
        self._answered.clear()
        upstream.data_received(PLAIN_ANSWER)
        await self._answered.wait()
        return self.received


def in_loop(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def test_a_plain_request_is_one_write_to_the_provider_and_one_to_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        bench = Bench(monkeypatch)
        for _ in range(3):
            assert ANSWER in await bench.plain()
        assert (bench.provider_wire.writes, bench.client_wire.writes) == (3, 3)

    in_loop(work())


def test_an_event_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        bench = Bench(monkeypatch)
        upstream = await bench.ask(request(stream=True))
        upstream.data_received(STREAM_HEAD)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        before = bench.client_wire.writes
        event = chunk({"content": "token"})
        for _ in range(20):
            upstream.data_received(b"%x\r\n%b\r\n" % (len(event), event))
        assert bench.client_wire.writes - before == 20
        assert bench.received.count(event) == 20

    in_loop(work())


def test_a_plain_request_is_parsed_once_and_takes_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        bench = Bench(monkeypatch)
        await bench.plain()
        counted = collections.Counter[str]()

        def count(frame: Any, event: str, arg: Any) -> None:
            if event == "call" and "inference_gateway" in frame.f_code.co_filename:
                counted["ours"] += 1
                counted[frame.f_code.co_qualname] += 1
            elif event == "c_call" and type(getattr(arg, "__self__", None)).__name__ == "Decoder":
                counted["decode"] += 1

        sys.setprofile(count)
        await bench.plain()
        sys.setprofile(None)
        # The body's top level, its model, stream and messages, and the answer: each once.
        assert counted["decode"] <= 5
        assert counted["Document.__init__"] == 1
        assert counted["ServerConnection._answer"] == 2  # one task, stepped twice: to the provider and back
        # A budget: what is added to every request is noticed here. Resumed coroutines count as calls.
        assert counted["ours"] <= 132

    in_loop(work())


def test_requests_leave_no_task_and_no_memory_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        bench = Bench(monkeypatch)
        for _ in range(50):
            await bench.plain()
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(200):
            await bench.plain()
        gc.collect()
        assert sys.getallocatedblocks() - before < 100
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    in_loop(work())
