"""The gateway in a process of its own, which counts itself at each line on its standard input.

Run as a program. Settings come from the environment, as for `serve`.
"""

import asyncio
import collections
import gc
import json
import logging
import os
import sys

import uvloop

from inference_gateway.server.configuration import load
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.serve import Server
from inference_gateway.server.transport.messages import Request


class Watched:
    """A server, and how its requests ended."""

    def __init__(self) -> None:
        self._server = Server(load(environ=os.environ, dotenv=None).settings)
        self._told = collections.Counter[str]()
        connections = self._server._connections
        self._next, connections.ended = connections.ended, self._count

    def _count(self, request: Request, outcome: Outcome, problem: str) -> None:
        self._next(request, outcome, problem)
        self._told[outcome.value] += 1

    async def serve(self) -> None:
        """Serve until standard input ends."""
        await self._server.start()
        print(json.dumps({"port": self._server.port}), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while await reader.readline():
            print(json.dumps(self._figures()), flush=True)
        await self._server.stop()

    def _figures(self) -> dict[str, object]:
        gc.collect()
        shelves = self._server._gateway.pool._shelves.values()
        return {
            "outcomes": dict(self._told),
            "connections": len(self._server._connections.open),
            "tasks": len(asyncio.all_tasks()),
            "upstream": sum(len(shelf.idle) for shelf in shelves),
            "blocks": sys.getallocatedblocks(),
        }


if __name__ == "__main__":
    logging.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Watched().serve())
