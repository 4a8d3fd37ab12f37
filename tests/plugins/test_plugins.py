"""Every registered plugin passes its kind's checks; every shipped file registers one."""

from pathlib import Path

from dlexp.conformance import parametrize_with_checks
from dlexp.core import registry
from dlexp.core.kinds import KINDS
from dlexp.plugins import discovery


@parametrize_with_checks(references=Path(__file__).parents[1] / "references")
def test_plugin(plugin, check):
    check(plugin)


def test_every_file_of_the_catalogue_registers_its_plugin():
    for kind in KINDS:
        files = {file.stem for file in (discovery.PLUGINS / kind).glob("[!_]*.py")}
        assert files, kind
        assert files <= {cls.name for cls in registry.every(kind)}, [
            discovery.broken(kind, name) for name in files
        ]
