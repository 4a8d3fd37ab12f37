"""Plugins that misbehave: said with file and line, left out or put right; the others go on working.

tests/test_plugin_folders.py has those that raise, exit, are garbled, clash, are empty or misnamed.
"""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dlexp import plugins, registry
from dlexp.cli import main
from dlexp.errors import PluginError

HEAD = "from dlexp import *\nimport dlexp\n"
GOOD = '''
@plugin("{name}")
class Own(Optimizer):
    """w ← w − lr·g"""

    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        w -= lr * g
'''
BODY = '    """w ← w − lr·g"""\n\n    lr: float = 0.1\n'
UPDATE = "\n    def update(self, w, g, s, lr, t):\n        w -= lr * g\n"

LEFT_OUT = {  # name: (text, what is said beside the file, its line)
    "odd_exception": ("class Odd(BaseException): pass\nraise Odd('no')", "Odd: no", 4),
    "generator_exit": ("raise GeneratorExit", "GeneratorExit", 3),
    "many_lines": ("raise ValueError('a\\nb\\n\\nc')", "ValueError: a b c", 3),
    "endless": ("def f(): f()\nf()", "RecursionError", 3),
    "half": (GOOD + "\nraise RuntimeError('after it was registered')", "after it was registered", 13),
    "no_kind": ('@plugin("no_kind")\nclass X:\n    pass', "X is of no kind: derive it from Optimizer", 3),
    "root": ('from dlexp.registry import Plugin\n@plugin("root")\nclass X(Plugin):\n    pass', "is of no kind", 4),
    "function": ('@plugin("function")\ndef f(): pass', "f is of no kind", 3),
    "number": (GOOD.replace('"{name}"', "3"), "letters, digits and underscores, not 3", 4),
    "nothing": (GOOD.replace('"{name}"', "None"), "not None", 4),
    "escaping": (GOOD.replace('"{name}"', "'../x'"), "not '../x'", 4),
    "lacking": ('@plugin("lacking")\nclass X(Optimizer):\n' + BODY, "X lacks update", 3),
    "wrong_base": ('@plugin("wrong_base")\nclass X(Schedule):\n    def __call__(self, t, total): return 1.0',
                   "registers no optimizer called wrong_base", None),
    "mutable": ('@plugin("mutable")\nclass X(Optimizer):\n' + BODY + "    x: list = []\n" + UPDATE,
                "mutable default", 3),
    "unknown_type": ('@plugin("unknown_type")\nclass X(Optimizer):\n' + BODY + '    x: "Nope" = 1\n' + UPDATE,
                     "NameError: name 'Nope' is not defined", None),
    "odd_type": ("import numpy as np\n" + '@plugin("odd_type")\nclass X(Optimizer):\n' + BODY
                 + "    x: np.ndarray | None = None\n" + UPDATE, "X: ", 4),
    "second": (GOOD + GOOD.replace("{name}", "sgd"), "is already registered by", 13),
    "with-dash": (GOOD, "the name of a plugin's file", None),
    "2nd": (GOOD, "the name of a plugin's file", None),
    "latin": (b"x = '\xe9'\n", "SyntaxError", None),
    "nul": (b"x = 1\0", "null bytes", None),
}  # fmt: skip


def write(folder, name, text, kind="optimizer"):
    file = folder / kind / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else (HEAD + text.replace("{name}", name)).encode())
    return file


@pytest.fixture
def folder(in_tmp, monkeypatch):
    """A plugin folder of one's own; what it brought is forgotten afterwards."""
    home = in_tmp / "own"
    monkeypatch.setenv("DLEXP_PLUGINS", str(home))
    before, broken, path = set(registry.every()), dict(plugins._broken), list(plugins.__path__)
    yield home
    for cls in set(registry.every()) - before:
        registry.unregister(cls)
    for name in [n for n in sys.modules if n.startswith("dlexp.plugins.")]:
        if str(in_tmp) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    plugins._broken.clear(), plugins._broken.update(broken)
    plugins.__path__[:] = path


@pytest.fixture
def said(folder, capsys, caplog):
    """Discover, and say what was said."""

    def discover():
        caplog.clear()
        plugins.discover()
        return [record.getMessage() for record in caplog.records]

    return discover


