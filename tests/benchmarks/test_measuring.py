"""The instruments: processes, their cost, the load, and the command around them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.load import Answers, Streamed, chat_body, read_result, read_streams
from benchmarks.nginx import ANSWER
from benchmarks.overload import Step, holds
from benchmarks.processes import DidNotStart, Server, cpu_seconds, free_port, memory_bytes, serving, tree

ROOT = Path(__file__).resolve().parents[2]
STREAMS, EVENTS = 5, 4
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the instruments read /proc")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.upstream", str(port), str(EVENTS), "0.05"]
    with serving(command, port, tmp_path / "upstream.log", cwd=ROOT) as server:
        yield server


@pytest.fixture
def floor(upstream: Server, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.floor", str(port), str(upstream.port)]
    with serving(command, port, tmp_path / "floor.log", cwd=ROOT) as server:
        yield server


def test_every_stream_comes_through_the_floor_whole(floor: Server) -> None:
    heights: list[int] = []
    streamed = read_streams(floor.port, STREAMS, lambda: heights.append(memory_bytes(floor.pid)))
    # The role, the tokens, the finish, the usage and the terminator.
    assert (streamed.whole, streamed.events) == (STREAMS, STREAMS * (EVENTS + 4))
    assert 0 < streamed.first_p50 <= streamed.first_p99
    assert len(heights) == 1
    assert heights[0] > 2**20


def test_streams_that_nobody_answers_are_counted_and_not_waited_for() -> None:
    assert read_streams(free_port(), 2, lambda: None) == Streamed(0, 0, 0.0, 0.0)


def test_the_cost_of_a_process_includes_its_children() -> None:
    spin = "import sys, time\nwhile time.process_time() < 0.1: pass\nprint(flush=True)\nsys.stdin.read()"
    program = ["sh", "-c", f'{sys.executable} -c "$0"; :', spin]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        (child,) = tree(process.pid) - {process.pid}
        assert 0.09 <= cpu_seconds(process.pid) < 5
        assert memory_bytes(process.pid) > memory_bytes(child)
        process.stdin.close()


def test_a_process_that_is_gone_costs_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert (cpu_seconds(process.pid), memory_bytes(process.pid)) == (0, 0)


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such luck; exit 3"]
    with (
        pytest.raises(DidNotStart, match=r"ended with 3: no such luck"),
        serving(command, free_port(), tmp_path / "log", cwd=ROOT),
    ):
        pytest.fail("it cannot be up")


def test_a_server_and_its_children_are_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()
    program = f"{sys.executable} -m http.server --bind 127.0.0.1 {port}; :"
    with serving(["sh", "-c", program], port, tmp_path / "log", cwd=tmp_path) as server:
        members = tree(server.pid)
        assert len(members) == 2
    assert memory_bytes(server.pid) == 0


def test_wrks_result_is_found_among_its_own_lines() -> None:
    output = "Running 4s test\n  1 threads\nRESULT 1200 3 4.001 0.52 1.75\nTransfer/sec: 1MB\n"
    assert read_result(output) == Answers(1200, 3, 4.001, 0.52, 1.75)


@pytest.mark.parametrize("size", [2, 1_000, 100_000])
def test_a_body_is_as_long_as_asked(size: int) -> None:
    assert len(json.loads(chat_body(size))["messages"][1]["content"]) == size


def test_the_static_answer_is_json() -> None:
    assert json.loads(ANSWER)["usage"]["total_tokens"] == 80


def test_without_its_tools_the_command_names_their_packages(tmp_path: Path) -> None:
    ran = bench([], PATH=str(tmp_path))
    assert ran.returncode == 2
    assert "apt-get install nginx-light wrk" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--seconds", "x"], ["--also", "nameless"]])
def test_a_wrong_option_is_refused(arguments: list[str]) -> None:
    ran = bench(arguments)
    assert ran.returncode == 2
    assert arguments[0] in ran.stderr


def bench(arguments: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    whole = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, check=False)


def test_overload_holds_where_goodput_and_memory_do() -> None:
    def step(goodput: float, memory: float) -> Step:
        return Step(1, goodput=goodput, refused=0, p99=1, cpu=0.5, memory=memory)

    assert holds([step(100, 30), step(91, 60)])
    assert not holds([step(100, 30), step(89, 30)])
    assert not holds([step(100, 30), step(100, 100)])
