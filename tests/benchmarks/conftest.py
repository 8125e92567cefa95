"""The benchmarks are run from the checkout and not installed: let the tests find them there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
