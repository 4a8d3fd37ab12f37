"""Each promise of docs/promises.md names its tests, and they exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)


def functions_of(file):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_at_least_one_test():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "|---"))]
    assert len(rows) >= 40
    assert [row for row in rows if "::" not in row] == []


def test_every_test_that_is_named_exists():
    assert [f"{file}::{name}" for file, name in NAMED if name not in functions_of(file)] == []


def test_no_test_is_named_twice_for_one_promise():
    for row in TEXT.splitlines():
        named = re.findall(r"::(test_\w+)", row)
        assert len(named) == len(set(named)), row
