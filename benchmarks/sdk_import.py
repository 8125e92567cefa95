"""How long a program waits for the SDK: `python -m benchmarks.sdk_import`, medians in seconds.

Needs nothing but the project's environment. Each figure comes from fresh processes, less the start of Python.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 9
PROGRAMS = {
    "nothing": "pass",
    "import inference_gateway": "import inference_gateway",
    "a client, ready to call": (
        "from inference_gateway import InferenceGatewayClient; InferenceGatewayClient('http://localhost:8080/v1')"
    ),
    "an async client, ready to call": (
        "from inference_gateway import AsyncInferenceGatewayClient; "
        "AsyncInferenceGatewayClient('http://localhost:8080/v1')"
    ),
}


def seconds(program: str) -> float:
    """Run a program in a fresh interpreter; return how long it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Take turns, so that a noisy moment hits all alike, and print the medians."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, program in PROGRAMS.items():
            taken[name].append(seconds(program))
    nothing = statistics.median(taken.pop("nothing"))
    for name, times in taken.items():
        print(f"{name:<32} {statistics.median(times) - nothing:.3f} s")


if __name__ == "__main__":
    main()
