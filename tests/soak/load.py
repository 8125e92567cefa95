"""Clients of a soak: each asks again and again, for a fault drawn at random, and some leave in the middle."""

import asyncio
import collections
import json
import random
from typing import NamedTuple

PATIENCE = 60.0
"""Seconds after which an answer is never to come."""


class Fault(NamedTuple):
    """A list for the lab, and whether an answer with it can be whole, streamed and plain."""

    faults: str
    streamed: bool
    plain: bool


FAULTS = (
    *[Fault("tokens=20", streamed=True, plain=True)] * 6,
    Fault("tokens=200", streamed=True, plain=True),
    Fault("tokens=15,tokens_per_second=100,jitter=0.5", streamed=True, plain=True),
    Fault("tokens=5,first_token=0.2", streamed=True, plain=True),
    Fault("tokens=5,latency=0.2", streamed=True, plain=True),
    Fault("tokens=3,split", streamed=True, plain=True),
    Fault("tokens=20,crlf", streamed=True, plain=True),
    Fault("tokens=20,gzip", streamed=True, plain=True),
    Fault("tokens=20,no_done", streamed=True, plain=True),
    Fault("tokens=20,double_done", streamed=True, plain=True),
    Fault("tokens=20,usage_at_end", streamed=True, plain=True),
    Fault("tokens=5,finish_reason=length", streamed=True, plain=True),
    Fault("tokens=5,finish_reason=content_filter", streamed=True, plain=True),
    Fault("huge_event=200000", streamed=True, plain=True),
    Fault("tokens=5,chunked", streamed=True, plain=True),
    Fault("tokens=20,no_finish", streamed=False, plain=True),
    Fault("status=429,retry_after=1", streamed=False, plain=False),
    Fault("status=500", streamed=False, plain=False),
    Fault("status=529", streamed=False, plain=False),
    Fault("refuse", streamed=False, plain=False),
    Fault("reset", streamed=False, plain=False),
    Fault("hang=20", streamed=False, plain=False),
    Fault("headers_only=20", streamed=False, plain=False),
    Fault("tokens=20,cut_after_events=5", streamed=False, plain=False),
    Fault("tokens=20,cut_after_bytes=150", streamed=False, plain=False),
    Fault("tokens=20,reset_after_events=5", streamed=False, plain=False),
    Fault("tokens=20,end_after_events=5", streamed=False, plain=False),
    Fault("tokens=20,stall_after_events=5,stall=20", streamed=False, plain=False),
    Fault("tokens=20,error_event=5", streamed=False, plain=True),
    Fault("tokens=20,garbage=5", streamed=False, plain=False),
    Fault("tokens=20,chunked,cut_after_events=5", streamed=False, plain=False),
)


class Tally:
    """What the clients saw."""

    def __init__(self) -> None:
        self.sent = 0
        self.left = 0
        self.whole = 0
        self.spoiled = 0
        """Answers that could have been whole and were not: a timeout, on a machine with much to do."""
        self.lies: list[str] = []
        self.statuses = collections.Counter[int]()


class Client:
    """One client: its dice, and a connection while that lasts."""

    def __init__(self, port: int, tally: Tally, seed: int) -> None:
        self._port = port
        self._tally = tally
        self._dice = random.Random(seed)
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, until: float) -> None:
        """Ask until this time of the loop's clock."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            async with asyncio.timeout(PATIENCE):
                await self._ask()
        await self._hang_up()

    async def _ask(self) -> None:
        draw = self._dice.random()
        if draw < 0.03:
            await self._ask_nonsense()
        elif draw < 0.06:
            await self._ask_raw()
        else:
            await self._chat(self._dice.choice(FAULTS), streamed=self._dice.random() < 0.7)

    async def _ask_nonsense(self) -> None:
        status, _, _ = await self._exchange("POST", "/v1/chat/completions", b'{"model":', leaves=False)
        assert status == 400

    async def _ask_raw(self) -> None:
        await self._exchange("GET", "/proxy/openai/models", b"", leaves=False)

    async def _chat(self, fault: Fault, *, streamed: bool) -> None:
        provider = self._dice.choice(("openai", "openai", "mock"))
        asked = {
            "model": f"{provider}/lab:{fault.faults}",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": streamed,
        }
        leaves = self._dice.random() < 0.1
        body = json.dumps(asked).encode()
        status, got, framed = await self._exchange("POST", "/v1/chat/completions", body, leaves=leaves)
        self._tally.statuses[status] += 1
        if leaves:
            return
        may = fault.streamed if streamed else fault.plain
        whole = status == 200 and framed and (not streamed or got.endswith(b"data: [DONE]\n\n"))
        looks_whole = status == 200 and (framed or b"[DONE]" in got)
        self._tally.whole += whole
        self._tally.spoiled += may and not whole
        if looks_whole and not may:
            self._tally.lies.append(f"{'stream' if streamed else 'plain'} {fault.faults}: {got[-200:]!r}")

    async def _exchange(
        self, method: str, path: str, body: bytes, *, leaves: bool
    ) -> tuple[int, bytes, bool]:
        """Send a request; return status, body and whether its framing came to its end."""
        reader, writer = self._stream or await asyncio.open_connection("127.0.0.1", self._port)
        self._stream = reader, writer
        head = f"{method} {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        self._tally.sent += 1
        await writer.drain()
        if leaves and self._dice.random() < 0.5:
            return await self._leave()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if leaves:
            await reader.read(1)
            return await self._leave()
        data, framed = await _body(reader, answer)
        if not framed or "connection: close" in answer or self._dice.random() < 0.2:
            await self._hang_up()
        return int(answer.split()[1]), data, framed

    async def _leave(self) -> tuple[int, bytes, bool]:
        self._tally.left += 1
        await self._hang_up()
        return 0, b"", False

    async def _hang_up(self) -> None:
        if self._stream is not None:
            _, writer = self._stream
            self._stream = None
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                return  # it is closed all the same


async def _body(reader: asyncio.StreamReader, head: str) -> tuple[bytes, bool]:
    """Read a body as far as it goes; tell whether it was whole by its framing."""
    received = b""
    try:
        if "transfer-encoding: chunked" not in head:
            length = int(head.partition("content-length:")[2].split()[0])
            return await reader.readexactly(length), True
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
            received = b"".join(pieces[-2:])
        await reader.readexactly(2)
    except (asyncio.IncompleteReadError, ConnectionError):
        return received, False
    return received, True
