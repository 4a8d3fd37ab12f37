"""What may follow on the command line, and the scripts of the shells that ask for it."""

import os
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlexp.cli import completion, vocabulary
from dlexp.cli.completion import candidates
from dlexp.cli.main import main

SHELLS = Path(completion.__file__).with_name("shells")


def words(line):
    """The candidates for the last word of a line."""
    typed = line.split(" ")
    return [value for value, _ in candidates(typed[:-1], typed[-1])]


TABLE = [
    ("re", ["replay", "report", "resume", "regularizer=", "regularizer."]),
    ("see", ["seed="]),
    ("early", ["early_stopping."]),
    ("early_stopping.", ["early_stopping.patience=", "early_stopping.metric="]),
    ("optimizer=ad", ["optimizer=adagrad", "optimizer=adam"]),
    ("optimizer=heavy", ["optimizer=heavy_momentum"]),
    ("init=x", ["init=xavier"]),
    ("optimizer.b", ["optimizer.beta1=", "optimizer.beta2="]),
    ("optimizer=sgd optimizer.", ["optimizer.lr="]),
    ("optimizer=heavy_momentum optimizer.m", ["optimizer.momentum="]),
    ("-m optimizer=sgd,ada", ["optimizer=sgd,adagrad", "optimizer=sgd,adam"]),
    ("-m optimizer=sgd,momentum optimizer.m", ["optimizer.momentum="]),
    ("init=normal init.s", []),
    ("init=normal initializer.s", ["initializer.std="]),
    ("regularizer=dropout regularizer.", ["regularizer.dropout."]),
    ("regularizer=dropout regularizer.dropout.", ["regularizer.dropout.ratio="]),
    ("regularizer=dropout regularizer.drop", ["regularizer.dropout."]),
    ("regularizer=[dropout,w", ["regularizer=[dropout,weight_decay"]),
    ("regularizer=[dropout,weight_decay] regularizer.w", ["regularizer.weight_decay."]),
    ("regularizer=none regularizer.", []),
    ("++optimizer.b", ["++optimizer.beta1=", "++optimizer.beta2="]),
    ("experiment=b", ["experiment=batch_norm"]),
    ("experiment=batch_norm optimizer.dec", ["optimizer.decay="]),
    ("tracking=", ["tracking=mlflow", "tracking=none"]),
    ("tracking=none tracking.", []),
    ("dtype=", ["dtype=float32", "dtype=float64"]),
    ("quick=", ["quick=false", "quick=true"]),
    ("hydra/sw", ["hydra/sweeper="]),
    ("hydra/sweeper=t", ["hydra/sweeper=tpe"]),
    ("--dr", ["--dry-run"]),
    ("--cfg ", ["all", "hydra", "job"]),
    ("-c j", ["job"]),
    ("--config-dir ", []),
    ("epochs=3 re", ["regularizer=", "regularizer."]),  # a verb stands first
    ("resume --any", ["--anyway"]),
    ("report --better ", ["high", "low"]),
    ("report --better=h", ["--better=high"]),
    ("help resu", ["resume"]),
    ("help checkpoint.s", ["checkpoint.seconds"]),
    ("help optimizer.beta1", ["optimizer.beta1"]),
    ("claims weight", ["weight_decay"]),
    ("claims batch_norm ep", ["epochs="]),
    ("probe last observer=diag", ["observer=diagnostics"]),
    ("probe last optimizer=", []),
    ("completion f", ["fish"]),
    ("sync ", ["last"]),
    ("nonsense=", []),
    ("nonsense.", []),
]


@pytest.mark.parametrize(("line", "wanted"), TABLE, ids=[line for line, _ in TABLE])
def test_what_may_follow(line, wanted, in_tmp):
    assert sorted(words(line)) == sorted(wanted)


def test_the_first_word_is_a_verb_a_group_or_a_key(in_tmp):
    assert {"resume", "help", "completion", "optimizer=", "experiment=", "epochs="} <= {*words("")}


def test_runs_and_sweeps_are_proposed_by_name(in_tmp):
    for name in ("runs/b-run", "runs/a-run"):
        (in_tmp / "outputs" / name).mkdir(parents=True)
        (in_tmp / "outputs" / name / "journal.jsonl").write_text("")
    (in_tmp / "outputs/sweeps/mine").mkdir(parents=True)
    (in_tmp / "outputs/sweeps/mine/sweep.json").write_text("{}")
    assert words("resume ") == ["last", "b-run", "a-run", "mine"]
    assert words("replay a") == ["a-run"]
    assert words("report ") == ["last", "mine"]
    assert words("-m seed=1,2 sweep=") == ["sweep=mine"]


def test_studies_and_variants_in_a_folder_of_ones_own_are_proposed(in_tmp):
    for name in ("experiment/wide", "optimizer/quick_adam"):
        file = in_tmp / "my" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("# Mine.\ndefaults: [adam]\nlr: 0.1\n")
    assert words("--config-dir my experiment=wi") == ["experiment=wide"]
    assert words("--config-dir=my optimizer=qu") == ["optimizer=quick_adam"]
    assert words("-cd my optimizer=quick_adam optimizer.e") == ["optimizer.eps="]
    assert words("claims --config-dir my wi") == ["wide"]
    assert words("experiment=wi") == []


def test_a_candidate_is_printed_with_its_explanation(in_tmp, capsys):
    assert main(["completion", "fish", "--", "optimizer=ada"]) == 0
    assert "optimizer=adagrad\th ← h + g²;" in capsys.readouterr().out
    assert main(["completion", "zsh", "--", "resu"]) == 0
    assert capsys.readouterr().out.startswith("resume\tContinue an interrupted run")


