"""What is left of the goodput, and what memory does, at up to ten times the load that the gateway can take.

`python -m benchmarks.overload`: the connections of wrk grow from `--peak` to ten times as many, each asking
again as soon as it has an answer. Goodput is the answers with status 200 in a second.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from benchmarks import nginx
from benchmarks.load import load_with, wrk_script
from benchmarks.processes import Server, cpu_seconds, free_port, memory_bytes, serving

TIMES = (1, 2, 5, 10)
SMALL, LARGE = 1_000, 100_000
"""Bytes of the user's message."""
ENOUGH = 0.9
"""Part of the peak that must be left at every step."""
GROWTH_MIB = 64
"""Memory that ten times the connections may add."""
_LOOK_SECONDS = 0.1

KINDS: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "defaults": (SMALL, {}),
    "capped": (SMALL, {"SERVER_MAX_CONCURRENT_REQUESTS": "{peak}"}),
    "large bodies, capped": (LARGE, {"SERVER_MAX_INFLIGHT_BYTES": "10485760"}),
}
"""What is measured: the size of a message, and settings in which `{peak}` is the number of connections."""


class Step(msgspec.Struct, frozen=True):
    """One load: connections, answers of status 200 in a second, others in a second, memory in MiB."""

    connections: int
    goodput: float
    refused: float
    p99: float
    cpu: float
    """Part of one processor that the gateway used."""
    memory: float
    """The most that was seen."""

    @property
    def yielded(self) -> float:
        """Good answers for each second of CPU: hardly depends on what else the machine does."""
        return self.goodput / self.cpu


def main() -> int:
    """Measure and print; return 1 where goodput falls or memory grows too far, 2 where nothing can be run."""
    options = _parser().parse_args()
    if not (shutil.which("wrk") and shutil.which("nginx")):
        print("benchmarks.overload: needs wrk and nginx; on Debian: apt-get install wrk nginx-light",
              file=sys.stderr)  # fmt: skip
        return 2
    failed = False
    with tempfile.TemporaryDirectory(prefix="overload-") as name:
        folder = Path(name)
        port = free_port()
        with serving(nginx.static_upstream(folder, port), port, folder / "upstream.log", cwd=folder):
            for kind, (size, settings) in KINDS.items():
                print(f"\n{kind}\n{_HEADING}")
                steps = _ramp(folder, port, size=size, settings=settings, options=options)
                for step in steps:
                    print(_row(step, steps))
                failed |= not holds(steps)
    return int(failed)


def holds(steps: list[Step]) -> bool:
    """Tell whether a CPU second brings nearly as many good answers at every step, and memory is flat."""
    growth = max(step.memory for step in steps) - steps[0].memory
    return min(step.yielded for step in steps) >= ENOUGH * _best(steps) and growth <= GROWTH_MIB


_COLUMNS = ("connections", "goodput/s", "per CPU second", "of the best", "503/s", "p99 ms", "memory MiB")
_HEADING = f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|"


def _row(step: Step, steps: list[Step]) -> str:
    return (
        f"| {step.connections} | {step.goodput:.0f} | {step.yielded:.0f} | {step.yielded / _best(steps):.0%} "
        f"| {step.refused:.0f} | {step.p99:.0f} | {step.memory:.0f} |"
    )


def _best(steps: list[Step]) -> float:
    return max(step.yielded for step in steps)


def _ramp(
    folder: Path, upstream: int, *, size: int, settings: Mapping[str, str], options: argparse.Namespace
) -> list[Step]:
    port = free_port()
    environment = {
        "SERVER_PORT": str(port),
        "OPENAI_API_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "sk-bench",
        **{name: value.format(peak=options.peak) for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "inference_gateway.server", "serve"]
    log = folder / f"{port}.log"
    with serving(command, port, log, cwd=folder, environment=environment) as gateway:
        script = wrk_script(folder, size)
        load_with(port, script, connections=options.peak, seconds=2)
        rounds = [
            [
                _step(gateway, script, connections=options.peak * times, seconds=options.seconds)
                for times in TIMES
            ]
            for _ in range(options.rounds)
        ]
    return [_median(steps) for steps in zip(*rounds, strict=True)]


def _median(steps: tuple[Step, ...]) -> Step:
    middle = sorted(steps, key=lambda step: step.yielded)[len(steps) // 2]
    return msgspec.structs.replace(middle, memory=max(step.memory for step in steps))


def _step(gateway: Server, script: Path, *, connections: int, seconds: int) -> Step:
    before = cpu_seconds(gateway.pid)
    with _watching(gateway.pid) as seen:
        answers = load_with(gateway.port, script, connections=connections, seconds=seconds)
    used = cpu_seconds(gateway.pid) - before
    return Step(
        connections,
        goodput=(answers.requests - answers.failed) / answers.seconds,
        refused=answers.failed / answers.seconds,
        p99=answers.p99,
        cpu=used / answers.seconds,
        memory=max(seen) / 2**20,
    )


@contextlib.contextmanager
def _watching(pid: int) -> Iterator[list[int]]:
    """Look at the memory of a process again and again."""
    seen = [memory_bytes(pid)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            seen.append(memory_bytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.overload", description=__doc__)
    parser.add_argument("--peak", type=int, default=32, help="connections that are no overload (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often every load comes (%(default)s)")
    parser.add_argument("--seconds", type=int, default=5, help="length of one load (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
