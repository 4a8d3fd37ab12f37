"""Plugins that misbehave: said with file and line, left out or put right; the others go on working.

tests/plugins/test_plugin_folders.py has those that raise, exit, are garbled, clash, are empty or
misnamed.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import dlexp.plugins
from dlexp.cli.main import main
from dlexp.core import registry
from dlexp.errors import PluginError
from dlexp.plugins import discovery

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
    "half": (
        GOOD + "\nraise RuntimeError('after it was registered')",
        "after it was registered",
        13,
    ),
    "no_kind": (
        '@plugin("no_kind")\nclass X:\n    pass',
        "X is of no kind: derive it from Optimizer",
        3,
    ),
    "root": (
        'from dlexp.core.registry import Plugin\n@plugin("root")\nclass X(Plugin):\n    pass',
        "is of no kind",
        4,
    ),
    "function": ('@plugin("function")\ndef f(): pass', "f is of no kind", 3),
    "number": (GOOD.replace('"{name}"', "3"), "letters, digits and underscores, not 3", 4),
    "nothing": (GOOD.replace('"{name}"', "None"), "not None", 4),
    "escaping": (GOOD.replace('"{name}"', "'../x'"), "not '../x'", 4),
    "lacking": ('@plugin("lacking")\nclass X(Optimizer):\n' + BODY, "X lacks update", 3),
    "rateless": (
        '@plugin("rateless")\nclass X(Optimizer):\n    """w ← w − g"""\n' + UPDATE,
        "X: has no field lr",
        3,
    ),
    "rate_of_all": (
        '@plugin("rate_of_all")\nclass X(Optimizer):\n    """w ← w − g"""\n    lr = 0.1\n' + UPDATE,
        "X: has no field lr",
        3,
    ),
    "wrong_base": (
        '@plugin("wrong_base")\nclass X(Schedule):\n    def __call__(self, t, total): return 1.0',
        "registers no optimizer called wrong_base",
        None,
    ),
    "mutable": (
        '@plugin("mutable")\nclass X(Optimizer):\n' + BODY + "    x: list = []\n" + UPDATE,
        "mutable default",
        3,
    ),
    "unknown_type": (
        '@plugin("unknown_type")\nclass X(Optimizer):\n' + BODY + '    x: "Nope" = 1\n' + UPDATE,
        "NameError: name 'Nope' is not defined",
        None,
    ),
    "odd_type": (
        "import numpy as np\n"
        + '@plugin("odd_type")\nclass X(Optimizer):\n'
        + BODY
        + "    x: np.ndarray | None = None\n"
        + UPDATE,
        "X: ",
        4,
    ),
    "second": (GOOD + GOOD.replace("{name}", "sgd"), "is already registered by", 13),
    "with-dash": (GOOD, "the name of a plugin's file", None),
    "2nd": (GOOD, "the name of a plugin's file", None),
    "leaves": ("import os\nos._exit(0)", "SystemExit: os._exit(0)", 4),
    "leaves_by_name": (
        "from posix import *\nfrom os import _exit\n_exit(3)",
        "SystemExit: os._exit(3)",
        5,
    ),
    "interrupts": ("raise KeyboardInterrupt('x')", "KeyboardInterrupt: x", 3),
    "latin": (b"x = '\xe9'\n", "SyntaxError", None),
    "nul": (b"x = 1\0", "null bytes", None),
}


def write(folder, name, text, kind="optimizer"):
    file = folder / kind / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(
        text if isinstance(text, bytes) else (HEAD + text.replace("{name}", name)).encode()
    )
    return file


@pytest.fixture
def folder(in_tmp, monkeypatch):
    """A plugin folder of one's own; what it brought is forgotten afterwards."""
    home = in_tmp / "own"
    monkeypatch.setenv("DLEXP_PLUGINS", str(home))
    before, broken, path = (
        set(registry.every()),
        dict(discovery._broken),
        list(dlexp.plugins.__path__),
    )
    yield home
    for cls in set(registry.every()) - before:
        registry.unregister(cls)
    for name in [n for n in sys.modules if n.startswith("dlexp.plugins.")]:
        if str(in_tmp) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    discovery._broken.clear(), discovery._broken.update(broken)
    dlexp.plugins.__path__[:] = path


@pytest.fixture
def message(folder, capsys, caplog):
    """Discover, and say what was said."""

    def discover():
        caplog.clear()
        discovery.discover()
        return [record.getMessage() for record in caplog.records]

    return discover


