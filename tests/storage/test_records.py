"""What run.json, sweep.json, a ledger and a journal say, as typed records."""

import json
import logging
import pickle

import pytest

from dlexp.errors import DataError
from dlexp.storage import journal, ledger, records
from dlexp.storage.ledger import Ledger, LedgerEntry
from dlexp.storage.records import RunDescription, SweepDescription
from dlexp.storage.status import Status


def test_a_status_is_the_text_that_stands_on_the_disk():
    status = Status.FINISHED
    assert status == "FINISHED"
    assert f"{status} {status.lower()}" == "FINISHED finished"
    assert json.dumps({"status": status}) == '{"status": "FINISHED"}'
    assert pickle.loads(pickle.dumps(status)) is status
    assert {"FINISHED": 1}[status] == 1


def test_results_are_what_need_not_be_trained_again_and_mlflow_knows_four_statuses():
    assert [s for s in Status if s.is_result] == ["FINISHED", "DIVERGED"]
    assert [s for s in Status if not s.is_end] == ["RUNNING", "MISSING"]
    ends = {s: s.mlflow for s in Status if s.is_end}
    assert ends == {
        "FINISHED": "FINISHED",
        "DIVERGED": "FAILED",
        "FAILED": "FAILED",
        "INTERRUPTED": "KILLED",
        "KILLED": "KILLED",
    }


@pytest.mark.parametrize("kind", [RunDescription, SweepDescription])
def test_a_description_without_a_newer_key_is_read_and_unknown_keys_are_kept(kind, tmp_path):
    name = "sweep.json" if kind is SweepDescription else "run.json"
    (tmp_path / name).write_text('{"id": "x", "later": {"a": [1]}}')
    read = kind.read(tmp_path)
    assert (read.id, read.tracking, read.created_ms) == ("x", None, 0)
    assert read.unknown == {"later": {"a": [1]}}
    records.write(tmp_path / name, read)
    assert kind.read(tmp_path) == read
    assert json.loads((tmp_path / name).read_text())["later"] == {"a": [1]}


def test_every_field_of_a_description_is_written_read_and_checked(tmp_path):
    values = {"str": "ü", "int": 7, "Mapping": {"k": ["v"]}, "Sequence": ("a",)}
    for kind, name in ((RunDescription, "run.json"), (SweepDescription, "sweep.json")):
        known = [f for f in records.fields(kind) if f.name != "unknown"]
        held = {f.name: values[f.type.split(" ")[0].partition("[")[0]] for f in known}
        whole = kind(**{k: v for k, v in held.items() if k != "identity"})  # has a form of its own
        records.write(tmp_path / name, whole)
        back = kind.read(tmp_path)
        assert records.to_json(back).keys() == {f.name for f in known}
        text = json.loads((tmp_path / name).read_text())
        assert {n: v for n, v in records.to_json(back).items() if not isinstance(v, (dict, tuple))}
        for f in known:
            if f.name in ("study", "parts"):
                continue  # damaged, they are none
            (tmp_path / name).write_text(json.dumps(text | {f.name: 1.5}))
            with pytest.raises(DataError, match=rf"{name}: {f.name} must be a .*, not 1\.5"):
                kind.read(tmp_path)


def test_a_sweep_that_goes_on_keeps_what_was_asked_before(tmp_path):
    first = {
        "created_ms": 5,
        "command": "python -m dlexp -m seed=0",
        "axes": {"seed": ["0"]},
        "later": 1,
    }
    (tmp_path / "sweep.json").write_text(json.dumps(first))
    assert ledger.commands_of(tmp_path) == [["-m", "seed=0"]], "of a time before `commands`"
    again = SweepDescription(
        id="s", created_ms=9, axes={"seed": ["0", "1"]}, command="c", commands=["c"], ended_ms=None
    )
    Ledger(tmp_path).describe(again)
    read = SweepDescription.read(tmp_path)
    assert read.created_ms == 5
    assert read.axes == {"seed": ("0", "1")}
    assert read.commands == ("python -m dlexp -m seed=0", "c")
    assert (read.ended_ms, read.unknown) == (None, {"later": 1})
    assert "study" not in json.loads((tmp_path / "sweep.json").read_text())


def line(**news):
    return json.dumps({"key": "k", "status": "FINISHED", "folder": "runs/k"} | news)


def test_a_ledger_has_one_reader_that_leaves_out_what_is_damaged_and_what_is_half(tmp_path, caplog):
    lines = [
        line(later=1),
        "{not json",
        line(key="a", status="NO SUCH"),
        "",
        line(key=5),
        line(status="FAILED", error="it did", time_ms=7),
    ]
    (tmp_path / "ledger.jsonl").write_text("\n".join(lines) + "\n" + line(key="half"))
    found = ledger.read(tmp_path)
    assert found.damaged == [2, 3, 5]
    assert [e.status for e in found.entries] == [Status.FINISHED, Status.FAILED]
    assert found.latest() == {
        "k": LedgerEntry("k", Status.FAILED, "runs/k", error="it did", time_ms=7)
    }
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write("\n")
    assert [e.key for e in ledger.read(tmp_path, found.end).entries] == ["half"]
    with caplog.at_level(logging.WARNING):
        Ledger(tmp_path).read()
    assert "line 3 is damaged and left out" in caplog.text
    assert ledger.read(tmp_path / "nowhere").entries == []


def test_an_entry_reads_back_as_it_was_written(tmp_path):
    entry = LedgerEntry("k", Status.DIVERGED, "runs/k", ("seed=0", "x=学"), 1.5, 1.0, 40.0, "nan")
    assert ledger.entry_of(entry.line().encode()) == entry


def test_an_event_of_a_later_version_is_read_and_its_line_is_kept(tmp_path):
    line = {"event": "pause", "time_ms": 1, "elapsed": 0.5, "why": "lunch"}
    (tmp_path / "journal.jsonl").write_text(json.dumps(line) + "\n")
    (event,) = journal.events(tmp_path)[0]
    assert (event.kind, event.status, event.is_measurement) == ("pause", None, False)
    assert event.recorded == line
