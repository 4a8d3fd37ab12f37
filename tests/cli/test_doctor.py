"""The doctor closes dead runs, repairs files, removes leftovers and reports damage."""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from run_folders import BEGAN, event, records, run_folder, with_store
from sweep_folders import add, fill, sweep_folder

import dlexp.plugins
from dlexp import tracking
from dlexp.cli import doctor
from dlexp.cli.main import main
from dlexp.errors import UserError
from dlexp.plugins import discovery
from dlexp.report import runs
from dlexp.storage import checkpoint, journal, ledger

pytestmark = pytest.mark.usefixtures("in_process")

WHOLE = b'{"event": "start", "time_ms": 1, "elapsed": 0}\n'
RECORD = b'{"event": "record", "time_ms": 1, "elapsed": 0, "epoch": 0, "step": 0, "metrics": %s}\n'


def untracked(home, name="a", events=None, **more):
    return run_folder(
        home / "runs" / name, "", records(3) if events is None else events, tracking=None, **more
    )


def seen(capsys, *words, status=0):
    """What the doctor says, line by line."""
    assert main(["doctor", *words]) == status
    return capsys.readouterr().out.splitlines()


def files(folder):
    return {
        p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "lock"
    }


def well(capsys):
    """Looked at again, all is well."""
    (message,) = seen(capsys)
    assert message.startswith("all is well")


def test_where_nothing_is_all_is_well(in_tmp, capsys):
    assert seen(capsys) == ["all is well (no runs)"]
    assert not any(in_tmp.iterdir())


def test_a_dead_run_is_ended_as_killed_when_it_was_last_seen(home, capsys):
    folder = untracked(home, finish=None)
    message = seen(capsys)
    assert message[0] == "repaired  outputs/runs/a: killed; go on: python -m dlexp resume a"
    assert message[1:] == ["1 repaired, all is well (1 run)"]
    last = journal.events(folder)[0][-1]
    assert (last.kind, last.status, last.time_ms) == ("finish", "KILLED", BEGAN + 240)
    assert last.elapsed == 0.5
    well(capsys)


def test_a_run_resumed_and_killed_again_is_ended_again(home, capsys):
    folder = untracked(home, finish="KILLED")
    with (folder / "journal.jsonl").open("a") as book:
        book.write(json.dumps(event("resume", pid=1, step=3)) + "\n")
    assert "killed" in seen(capsys)[0]
    assert [e.kind for e in journal.events(folder)[0]][-3:] == ["finish", "resume", "finish"]


def test_the_half_of_a_last_line_is_cut_and_named(home, capsys):
    folder = untracked(home, finish=None)
    before = (folder / "journal.jsonl").read_bytes()
    (folder / "journal.jsonl").write_bytes(before + b'{"event": "rec')
    message = seen(capsys)
    assert (
        message[0]
        == "repaired  outputs/runs/a/journal.jsonl: its last line is incomplete: 14 bytes removed"
    )
    assert (folder / "journal.jsonl").read_bytes().startswith(before)
    assert len(journal.events(folder)[0]) == 5
    well(capsys)


def test_dry_run_says_the_same_and_changes_nothing(home, capsys):
    folder = untracked(home, finish=None)
    (folder / "x.999999999.part").write_text("")
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b"{")
    before = files(home)
    message = seen(capsys, "--dry-run", status=1)
    assert [line[:9].strip() for line in message[:-1]] == ["to repair"] * 3
    assert message[-1] == "3 to repair, 0 to do (1 run)"
    assert files(home) == before
    assert len(seen(capsys)) == 4


def test_a_run_that_is_being_trained_is_not_touched(home, capsys):
    folder = untracked(home, finish=None)
    (folder / "x.999999999.part").write_text("")
    before = files(home)
    with FileLock(folder / "lock"):
        assert seen(capsys) == ["all is well (1 in progress, skipped)"]
    assert files(home) == before


def test_a_run_that_is_resumed_between_two_looks_is_not_touched(home, capsys, monkeypatch):
    folder = untracked(home, finish=None)
    before = files(home)
    monkeypatch.setattr(journal, "is_alive", lambda folder: False)
    with FileLock(folder / "lock"):
        assert seen(capsys)[-1].endswith("1 in progress, skipped)")
    assert files(home) == before


