"""Chat requests, and their answers taken apart byte by byte."""

import json
from typing import NamedTuple

from fakes.gateway import FakeGateway

MESSAGES = [{"role": "user", "content": "hi"}]


def body(model: str = "openai/m", **members: object) -> bytes:
    """A small chat request."""
    return json.dumps({"model": model, "messages": MESSAGES, **members}).encode()


class Streamed(NamedTuple):
    """A chunked answer; `whole` is whether its final chunk came."""

    status: int
    head: bytes
    events: bytes
    whole: bool

    @property
    def error(self) -> str:
        """The text of the last event, which is an error."""
        *_, last = self.events.removesuffix(b"\n\n").split(b"\n\n")
        return str(json.loads(last.removeprefix(b"data: "))["error"])


def stream(
    gateway: FakeGateway, request: bytes | None = None, *, fields: str = "", query: str = ""
) -> Streamed:
    """Ask for a stream, and take what comes until the connection closes."""
    data = request if request is not None else body(stream=True)
    head = f"POST /v1/chat/completions{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}"
    received = gateway.exchange(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
    answer, _, rest = received.partition(b"\r\n\r\n")
    chunked = b"transfer-encoding: chunked" in answer.lower()
    events, whole = _dechunked(rest) if chunked else (rest, True)
    return Streamed(int(answer.split()[1]), answer.lower(), events, whole)


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    pieces = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return b"".join(pieces), True
        pieces.append(data[:length])
        data = data[length + 2 :]
    return b"".join(pieces), False
