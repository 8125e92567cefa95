"""How many processors this process may use: by its affinity, and by the quota of its control group.

https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
"""

import contextlib
import math
import os
from pathlib import Path


def usable_processors(root: Path = Path("/")) -> int:
    """Count them; a part of one counts as one.

    :param root: of the file system with /proc and /sys.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _quota(root))))


def _quota(root: Path) -> float:
    """Return the smallest quota that binds this process, in processors; `inf` where none does."""
    groups = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path.lstrip("/")
    quotas = [_unified(folder) for folder in _folders(root / "sys/fs/cgroup", groups.get("", ""))]
    quotas += [_legacy(folder) for folder in _folders(root / "sys/fs/cgroup/cpu", groups.get("cpu", ""))]
    return min(quotas)


def _folders(mount: Path, path: str) -> list[Path]:
    """Return the folder of a group and those of the groups around it.

    In a container the path may be the host's; then only the mount itself is there.
    """
    group = mount / path
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(mount)]


def _unified(folder: Path) -> float:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _legacy(folder: Path) -> float:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float:
    # No bound is written as `max` in one version and as -1 in the other.
    if not (quota.isdecimal() and period.isdecimal()) or int(period) == 0:
        return math.inf
    return int(quota) / int(period)


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace").strip()
    return ""