def test_a_journal_that_has_lost_its_lines_is_damage_and_no_dead_run(home, capsys):
    folder = untracked(home)
    other = untracked(home, "b", finish=None)
    (other / "checkpoints").mkdir()
    checkpoint.save(other / "checkpoints" / "last.npz", {"measured": 4})
    for left in (b"", WHOLE):
        (folder / "journal.jsonl").write_bytes(left)
        before = files(home)
        message = seen(capsys, status=1)
        book = "to do     outputs/runs/{}/journal.jsonl: "
        assert message[0].startswith(
            book.format("a") + "it has no measurement, but there is a trained network"
        )
        assert message[1].startswith(
            book.format("b") + "it has 3 measurements, and the checkpoint counts 4: "
        )
        assert files(home) == before


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("journal.jsonl", WHOLE + b"{]\n{}\n", "line 2 is damaged: b'{]'"),
        ("journal.jsonl", b"\xff\xfe\x00\n", "line 1 is damaged"),
        ("journal.jsonl", b"[" * 100_000 + b"\n", "line 1 is damaged"),
        (
            "journal.jsonl",
            WHOLE + b'{"event": "record", "time_ms": 1, "elapsed": 0, "epoch": 0, "step": 0}\n',
            "line 2 is",
        ),
        ("journal.jsonl", WHOLE + RECORD % b'{"a": "much"}', "line 2 is damaged"),
        ("journal.jsonl", WHOLE + RECORD % b'{"a": 1e999}', "line 2 is damaged"),
        ("journal.jsonl", WHOLE + RECORD % (b'{"a": 1%s}' % (b"0" * 400)), "line 2 is damaged"),
        (
            "journal.jsonl",
            WHOLE + b'{"event": "finish", "time_ms": 1, "elapsed": 0}\n',
            "line 2 is damaged",
        ),
        ("run.json", b"{", "is damaged"),
        ("run.json", b"[]", "is damaged"),
        ("run.json", b'{"sources": ["x"]}', "is damaged (sources must be a mapping, not ['x'])"),
        ("run.json", b'{"id": 5}', "is damaged (id must be a text, not 5)"),
        ("run.json", None, "is missing"),
        ("config.yaml", b"a: [", "is damaged"),
        ("config.yaml", b"", "is damaged"),
        ("config.yaml", None, "is missing"),
        ("checkpoints/last.npz", b"PK", "the checkpoint cannot be read"),
        ("checkpoints/best.npz", b"PK", "is damaged or no network"),
    ],
)
def test_damage_is_named_and_nothing_is_deleted(home, capsys, file, text, message):
    folder, other = untracked(home), untracked(home, "b", finish=None)
    (folder / "checkpoints").mkdir()
    (folder / file).write_bytes(text) if text is not None else (folder / file).unlink()
    before = files(folder)
    for mended in (1, 0):  # the other run is mended all the same
        lines = seen(capsys, status=1)
        (line,) = [line for line in lines if line.startswith("to do")]
        assert line.startswith(f"to do     outputs/runs/a/{file}: ")
        assert message in line
        assert lines[-1] == f"{'1 repaired, ' if mended else ''}1 to do (2 runs)"
    assert files(folder) == before
    assert journal.events(other)[0][-1].status == "KILLED"


def test_a_whole_checkpoint_is_no_finding(home, capsys):
    folder = untracked(home)
    (folder / "checkpoints").mkdir()
    checkpoint.save(folder / "checkpoints" / "last.npz", {"measured": 3})
    shutil.copy(folder / "network.npz", folder / "checkpoints" / "best.npz")
    well(capsys)


def test_a_run_killed_at_its_birth_is_ended_and_no_more_is_asked(home, capsys):
    (home / "runs" / "b").mkdir()
    (home / "runs" / "b" / "journal.jsonl").write_bytes(b"")
    (home / "runs" / "c").mkdir()
    assert "killed" in seen(capsys)[0]
    well(capsys)