@pytest.mark.parametrize("name", LEFT_OUT)
def test_one_that_cannot_be_used_is_said_with_its_place_and_fails_clearly_when_selected(
    name, folder, in_tmp, capsys
):
    text, wrong, line = LEFT_OUT[name]
    file = write(folder, name, text)
    options = {
        cls for cls in registry.every() if cls.__module__ != f"dlexp.plugins.optimizer.{name}"
    }
    assert main(["--cfg", "job", "optimizer=sgd"]) == 0
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"dlexp: warning: plugin optimizer/{name} left out: {file}")
    assert wrong in warning
    assert line is None or f"{file}:{line}: " in warning
    assert set(registry.every()) == options, "something of it is left"
    assert main([f"optimizer={name}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        f"dlexp: error: optimizer={name} (command line): cannot be loaded: {file}"
    )
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


def test_fifty_broken_files_do_not_hide_the_one_that_works(folder, message):
    for i in range(50):
        write(folder, f"bad{i}", f"raise ValueError({i})")
    write(folder, "works_all_the_same", GOOD)
    assert len(message()) == 50
    assert registry.find("optimizer", "works_all_the_same")().lr == 0.1


def test_what_a_plugin_prints_when_it_is_imported_is_not_part_of_the_output(folder, capsys):
    file = write(
        folder, "talks", "import sys\nsys.stdout.write('hello\\nthere ')\nprint('you')\n" + GOOD
    )
    assert main(["--cfg", "job", "optimizer=talks"]) == 0
    out, err = capsys.readouterr()
    assert "hello" not in out
    assert (
        err == f"dlexp: warning: plugin optimizer/talks, when it is imported: {file}: line 4 prints"
        " 'hello there you'\n"
    )


def test_what_a_plugin_changes_when_it_is_imported_is_put_back_and_said(folder, message, in_tmp):
    write(folder, "moves", "import os\nos.chdir('/')\n" + GOOD)
    write(folder, "seeds", "import random, numpy\nrandom.seed(1)\nnumpy.random.seed(1)\n" + GOOD)
    write(folder, "moves_and_fails", "import os\nos.chdir('/')\n1 / 0\n")
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()
    warnings = message()
    assert Path.cwd() == in_tmp
    assert (np.random.get_state()[1] == numpy_state).all()
    assert random.getstate() == python_state
    assert len(warnings) == 4
    assert sum("moves.py: it changes the working folder" in line for line in warnings) == 1
    assert (
        sum(
            "seeds.py: it changes the global random state, which is restored" in line
            for line in warnings
        )
        == 1
    )


SHARED = {  # what a file does: what is said of it
    "paths": (
        "import sys\nsys.path[:] = []",
        "it removes entries of sys.path, which are restored",
    ),
    "paths_gone": (
        "import sys\nsys.path = None",
        "it removes entries of sys.path, which are restored",
    ),
    "finders": (
        "import sys\nsys.meta_path.clear()",
        "it removes entries of sys.meta_path, which are restored",
    ),
    "builtin": (
        "import builtins\nbuiltins.print = None",
        "it changes Python's builtins, which are restored",
    ),
    "builtins_all": (
        (
            "import builtins\nfor n in ('set', 'len', 'any', 'str', 'next', 'type'): "
            "setattr(builtins, n, None)"
        ),
        "it changes Python's builtins, which are restored",
    ),
    "variable": (
        "import os\nos.environ['DLEXP_OUTPUTS'] = '/elsewhere'",
        "it changes the environment, which is restored",
    ),
    "variables": ("import os\nos.environ.clear()", "it changes the environment, which is restored"),
    "mask": (
        "import os\nos.umask(0o777)",
        "it changes the permissions of new files, which is restored",
    ),
    "numpy_errors": (
        "import numpy\nnumpy.seterr(all='raise')",
        "it changes NumPy's handling of errors, which is restored",
    ),
    "generator": (
        "import numpy\nnumpy.random.set_bit_generator(numpy.random.PCG64(1))",
        "it changes the global random state, which is restored",
    ),
    "handler": (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)",
        "it changes the signal handlers, which is restored",
    ),
    "handlers": (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)",
        "it changes the signal handlers, which is restored",
    ),
    "unlogged": (
        "import logging\nlogging.disable()",
        "it changes what is logged, which is restored",
    ),
    "depth": (
        "import sys\nsys.setrecursionlimit(200)",
        "it changes the recursion limit, which is restored",
    ),
    "unsaid": (
        "import sys\nsys.stderr = None",
        "it changes where errors are written, which is restored",
    ),
}
SEEN = """
import builtins, logging, os, signal, sys
import numpy as np
from dlexp.cli.main import main
def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
def seen():
    signals = {n: signal.getsignal(n) for n in signal.valid_signals()}
    paths = list(sys.path), list(sys.meta_path), list(sys.path_hooks)
    streams = sys.stderr, sys.stdout, sys.getrecursionlimit()
    state = np.random.get_state(legacy=False)
    return (dict(vars(builtins)), dict(os.environ), umask(), np.geterr(), str(state), signals,
            paths, streams, logging.root.manager.disable, os._exit, os.getcwd())
main(["--version"])
import dlexp.config, dlexp.cli.summary, dlexp.sweeps.session
before = seen()
assert main(["optimizer=adam", "--cfg", "job"]) == 0
for was, now in zip(before, seen()):
    assert was == now, (was, now)
"""


