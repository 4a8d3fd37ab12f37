"""What main 7c54196 left on the disk is read, resumed, replayed, reported and sent by today's code.

`scripts/make_first_version.py` made tests/fixtures/first_version. Bits are compared where the
numerics fingerprint is the recorded one. Elsewhere metrics are compared, with a tolerance.
"""

import csv
import itertools
import json
import shlex
import shutil
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from run_folders import with_store

from dlexp import serving, tracking
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.core import registry
from dlexp.plugins import discovery
from dlexp.runs import provenance, records
from dlexp.storage import journal
from dlexp.sweeps import earlier
from dlexp.sweeps.job import plan_jobs

FIXTURE = Path(__file__).parents[1] / "fixtures" / "first_version"
EXPECTED = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
STATUSES = {
    "interrupted": "INTERRUPTED",
    "killed": None,
    "own_interrupted": "INTERRUPTED",
    "batch_norm": "FINISHED",
    "own_finished": "FINISHED",
    "surface": "FINISHED",
}
UNNAMED = "8af97a1470b4"
SWEEPS = {"half": 3, "done": 4, UNNAMED: 2}  # and how many of their runs have ended
OTHER_BITS = {"rel": 0.05, "abs": 0.05}  # what other arithmetic may add up to


@pytest.fixture(scope="session")
def same_arithmetic():
    """Whether this machine computes the bits that were recorded."""
    with provenance.one_blas_thread():
        return provenance.numerics()["digest"] == EXPECTED["numerics"]["digest"]


@pytest.fixture
def project(in_tmp, monkeypatch):
    """A copy of the old project, with its plugin, as the working folder; nothing is sent yet."""
    folder = in_tmp / "project"
    shutil.copytree(FIXTURE / "project", folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tracking, "start", lambda folders: tracking.Sender(folders, None))
    monkeypatch.setattr(tracking, "start_sweep", lambda folder: tracking.Sender([folder], None))
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")  # has tests of its own
    before = {*registry.every()}
    discovery.discover()
    yield folder
    for cls in {*registry.every()} - before:
        registry.unregister(cls)
        sys.modules.pop(cls.__module__, None)


def run_of(project, name):
    return project / EXPECTED["folders"][name]


def contents(folder):
    """All files of a folder but its locks, by their path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if not path.name.endswith("lock")}


def ending(run):
    """The SHA-256 of a finished run's weights, and its latest metrics."""
    metrics = {}
    for event in journal.events(run)[0]:
        metrics |= event.metrics
    assert event.status == "FINISHED"
    return {"weights": event.weights, "metrics": metrics}


def check_ending(run, expected, same_arithmetic):
    """It ended as the old code would have ended it."""
    if same_arithmetic:
        assert ending(run) == expected
    else:
        assert ending(run)["metrics"] == pytest.approx(expected["metrics"], **OTHER_BITS)


def resumptions(run):
    """The steps at which a run was resumed."""
    return [event.step for event in journal.events(run)[0] if event.kind == "resume"]


@pytest.mark.parametrize("name", STATUSES)
def test_an_old_run_is_read_with_its_status_and_measurements(name, project):
    past = records.read(run_of(project, name))
    assert past.status == STATUSES[name]
    assert len(past.records) >= 4
    assert past.numerics() == EXPECTED["numerics"]
    assert past.mixed == []


@pytest.mark.parametrize("sweep", SWEEPS)
def test_the_report_of_an_old_sweep_lists_its_runs_with_their_status(sweep, project, capsys):
    assert main(["report", sweep]) == 0
    assert f"sweep {sweep} · {SWEEPS[sweep]} runs" in capsys.readouterr().out
    table = project / "outputs" / "sweeps" / sweep / "report" / "runs.csv"
    with table.open(encoding="utf-8", newline="") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert statuses == ["FINISHED"] * SWEEPS[sweep]


@pytest.mark.parametrize("name", EXPECTED["runs"])
def test_an_old_run_that_was_cut_short_is_resumed_to_the_weights_of_an_undisturbed_one(
    name,
    project,
    same_arithmetic,
    capsys,
):
    run = run_of(project, name)
    assert main(["resume", run.name, *([] if same_arithmetic else ["--anyway"])]) == 0
    assert len(resumptions(run)) == 1
    assert resumptions(run)[0] > 0, "it went on from its checkpoint"
    check_ending(run, EXPECTED["runs"][name], same_arithmetic)
    if same_arithmetic:
        assert "mixed" not in capsys.readouterr().out