@pytest.mark.parametrize("line", ["optimizer=adam optimizer.", "resume ", "probe l", "help a"])
def test_completion_imports_neither_hydra_nor_mlflow(line, in_tmp):
    code = (
        "import sys; from dlexp.cli.main import main;"
        f"main(['completion', 'bash', '--', *{line.split(' ')!r}]);"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "dlexp" in loaded
    assert not loaded & {"hydra", "omegaconf", "mlflow", "matplotlib", "pandas"}


# --- the shells


@pytest.fixture
def shell(in_tmp, monkeypatch):
    """A folder with a plugin of one's own, in which `dlexp` is this one."""
    program = in_tmp / "bin" / "dlexp"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dlexp "$@"\n')
    program.chmod(0o755)
    for folder, name in (("plugins", "ours"), ("elsewhere", "theirs")):
        file = in_tmp / folder / "optimizer" / f"{name}_one.py"
        file.parent.mkdir(parents=True)
        file.write_text(PLUGIN.format(name=f"{name}_one"))
    monkeypatch.setenv("DLEXP_PLUGINS", str(in_tmp / "elsewhere"))
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(in_tmp))
    return in_tmp


PLUGIN = '''
from dlexp import Optimizer, plugin, positive

print("a plugin may print")


@plugin("{name}")
class One(Optimizer):
    """w ← w − lr·g"""

    lr: float = positive(0.1)
    own_field: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        w -= lr * g
'''

# as readline calls the function: the words split at = and : too
ASK = """
eval "$(dlexp completion bash)"
ask() {
    COMP_LINE=$1 COMP_POINT=${2:-${#1}} COMP_WORDS=("${@:3}")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _dlexp
    local IFS='|'
    echo "${COMPREPLY[*]}"
}
"""


def in_bash(*asked):
    lines = [
        shlex.join(["ask", line, str(cursor or len(line)), *split])
        for line, cursor, *split in asked
    ]
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK + "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_is_given_what_stands_behind_the_last_equals_sign(shell):
    assert in_bash(
        ("dlexp resu", 0, "dlexp", "resu"),
        ("dlexp  optimizer=our", 0, "dlexp", "optimizer", "=", "our"),
        ("dlexp optimizer=", 0, "dlexp", "optimizer", "="),
        (
            "dlexp optimizer=theirs_one optimizer.o",
            0,
            "dlexp",
            "optimizer",
            "=",
            "theirs_one",
            "optimizer.o",
        ),
        (
            "bin/dlexp regularizer=dropout regu",
            0,
            "bin/dlexp",
            "regularizer",
            "=",
            "dropout",
            "regu",
        ),
        ("dlexp dtype=float6 seed=1", 18, "dlexp", "dtype", "=", "float6"),
        ("dlexp 'optimizer=our", 0, "dlexp", "'optimizer=our"),
    ) == [
        "resume ",
        "ours_one ",
        "adagrad |adam |momentum |nesterov |ours_one |rmsprop |sgd |theirs_one |heavy_momentum ",
        "optimizer.own_field=",
        "regularizer=|regularizer.",
        "float64 ",
        "optimizer=ours_one",
    ]


# a shell reads single keys from the terminal that it controls
CONTROLS = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def press(shell, *keys):
    """Press keys in an interactive shell; each is followed by what must then be shown."""
    ours, theirs = os.openpty()
    environment = os.environ | {"PS1": "$ ", "TERM": "dumb", "ZDOTDIR": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLS, *shell],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=environment,
    ) as child:
        os.close(theirs)
        try:
            shown = b""
            for key, wanted in keys:
                os.write(ours, key.encode())
                until = time.monotonic() + 60
                while wanted.encode() not in shown and time.monotonic() < until:
                    if select.select([ours], [], [], 0.2)[0]:
                        shown += os.read(ours, 65536)
                assert wanted.encode() in shown, shown.decode()
        finally:
            child.kill()
            os.close(ours)


def test_a_tab_in_bash_completes_an_option_and_its_field(shell):
    press(
        ["bash", "--norc", "--noprofile", "-i"],
        ('eval "$(dlexp completion bash)"; echo re""ady\r', "ready\r\n"),
        ("dlexp optimizer=ours\t", "optimizer=ours_one "),
        ("optimizer.ow\t", "optimizer.own_field="),
    )


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_a_tab_in_zsh_completes_an_option_and_its_field(shell):
    press(
        ["zsh", "-f", "-i"],
        ('eval "$(dlexp completion zsh)"; echo re""ady\r', "ready\r\n"),
        ("dlexp optimizer=ours\t", "_one"),
        ("optimizer.ow\t", "n_field="),
    )


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_is_given_candidates_and_their_explanations(shell):
    code = (
        "dlexp completion fish | source;"
        "complete -C 'dlexp optimizer=ours_one optimizer.ow'; complete -C 'dlexp resu'"
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "optimizer.own_field=\tmust be > 0 (default 0.1)",
        "resume\tContinue an interrupted run bit for bit, or train the missing runs of a sweep.",
    ]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed_and_can_be_read_by_it(name, capsys):
    assert main(["completion", name]) == 0
    script = capsys.readouterr().out
    assert script == (SHELLS / f"dlexp.{name}").read_text(encoding="utf-8")
    if shutil.which(name):
        subprocess.run([name, "-n"], input=script, text=True, check=True)


def test_the_flags_that_are_completed_are_those_that_the_parser_takes():
    from dlexp.config import flags

    parser = flags.parser()
    known = {option for action in parser._actions for option in action.option_strings}
    assert {flag for flag in known if flag.startswith("--")} | {"--help", "--version"} == {
        *vocabulary.FLAGS
    }
    assert vocabulary.FLAG_VALUES == {"--cfg": flags.SHOWN, "--info": flags.INFO}