@pytest.mark.parametrize("name", SHARED)
def test_what_all_share_is_put_back_and_a_run_without_the_plugin_is_not_disturbed(name, in_tmp):
    text, what = SHARED[name]
    file = write(in_tmp / "plugins", f"shared_{name}", text + "\n" + GOOD)
    done = subprocess.run(
        [sys.executable, "-c", SEEN], capture_output=True, text=True, cwd=in_tmp, timeout=100
    )
    assert done.returncode == 0, done.stderr
    message = f"dlexp: warning: plugin optimizer/shared_{name}, when it is imported: {file}: {what}"
    assert message in done.stderr.splitlines()
    assert "beta1: 0.9" in done.stdout


def test_a_file_that_ends_the_process_or_never_lets_it_end_is_said_and_does_neither(in_tmp):
    write(in_tmp / "plugins", "leaves_silently", "import os\nos._exit(0)")
    forever = (
        "import threading, time\nt = threading.Thread(target=lambda: time.sleep(1000), name='busy',"
        " daemon=False)\n"
    )
    write(in_tmp / "plugins", "never_ends", forever + "t.start()\n" + GOOD)
    command = [sys.executable, "-m", "dlexp", "optimizer=adam", *RUN]
    done = subprocess.run(command, capture_output=True, text=True, cwd=in_tmp, timeout=60)
    assert done.returncode == 0
    assert "finished" in done.stdout
    assert "leaves_silently.py:4: SystemExit: os._exit(0)" in done.stderr
    assert "never_ends.py: it starts a thread, busy, which is not waited for" in done.stderr


@pytest.mark.parametrize("place", ["plugins", "own"])
def test_a_file_named_as_one_that_comes_along_is_left_out_and_the_other_goes_on_working(
    place, in_tmp
):
    file = write(in_tmp / place, "adam", GOOD)
    write(in_tmp / place, "__init__", "raise RuntimeError")
    environment = {**os.environ, "DLEXP_PLUGINS": str(in_tmp / "own")}
    for words, status in (
        ([*RUN, "optimizer=adam", "optimizer.beta1=0.8"], 0),
        (["doctor"], 1),
        (["help", "adam"], 0),
    ):
        command = [sys.executable, "-m", "dlexp", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=in_tmp, timeout=100, env=environment
        )
        assert done.returncode == status, done.stderr
        lines = (done.stdout if words == ["doctor"] else done.stderr).splitlines()
        (line,) = [line for line in lines if "adam.py" in line]
        assert f"{file}: PluginError: {file} has the same name as " in line
        assert line.endswith("rename it")
        assert words != ["doctor"] or line.startswith(
            f"to do     {place}/optimizer/adam.py: cannot be loaded"
        ), line


def test_a_thread_begun_by_an_import_is_said(folder, message):
    end = threading.Event()
    discovery.end_of_test = end
    text = "import threading\nfrom dlexp.plugins import discovery as plugins\n"
    text += "threading.Thread(target=plugins.end_of_test.wait, name='busy', daemon=True).start()\n"
    write(folder, "threads", text + GOOD)
    try:
        (line,) = message()
    finally:
        end.set()
        del discovery.end_of_test
    assert "threads.py: it starts a thread, busy" in line


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_during_an_import_ends_the_command(folder, in_tmp, number, status):
    before = signal.getsignal(number)
    write(
        folder,
        "interrupted",
        f"import os, signal\nos.kill(os.getpid(), {int(number)})\nwhile True: pass",
    )
    assert main(["--cfg", "job"]) == status
    assert signal.getsignal(number) is before


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
}
RUN = ["epochs=1", "tracking=none", "observer=none", "data=blobs", "model.hidden=[4]"]


@pytest.mark.parametrize("name", MISCHIEF)
def test_mischief_in_an_update_ends_its_run_with_the_right_status_and_place(
    name, folder, in_tmp, capsys
):
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
        '@plugin("{name}")\nclass X(Observer):\n    """Looks on"""\n\n    def record(self, run,'
        " state, record):\n"
    )
    write(folder, "exits_at_once", observer + "        raise SystemExit(5)\n", "observer")
    write(folder, "keeps_on_self", observer + "        self.seen = record\n", "observer")
    assert main([*RUN, "observer=[exits_at_once,keeps_on_self]"]) == 0
    err = capsys.readouterr().err
    assert "observer exits_at_once failed in record and is not called again; the run goes on" in err
    assert "observer keeps_on_self failed in record" in err


def test_one_bad_job_of_a_sweep_leaves_the_others_alone(in_tmp):
    write(in_tmp / "plugins", "sweep_exits", GOOD.replace("w -= lr * g", "raise SystemExit(0)"))
    write(in_tmp / "plugins", "sweep_broken", "1 / 0")
    command = [sys.executable, "-m", "dlexp", "-m", "optimizer=sweep_exits,sgd", *RUN]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=in_tmp, timeout=300, env=dict(os.environ)
    )
    assert done.returncode == 1, done.stderr
    assert (
        "sweep     1 failed, 1 finished" in done.stdout
        or "sweep     1 finished, 1 failed" in done.stdout
    )
    assert done.stderr.count("plugin optimizer/sweep_broken left out") == 1
