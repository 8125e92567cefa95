"""How many processors count: what affinity and control groups allow, and no less than one."""

import os
from pathlib import Path

import pytest

from inference_gateway.server.processors import usable_processors

ALLOWED = len(os.sched_getaffinity(0))


def machine(root: Path, files: dict[str, str]) -> int:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return usable_processors(root)


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert machine(tmp_path, {}) == ALLOWED
    assert usable_processors() >= 1


@pytest.mark.parametrize(
    ("maximum", "count"),
    [
        ("max 100000", ALLOWED),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("110000 100000", min(2, ALLOWED)),
        ("99900000 100000", ALLOWED),
        ("1 0", ALLOWED),
        ("", ALLOWED),
    ],
)
def test_a_quota_bounds_them(tmp_path: Path, maximum: str, count: int) -> None:
    files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": maximum}
    assert machine(tmp_path, files) == count


def test_the_quota_of_a_group_around_ours_bounds_them_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/a/b",
        "sys/fs/cgroup/a/cpu.max": "100000 100000",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000",
    }
    assert machine(tmp_path, files) == 1


@pytest.mark.parametrize("folder", ["", "docker/x/"], ids=["in a container", "on the host"])
@pytest.mark.parametrize(("quota", "count"), [("100000", 1), ("-1", ALLOWED)])
def test_the_old_kind_of_quota_bounds_them(tmp_path: Path, folder: str, quota: str, count: int) -> None:
    files = {
        "proc/self/cgroup": "4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x",
        f"sys/fs/cgroup/cpu/{folder}cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu/{folder}cpu.cfs_period_us": "100000",
    }
    assert machine(tmp_path, files) == count
