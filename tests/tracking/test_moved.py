"""A moved or copied project: its runs belong to the store beside them, not to the old place."""

import contextlib
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache
from run_folders import event, records, run_folder, send, with_store
from sweep_folders import fill, sweep_folder

from dlexp import tracking
from dlexp.cli.main import main
from dlexp.storage.find import MIRROR_FILE
from dlexp.tracking import address, artifacts, fetch, run_follower, settings, state

pytestmark = pytest.mark.usefixtures("in_process")

SHOWN = {"experiment": "dlexp", "model": True, "wait": 60}


def as_recorded(form, outputs):
    """The record of the store under `outputs` in run.json, today's or that of earlier versions."""
    if form == "now":
        return {**SHOWN, "uri": address.OWN}
    return {**SHOWN, "uri": tracking.store_uri(outputs), "artifacts": str(outputs / "mlartifacts")}


def make_old(folder, outputs):
    """mlflow.json as earlier versions wrote it."""
    told = json.loads((folder / MIRROR_FILE).read_text())
    (folder / MIRROR_FILE).write_text(json.dumps(told | {"uri": tracking.store_uri(outputs)}))


@pytest.fixture
def project(request, in_tmp, monkeypatch):
    """A project with a sent run x, a sweep and a killed run y, and the form of its record."""
    outputs = in_tmp / "a" / "outputs"
    outputs.mkdir(parents=True)
    with_store(outputs)
    monkeypatch.chdir(in_tmp / "a")
    form = getattr(request, "param", "now")
    shown = as_recorded(form, outputs)
    folders = [
        run_folder(outputs / "runs" / "x", "", records(3), tracking=shown),
        run_folder(outputs / "runs" / "y", "", records(2), finish=None, net=False, tracking=shown),
        fill(sweep_folder(outputs / "sweeps" / "s", None)),
    ]
    told = json.loads((folders[2] / "sweep.json").read_text())
    (folders[2] / "sweep.json").write_text(json.dumps(told | {"tracking": shown}))
    (folders[2] / "report").mkdir()
    (folders[2] / "report" / "report.html").write_text("<p>")
    assert send(*folders) == 0
    if form == "earlier":
        for folder in (*folders, *(folders[2] / "runs").iterdir()):
            make_old(folder, outputs)
    _artifact_repos_cache.clear()  # MLflow's, of a process; a sender that is started later has none
    return in_tmp / "a", shown


def places(project):
    """All that a store says of places of artifacts."""
    with contextlib.closing(sqlite3.connect(project / "outputs" / "mlflow.db")) as store:
        return [
            row[0]
            for table, columns in artifacts.PLACES.items()
            for column in columns
            for row in store.execute(f"select {column} from {table}")
        ]


def statuses(project):
    with contextlib.closing(sqlite3.connect(project / "outputs" / "mlflow.db")) as store:
        return store.execute("select name, status from runs").fetchall()


