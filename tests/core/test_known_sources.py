"""The table of released code: what may be compared with what an old run recorded."""

from pathlib import Path

import pytest

from dlexp.core import identity
from dlexp.core.registry import every
from dlexp.plugins import discovery
from dlexp.plugins.code_digest import code_digest
from dlexp.plugins.source_code import file_of

SHIPPED = sorted(
    {file_of(cls) for cls in every() if discovery.is_shipped(cls) and cls.kind != "observer"}
)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_whether_the_numbers_of_a_plugin_changed_with_its_code_was_decided(file):
    name = f"{file.parent.name}/{file.stem}"
    decide = (
        f"python scripts/known_sources.py --same {name}, or --other {name} if its numbers changed"
    )
    code = code_digest(file.read_bytes())
    is_new = f"{name}.py" not in identity._known()["plugins"]
    assert is_new or identity.is_settled(f"{name}.py", code), decide


def test_the_code_of_the_first_version_is_known_by_its_bytes():
    adam = identity.settled("optimizer/adam.py", "d5378fd826fe298d")
    (file,) = [file for file in SHIPPED if file.stem == "adam"]
    assert adam == identity.settled("optimizer/adam.py", code_digest(file.read_bytes()))
    first = {"dlexp/layers.py": "90758e86f5399a8e", "dlexp/trainer.py": "a79d2bcc6fde7f9c"}
    assert identity.numerics_of(first) == (1, [])
    changed = first | {"dlexp/trainer.py": "0" * 16}
    assert identity.numerics_of(changed) == (None, ["dlexp/trainer.py"])


def test_the_plugins_that_are_checked_are_there():
    assert len(SHIPPED) > 35
    assert all(isinstance(file, Path) for file in SHIPPED)
