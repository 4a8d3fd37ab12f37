"""The run folder: complete lines only, one writer, alive or not."""

import json
import math
import subprocess
import sys
from itertools import pairwise

import pytest

from dlexp.cli.main import main
from dlexp.core.trainer import Record
from dlexp.errors import DataError
from dlexp.storage import atomic, journal
from dlexp.storage.records import RunDescription


def test_a_journal_reads_back_as_it_was_written(tmp_path):
    book = journal.Journal(tmp_path, RunDescription(id="x", name="Ä 中"))
    book.record(Record(1, 12, {"train/loss": 0.5}))
    book.record(Record(1, 12, {"diagnostics/x": 1.0}), "note")
    book.finish("FINISHED")
    events, end = journal.events(tmp_path)
    assert [e.kind for e in events] == ["start", "record", "note", "finish"]
    assert events[1].epoch == 1
    assert events[1].step == 12
    assert events[1].metrics == {"train/loss": 0.5}
    assert events[3].status == "FINISHED"
    assert all(b.elapsed >= a.elapsed for a, b in pairwise(events))
    assert end == (tmp_path / "journal.jsonl").stat().st_size
    assert RunDescription.read(tmp_path) == RunDescription(id="x", name="Ä 中")


def test_a_line_that_holds_more_than_a_run_measures_is_refused_unread_and_never_written(tmp_path):
    book = journal.Journal(tmp_path, RunDescription())
    many = {f"some/{i}": 0.5 for i in range(100_000)}
    with pytest.raises(
        ValueError, match=r"100,000 numbers at once, .* a line of it holds at most 1,048,576"
    ):
        book.record(Record(1, 12, many))
    book.record(Record(1, 12, {"train/loss": 0.5}))
    book.finish("FINISHED")
    assert len(journal.events(tmp_path)[0]) == 3
    line = {"event": "record", "time_ms": 1, "elapsed": 0, "epoch": 0, "step": 0, "metrics": many}
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(DataError, match=r"line 4 has .* bytes, and a run writes at most 1,048,576"):
        journal.events(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"params": many}))
    with pytest.raises(DataError, match="does not describe a run"):
        RunDescription.read(tmp_path)


def test_a_half_written_line_is_left_for_the_next_reading(tmp_path):
    book = journal.Journal(tmp_path, RunDescription())
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "rec')
    events, offset = journal.events(tmp_path)
    assert [e.kind for e in events] == ["start"]
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'ord", "time_ms": 1, "elapsed": 0, "epoch": 0, "step": 0, "metrics": {}}\n')
    assert [e.kind for e in journal.events(tmp_path, offset)[0]] == ["record"]
    book.finish("FINISHED")


def test_what_is_not_finite_is_null_in_the_journal(tmp_path):
    book = journal.Journal(tmp_path, RunDescription())
    book.record(Record(0, 0, {"a": math.nan, "b": math.inf, "c": 1.0}))
    book.finish("DIVERGED", "it did")
    line = (tmp_path / "journal.jsonl").read_text().splitlines()[1]
    assert json.loads(line)["metrics"] == {"a": None, "b": None, "c": 1.0}


def test_a_folder_has_one_writer_and_one_journal(tmp_path):
    book = journal.Journal(tmp_path, RunDescription())
    with pytest.raises(OSError):  # noqa: PT011
        journal.Journal(tmp_path, RunDescription())
    book.finish("FINISHED")
    with pytest.raises(FileExistsError):
        journal.Journal(tmp_path, RunDescription())


def test_a_run_is_alive_while_its_writer_is_and_no_longer(tmp_path):
    code = (
        "import sys; from pathlib import Path; from dlexp.storage import journal\n"
        "from dlexp.storage.records import RunDescription\n"
        "book = journal.Journal(Path(sys.argv[1]), RunDescription())\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "ready\n"
    assert journal.is_alive(tmp_path)
    writer.kill()
    writer.communicate()
    assert not journal.is_alive(tmp_path)


def test_ids_differ_within_the_same_second():
    assert len({atomic.new_id() for _ in range(100)}) == 100


def test_a_file_is_old_or_new_never_half(tmp_path, monkeypatch):
    target = tmp_path / "x.json"
    journal.write_atomically(target, "old")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        journal.write_atomically(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


CONTRADICTORY = {  # lines: what is wrong with which
    "an end in between": (
        [("record", 1), ("FINISHED", 0), ("record", 2)],
        "line 4 comes after the end of the run",
    ),
    "two ends": (
        [("record", 1), ("FAILED", 0), ("KILLED", 0)],
        "line 4 comes after the end of the run",
    ),
    "no way to end": (
        [("record", 1), ("<script>", 0)],
        "line 3 ends the run as '<script>', which is no final status",
    ),
    "steps go back": (
        [("record", 4), ("note", 1), ("record", 3)],
        "line 4 goes back from step 4 to step 3",
    ),
}


def written(folder, lines):
    folder.mkdir(parents=True)
    book = [{"event": "start"}]
    for what, step in lines:
        if what in ("record", "note"):
            book.append({"event": what, "epoch": 0, "step": step, "metrics": {}})
        else:
            book.append(
                {"event": "resume"} if what == "resume" else {"event": "finish", "status": what}
            )
    text = "".join(json.dumps({"time_ms": 1, "elapsed": 0.0, **line}) + "\n" for line in book)
    (folder / "journal.jsonl").write_text(text)
    for name in ("run.json", "config.yaml"):
        (folder / name).write_text("{}")


@pytest.mark.parametrize("name", CONTRADICTORY)
def test_what_no_run_wrote_behind_another_line_is_named_as_damage(name, in_tmp, capsys):
    lines, wrong = CONTRADICTORY[name]
    written(in_tmp / "outputs" / "runs" / "a", lines)
    before = (in_tmp / "outputs" / "runs" / "a" / "journal.jsonl").read_bytes()
    assert main(["doctor"]) == 1
    message = capsys.readouterr().out.splitlines()
    assert message[0].startswith(f"to do     outputs/runs/a/journal.jsonl: {wrong}: restore a copy")
    assert len(message) == 2
    assert (in_tmp / "outputs" / "runs" / "a" / "journal.jsonl").read_bytes() == before


def test_a_run_that_was_taken_up_again_after_its_end_is_no_damage(in_tmp, capsys):
    lines = [
        ("record", 0),
        ("record", 4),
        ("INTERRUPTED", 0),
        ("resume", 0),
        ("record", 8),
        ("FINISHED", 0),
    ]
    written(in_tmp / "outputs" / "runs" / "a", lines)
    assert main(["doctor"]) == 0
