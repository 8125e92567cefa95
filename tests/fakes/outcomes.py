"""How the requests of a gateway ended, as its one observer hears it."""

import threading
import time

from fakes.gateway import FakeGateway
from fakes.loops import PATIENCE
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.serve import Server
from inference_gateway.server.transport.messages import Request


class Outcomes:
    """Listens beside the gateway's own observer, from the next request on."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.heard: list[tuple[str, Outcome, str]] = []
        self._news = threading.Condition()
        server = gateway.server
        if isinstance(server, Server):
            self._next = server._connections.ended
            server._connections.ended = self._hear
        else:
            adapter = server._application._adapter
            self._next = adapter._ended
            adapter._ended = self._hear

    def _hear(self, request: Request, outcome: Outcome, problem: str) -> None:
        self._next(request, outcome, problem)
        with self._news:
            self.heard.append((request.request_id, outcome, problem))
            self._news.notify_all()

    def wait(self, count: int = 1) -> list[Outcome]:
        """Wait until so many requests have ended; return how."""
        limit = time.monotonic() + PATIENCE
        with self._news:
            while len(self.heard) < count:
                assert self._news.wait(limit - time.monotonic()), f"heard of {self.heard} only"
            return [outcome for _, outcome, _ in self.heard]
