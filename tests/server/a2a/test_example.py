"""The example of two agents in one chat does what it says."""

import os
import subprocess
import sys
from pathlib import Path

from fakes.loops import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


def test_two_agents_work_in_one_chat(tmp_path: Path) -> None:
    example = ROOT / "examples" / "agents_in_a_chat.py"
    ran = subprocess.run(
        [sys.executable, str(example)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    assert ran.returncode == 0, ran.stderr
    assert "Fuji: 3776 m" in ran.stdout
    assert "+++ FUJI IS 3776 METRES TALL +++" in ran.stdout
    assert ran.stdout.endswith("The almanac knew it, and the herald has made a headline of it.\n")