def test_the_doctors_words_are_understood_and_a_killed_run_goes_on(in_tmp, capsys):
    whole = dlexp.run(
        "epochs=4", "model.hidden=[10]", "data.n_train=200", "observer=none", "tracking=none"
    )
    code = """if True:
        import os, signal, sys
        from dlexp.storage import journal
        record = journal.Journal.record
        def mortal(self, new, event="record"):
            record(self, new, event)
            if new.epoch == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        journal.Journal.record = mortal
        from dlexp.cli.main import main
        main(sys.argv[1:])
    """
    words = ["epochs=4", "model.hidden=[10]", "data.n_train=200", "observer=none", "tracking=none"]
    done = subprocess.run([sys.executable, "-c", code, *words, "checkpoint.epochs=1"], check=False)
    assert done.returncode == -signal.SIGKILL
    (line,) = [line for line in seen(capsys) if "go on: " in line]
    name = line.rpartition(" ")[2]
    assert main(["resume", name]) == 0
    folder = in_tmp / "outputs" / "runs" / name
    assert [e.metrics for e in journal.events(folder)[0] if e.kind == "record"] == [
        r.metrics for r in whole.records
    ]
    capsys.readouterr()
    well(capsys)


def test_a_dead_sweep_is_named_with_its_command_and_its_killed_runs_are_ended(home, capsys):
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None, ended=False))
    add(sweep, "dead", ["optimizer=adam", "seed=7"], status=None, ledger=False)
    message = seen(capsys)
    killed = (
        "repaired  outputs/sweeps/s1/runs/dead-x: killed; its sweep goes on with it: python -m"
        " dlexp resume s1"
    )
    assert message[0] == killed
    assert (
        message[1]
        == "open      outputs/sweeps/s1: interrupted, 4 of its runs have ended; go on: python -m"
        " dlexp resume s1"
    )
    assert message[2] == "1 repaired, all is well (5 runs, 1 sweep)"
    assert seen(capsys)[1] == "all is well (5 runs, 1 sweep)"


def test_a_sweep_at_work_is_not_touched(home, capsys):
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None, ended=False))
    place = add(sweep, "dead", ["optimizer=adam", "seed=7"], status=None, ledger=False)
    (place / "x.999999999.part").write_text("")
    (sweep / "x.999999999.part").write_text("")
    before = files(home)
    with FileLock(sweep / "lock"):
        assert seen(capsys) == ["all is well (1 in progress, skipped)"]
    assert files(home) == before


def test_a_damaged_ledger_loses_no_other_line_and_its_sweep_can_be_used(home, capsys, caplog):
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None))
    whole = (sweep / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (sweep / "ledger.jsonl").write_bytes(
        whole[0] + b"{]\xff\n" + b"".join(whole[1:]) + b'{"key": "x'
    )
    book = ledger.Ledger(sweep)
    copy = (sweep / "ledger.jsonl").read_bytes()
    book.read()  # cuts the half line, leaves the damaged one out
    assert len(book.entries) == 4
    (sweep / "ledger.jsonl").write_bytes(copy)
    message = seen(capsys)
    assert "line 2 is damaged, kept in ledger-damaged.txt" in message[0]
    assert "its last line is incomplete: 10 bytes removed" in message[1]
    assert (sweep / "ledger.jsonl").read_bytes() == b"".join(whole)
    assert (sweep / "ledger-damaged.txt").read_bytes() == b'{]\xff\n{"key": "x\n'
    well(capsys)


def test_a_damaged_sweep_json_is_named_and_resume_says_it_in_one_line(home, capsys):
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None))
    (sweep / "sweep.json").write_text("{")
    assert "outputs/sweeps/s1/sweep.json: cannot be read" in seen(capsys, status=1)[0]
    assert main(["resume", str(sweep)]) == 2
    assert "sweep.json: cannot be read" in capsys.readouterr().err


def test_what_mlflow_does_not_know_is_sent_once_and_never_running(home, capsys):
    uri = with_store(home)
    run_folder(home / "runs" / "a", uri, records(3), finish=None, net=False)
    run_folder(home / "runs" / "b", uri, records(3), net=False)
    message = seen(capsys)
    assert sum("MLflow lacked a part of it: sent" in line for line in message) == 2
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as store:
        statuses = store.execute("select status from runs order by status").fetchall()
        assert statuses == [("FINISHED",), ("KILLED",)]
        assert store.execute("select count(*) from metrics").fetchall() == [(12,)]
    well(capsys)