def tree(folder):
    return {p: p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


def lost(outputs):
    return [name for f in outputs.glob("runs/*") for name in artifacts.lost(f)] + [
        name for f in outputs.glob("sweeps/*/runs/*") for name in artifacts.lost(f)
    ]


@pytest.mark.parametrize(
    ("project", "by"),
    [("now", shutil.move), ("earlier", shutil.move), ("earlier", shutil.copytree)],
    indirect=["project"],
)
def test_a_project_that_was_moved_or_copied_writes_into_its_new_place_only(
    project, by, monkeypatch, capsys
):
    here, _ = project
    there = here.parent / "b"
    by(here, there)
    monkeypatch.chdir(there)
    before, n, outputs = tree(here), len(statuses(there)), there / "outputs"
    with (outputs / "runs" / "y" / "journal.jsonl").open("a") as journal:  # it was resumed
        journal.writelines(
            json.dumps(e) + "\n"
            for e in [
                event("resume", step=24, changes=[]),
                event("finish", status="FINISHED", error=None, step=24),
            ]
        )
    new = run_folder(
        outputs / "runs" / "z",
        "",
        records(3),
        tracking={**SHOWN, "uri": address.OWN},
        shown_as="new",
    )
    assert send(new) == 0
    assert main(["sync"]) == 0
    assert tree(here) == before, "nothing is written where the project was"
    shown = statuses(there)
    assert [s for name, s in shown if name == "adam he dropout s0"] == ["FINISHED"] * 2, (
        "of the store one sees"
    )
    assert len(shown) == n + 1, "each run is there once"
    assert all(str(here) + "/" not in place for place in places(there))
    assert any(place.startswith((outputs / "mlartifacts").as_uri()) for place in places(there))
    assert lost(outputs) == []
    assert json.loads((new / MIRROR_FILE).read_text())["uri"] == address.OWN
    capsys.readouterr()
    main(["doctor"])
    assert "mlflow.db" not in capsys.readouterr().out


def test_the_doctor_names_and_sets_right_what_a_moved_store_says_of_its_former_place(
    project, monkeypatch, capsys
):
    import mlflow
    import numpy as np

    here, _ = project
    there = here.rename(here.parent / "b c")
    monkeypatch.chdir(there)
    before = tree(there)
    assert main(["doctor", "--dry-run"]) == 1
    assert f"to repair outputs/mlflow.db: it was in {here}/outputs: " in capsys.readouterr().out
    assert tree(there) == before, "a dry run writes nothing"
    main(["doctor"])
    assert f"repaired  outputs/mlflow.db: it was in {here}/outputs: " in capsys.readouterr().out
    run_id = state.load(there / "outputs" / "runs" / "x").run_id
    store = tracking.store_uri(there / "outputs")
    with tempfile.TemporaryDirectory() as spare:
        file = mlflow.MlflowClient(store).download_artifacts(run_id, "figures/curves.png", spare)
        assert Path(file).read_bytes() == b"\x89PNG"
    before_uri = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    try:
        network = mlflow.pyfunc.load_model(f"runs:/{run_id}/network")
        assert network.predict(np.zeros((1, 5), np.float32)).shape == (1, 3)
    finally:
        mlflow.set_tracking_uri(before_uri)
    assert not here.exists()


def test_a_run_is_fetched_from_a_copied_store_without_a_look_at_the_original(
    project, monkeypatch, tmp_path
):
    here, _ = project
    there = here.rename(here.parent / "b")
    monkeypatch.chdir(there)
    run_id = state.load(there / "outputs" / "runs" / "x").run_id
    (tmp_path / "spare").mkdir()
    found = fetch.run_folder(run_id, None, tmp_path / "spare")
    assert (found / "journal.jsonl").read_bytes() == (
        there / "outputs/runs/x/journal.jsonl"
    ).read_bytes()


def test_artifacts_that_were_deleted_are_noticed_by_the_doctor_and_sent_again(project, capsys):
    here, _ = project
    outputs = here / "outputs"
    kept = tree(outputs / "mlartifacts")
    shutil.rmtree(outputs / "mlartifacts")
    assert main(["doctor", "--dry-run"]) == 1
    out = capsys.readouterr().out
    assert "outputs/runs/x: 6 of its artifacts were missing in MLflow" in out
    assert "outputs/sweeps/s: " in out
    assert main(["sync"]) == 0
    names = {p.relative_to(outputs) for p in tree(outputs / "mlartifacts") if p.is_file()}
    assert names == {p.relative_to(outputs) for p in kept if p.suffix or p.name == "MLmodel"}
    assert lost(outputs) == []
    (
        outputs / "mlartifacts" / str(state.load(outputs / "runs/x").run_id) / "artifacts/run.json"
    ).unlink()
    main(["doctor"])
    assert (
        "outputs/runs/x: 1 of its artifacts was missing in MLflow: sent" in capsys.readouterr().out
    )
    assert lost(outputs) == []


def test_of_a_store_in_the_project_no_absolute_place_is_recorded(in_tmp):
    own, mine = (
        settings.to_json(settings.MLflow()),
        settings.to_json(settings.MLflow(uri="sqlite:///mine.db")),
    )
    same = settings.to_json(settings.MLflow(uri=tracking.store_uri(in_tmp / "outputs")))
    assert own["uri"] == same["uri"] == "sqlite:///{outputs}/mlflow.db"
    assert mine["uri"] == "sqlite:///{outputs}/../mine.db"
    assert str(in_tmp) not in json.dumps([own, same, mine])
    assert address.asked_for(mine, Path("/srv/b/outputs")) == "sqlite:////srv/b/mine.db"
    other = f"sqlite:///{in_tmp.parent}/theirs.db"
    assert settings.to_json(settings.MLflow(uri=other))["uri"] == other, (
        "what is elsewhere stays there"
    )


def test_a_sender_whose_folder_was_moved_away_makes_nothing_of_it_anew(in_tmp):
    folder = run_folder(
        in_tmp / "a/outputs/runs/x",
        "",
        records(1),
        finish=None,
        tracking={**SHOWN, "uri": address.OWN},
    )
    follower = run_follower.RunFollower(folder, run_follower.Stores())
    (in_tmp / "a").rename(in_tmp / "b")
    follower.look()
    assert follower.over
    assert not (in_tmp / "a").exists()


def test_places_that_a_user_chose_in_the_same_store_stay_as_they_are(in_tmp):
    from mlflow.tracking import MlflowClient

    outputs = in_tmp / "a" / "outputs"
    outputs.mkdir(parents=True)
    with_store(outputs)
    assert (
        send(
            run_folder(
                outputs / "runs" / "x", "", records(1), tracking={**SHOWN, "uri": address.OWN}
            )
        )
        == 0
    )
    chosen = "file:///srv/elsewhere/mlartifacts"
    MlflowClient(tracking.store_uri(outputs)).create_experiment("mine", artifact_location=chosen)
    moved = (in_tmp / "a").rename(in_tmp / "b") / "outputs" / "mlflow.db"
    (found,) = artifacts.settle(moved)
    assert found.before == outputs
    assert artifacts.settle(moved) == []
    assert chosen in places(in_tmp / "b")
    assert sorted(p for p in places(in_tmp / "b") if p.startswith(outputs.as_uri())) == []
