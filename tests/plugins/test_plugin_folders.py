"""A technique is one file, in any of three places, with no other edit."""

import os
import subprocess
import sys

import pytest

LION = '''
"""Lion."""

import numpy as np

from dlexp import Optimizer, fraction, plugin, positive


@plugin("{name}")
class {cls}(Optimizer):
    """w ← w − lr·sign(β₁m + (1−β₁)g);  m ← β₂m + (1−β₂)g (Chen et al. 2023, https://arxiv.org/abs/2302.06675)"""

    lr: float = positive(1e-4)
    beta1: float = fraction(0.9)
    beta2: float = fraction(0.99)
    slots = ("m",)

    def update(self, w, g, s, lr, t):
        w -= lr * np.sign(self.beta1 * s.m + (1 - self.beta1) * g)
        s.m += (1 - self.beta2) * (g - s.m)
'''


def dlexp(*words, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "dlexp", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def write(folder, name="lion", cls="Lion", kind="optimizer", text=LION):
    (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / kind / f"{name}.py").write_text(
        text.replace("{name}", name).replace("{cls}", cls), encoding="utf-8"
    )


@pytest.mark.parametrize("place", ["plugins", "elsewhere"])
def test_a_new_optimizer_is_one_file_with_help_values_and_errors_of_its_own(place, in_tmp):
    write(in_tmp / place)
    environment = {"DLEXP_PLUGINS": str(in_tmp / "elsewhere")} if place == "elsewhere" else {}
    done = dlexp(
        "optimizer=lion",
        "optimizer.lr=0.001",
        "epochs=1",
        "tracking=none",
        cwd=in_tmp,
        **environment,
    )
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    shown = dlexp("help", "lion", cwd=in_tmp, **environment)
    assert "optimizer.beta2=0.99" in shown.stdout
    wrong = dlexp("optimizer=lion", "optimizer.beta3=1", cwd=in_tmp, **environment)
    assert wrong.returncode == 2
    assert (
        "lion has no field beta3; choose from lr, beta1, beta2; did you mean 'beta2'?"
        in wrong.stderr
    )


def test_of_two_files_of_one_name_neither_is_taken_for_the_other(in_tmp):
    write(in_tmp / "a"), write(in_tmp / "b")
    environment = {"DLEXP_PLUGINS": os.pathsep.join([str(in_tmp / "a"), str(in_tmp / "b")])}
    done = dlexp("--cfg", "job", "optimizer=sgd", cwd=in_tmp, **environment)
    assert done.returncode == 0
    assert "lion.py has the same name as" in done.stderr
    assert done.stderr.count("\n") == 1
    chosen = dlexp("optimizer=lion", cwd=in_tmp, **environment)
    assert chosen.returncode == 2
    assert str(in_tmp / "a") in chosen.stderr
    assert str(in_tmp / "b") in chosen.stderr


BAD = {
    "raises": ("raise RuntimeError('no')", "raises.py:1: RuntimeError: no"),
    "exits": ("import sys\nsys.exit(3)", "exits.py:2: SystemExit: 3"),
    "garbled": ("def f(:\n", "garbled.py:1: SyntaxError"),
    "clashes": (
        LION.replace("{name}", "adam").replace("{cls}", "Adam"),
        "is already registered by",
    ),
    "empty": ("x = 1", "registers no optimizer called empty"),
    "misnamed": (
        LION.replace("{name}", "good").replace("{cls}", "Good"),
        "registers no optimizer called misnamed",
    ),
}


def test_plugins_that_misbehave_are_named_with_file_and_line_and_the_others_work(in_tmp):
    for name, (text, _) in BAD.items():
        write(in_tmp / "plugins", name=name, text=text)
    shown = dlexp("--cfg", "job", "optimizer=sgd", cwd=in_tmp)
    assert shown.returncode == 0
    assert "Traceback" not in shown.stderr
    for name, (_, message) in BAD.items():
        (line,) = [
            line
            for line in shown.stderr.splitlines()
            if f"plugin optimizer/{name} left out" in line
        ]
        assert message in line
    again = (
        "from dlexp.cli.main import main; print([main([f'optimizer={name}']) for name in "
        + repr(list(BAD))
        + "])"
    )
    chosen = subprocess.run(
        [sys.executable, "-c", again], cwd=in_tmp, capture_output=True, text=True
    )
    assert chosen.stdout.strip() == str([2] * len(BAD))
    for name in BAD:
        assert f"dlexp: error: optimizer={name} (command line): cannot be loaded" in chosen.stderr


def test_python_files_in_a_plugins_folder_of_somebody_else_are_left_alone(in_tmp):
    (in_tmp / "plugins").mkdir()
    (in_tmp / "plugins" / "setup.py").write_text("raise SystemExit('executed')")
    (in_tmp / "plugins" / "other").mkdir()
    (in_tmp / "plugins" / "other" / "thing.py").write_text("raise SystemExit('executed')")
    done = dlexp("--cfg", "job", cwd=in_tmp)
    assert done.returncode == 0
    assert done.stderr == ""
