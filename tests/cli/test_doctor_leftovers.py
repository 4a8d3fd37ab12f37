"""The doctor among incomplete files and probes: it removes only what dead processes left."""

import os

from filelock import FileLock
from run_folders import records, run_folder
from test_doctor import files, seen, untracked, well

from dlexp.storage import atomic as dlexp_files


def test_leftovers_are_removed_unless_their_process_lives(home, capsys):
    folder = untracked(home)
    dead, alive = (
        folder / "checkpoints" / "last.npz.999999999.part",
        folder / f"run.json.{os.getpid()}.part",
    )
    dead.parent.mkdir()
    for path in (dead, alive, home / "mlflow.db.new"):
        path.write_bytes(b"half")
    said = seen(capsys)
    assert [line.split(": ")[0] for line in said[:-1]] == [
        "repaired  outputs/runs/a/checkpoints/last.npz.999999999.part",
        "repaired  outputs/mlflow.db",
    ]
    assert not dead.exists()
    assert alive.exists()
    assert not (home / "mlflow.db.new").exists()
    well(capsys)


def test_where_processes_cannot_be_asked_a_leftover_must_be_old(tmp_path, monkeypatch):
    monkeypatch.setattr(dlexp_files, "CAN_ASK", False)
    path = tmp_path / f"x.{os.getpid()}.part"
    path.write_text("")
    assert not dlexp_files.is_left(path)
    os.utime(path, (1, 1))
    assert dlexp_files.is_left(path)


def test_files_of_the_users_own_are_not_taken_for_leftovers(home, capsys):
    folder = untracked(home)
    (folder / "probes" / "p").mkdir(parents=True)
    (home / "folder.999999999.part").mkdir()
    own = [
        home / "thesis.part",
        folder / "notes.part",
        folder / "figures" / "my.own.part",
        folder / ".999999999.part",
    ]
    for path in own:
        path.write_text("years of work")
        os.utime(path, (1, 1))
    well(capsys)
    assert all(path.exists() for path in own)


def probed(home, finish):
    """A run and a probe of it."""
    return untracked(home), run_folder(
        home / "runs" / "a" / "probes" / "p", "", records(3), tracking=None, finish=finish
    )


def test_a_probe_is_counted_as_one_and_not_as_a_run(home, capsys):
    probed(home, "FINISHED")
    assert seen(capsys) == ["all is well (1 run, 1 probe)"]


def test_a_dead_probe_is_ended_and_its_command_named(home, capsys):
    _, probe = probed(home, None)
    (probe / "x.999999999.part").write_text("")
    said = seen(capsys)
    assert (
        said[0] == "repaired  outputs/runs/a/probes/p: killed; again: python -m dlexp probe a"
        " observer=curves"
    )
    assert "x.999999999.part: incomplete file" in said[1]
    well(capsys)


def test_what_a_probe_at_work_writes_is_left_alone(home, capsys):
    _, probe = probed(home, None)
    (probe / "x.999999999.part").write_text("of a process on another machine, that cannot be asked")
    before = files(home)
    with FileLock(probe / "lock"):
        assert seen(capsys) == ["all is well (1 run, 1 in progress, skipped)"]
    assert files(home) == before