@pytest.mark.parametrize("name", EXPECTED["runs"])
def test_an_old_run_resumed_anyway_comes_to_the_same_weights(name, project, same_arithmetic):
    run = run_of(project, name)
    assert main(["resume", run.name, "--anyway"]) == 0
    check_ending(run, EXPECTED["runs"][name], same_arithmetic)


@pytest.mark.parametrize("name", STATUSES)
def test_an_old_run_is_replayed_to_the_same_bits(name, project, same_arithmetic, capsys):
    run = run_of(project, name)
    before = contents(project)
    status = main(["replay", run.name, "--tolerance", str(OTHER_BITS["rel"])])
    out = capsys.readouterr().out
    if same_arithmetic:
        assert status == 0
        assert out.startswith("same      ")
        assert ("and the weights" in out) == (STATUSES[name] == "FINISHED")
    else:
        assert out.startswith("same      ") or "\nwithin the tolerance" in out
    assert contents(project) == before


def unfinished(sweep):
    """The folders of the runs that a killed sweep left without an end."""
    journals = sweep.glob("runs/*/journal.jsonl")
    return [path.parent for path in journals if "FINISHED" not in path.read_text()]


def member(run):
    """How EXPECTED names a run of the half-trained sweep."""
    params = json.loads((run / "run.json").read_text(encoding="utf-8"))["params"]
    return f"{params['optimizer']} s{params['seed']}"


def test_a_half_trained_old_sweep_is_completed_and_its_finished_runs_are_not_trained_again(
    project,
    same_arithmetic,
    capsys,
):
    sweep = project / "outputs" / "sweeps" / "half"
    (cut,) = unfinished(sweep)
    ended = {*(sweep / "runs").iterdir()} - {cut}
    before = {run: contents(run) for run in ended}
    assert main(["resume", "half"]) == 0
    resumed = ", 1 of them resumed from a checkpoint" if same_arithmetic else ""
    assert f"sweep     6 finished; 3 newly trained{resumed}\n" in capsys.readouterr().out
    assert {run: contents(run) for run in ended} == before
    assert bool(resumptions(cut)) == same_arithmetic
    runs = {run: member(run) for run in (sweep / "runs").iterdir()}
    assert sorted(runs.values()) == sorted(EXPECTED["half"])
    for run, name in runs.items():
        check_ending(run, EXPECTED["half"][name], same_arithmetic)


@pytest.mark.parametrize("sweep", ["done", UNNAMED])
@pytest.mark.parametrize("how", ["resumed", "typed again"])
def test_a_finished_old_sweep_trains_nothing_again(how, sweep, project, capsys):
    folder = project / "outputs" / "sweeps" / sweep
    command = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["command"]
    before = contents(folder / "runs")
    words = ["resume", sweep] if how == "resumed" else shlex.split(command)[3:]
    assert main(words) == 0
    assert f"sweep     {SWEEPS[sweep]} finished; 0 newly trained\n" in capsys.readouterr().out
    assert contents(folder / "runs") == before
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(SWEEPS)


@pytest.fixture(scope="module")
def predictions():
    """What the old code predicted of some samples."""
    with np.load(FIXTURE / "predictions.npz") as file:
        return dict(file)


def check_predictions(network, predictions, same_arithmetic):
    x = predictions["x"]
    probabilities, labels = network.predict(x), network.predict(x, params={"output": "labels"})
    assert (labels == predictions["labels"]).all()
    if same_arithmetic:
        assert (probabilities == predictions["probabilities"]).all()
    np.testing.assert_allclose(probabilities, predictions["probabilities"], rtol=1e-5)


def test_an_old_network_predicts_the_recorded_probabilities(project, predictions, same_arithmetic):
    network = serving._load_pyfunc(str(run_of(project, "batch_norm") / "network.npz"))
    check_predictions(network, predictions, same_arithmetic)


def test_an_old_model_of_mlflow_predicts_them_too(tmp_path, predictions, same_arithmetic):
    model = shutil.copytree(FIXTURE / "model", tmp_path / "model")
    assert "loader_module: dlexp.serving" in (model / "MLmodel").read_text(encoding="utf-8")
    with warnings.catch_warnings():  # MLflow's own
        warnings.simplefilter("ignore")
        import mlflow

        network = mlflow.pyfunc.load_model(str(model))
    check_predictions(network, predictions, same_arithmetic)


