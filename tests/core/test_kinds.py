"""A kind of plugin is one file: everything that the framework knows of it follows from there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlexp.conformance import checks_for
from dlexp.core import kinds, registry
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin

ROOT = Path(__file__).parents[2]
# two kinds, each with its checks and options, and the lines of the menu
FILES = {
    "dlexp/core/kinds/augmentation.py": '''
        from abc import abstractmethod

        from dlexp.core.kinds.declaration import kind
        from dlexp.core.registry import Plugin

        @kind("augmentation", summary="what changes a batch", alias="aug", needs_network=True)
        class Augmentation(Plugin):
            """Changes a batch before it is learned from."""

            @abstractmethod
            def __call__(self, x): ...
        ''',
    "dlexp/core/kinds/greeter.py": '''
        from dlexp.core.kinds.declaration import kind
        from dlexp.core.registry import Plugin

        @kind("greeter", summary="what says hello", many=True, identity=False)
        class Greeter(Plugin):
            """Says hello."""
        ''',
    "dlexp/conformance/augmentation.py": """
        import numpy as np

        def check_keeps_the_shape(p):
            assert p(np.ones((2, 3))).shape == (2, 3)
        """,
    "dlexp/conformance/greeter.py": "",
    "plugins/augmentation/none.py": '''
        """No augmentation."""
        from dlexp import Augmentation, plugin

        @plugin("none")
        class NoAugmentation(Augmentation):
            """x as it is."""

            does_nothing = True

            def __call__(self, x):
                return x
        ''',
    "plugins/augmentation/scale.py": '''
        """A factor."""
        from dlexp import Augmentation, plugin, positive

        @plugin("scale")
        class Scale(Augmentation):
            """x ← factor·x

            Source: nobody (2026), https://example.org
            """

            factor: float = positive(2.0)

            def __call__(self, x):
                return self.factor * x
        ''',
    "plugins/greeter/hello.py": '''
        """Hello."""
        from dlexp import Greeter, plugin

        @plugin("hello")
        class Hello(Greeter):
            """Says hello."""

            loud: bool = False
        ''',
}
MENU = "  - augmentation: none\n  - greeter: [hello]\n"
SEEN = """
    import sys
    from pathlib import Path

    import pytest

    import dlexp
    from dlexp import figures
    from dlexp.cli.help import overview
    from dlexp.config import compose_run, rebuild
    from dlexp.conformance import checks_for
    from dlexp.core.silent_keys import is_silent
    from dlexp.runs import provenance

    assert Path(dlexp.__file__).is_relative_to(Path.cwd())
    assert {"Augmentation", "Greeter"} <= {*dlexp.__all__}
    usual = compose_run().experiment
    chosen = compose_run("aug=scale", "augmentation.factor=3").experiment
    assert (usual.augmentation.name, chosen.augmentation.factor) == ("none", 3.0)
    assert [g.name for g in usual.greeter] == ["hello"]

    lines = overview().splitlines()
    assert "augmentation: what changes a batch" in lines
    assert any(line.startswith("  * none ") and "x as it is" in line for line in lines)

    assert provenance.run_name(usual) == "adam he s0"
    assert provenance.run_name(chosen) == "adam he scale factor=3.0 s0"
    assert "augmentation/scale.py" in provenance.source_files(chosen)
    assert figures.choices(chosen).endswith(" · scale factor=3")
    assert "none" not in figures.choices(usual)

    params = chosen.params()
    assert (params["augmentation"], params["augmentation.factor"]) == ("scale", 3.0)
    assert not [key for key in params if key.startswith("greeter")]
    assert is_silent("greeter.hello.loud=true") and not is_silent("aug=scale")

    with pytest.raises(dlexp.UserError, match="objective=valley has no augmentation"):
        compose_run("objective=valley", "aug=scale")
    assert "augmentation" not in compose_run("objective=valley").experiment.params()

    checks = checks_for(chosen.augmentation)
    assert "keeps_the_shape" in [check.name for check in checks]
    for check in checks:
        try:
            check(chosen.augmentation)
        except pytest.skip.Exception:
            pass

    # a run that was made before the kind existed
    run = dlexp.run("steps=2", "observer=none", "tracking=none", "aug=none")
    config = run.folder / "config.yaml"
    text = config.read_text("utf-8")
    assert "augmentation:\\n  name: none\\n" in text
    config.write_text(text.replace("augmentation:\\n  name: none\\n", ""), "utf-8")
    assert rebuild(config).experiment.augmentation == usual.augmentation
    print("seen")
"""


def dedented(text):
    lines = text.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    return "\n".join(line[margin:] for line in lines) + "\n"


@pytest.fixture
def checkout(tmp_path):
    for folder in ("dlexp", "conf", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_a_kind_is_one_file_with_its_checks_and_a_line_in_the_menu(checkout):
    for name, text in FILES.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(dedented(text), encoding="utf-8")
    menu = checkout / "conf/config.yaml"
    text = menu.read_text(encoding="utf-8")
    menu.write_text(text.replace("  - tracking:", f"{MENU}  - tracking:"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", dedented(SEEN)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "seen\n"), done.stderr


def test_every_kind_says_what_it_is_in_help_and_has_checks():
    for known in kinds.every():
        assert known.summary
        for cls in registry.every_of(known.cls):
            own = {check.function.__module__ for check in checks_for(cls)}
            assert len(own) > 1 or cls.does_nothing, cls


def test_a_kind_has_one_place_and_one_name():
    ranks = [known.rank for known in kinds.every()]
    assert len({*ranks}) == len(ranks)
    with pytest.raises(ValueError, match=r"optimizer is declared by dlexp.core.kinds.optimizer"):
        kind("optimizer", summary="again")(type("Again", (Plugin,), {}))


def test_a_layer_is_a_kind_but_no_part_of_an_experiment():
    assert kinds.find("layer").cls is kinds.Layer
    assert "layer" not in kinds.KINDS
    assert kinds.find("no such kind") is None
