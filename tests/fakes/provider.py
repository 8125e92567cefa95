"""A provider that does what a test tells it to, byte for byte, and remembers what it was asked.

Give it a script: a coroutine function that gets a `Call` for every request. The default script answers
chat completions and lists like a small well-behaved provider.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fakes.loops import LoopThread

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def chunk(delta: dict[str, Any], finish_reason: str | None = None, index: int = 0) -> bytes:
    """One event of a chat completion stream."""
    choices = [{"index": index, "delta": delta, "finish_reason": finish_reason}]
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = (chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"}), chunk({}, "stop"), DONE)


class Call:
    """One request that arrived, and the means to answer it."""

    def __init__(self, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        self._writer = writer
        request_line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = request_line.split(" ")
        self.fields = [(n.strip().lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
        self.headers = dict(self.fields)
        self.head = head
        self.body = body

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    async def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def respond(
        self, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), *, close: bool = False
    ) -> None:
        """Write a whole answer with its length."""
        fields = [("content-type", "application/json"), *headers, ("content-length", str(len(body)))]
        if close:
            fields.append(("connection", "close"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        await self.raw(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body)

    async def respond_json(
        self, value: object, status: int = 200, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Write a JSON answer."""
        await self.respond(status, json.dumps(value).encode(), headers)

    async def begin_stream(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Write the head of a chunked event stream."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        await self.raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            + lines.encode("latin-1")
            + b"\r\n"
        )

    async def piece(self, data: bytes) -> None:
        """Write one HTTP chunk."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        """Write the final chunk."""
        await self.raw(b"0\r\n\r\n")

    async def stream(self, events: Iterable[bytes] = STREAM, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Write a whole event stream, an event per chunk."""
        await self.begin_stream(headers)
        for event in events:
            await self.piece(event)
        await self.end_stream()

    def close(self) -> None:
        """Close the connection after what was written."""
        self._writer.close()

    def reset(self) -> None:
        """Tear the connection down."""
        self._writer.transport.abort()

    async def client_gone(self) -> None:
        """Wait until the gateway hangs up."""
        await self._writer.wait_closed()


Script = Callable[[Call], Awaitable[None]]


async def well_behaved(call: Call) -> None:
    """Answer as a provider should."""
    if call.target.endswith("/models"):
        data = [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]
        await call.respond_json({"object": "list", "data": data})
    elif call.method == "POST" and call.json().get("stream"):
        await call.stream()
    else:
        await call.respond_json(COMPLETION)


class FakeProvider:
    """A provider on a free loopback port."""

    def __init__(self, script: Script = well_behaved, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.connections = 0
        self.hung_up = 0
        """Connections that the gateway closed."""
        self._thread = LoopThread()
        self._server = self._thread.call(self._listen(tls))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def _listen(self, tls: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=1 << 24)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                call = Call(writer, head, b"")
                self.calls.append(call)
                call.body = await _body(reader, call.headers)
                await self.script(call)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up += 1
        finally:
            writer.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in its loop."""
        self._thread.call(work)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._thread.call(self._stop_listening())
        self._thread.close()

    async def _stop_listening(self) -> None:
        self._server.close()
        # A task that is cancelled before its first step closes nothing: let those of the last moment begin.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return body
    return await reader.readexactly(int(headers.get("content-length", 0)))