def test_a_run_that_cannot_be_sent_is_left_to_do(home, capsys):
    (home / "mlflow.db").write_text("dear diary")
    run_folder(home / "runs" / "a", tracking.store_uri(home), records(3), net=False)
    message = seen(capsys, status=1)
    assert "outputs/mlflow.db: is damaged or not a store: file is not a database" in message[0]
    assert "is not an SQLite database" in message[1]
    assert message[-1] == "2 to do (1 run)"


def test_a_damaged_store_is_named_and_not_written(home, capsys):
    with_store(home)
    whole = (home / "mlflow.db").read_bytes()
    (home / "mlflow.db").write_bytes(whole[: len(whole) // 2])
    before = files(home)
    assert (
        "outputs/mlflow.db: is damaged or not a store: database disk image is malformed"
        in " ".join(seen(capsys, status=1))
    )
    assert files(home) == before


def test_a_write_that_was_cut_short_is_taken_back_by_sqlite(home, capsys):
    code = """if True:
        import os, signal, sqlite3, sys
        store = sqlite3.connect(sys.argv[1])
        store.execute("create table t (x)")
        store.executemany("insert into t values (?)", [("y" * 500,)] * 2000)
        store.commit()
        store.execute("pragma cache_size = 5")
        store.execute("update t set x = 'z' || x")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", code, str(home / "mlflow.db")], check=False)
    assert (home / "mlflow.db-journal").exists()
    before = files(home)
    assert "an interrupted write to it" in seen(capsys, "--dry-run", status=1)[0]
    assert files(home) == before
    assert "an interrupted write to it: undone" in seen(capsys)[0]
    with contextlib.closing(sqlite3.connect(home / "mlflow.db")) as store:
        assert store.execute("select count(*) from t where x like 'z%'").fetchall() == [(0,)]
    well(capsys)


def test_a_disk_nearly_full_and_a_broken_plugin_are_said(home, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "LOW", 1 << 80)
    (Path("plugins") / "optimizer").mkdir(parents=True)
    file = Path("plugins") / "optimizer" / "unlucky_one.py"
    file.write_text("import nowhere_at_all\n")
    monkeypatch.setattr(discovery, "_broken", {})
    monkeypatch.setattr(dlexp.plugins, "__path__", list(dlexp.plugins.__path__))
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert err == ""  # it is said once
    message = out.splitlines()
    assert "its disk has" in message[0]
    assert "plugins/optimizer/unlucky_one.py: cannot be loaded" in message[1]
    assert "No module named 'nowhere_at_all'" in message[1]


def test_it_looks_where_it_is_told_and_refuses_what_is_none_of_ours(
    home, in_tmp, capsys, monkeypatch
):
    untracked(home, finish=None)
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None))
    place = add(sweep, "dead", ["optimizer=adam", "seed=7"], status=None, ledger=False)
    assert seen(capsys, str(place))[-1] == "1 repaired, all is well (5 runs, 1 sweep)"
    with pytest.raises(UserError, match="holds no run, no sweep and no outputs"):
        doctor.examine([in_tmp])
    assert main(["doctor", "--dyr-run"]) == 2
    assert "did you mean '--dry-run'?" in capsys.readouterr().err
    monkeypatch.setenv("DLEXP_OUTPUTS", str(in_tmp / "elsewhere"))
    # by name, it would not be found
    assert "python -m dlexp resume outputs/runs/a" in seen(capsys, "outputs")[0]


def test_every_reader_says_a_damaged_journal_in_one_line_and_a_sweep_stays_usable(home, capsys):
    folder = untracked(home)
    (folder / "journal.jsonl").write_bytes(WHOLE + b"{]\n")
    for words in (["resume", "a"], ["replay", "a"]):
        assert main(words) == 2
        message = capsys.readouterr().err
        assert message == f"dlexp: error: {folder / 'journal.jsonl'}: line 2 is damaged: b'{{]'\n"
    sweep = fill(sweep_folder(home / "sweeps" / "s1", None))
    (sweep / "runs" / "0sgd0-x" / "journal.jsonl").write_bytes(WHOLE + b"{]\n")
    run, *others = runs.read(sweep).runs
    assert run.status == "MISSING"
    assert run.error.endswith("line 2 is damaged: b'{]'")
    assert [other.status for other in others] == ["FINISHED"] * 3
