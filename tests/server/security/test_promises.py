"""What docs/security.md promises is held by tests that exist."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<tests>`[^|]+`) \|$", re.MULTILINE)


def promises() -> dict[str, list[str]]:
    _, _, table = (ROOT / "docs" / "security.md").read_text().partition("## Promises")
    return {row["promise"]: re.findall(r"`([^`]+)`", row["tests"]) for row in ROW.finditer(table)}


def test_every_promise_names_tests_that_exist() -> None:
    missing = []
    for named in (name for names in promises().values() for name in names):
        place, _, test = named.partition("::")
        path = ROOT / place if "/" in place else HERE / place
        tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
        if test not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(named)
    assert missing == []


def test_each_row_of_the_table_is_read() -> None:
    _, _, table = (ROOT / "docs" / "security.md").read_text().partition("## Promises")
    rows = [line for line in table.splitlines() if line.startswith("| ") and "promise | test" not in line]
    assert len(promises()) == len(rows) > 20
