"""`scripts/structure` measures made-up trees: circles, imports, lines, files with a name."""

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "structure"


@pytest.fixture(scope="module")
def structure():
    loader = SourceFileLoader("structure_script", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.dont_write_bytecode", True)
        patch.setitem(importlib.sys.modules, loader.name, module)  # dataclasses look there
        loader.exec_module(module)
        yield module


def write(folder, files):
    for name, text in {"dlexp/__init__.py": "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


STRAIGHT = {
    "dlexp/low.py": "",
    "dlexp/high.py": "from dlexp import low\nfrom dlexp.box.inner import thing\n",
    "dlexp/box/__init__.py": "",
    "dlexp/box/inner.py": "from .. import low\nthing = low\n",
}
TYPING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dlexp.high import x\n"


def test_a_circle_is_named_with_its_lines_and_fails_the_check(structure, tmp_path, capsys):
    lazy = {"dlexp/low.py": "def f():\n    from dlexp.high import g\n    return g\n"}
    tree = write(tmp_path, STRAIGHT | lazy)
    assert structure.main(["--check", str(tree)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("dlexp: box.inner ↔ high ↔ low")
    assert "  dlexp/low.py:2 imports high inside a function" in lines
    assert "  dlexp/box/inner.py:1 imports low" in lines


def test_a_call_of_import_module_closes_a_circle(structure, tmp_path):
    call = 'import importlib\nx = importlib.import_module("dlexp.high")\n'
    assert structure.main(["--check", str(write(tmp_path, STRAIGHT | {"dlexp/low.py": call}))]) == 1


def test_a_circle_of_benchmarks_that_import_by_bare_names_fails_the_check(structure, tmp_path):
    circle = {"benchmarks/a.py": "import b\n", "benchmarks/b.py": "from a import x\n"}
    assert structure.main(["--check", str(write(tmp_path, STRAIGHT | circle))]) == 1


def test_a_tree_without_a_circle_passes_the_check(structure, tmp_path, capsys):
    assert structure.main(["--check", str(write(tmp_path, STRAIGHT))]) == 0
    assert capsys.readouterr().out == ""


def test_an_import_for_typing_is_counted_apart_and_passes_the_check(structure, tmp_path):
    tree = write(tmp_path, STRAIGHT | {"dlexp/low.py": TYPING})
    assert structure.main(["--check", str(tree)]) == 0
    assert structure.main(["--check", "--typing", str(tree)]) == 1
    rows, names = structure.measure(structure.Tree(tree))
    assert names["circles between units, with typing"] == ["box ↔ high ↔ low"]
    assert (rows["circles between units"], rows["… for typing only"]) == (0, 1)


def test_modules_arrows_levels_and_lines_are_counted(structure, tmp_path):
    list_ = "x = [\n    1,\n    2,\n    3\n]  # fmt: skip\nstatus = 'FAILED'\n"
    files = STRAIGHT | {"dlexp/high.py": STRAIGHT["dlexp/high.py"] + list_}
    rows, _ = structure.measure(structure.Tree(write(tmp_path, files)))
    assert (rows["top-level modules"], rows["packages"], rows["units"]) == (2, 1, 3)
    assert (rows["levels"], rows["arrows between units"]) == (3, 3)
    assert rows["arrows between modules"] == 3
    assert (rows["lines of dlexp/"], rows["… reformatted to 100 columns"]) == (10, "8")
    assert (rows["fmt: skip"], rows["status literals (in files)"]) == (1, "1 (1)")


def test_a_class_name_that_exists_twice_is_named(structure, tmp_path):
    twice = {"dlexp/low.py": "class A: ...\n", "dlexp/box/inner.py": "class A: ...\nclass B: ...\n"}
    tree = structure.Tree(write(tmp_path, STRAIGHT | twice))
    assert structure.class_names(tree) == ["A (box.inner, low)"]


def test_an_example_is_found_by_its_name_wherever_it_lies(structure, tmp_path):
    files = {
        "dlexp/cli/commands/replay.py": (
            '"""Replay."""\nlong = "Nothing else explains this in the tree."\n'
        ),
        "dlexp/chinese.py": '{"Nothing else explains this in the tree": "…"}',
        "dlexp/cli/main.py": 'HELP = "python -m dlexp replay <run>"\n',
        "dlexp/cli/other.py": (
            '"""A replay."""\n\n\ndef f(x):\n    replay = x  # replay\n    return replay\n'
        ),
        "conf/config.yaml": "seed: 1  # of a replay\n",
        "conf/experiment/a.yaml": "replay: 1\n",
        "tests/rules/test_architecture_order.py": 'ORDER = ["replay"]\n',
        "tests/test_other.py": 'x = ["replay"]\n',
    }
    reasons = structure.touched(structure.Tree(write(tmp_path, files)), "verb", "replay")
    assert reasons == {
        "dlexp/chinese.py": ["repeats “Nothing else explains this in the tree…”"],
        "dlexp/cli/commands/replay.py": ["file name"],
        "dlexp/cli/main.py": ["text (1)"],
        "tests/rules/test_architecture_order.py": ["string (1)"],
    }


def test_a_kind_is_found_by_its_class_and_not_by_its_plugins(structure, tmp_path):
    files = {
        "dlexp/core/kinds/schedule.py": "class Schedule: ...\n",
        "dlexp/core/trainer.py": "from dlexp.core.kinds.schedule import Schedule\n",
        "dlexp/core/experiment.py": "class Experiment:\n    schedule: object\n",
        "plugins/schedule/constant.py": "from dlexp import Schedule\n",
        "conf/config.yaml": "- schedule: constant\n",
    }
    places = structure.touched(structure.Tree(write(tmp_path, files)), "kind", "schedule")
    assert sorted(places) == [
        "conf/config.yaml",
        "dlexp/core/experiment.py",
        "dlexp/core/kinds/schedule.py",
        "dlexp/core/trainer.py",
    ]


def test_the_table_has_a_column_per_tree_and_files_on_request(structure, tmp_path, capsys):
    one = write(tmp_path / "one", {"dlexp/sweeps/local.py": "class LocalLauncher: ...\n"})
    two = write(tmp_path / "two", {"dlexp/sweeps/local.py": "local = 'hostname'\n"})
    assert structure.main([str(one), str(two), "--files"]) == 0
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if "touched to add a launcher  " in line]
    assert row.split()[-3:] == ["1", "no", "example"]
    assert "  dlexp/sweeps/local.py: file name, definition (1)" in out


def test_another_example_may_be_chosen_and_an_unknown_sort_is_refused(structure, tmp_path, capsys):
    tree = write(tmp_path, {"dlexp/verbs/doctor.py": "", "dlexp/cli.py": 'VERBS = ["doctor"]\n'})
    assert structure.main([str(tree), "--files", "--example", "verb=doctor"]) == 0
    assert "touched to add a verb (2)" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        structure.main(["--example", "word=doctor"])
    assert "--example word=doctor: choose from optimizer, kind," in capsys.readouterr().err


def test_an_unknown_revision_ends_in_one_line(structure, capsys):
    with pytest.raises(SystemExit, match="2"):
        structure.main(["no-such-revision"])
    assert capsys.readouterr().err.startswith("structure: error: no-such-revision: ")
