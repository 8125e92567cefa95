"""Memory that bodies leave is kept for the next ones."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from inference_gateway.server.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        bodies = [bytes(bytearray(100_000)) for _ in range(20)]
        del bodies
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(20)
print(faults(100))
"""


def page_faults(mode: str) -> int:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator that it tells is that of Linux")
def test_bodies_of_the_same_size_come_to_the_same_pages() -> None:
    assert page_faults("kept") * 10 < page_faults("given back")
