"""Every command that a message suggests works when it is pasted into a POSIX shell."""

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from run_folders import event, records, run_folder, send, with_store

from dlexp import shell
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.runs import provenance
from dlexp.tracking import state, store, ui_command

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none", "tracking=none")
NASTY = [
    "seed=range(0,3)",
    "it's",
    'say "no"',
    "a  b",
    "模型 表",
    "~",
    "$HOME",
    "`ls`",
    "a;b",
    "a&b|c",
    "*",
    "!x",
    "\\n",
    "new\nline",
    "tab\there",
    "100%",
    "%s",
    "",
    "-m",
    "#x",
    "x=(1,2)",
    "ä\u3000b",
    "a\u00a0b",
    "\udce9",
]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_shell_reads_each_word_as_it_was_meant(encoding):
    line = "printf '%s\\0' " + shell.join(NASTY, encoding=encoding)
    line.encode(encoding, "strict")
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [
        word.encode("utf-8", "surrogateescape") for word in NASTY
    ]
    assert " ".join(line.split()) == line  # as messages have it


def test_a_runs_command_is_read_back_as_it_was_typed():
    words = [f"tracking.experiment={word}" for word in NASTY if word.isprintable()]
    recorded = provenance.tags(words)["dlexp.command"]
    assert shlex.split(recorded) == ["python", "-m", "dlexp", *words]
    assert (
        shlex.split(shell.one_line(shlex.join(["python", "-m", "dlexp", "-m", "seed=range(0,3)"])))[
            -1
        ]
        == "seed=range(0,3)"
    )


def advised(text, before):
    """The command that stands behind some words of a message, and that a shell can read it."""
    found = re.search(re.escape(before) + r"(python -m dlexp [^;\n]*)", text)
    assert found, text
    line = found[1]
    assert subprocess.run(["sh", "-n"], input=line, text=True, check=False).returncode == 0, line
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "dlexp"]
    return words[3:]


@pytest.mark.parametrize("swept", ["seed=range(0,3)", "seed=0,1", "seed=choice(0,1)"])
def test_several_values_without_m_are_answered_with_the_whole_command(in_tmp, capsys, swept):
    name = "it's a 模型 of $HOME"
    assert main([swept, *FAST[:-1], f"tracking.experiment={name}"]) == 2
    words = advised(capsys.readouterr().err, "use ")
    assert words[:-1] == ["-m", swept, *FAST[:-1]]
    assert compose_run(*FAST[:-1], words[-1]).tracking.experiment == name
    assert main([*words, "--dry-run"]) == 0


def test_a_run_that_has_ended_is_replayed_by_the_command_that_is_named(in_tmp, capsys, monkeypatch):
    assert main([*FAST]) == 0
    assert main(["resume", "last"]) == 2
    words = advised(capsys.readouterr().err, "to train it again: ")
    assert main(words) == 0
    (run,) = (in_tmp / "outputs" / "runs").iterdir()
    # where no name means this run
    monkeypatch.setenv("DLEXP_OUTPUTS", str(in_tmp / "it's elsewhere"))
    assert main(["resume", str(run)]) == 2
    words = advised(capsys.readouterr().err, "to train it again: ")
    assert words == ["replay", str(run)]
    assert main(words) == 0


def test_the_sweep_that_is_advised_where_there_is_none_can_be_asked_for(in_tmp, capsys):
    assert main(["report"]) == 2
    assert main([*advised(capsys.readouterr().err, "made by, say, "), "--dry-run"]) == 0


def test_a_study_without_claims_is_trained_by_the_command_that_is_named(in_tmp, capsys):
    home = in_tmp / "it's mine" / "experiment"
    home.mkdir(parents=True)
    (home / "quiet.yaml").write_text(
        "# @package _global_\nepochs: 1\ntracking: {}\n".replace("tracking: {}\n", "")
    )
    assert main(["claims", "--config-dir", "it's mine", "quiet"]) == 2
    words = advised(capsys.readouterr().err, "to train it: ")
    assert main([*words, "--dry-run"]) == 0


def test_mlflows_own_command_holds_any_folders_name():
    assert (
        shlex.split(ui_command("sqlite:////it's  模型/mlflow.db".replace("  ", " ")))[-1]
        == "sqlite:////it's 模型/mlflow.db"
    )


@pytest.fixture
def path(tmp_path):
    """The environment of a shell in which `python` is this one."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "python"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    script.chmod(0o755)
    return os.environ | {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}


def refused_store(outputs, revision):
    """An outputs folder with a run and a store of another revision; returns the message."""
    uri = with_store(outputs)
    with closing(sqlite3.connect(outputs / "mlflow.db")) as db, db:
        db.execute("update alembic_version set version_num = ?", (revision,))
    run = run_folder(
        outputs / "runs" / "a-run",
        uri,
        [event("start"), *records(1), event("finish", status="FINISHED")],
    )
    assert send(run) == 1
    return run, state.load(run).error


def followed(said, folder, env):
    """What the command in backticks does, in a shell of its own."""
    (line,) = re.findall("`([^`]*)`", said)
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_store_of_a_newer_mlflow_is_moved_away_and_filled_anew_by_the_command_that_is_named(
    tmp_path, path
):
    home = tmp_path / "it's a 模型"
    run, said = refused_store(home / "outputs", "ffffffffffff")
    assert "made by a newer MLflow (its revision ffffffffffff is unknown to MLflow 3." in said
    assert "db upgrade" not in said
    (line,) = re.findall("`([^`]*)`", said)
    moved, _, filled = line.partition(" && ")
    assert filled == "python -m dlexp sync"
    followed(f"`{moved}`", home, path)
    assert (home / "outputs" / "mlflow.db.newer").exists()
    with_store(home / "outputs")  # a new one takes seconds to make
    followed(f"`{filled}`", home, path)
    assert state.is_complete(run)


@pytest.mark.slow
def test_a_store_of_an_older_mlflow_is_copied_and_brought_up_to_date_by_the_command_that_is_named(
    tmp_path, path
):
    """MLflow 3.17 upgrades most of its older stores by itself; this tests the others."""
    home = tmp_path / "it's a 模型"
    uri = with_store(home / "outputs")
    error = RuntimeError(
        "Detected out-of-date database schema (found version 75868b020152, but expected"
        " dc11669786a5)"
    )
    said, final = store.explain(error, uri)
    assert final
    assert "made by an older MLflow" in said
    followed(said, home, path)
    assert (home / "outputs" / "mlflow.db.before").exists()


def test_what_a_server_based_store_needs_is_said_too():
    error = RuntimeError(
        "Detected out-of-date database schema (found version ffffffffffff, but expected aaaa)"
    )
    said, final = store.explain(error, "postgresql://db/runs")
    assert final
    assert "choose another database with tracking.uri=" in said