def in_store(project):
    """How many runs MLflow has, by dlexp's id of them; no measurement may be there twice."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking.store_uri(project / "outputs"))
    runs = client.search_runs(["1"])
    for run in runs:
        for name in run.data.metrics:
            steps = [m.step for m in client.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps)), (run.info.run_name, name)
    kinds = {"sweep": "dlexp.sweep", "run": "dlexp.run_id"}
    names = [run.data.tags[kinds[run.data.tags["dlexp.kind"]]] for run in runs]
    return Counter(name.split(".")[-1] for name in names)  # in a sweep: the sweep's, a dot, its own


def ids(project):
    """The ids of single runs, the keys of runs of sweeps that have ended, and the sweeps."""
    runs = [json.loads(p.read_text())["id"] for p in project.glob("outputs/runs/*/run.json")]
    ledgers = "".join(path.read_text() for path in project.rglob("ledger.jsonl"))
    return [*runs, *(json.loads(line)["key"] for line in ledgers.splitlines()), *SWEEPS]


def test_sync_sends_every_old_run_to_a_fresh_store_exactly_once(project, in_process, capsys):
    with_store(project / "outputs")
    everything = Counter(ids(project))
    assert everything.total() == len(STATUSES) + sum(SWEEPS.values()) + len(SWEEPS)
    for _ in range(2):
        assert main(["sync"]) == 0, capsys.readouterr().err
        assert in_store(project) == everything


def findings(project, capsys):
    """What the doctor says of which folder, MLflow aside, and its last line."""
    main(["doctor"])
    *lines, last = capsys.readouterr().out.splitlines()
    here = [line for line in lines if ": MLflow " not in line]
    return {(line[:9].strip(), project / line[10:].split(": ")[0]) for line in here}, last


def test_the_doctor_names_of_an_old_project_only_what_was_cut_short(project, in_process, capsys):
    with_store(project / "outputs")
    half = project / "outputs" / "sweeps" / "half"
    killed = {("repaired", run) for run in (run_of(project, "killed"), *unfinished(half))}
    first, last = findings(project, capsys)
    assert first == {("open", half), *killed}
    assert last.endswith("repaired, all is well (16 runs, 3 sweeps)")
    assert findings(project, capsys) == ({("open", half)}, "all is well (16 runs, 3 sweeps)")
    assert records.read(run_of(project, "killed")).status == "KILLED"


def rewritten(run, **changes):
    """Change what an old run says of itself."""
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps(described | changes), encoding="utf-8")


def other_framework(described):
    return {"sources": described["sources"] | {"dlexp/trainer.py": "0" * 16}}


def other_plugin(described):
    (name,) = (name for name in described["sources"] if name.startswith("optimizer/"))
    return {"sources": described["sources"] | {name: "0" * 16}}


def other_data(described):
    return {"dataset": described["dataset"] | {"sha256": "0" * 64}}


def other_value(described):
    return {"params": described["params"] | {"batch_size": 7}}


@pytest.mark.parametrize("other", [other_framework, other_plugin, other_data, other_value])
def test_an_old_run_of_other_code_or_data_is_not_taken_for_a_run_of_a_sweep(other, project):
    folder = project / "outputs" / "sweeps" / "done"
    run = min((folder / "runs").iterdir())
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    rewritten(run, **other(described))
    described = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    axes = itertools.product(["sgd", "adam"], [0, 1])
    words = [[*described["fixed"], f"optimizer={name}", f"seed={seed}"] for name, seed in axes]
    jobs = plan_jobs((w, compose_run(*w)) for w in words)
    recognized = earlier.recognized(jobs, earlier.members(folder))
    kept = {job.folder for job in recognized} & {path.name for path in folder.glob("runs/*")}
    assert run.name not in kept
    assert len(kept) == SWEEPS["done"] - 1


@pytest.mark.parametrize("other", [other_framework, other_plugin])
def test_an_old_run_of_modified_code_is_not_resumed(other, project, capsys):
    run = run_of(project, "interrupted")
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    rewritten(run, **other(described))
    assert main(["resume", run.name]) == 2
    changed = "dlexp/trainer.py" if other is other_framework else "optimizer/"
    err = capsys.readouterr().err
    assert changed in err
    assert " was changed" in err
