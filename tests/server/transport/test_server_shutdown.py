"""The end of a gateway: what runs may end, what waits is sent away, and what is cut says so."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from fakes.gateway import FakeGateway
from fakes.http_server import Client, eventually
from fakes.loops import PATIENCE
from fakes.provider import STREAM, Call, FakeProvider, well_behaved

PLAIN = b'{"model":"openai/m","messages":[{"role":"user","content":"hi"}]}'
STREAMED = PLAIN[:-1] + b',"stream":true}'


def chat(body: bytes) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n"
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


class HeldProvider:
    """Begins its answers, and ends them when it is let."""

    def __init__(self, start_provider: Callable[..., FakeProvider]) -> None:
        self._released = asyncio.Event()
        self.asked = threading.Event()
        self._provider = start_provider(self._answer)
        self.url = self._provider.url

    async def _answer(self, call: Call) -> None:
        streamed = call.json().get("stream")
        if streamed:
            await call.begin_stream()
            await call.piece(STREAM[0])
        self.asked.set()
        await self._released.wait()
        if not streamed:
            await well_behaved(call)
            return
        for event in STREAM[1:]:
            await call.piece(event)
        await call.end_stream()

    def release(self) -> None:
        self._provider._thread.loop.call_soon_threadsafe(self._released.set)


@pytest.fixture
def provider(start_provider: Callable[..., FakeProvider]) -> HeldProvider:
    return HeldProvider(start_provider)


Start = Callable[..., FakeGateway]


def begin(start_gateway: Start, provider: HeldProvider, drain_timeout: str) -> FakeGateway:
    return start_gateway(
        OPENAI_API_KEY="sk-test", OPENAI_API_URL=provider.url, SERVER_DRAIN_TIMEOUT=drain_timeout
    )


def stop(gateway: FakeGateway) -> "Future[None]":
    """Begin to stop, as SIGTERM does."""
    stopping = asyncio.run_coroutine_threadsafe(gateway.server.stop(), gateway.thread.loop)
    eventually(lambda: gateway.server._connections.draining)
    return stopping


def test_a_gateway_that_nobody_called_stops_at_once(start_gateway: Start, provider: HeldProvider) -> None:
    stop(begin(start_gateway, provider, "1h")).result(PATIENCE)


def test_idle_connections_are_closed_and_new_ones_refused(
    start_gateway: Start, provider: HeldProvider
) -> None:
    gateway = begin(start_gateway, provider, "1h")
    with Client(gateway.port) as fresh, Client(gateway.port) as used, Client(gateway.port) as busy:
        used.send(b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n")
        assert used.answer().status == 200
        busy.send(chat(PLAIN))
        assert provider.asked.wait(PATIENCE)
        eventually(lambda: len(gateway.server._connections.open) == 3)
        stopping = stop(gateway)
        assert fresh.rest() == used.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            Client(gateway.port)
        assert not stopping.done()
        provider.release()
        answer = busy.answer()
        assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
        assert busy.rest() == b""
        stopping.result(PATIENCE)


def test_a_stream_may_run_to_its_end(start_gateway: Start, provider: HeldProvider) -> None:
    gateway = begin(start_gateway, provider, "1h")
    with Client(gateway.port) as client:
        client.send(chat(STREAMED))
        assert provider.asked.wait(PATIENCE)
        stopping = stop(gateway)
        provider.release()
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"".join(STREAM), False)
        assert client.rest() == b""
        stopping.result(PATIENCE)
    assert gateway.tasks() == 0


def test_a_stream_that_runs_too_long_ends_with_an_error(start_gateway: Start, provider: HeldProvider) -> None:
    gateway = begin(start_gateway, provider, "0")
    with Client(gateway.port) as client:
        client.send(chat(STREAMED))
        assert provider.asked.wait(PATIENCE)
        received = client.receive_until(STREAM[0] + b"\r\n")
        stop(gateway).result(PATIENCE)
        received += client.rest()
    _, _, end = received.partition(STREAM[0] + b"\r\n")
    assert b'data: {"error":"the gateway is shutting down"}\n\n\r\n' in end
    assert b"[DONE]" not in end
    assert not end.endswith(b"0\r\n\r\n")
    assert gateway.tasks() == 0


def test_a_request_that_runs_too_long_is_told_so(start_gateway: Start, provider: HeldProvider) -> None:
    gateway = begin(start_gateway, provider, "0")
    with Client(gateway.port) as client:
        client.send(chat(PLAIN))
        assert provider.asked.wait(PATIENCE)
        stop(gateway).result(PATIENCE)
        answer = client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (503, b"close")
        assert answer.headers[b"retry-after"] == b"1"
        assert client.rest() == b""
    assert gateway.tasks() == 0


def test_while_it_drains_the_gateway_is_not_ready(start_gateway: Start, provider: HeldProvider) -> None:
    gateway = begin(start_gateway, provider, "1h")
    with Client(gateway.port) as client:
        for path, status in (b"live", 200), (b"ready", 200):
            client.send(b"GET /health/%b HTTP/1.1\r\nhost: h\r\n\r\n" % path)
            assert client.answer().status == status
        [connection] = gateway.server._connections.open
        client.send(b"GET /health/ready HTTP/1.1\r\n")
        eventually(lambda: connection._in_head)
        stopping = stop(gateway)
        client.send(b"host: h\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (503, b"close")
        stopping.result(PATIENCE)


class Process:
    """The gateway as its users run it."""

    def __init__(self, provider: HeldProvider) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "SERVER_PORT": "0",
            "LOG_FORMAT": "console",
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_API_URL": provider.url,
            "SERVER_DRAIN_TIMEOUT": "1h",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inference_gateway.server", "serve"],
            stderr=subprocess.PIPE,
            env=environ,
            cwd=Path(__file__).parent,
            text=True,
        )
        assert self._process.stderr is not None
        self._log = self._process.stderr
        self.port = int(self.logged("listens on").rpartition(":")[2])

    def logged(self, text: str) -> str:
        """Wait for a line of the log."""
        for line in self._log:
            if text in line:
                return line
        pytest.fail(f"never logged {text!r}")

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._log.close()


@pytest.fixture
def process(provider: HeldProvider) -> Iterator[Process]:
    process = Process(provider)
    yield process
    process.close()


def test_sigterm_lets_a_stream_end_and_exits_well(process: Process, provider: HeldProvider) -> None:
    with Client(process.port) as client:
        client.send(chat(STREAMED))
        assert provider.asked.wait(PATIENCE)
        process.terminate()
        process.logged("shutting down")
        provider.release()
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"".join(STREAM), False)
        assert process.exit_code() == 0


def test_a_second_sigterm_ends_it_at_once(process: Process, provider: HeldProvider) -> None:
    with Client(process.port) as client:
        client.send(chat(STREAMED))
        assert provider.asked.wait(PATIENCE)
        client.receive_until(STREAM[0] + b"\r\n")
        process.terminate()
        process.logged("shutting down")
        process.terminate()
        assert process.exit_code() == 0
        with pytest.raises(ConnectionResetError):
            client.rest()
