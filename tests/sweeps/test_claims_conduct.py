"""Running studies of `claims`: folders, early refusals, Ctrl-C, unreadable files."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from test_claims_command import SLOWER, STUDY, launcher_of

from dlexp.cli.main import main
from dlexp.sweeps.studies import catalogue, outcome, run


@pytest.fixture
def mine(in_tmp):
    """A folder with two studies of one's own."""
    folder = in_tmp / "mine" / "experiment"
    folder.mkdir(parents=True)
    for name, text in (("zz", STUDY), ("aa", STUDY + SLOWER)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def nothing_starts(monkeypatch):
    """A study that is started is a defect."""

    def ended(command):
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(run, "StudyCommands", launcher_of(ended))


def asked(*words):
    return main(["claims", "--config-dir", "mine", "--quick", *words])


def test_a_study_is_found_again_in_a_folder_of_any_letters_when_a_second_variant_was_made_later(
    mine, in_tmp, monkeypatch, capsys
):
    monkeypatch.setenv("DLEXP_OUTPUTS", str(in_tmp / "выход 出"))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    pages = []
    for words in (["zz"], ["zz", "batch_size=50"], ["zz"]):
        assert asked(*words) == 0
        out = capsys.readouterr().out
        assert "failed" not in out
        assert "выход 出/sweeps/zz-" in out
        pages += [line.strip() for line in out.splitlines() if line.endswith("report.html")]
    assert pages[0] == pages[2] != pages[1]
    assert len(pages) == 3


def test_a_study_whose_report_failed_is_a_failure_though_an_older_report_lies_there(
    mine, in_tmp, monkeypatch, capsys
):
    folder = in_tmp / "sweep"
    (folder / "report").mkdir(parents=True)
    old = {"claims": [{"id": "old", "verdict": "SUPPORTED"}]}
    (folder / "report" / "verdicts.json").write_text(json.dumps(old), "utf-8")
    message = (
        f"sweep     7 finished\nfolder    {folder}\nreport    the report cannot be written there:"
        " no space\n"
    )
    end = subprocess.CompletedProcess([], 0, message, "")
    monkeypatch.setattr(run, "StudyCommands", launcher_of(lambda command: end))
    assert asked("zz") == 1
    assert (
        "zz: failed: report the report cannot be written there: no space" in capsys.readouterr().out
    )


def test_a_study_without_verdicts_is_a_failure_though_its_command_is_content(
    mine, monkeypatch, capsys
):
    end = subprocess.CompletedProcess([], 0, "folder    nowhere\n", "")
    monkeypatch.setattr(run, "StudyCommands", launcher_of(lambda command: end))
    assert asked("zz") == 1
    assert "zz: failed: it wrote no verdicts" in capsys.readouterr().out


# --- what is refused before any study starts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["epochss=3"],
            "dlexp: error: epochss=3 (command line): there is no such key; choose from ",
        ),
        (
            ["optimizer.lrr=1"],
            "dlexp: error: optimizer.lrr=1 (command line): sgd has no field lrr; choose from lr;",
        ),
        (
            ["zz", "aa", "epochs=many"],
            "dlexp: error: epochs=many (command line): must be a whole number",
        ),
        (["zz", "seed=range(5,5)"], "dlexp: error: seed=range(5,5,1): is an empty range"),
    ],
    ids=["key", "field", "value", "range"],
)
def test_an_override_that_no_study_takes_is_refused_once_before_any_starts(
    mine, nothing_starts, capsys, words, message
):
    assert asked(*words) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_an_override_that_means_nothing_to_some_studies_leaves_the_others_their_verdicts(
    mine, monkeypatch, capsys
):
    surface = "  - override /objective: valley\n  - override /optimizer: sgd\n"
    valley = STUDY.replace("data: {n_train: 100}\nmodel: {hidden: [5]}\n", f"defaults:\n{surface}")
    (mine / "aa.yaml").write_text(valley, "utf-8")
    started = []

    def ended(command):
        started.append(next(word for word in command if word.startswith("experiment=")))
        return subprocess.CompletedProcess(
            [], 2, "", "dlexp: error: objective=valley has no data\n"
        )

    monkeypatch.setattr(run, "StudyCommands", launcher_of(ended))
    assert asked("aa", "zz", "data.n_train=50") == 1
    assert sorted(started) == ["experiment=aa", "experiment=zz"]


def test_a_mistake_in_the_words_of_a_study_asked_for_is_told_before_any_starts(
    mine, nothing_starts, capsys
):
    (mine / "aa.yaml").write_text(STUDY.replace("direction: less", "direction: lower"), "utf-8")
    assert asked("aa", "zz") == 2
    err = capsys.readouterr().err
    assert "study.claims[0].direction=lower (aa): there is no such value" in err
    assert err.count("\n") == 1


# --- files that cannot be read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"study: {title: Latin \xe9t\xe9}\n", "byte 0xe9 is not UTF-8"),
        (b"a: [\n", "while parsing"),
    ],
    ids=["latin", "no-yaml"],
)
def test_a_file_that_cannot_be_read_is_warned_of_and_stops_nobody_else(
    mine, in_tmp, capsys, content, why
):
    (mine / "broken.yaml").write_bytes(content)
    assert [study.name for study in catalogue.chosen(["zz"], in_tmp / "mine")] == ["zz"]
    err = capsys.readouterr().err
    assert err.startswith(f"dlexp: warning: {mine}/broken.yaml: cannot be read: {why}")
    assert err.count("\n") == 1
    assert asked("broken") == 2
    assert why in capsys.readouterr().err


# --- Ctrl-C, which a terminal sends to all processes, and SIGTERM, which one process gets

SLOW = STUDY.replace("epochs: 2", "epochs: 200000").replace("epochs: 1}", "epochs: 200000}")


def test_an_interruption_says_which_studies_are_done_and_how_to_go_on(mine, in_tmp):
    (mine / "aa.yaml").write_text(STUDY.replace("  claims:", "  cost: 9\n  claims:"), "utf-8")
    (mine / "zz.yaml").write_text(SLOW, "utf-8")
    command = [
        sys.executable,
        "-m",
        "dlexp",
        "claims",
        "--config-dir",
        "mine",
        "--quick",
        "aa",
        "zz",
    ]
    child = subprocess.Popen(
        command,
        cwd=in_tmp,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        ended = ""
        while "aa: " not in ended:
            ended += child.stderr.readline()
        for _ in range(600):
            if list(in_tmp.glob("outputs/sweeps/zz-*/runs/*/journal.jsonl")):
                break
            time.sleep(0.1)
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130
    assert "interrupted: aa done; trained runs are kept; repeat the command to go on: " in err
    assert err.strip().endswith("python -m dlexp claims aa zz --quick --config-dir mine")
    assert "failed" not in out + err
    assert "Traceback" not in err


def test_a_command_that_was_killed_says_so():
    assert outcome.what_failed("", "sweep  fine\n", -9) == "it was killed by signal 9"


def test_sigterm_that_only_the_first_process_gets_ends_the_studies_with_the_same_message(
    mine, in_tmp
):
    (mine / "zz.yaml").write_text(SLOW, "utf-8")
    command = [sys.executable, "-m", "dlexp", "claims", "--config-dir", "mine", "--quick", "zz"]
    child = subprocess.Popen(
        command,
        cwd=in_tmp,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        for _ in range(600):
            if list(in_tmp.glob("outputs/sweeps/zz-*/runs/*/journal.jsonl")):
                break
            time.sleep(0.1)
        child.terminate()
        _, err = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 143
    assert "interrupted: no study done; trained runs are kept; repeat the command to go on: " in err