@pytest.mark.parametrize("name", LEFT_OUT)
def test_one_that_cannot_be_used_is_said_with_its_place_and_fails_clearly_when_selected(name, folder, in_tmp, capsys):
    text, wrong, line = LEFT_OUT[name]
    file = write(folder, name, text)
    options = {cls for cls in registry.every() if cls.__module__ != f"dlexp.plugins.optimizer.{name}"}
    assert main(["--cfg", "job", "optimizer=sgd"]) == 0
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"dlexp: warning: plugin optimizer/{name} left out: {file}")
    assert wrong in warning
    assert line is None or f"{file}:{line}: " in warning
    assert set(registry.every()) == options, "something of it is left"
    assert main([f"optimizer={name}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"dlexp: error: optimizer={name} (command line): cannot be loaded: {file}")
    assert err.count("\n") == 1
    assert not (in_tmp / "outputs").exists()


def test_a_study_that_chooses_a_broken_plugin_is_told_why(folder, in_tmp, capsys):
    write(folder, "broken_in_study", "1 / 0")
    study = in_tmp / "mine" / "experiment" / "uses_it.yaml"
    study.parent.mkdir(parents=True)
    study.write_text("# @package _global_\ndefaults:\n  - override /optimizer: broken_in_study\n")
    assert main(["--config-dir", "mine", "experiment=uses_it"]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert "optimizer=broken_in_study (experiment/uses_it.yaml): cannot be loaded" in err
    assert "broken_in_study.py:3: ZeroDivisionError" in err


def test_fifty_broken_files_do_not_hide_the_one_that_works(folder, said):
    for i in range(50):
        write(folder, f"bad{i}", f"raise ValueError({i})")
    write(folder, "works_all_the_same", GOOD)
    assert len(said()) == 50
    assert registry.find("optimizer", "works_all_the_same")().lr == 0.1


def test_what_a_plugin_prints_when_it_is_imported_is_not_part_of_the_output(folder, capsys):
    file = write(folder, "talks", "import sys\nsys.stdout.write('hello\\nthere ')\nprint('you')\n" + GOOD)
    assert main(["--cfg", "job", "optimizer=talks"]) == 0
    out, err = capsys.readouterr()
    assert "hello" not in out
    assert err == (
        f"dlexp: warning: plugin optimizer/talks, when it is imported: {file}: line 4 prints 'hello there you'\n"
    )


def test_what_a_plugin_changes_when_it_is_imported_is_put_back_and_said(folder, said, in_tmp):
    write(folder, "moves", "import os\nos.chdir('/')\n" + GOOD)
    write(folder, "seeds", "import random, numpy\nrandom.seed(1)\nnumpy.random.seed(1)\n" + GOOD)
    write(folder, "moves_and_fails", "import os\nos.chdir('/')\n1 / 0\n")
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()
    told = said()
    assert Path.cwd() == in_tmp
    assert (np.random.get_state()[1] == numpy_state).all()
    assert random.getstate() == python_state
    assert len(told) == 4
    assert sum("moves.py: it changes the working folder" in line for line in told) == 1
    assert sum("seeds.py: it uses the global random state" in line for line in told) == 1


def test_a_thread_begun_by_an_import_is_said(folder, said):
    end = threading.Event()
    plugins.end_of_test = end
    text = "import threading\nfrom dlexp import plugins\n"
    text += "threading.Thread(target=plugins.end_of_test.wait, name='busy', daemon=True).start()\n"
    write(folder, "threads", text + GOOD)
    try:
        (line,) = said()
    finally:
        end.set()
        del plugins.end_of_test
    assert "threads.py: it starts a thread, busy" in line


def test_ctrl_c_during_an_import_is_ctrl_c(folder, in_tmp):
    write(folder, "interrupted", "raise KeyboardInterrupt")
    assert main(["--cfg", "job"]) == 130


def test_a_name_that_is_no_name_is_refused_without_a_file_too():
    for name in (3, None, "", "a/b", "../x", "a b", "a\nb", "x" * 81, "<script>"):
        with pytest.raises(PluginError, match="letters, digits and underscores"):
            registry.plugin(name)(type("X", (registry.find("optimizer", "sgd"),), {}))
    assert main(["--cfg", "job", "optimizer=sgd"]) == 0


MISCHIEF = {  # what happens in update: (text, exit status, status, what is said)
    "state_on_self": ("self.m = g", 1, "FAILED", "FrozenInstanceError"),
    "raises": ("raise RuntimeError('two\\nlines')", 1, "FAILED", "two"),
    "exits": ("raise SystemExit(0)", 1, "FAILED", "sys.exit(0)"),
    "interrupts": ("raise KeyboardInterrupt", 130, "INTERRUPTED", ""),
    "odd": ("raise type('Odd', (BaseException,), {})('strange')", 1, "FAILED", "strange"),
    "stops": ("raise StopIteration", 1, "FAILED", "StopIteration"),
}  # fmt: skip
RUN = ["epochs=1", "tracking=none", "observer=none", "data=blobs", "model.hidden=[4]"]


@pytest.mark.parametrize("name", MISCHIEF)
def test_mischief_in_an_update_ends_its_run_with_the_right_status_and_place(name, folder, in_tmp, capsys):
    text, status, ended, what = MISCHIEF[name]
    file = write(folder, f"mischief_{name}", GOOD.replace("w -= lr * g", text))
    assert main([f"optimizer=mischief_{name}", *RUN]) == status
    (book,) = in_tmp.glob("outputs/runs/*/journal.jsonl")
    end = json.loads(book.read_text().splitlines()[-1])
    assert (end["event"], end["status"]) == ("finish", ended)
    out, err = capsys.readouterr()
    log = next(in_tmp.glob("outputs/runs/*/run.log")).read_text()
    assert what in err
    if status == 1:
        assert f'"{file}", line 11' in log


def test_mischief_of_an_observer_harms_no_run(folder, in_tmp, capsys):
    observer = (
        '@plugin("{name}")\nclass X(Observer):\n    """Looks on"""\n\n    def record(self, run, state, record):\n'
    )
    write(folder, "exits_at_once", observer + "        raise SystemExit(5)\n", "observer")
    write(folder, "keeps_on_self", observer + "        self.seen = record\n", "observer")
    assert main([*RUN, "observer=[exits_at_once,keeps_on_self]"]) == 0
    err = capsys.readouterr().err
    assert "observer exits_at_once failed in record and looks no more; the run goes on" in err
    assert "observer keeps_on_self failed in record" in err


def test_one_bad_job_of_a_sweep_leaves_the_others_alone(in_tmp):
    write(in_tmp / "plugins", "sweep_exits", GOOD.replace("w -= lr * g", "raise SystemExit(0)"))
    write(in_tmp / "plugins", "sweep_broken", "1 / 0")
    command = [sys.executable, "-m", "dlexp", "-m", "optimizer=sweep_exits,sgd", *RUN]
    done = subprocess.run(command, capture_output=True, text=True, cwd=in_tmp, timeout=300, env=dict(os.environ))
    assert done.returncode == 1, done.stderr
    assert "sweep     1 failed, 1 finished" in done.stdout or "sweep     1 finished, 1 failed" in done.stdout
    assert done.stderr.count("plugin optimizer/sweep_broken left out") == 1
