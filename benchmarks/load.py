"""Load: wrk for whole answers, many streams read at once in this process for events."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import uvloop

CONNECTIONS = 32
STREAMS_END_SECONDS = 60
# Streams are opened in bunches, or a burst of connections is what gets measured.
_BUNCH, _PAUSE = 50, 0.01
_SCRIPT = """
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("%s")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%f %%f %%f\\n", summary.requests,
    e.connect + e.read + e.write + e.timeout + e.status, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class Answers(msgspec.Struct, frozen=True):
    """What wrk saw; latencies in milliseconds."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float


class Streamed(msgspec.Struct, frozen=True):
    """What the readers of streams saw; time to the first event in milliseconds."""

    events: int
    whole: int
    first_p50: float
    first_p99: float


def chat_body(size: int, *, stream: bool = False) -> bytes:
    """Return a chat request whose user message is `size` bytes long."""
    text = ("Explain the CAP theorem and its practical tradeoffs. " * (size // 50 + 1))[:size]
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": text},
    ]
    body = {"model": "openai/gpt-4o-mini", "messages": messages, "temperature": 0.7, "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def wrk_script(folder: Path, size: int) -> Path:
    """Write the script that posts a body of this size, and return its path."""
    body = folder / f"{size}.json"
    body.write_bytes(chat_body(size))
    script = folder / f"{size}.lua"
    script.write_text(_SCRIPT % body)
    return script


def ask_for_answers(port: int, script: Path, seconds: int) -> Answers:
    """Keep `CONNECTIONS` requests under way for so long."""
    return load_with(port, script, connections=CONNECTIONS, seconds=seconds)


def load_with(port: int, script: Path, *, connections: int, seconds: int) -> Answers:
    """Keep so many requests under way for so long."""
    url = f"http://127.0.0.1:{port}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    return read_result(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def read_result(output: str) -> Answers:
    """Read what the script printed among wrk's own lines."""
    (line,) = (line for line in output.splitlines() if line.startswith("RESULT "))
    requests, failed, *times = line.split()[1:]
    return Answers(int(requests), int(failed), *map(float, times))


def read_streams(port: int, count: int, at_the_height: Callable[[], None]) -> Streamed:
    """Read `count` streams at once to their end.

    :param at_the_height: called once, when every stream has brought its first event.
    """
    return uvloop.run(_read_streams(port, count, at_the_height))


async def _read_streams(port: int, count: int, at_the_height: Callable[[], None]) -> Streamed:
    readers: list[StreamReader] = []
    # A stream that is refused or never ends is one that is not whole, and is counted as that.
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(STREAMS_END_SECONDS):
            await _open(readers, port, count)
            await asyncio.gather(*(reader.begun for reader in readers))
            at_the_height()
            await asyncio.gather(*(reader.ended for reader in readers))
    firsts = sorted(reader.begun.result() * 1000 for reader in readers if reader.events) or [0.0]
    return Streamed(
        events=sum(reader.events for reader in readers),
        whole=sum(reader.whole for reader in readers),
        first_p50=firsts[len(firsts) // 2],
        first_p99=firsts[int(len(firsts) * 0.99)],
    )


async def _open(readers: "list[StreamReader]", port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(1, count + 1):
        _, reader = await loop.create_connection(StreamReader, "127.0.0.1", port)
        readers.append(reader)
        if number % _BUNCH == 0:
            await asyncio.sleep(_PAUSE)


class StreamReader(asyncio.Protocol):
    """Asks for one stream, counts its events and closes after its last."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.events = 0
        self.whole = False
        self.begun: asyncio.Future[float] = loop.create_future()
        """Seconds from the request to the first event, or to the connection's end."""
        self.ended: asyncio.Future[None] = loop.create_future()
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a fresh connection."""
        # uvloop's transports do what asyncio's do, and are no subclass of them.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._asked = time.perf_counter()
        body = chat_body(2, stream=True)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        # A mark may be cut by the end of a piece: look for it from a little before.
        seen = self._tail + data
        self.events += seen.count(b"data: ") - self._tail.count(b"data: ")
        self._tail = seen[-16:]
        if self.events:
            self._begin()
        if b"data: [DONE]" in seen:
            self.whole = True
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._begin()
        self.ended.set_result(None)

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(time.perf_counter() - self._asked)
