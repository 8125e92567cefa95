"""Who is measured, and how: the peers take turns, so that a noisy minute of the machine hits them all."""

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from benchmarks import nginx
from benchmarks.load import Answers, Streamed, ask_for_answers, read_streams, wrk_script
from benchmarks.processes import Server, cpu_seconds, free_port, memory_bytes, serving

ROOT = Path(__file__).resolve().parents[1]
COMPILED = ROOT / "build" / "compiled"
"""Where `make compile` leaves the package."""
SIZES = {"small": 1_000, "large": 100_000}
"""Bytes of the user's message in a request."""
EVENTS, GAP = 100, 0.02
WARM_UP_SECONDS = 1
CROWD = 5
"""How many times the usual number of streams make a crowd: enough that what a first stream allocates for
good does not count."""


class Peer(msgspec.Struct, frozen=True):
    """One gateway, started twice: before the static upstream and before the streaming one."""

    name: str
    plain: Server
    stream: Server


class Round(msgspec.Struct, frozen=True):
    """One turn of a peer; CPU in microseconds of the gateway's process per request and per event."""

    small_cpu: float
    large_cpu: float
    event_cpu: float
    crowd_cpu: float
    """As `event_cpu`, with a crowd of streams."""
    small: Answers
    large: Answers
    streamed: Streamed
    crowd: Streamed


class Result(msgspec.Struct):
    """All turns of a peer."""

    name: str
    start_seconds: float
    memory_mib: float
    stream_kib: float
    """Memory that one more open stream takes."""
    rounds: list[Round] = []

    def failures(self, streams: int) -> int:
        """Return how many requests failed and streams did not come to their end."""
        refused = sum(each.small.failed + each.large.failed for each in self.rounds)
        cut = sum(streams * (1 + CROWD) - each.streamed.whole - each.crowd.whole for each in self.rounds)
        return refused + cut


Command = Callable[[int, int], list[str]]
"""From a port to serve on and the upstream's port to a command."""


@contextlib.contextmanager
def peers(folder: Path, others: Mapping[str, str]) -> Iterator[list[Peer]]:
    """Start both upstreams and every peer before them; `others` are shell commands by name.

    :raises DidNotStart: one of them does not listen in time.
    """
    with contextlib.ExitStack() as stack:
        plain_port, stream_port = free_port(), free_port()
        upstream = Peer(
            "upstream alone",
            stack.enter_context(_serving(nginx.static_upstream(folder, plain_port), plain_port, folder)),
            stack.enter_context(_serving(_streaming_upstream(stream_port), stream_port, folder)),
        )
        found = [upstream]
        for name, command in _commands(folder, others).items():
            servers = []
            for upstream_port in (plain_port, stream_port):
                port = free_port()
                # Our own gateway reads a .env in its working directory: it gets an empty one.
                cwd = folder if name in {"gateway", "compiled"} else ROOT
                servers.append(
                    stack.enter_context(
                        _serving(command(port, upstream_port), port, folder, cwd=cwd, upstream=upstream_port)
                    )
                )
            found.append(Peer(name, *servers))
        yield found


def _commands(folder: Path, others: Mapping[str, str]) -> dict[str, Command]:
    def of_shell(text: str) -> Command:
        return lambda _port, _upstream: ["sh", "-c", text]

    gateway = _module("inference_gateway.server", "serve")
    if COMPILED.exists():
        others = {"compiled": shlex.join(["exec", "env", f"PYTHONPATH={COMPILED}", *gateway]), **others}
    return {
        "nginx": lambda port, upstream: nginx.proxy(folder, port, upstream=upstream),
        "floor": lambda port, upstream: _module("benchmarks.floor", port, upstream),
        "gateway": lambda _port, _upstream: gateway,
        **{name: of_shell(text) for name, text in others.items()},
    }


def _streaming_upstream(port: int) -> list[str]:
    return _module("benchmarks.upstream", port, EVENTS, GAP)


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def _serving(
    command: list[str], port: int, folder: Path, *, cwd: Path = ROOT, upstream: int = 0
) -> contextlib.AbstractContextManager[Server]:
    environment = {
        "PORT": str(port),
        "SERVER_HOST": "127.0.0.1",
        "SERVER_PORT": str(port),
        "OPENAI_API_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "sk-bench",
    }
    return serving(command, port, folder / f"{port}.log", cwd=cwd, environment=environment)


def at_rest(peer: Peer, streams: int) -> Result:
    """Measure what a peer holds before any load, and what each of many open streams adds."""
    memory = memory_bytes(peer.plain.pid)
    read_streams(peer.stream.port, 1, _nothing)
    before = memory_bytes(peer.stream.pid)
    height: list[int] = []
    count = streams * CROWD
    read_streams(peer.stream.port, count, lambda: height.append(memory_bytes(peer.stream.pid)))
    grown = max(height, default=before) - before
    return Result(peer.name, peer.plain.start_seconds, memory / 2**20, grown / count / 2**10)


def one_round(peer: Peer, folder: Path, *, seconds: int, streams: int) -> Round:
    """Measure a peer once."""
    small_cpu, small = _answers(peer, wrk_script(folder, SIZES["small"]), seconds)
    large_cpu, large = _answers(peer, wrk_script(folder, SIZES["large"]), seconds)
    event_cpu, streamed = _streamed(peer, streams)
    crowd_cpu, crowd = _streamed(peer, streams * CROWD)
    return Round(small_cpu, large_cpu, event_cpu, crowd_cpu, small, large, streamed, crowd)


def _streamed(peer: Peer, streams: int) -> tuple[float, Streamed]:
    before = cpu_seconds(peer.stream.pid)
    streamed = read_streams(peer.stream.port, streams, _nothing)
    return _per(cpu_seconds(peer.stream.pid) - before, streamed.events), streamed


def _answers(peer: Peer, script: Path, seconds: int) -> tuple[float, Answers]:
    ask_for_answers(peer.plain.port, script, WARM_UP_SECONDS)
    before = cpu_seconds(peer.plain.pid)
    answers = ask_for_answers(peer.plain.port, script, seconds)
    return _per(cpu_seconds(peer.plain.pid) - before, answers.requests), answers


def _per(seconds: float, count: int) -> float:
    return seconds * 1e6 / max(count, 1)


def _nothing() -> None:
    """No one looks at the height of this load."""
