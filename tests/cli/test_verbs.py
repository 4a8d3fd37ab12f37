"""The verbs: one file each, found by its name, imported when it is used; its help and errors."""

import subprocess
import sys

import pytest

from dlexp.cli import commands, help as pages, verbs, vocabulary
from dlexp.cli.main import main
from dlexp.config.overrides import ROOT
from dlexp.errors import UserError
from dlexp.tracking import sync


def refused(capsys, *words):
    assert main([*words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("name", verbs.names())
def test_every_verb_has_a_summary_in_the_overview_and_a_page_of_help(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    summary = verbs.summary(name)
    assert summary.endswith(".")
    assert len(summary) < 90
    assert f"  {name:10}  {summary}\n" in pages.overview()
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: python -m dlexp {name} [OPTIONS]")
    assert summary in " ".join(shown.split())
    assert main([name, "-h"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["help", name]) == 0
    assert capsys.readouterr().out == shown


def test_help_works_behind_other_words_of_a_verb(capsys):
    assert main(["resume", "last", "--anyway", "--help"]) == 0
    assert "Usage: python -m dlexp resume" in capsys.readouterr().out


NEW = '''"""Greet somebody.

NAME is whoever is greeted.
"""

import click

from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument("name")
@click.option("--loud", is_flag=True)
def command(name, loud):
    print(f"hello {name}" + "!" * loud)
    return 3
'''


def test_to_add_a_verb_is_to_add_one_file(tmp_path, monkeypatch, capsys):
    for file in verbs.FOLDER.glob("*.py"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "greet.py").write_text(NEW)
    monkeypatch.setattr(verbs, "FOLDER", tmp_path)
    monkeypatch.setattr(commands, "__path__", [str(tmp_path)])
    assert main(["greet", "--loud", "Ann"]) == 3
    assert capsys.readouterr().out == "hello Ann!\n"
    assert "\n  greet       Greet somebody.\n" in pages.overview()
    assert main(["help", "greet"]) == 0
    assert "NAME is whoever is greeted." in capsys.readouterr().out
    assert "did you mean 'greet'?" in refused(capsys, "gret")
    sys.modules.pop("dlexp.cli.commands.greet")


MISTAKES = [
    ("sync --al", "sync (command line): unrecognized arguments: --al; choose from --help"),
    ("report --tune", "report (command line): unrecognized arguments: --tune", "'--tuned'?"),
    ("report --better up", "--better (command line): 'up' is not one of 'high', 'low'"),
    ("report --margin x", "--margin (command line): 'x' is not a valid float"),
    ("report --metric", "--metric (command line): needs a value"),
    (
        "replay",
        "replay (command line): the argument RUN is missing;"
        " `python -m dlexp replay --help` explains",
    ),
    ("replay a b", "replay (command line): got unexpected extra argument (b)"),
    ("replay a --tolerance nan", "--tolerance=nan (command line): must be a finite number >= 0"),
    ("probe last", "probe (command line): the argument OBSERVER=VALUE... is missing"),
    ("ui --port x", "--port (command line): 'x' is not a valid integer"),
    ("ui --port 65536", "--port=65536 (command line): must be a port, 0 to 65535"),
    ("resume", "resume (command line): name a run or sweep"),
    ("resume a b", "resume (command line): name a run or sweep"),
    ("resume a --anywy", "resume (command line): unrecognized arguments: --anywy", "'--anyway'?"),
    ("claims --config-dir", "--config-dir (command line): needs a value"),
    ("completion tcsh", "completion (command line)", "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ("doctr", "doctr (command line): is neither a command nor key=value", "mean 'doctor'?"),
]


@pytest.mark.parametrize(("typed", "subject", "more"), [(*row, "")[:3] for row in MISTAKES])
def test_a_mistake_in_a_verbs_words_is_one_line(typed, subject, more, in_tmp, capsys):
    err = refused(capsys, *typed.split())
    assert subject in err
    assert more in err
    assert list(in_tmp.iterdir()) == []


def test_ctrl_c_in_a_verb_has_the_status_of_an_interrupt_and_a_defect_keeps_its_traceback(
    monkeypatch,
):
    def fail(error):
        def send(folders):
            raise error

        monkeypatch.setattr(sync, "send", send)
        return main(["sync"])

    assert fail(KeyboardInterrupt()) == 130
    assert fail(UserError("no")) == 2
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())


def test_training_imports_no_verb_and_no_click(in_tmp):
    code = (
        "import sys; from dlexp.cli.main import main; main(['--cfg', 'job']);"
        "print(*[m for m in sys.modules if m == 'click' or m.startswith('dlexp.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "dlexp.cli.main" in loaded
    assert not {"click", "dlexp.cli.verbs", "dlexp.cli.commands"} & {*loaded}


# --- flags and keys


@pytest.mark.parametrize("flag", vocabulary.FLAGS)
def test_every_flag_in_the_overview_is_one_that_the_command_takes(flag, in_tmp, capsys):
    value = {"--config-dir": ["."], "--package": ["optimizer"]}.get(flag, [])
    main([flag, *value, *vocabulary.FLAG_VALUES.get(flag, ())[:1], "seed=x"])
    assert "unrecognized" not in capsys.readouterr().err


def test_every_key_of_the_root_has_a_page():
    for key in ROOT:
        if key not in ("study", "experiment"):
            assert pages.details(key)
    for key in vocabulary.plain_keys().values():
        assert key.meaning, f"{key.name}: give it a comment in conf/config.yaml"


def rows(page):
    return dict(line.split(None, 1) for line in page.splitlines()[2:] if line[2] != " ")


def test_help_of_a_key_says_what_it_means_its_type_its_range_and_its_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    page = pages.details("checkpoint.seconds")
    assert page.startswith("checkpoint.seconds\n\n")
    assert rows(page) == {
        "meaning": "seconds between two saved states of a run; null: not by the clock",
        "type": "number or null",
        "range": "must be > 0",
        "default": "10",
    }
    assert rows(pages.details("dtype"))["range"] == "must be one of float32, float64"
    assert rows(pages.details("early_stopping.patience"))["type"] == "whole number or null"
    assert pages.details("seed=3") == pages.details("seed")
    assert "checkpoint.epochs\n" in pages.details("checkpoint")
    assert rows(pages.details("tracking.wait"))["default"] == "120.0"


def test_help_of_a_hyper_parameter_names_its_option_and_of_a_shared_one_all_of_them():
    assert pages.details("adam.beta1") == pages.details("optimizer.beta1")
    assert rows(pages.details("adam.beta1"))["range"] == "must be >= 0 and < 1"
    assert "m ← β₁m" in pages.details("adam.beta1")
    assert pages.details("dropout.ratio") == pages.details("regularizer.dropout.ratio")
    assert pages.details("init.std") == pages.details("initializer.std")
    shared = pages.details("optimizer.lr")
    assert "optimizer=adam      default 0.001, number, must be > 0" in shared
    assert "optimizer=sgd       default 0.01" in shared


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("resum", "resume"),
        ("checkpoint.secnds", "checkpoint.seconds"),
        ("optimizer.beta11", "optimizer.beta1"),
        ("sede", "seed"),
    ],
)
def test_a_word_that_help_does_not_know_is_answered_with_the_nearest(typed, hint, capsys):
    assert f"did you mean '{hint}'?" in refused(capsys, "help", typed)
