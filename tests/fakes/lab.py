"""The fault lab in this process, on a free port, with a clock that a test moves."""

import json

from fakes.http_server import Answer, Client
from fakes.loops import LoopThread
from inference_gateway.server.lab import LabServer


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class FakeLab:
    """The real lab; only its process is this one, and its clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.thread = LoopThread()
        self.server = LabServer("127.0.0.1", 0, clock=self.clock)
        self.thread.call(self.server.start())
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def connect(self) -> Client:
        """Open a bare connection."""
        return Client(self.port)

    def answer(self, faults: str, *, stream: bool = True) -> Answer:
        """Ask with these faults in the model's name; return the answer as far as it goes."""
        with self.connect() as client:
            client.send(chat_request(f"lab:{faults}", stream=stream))
            return client.answer()

    def close(self) -> None:
        """Stop at once."""
        self.thread.call(self.server.stop())
        self.thread.close()


def chat_body(model: str, *, stream: bool, role: str = "user") -> dict[str, object]:
    """A small chat request."""
    return {"model": model, "stream": stream, "messages": [{"role": role, "content": "hello there lab"}]}


def chat_request(model: str, *, stream: bool, fields: str = "") -> bytes:
    """The same as bytes for a bare connection; `fields` are whole lines."""
    body = json.dumps(chat_body(model, stream=stream)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\n{fields}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body
