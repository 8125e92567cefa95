"""A soak: a gateway and the lab in processes of their own, many clients, random faults, then a count.

`make soak` runs it for five minutes; ARGS: seconds, clients, seed.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from soak.load import Client, Tally

HERE = Path(__file__).parent
TIMEOUT = "2s"
SETTLING = 40.0
"""Seconds that what is under way may take to end."""
MEMORY = 24 * 1024
"""kB by which a gateway may have grown between warm and done: arenas that its allocator keeps."""
BLOCKS = 4000
"""Objects of Python's allocator that may have come to stay: caches of names, of compiled things."""


class Program:
    """A process that prints lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def figures(self) -> dict[str, Any]:
        """Ask it to count itself."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self.line()

    async def line(self) -> dict[str, Any]:
        """Read one line of JSON."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SETTLING):
            line: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return line


class Count(NamedTuple):
    """What a gateway holds at one moment."""

    tasks: int
    connections: int
    files: int
    memory: int
    """kB."""
    blocks: int
    outcomes: dict[str, int]


class Report(NamedTuple):
    """What a soak found."""

    tally: Tally
    warm: Count
    done: Count

    def problems(self) -> list[str]:
        """Say what is wrong, if anything."""
        tally, warm, done = self
        held = {
            "requests without an outcome, or with two": sum(done.outcomes.values()) - tally.sent,
            "tasks left": done.tasks - 1,
            "connections left": done.connections,
            "files left": done.files - warm.files,
        }
        found = [f"{name}: {count}" for name, count in held.items() if count]
        found += [f"a cut answer looked whole: {lie}" for lie in tally.lies[:5]]
        if done.memory - warm.memory > MEMORY:
            found.append(f"memory grew by {done.memory - warm.memory} kB")
        if done.blocks - warm.blocks > BLOCKS:
            found.append(f"{done.blocks - warm.blocks} objects came to stay")
        return found


async def soak(seconds: float, clients: int, seed: int) -> Report:
    """Warm up for a sixth of the time, count, load for the rest, count again."""
    async with _lab() as lab_port, _gateway(lab_port) as (gateway, port):
        tally = Tally()
        await _load(port, tally, seconds / 6, clients, seed)
        warm = await _settled(gateway)
        await _load(port, tally, seconds * 5 / 6, clients, seed + clients)
        return Report(tally, warm, await _settled(gateway))


async def _load(port: int, tally: Tally, seconds: float, clients: int, seed: int) -> None:
    until = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(Client(port, tally, seed + number).run(until))


async def _settled(gateway: Program) -> Count:
    """Count once nothing is under way, or what is there when that never comes."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + SETTLING
    while True:
        figures = await gateway.figures()
        busy = figures["connections"] or figures["upstream"] or figures["tasks"] > 1
        if not busy or loop.time() > limit:
            return _count(gateway.pid, figures)
        await asyncio.sleep(0.05)


def _count(pid: int, figures: dict[str, Any]) -> Count:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return Count(
        figures["tasks"],
        figures["connections"] + figures["upstream"],
        len(os.listdir(f"/proc/{pid}/fd")),
        int(status.partition("VmRSS:")[2].split()[0]),
        figures["blocks"],
        figures["outcomes"],
    )


@asynccontextmanager
async def _lab() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference_gateway.server", "lab", "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        while b"listens at" not in (line := await process.stderr.readline()):
            assert line, "the lab did not start"
        yield int(line.rpartition(b":")[2].partition(b"/")[0])
    finally:
        process.terminate()
        await process.communicate()


@asynccontextmanager
async def _gateway(lab_port: int) -> AsyncIterator[tuple[Program, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "soak.watched"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(HERE.parent),
            "SERVER_PORT": "0",
            "MOCK_ENABLED": "true",
            "OPENAI_API_URL": f"http://127.0.0.1:{lab_port}/v1",
            "OPENAI_API_KEY": "none",
            "CLIENT_RESPONSE_HEADER_TIMEOUT": TIMEOUT,
            "CLIENT_STREAM_IDLE_TIMEOUT": TIMEOUT,
            "CLIENT_IDLE_CONN_TIMEOUT": "1s",
        },
    )
    gateway = Program(process)
    try:
        yield gateway, (await gateway.line())["port"]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def main() -> int:
    """Run one and report; the exit code is whether anything is wrong."""
    given = [int(value) for value in sys.argv[1:]]
    seconds, clients, seed = [*given, *(300, 200, 1)[len(given) :]]
    report = asyncio.run(soak(seconds, clients, seed))
    tally, warm, done = report
    print(f"{tally.sent} requests by {clients} clients in {seconds} s, seed {seed}")
    print(f"  whole {tally.whole}, left by their client {tally.left}, spoiled by a timeout {tally.spoiled}")
    print(f"  outcomes {done.outcomes}, together {sum(done.outcomes.values())}")
    print(f"  statuses {dict(sorted(tally.statuses.items()))}")
    for name, count in (("warm", warm), ("done", done)):
        print(
            f"  {name}: {count.tasks} task, {count.connections} connections, {count.files} files, "
            f"{count.memory} kB, {count.blocks} objects"
        )
    problems = report.problems()
    for problem in problems:
        print(f"  WRONG: {problem}")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
