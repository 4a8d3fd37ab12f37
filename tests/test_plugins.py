"""Every registered plugin keeps the promises of its kind."""

from pathlib import Path

from dlexp.conformance import parametrize_with_checks


@parametrize_with_checks(references=Path(__file__).parent / "references")
def test_plugin(plugin, check):
    check(plugin)
