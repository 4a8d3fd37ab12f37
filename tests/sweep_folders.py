"""Sweep folders as a sweep leaves them behind, for the tests of the mirror."""

import itertools
import json

from run_folders import BEGAN, event, records

from dlexp import tracking

ENDED = BEGAN + 10_000


def sweep_folder(folder, uri, axes=None, *, ended=True, created=BEGAN, **told):
    """A sweep's folder without runs; `ended=False`: its command was killed."""
    (folder / "runs").mkdir(parents=True)
    say(
        folder,
        id=folder.name,
        name=None,
        created_ms=created,
        fixed=["epochs=3", "observer=none"],
        axes=axes or {"optimizer": ["sgd", "adam"], "seed": ["0", "1"]},
        command="python -m dlexp -m optimizer=sgd,adam",
        ended_ms=ENDED if ended else None,
        tracking=uri
        and {"uri": uri, "artifacts": None, "experiment": "dlexp", "model": True, "wait": 60.0},
        **told,
    )
    return folder


def say(folder, **news):
    """Write or change sweep.json."""
    path = folder / "sweep.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(told | news))


def add(
    folder,
    key,
    words,
    *,
    status="FINISHED",
    events=None,
    began=BEGAN,
    error=None,
    ledger=True,
    **params,
):
    """A run: its folder, and its line in the ledger. `status=None`: it was killed in the middle."""
    place = folder / "runs" / f"{key}-x"
    place.mkdir(exist_ok=True)
    typed = {k: json.loads(v) if v.isdigit() else v for k, v in (word.split("=") for word in words)}
    told = {
        "id": key,
        "name": " ".join(map(str, typed.values())),
        "created_ms": began,
        "tags": {"dlexp.sweep": folder.name},
        "params": {"epochs": 3, "optimizer": "sgd", **typed, **params},
        "dataset": {"name": "digits", "sha256": "ab" * 32, "features": 5},
        "tracking": None,
    }
    lines = [event("start"), *(records(3) if events is None else events)]
    if status:
        lines.append(event("finish", status=status, error=error, step=900))
    shifted = [{**line, "time_ms": line["time_ms"] - BEGAN + began} for line in lines]
    (place / "run.json").write_text(json.dumps(told))
    (place / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in shifted))
    (place / "config.yaml").write_text("optimizer: {name: adam}\n")
    (place / "run.log").write_text("a word\n")
    if ledger:
        write(folder, key, words, status or "KILLED", time_ms=began + 9001, error=error)
    return place


def write(sweep, key, words, status, **more):
    """A line of the ledger."""
    entry = {
        "key": key,
        "status": status,
        "folder": f"runs/{key}-x",
        "overrides": ["epochs=3", *words],
        "error": None,
    }
    with (sweep / "ledger.jsonl").open("a") as file:
        file.write(json.dumps({"time_ms": BEGAN + 9001, **entry, **more}) + "\n")


def fill(folder, optimizers=("sgd", "adam"), seeds=(0, 1)):
    """All combinations, finished."""
    for i, (o, s) in enumerate(itertools.product(optimizers, seeds)):
        add(folder, f"{i:x}{o}{s}", [f"optimizer={o}", f"seed={s}"], began=BEGAN + i)
    return folder


def report(folder, **more):
    """A report beside the runs."""
    place = folder / "report"
    (place / "figures").mkdir(parents=True, exist_ok=True)
    group = {"n": 2, "iqm": 0.5, "iqm_low": 0.25, "iqm_high": 0.75, "diverged": 0}
    told = {
        "metric": "test/accuracy",
        "more_is_better": True,
        "answer": "adam beats sgd.",
        "warnings": ["few seeds"],
        "groups": [{"group": "sgd", **group}, {"group": "adam", **group, "iqm": 0.625}],
    } | more
    (place / "report.json").write_text(json.dumps(told))
    (place / "report.html").write_text("<p>hello</p>")
    (place / "figures" / "dots.png").write_bytes(b"\x89PNG")


def client(outputs):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking.store_uri(outputs))


def found(outputs, folder):
    """All that MLflow shows of a sweep: its own run, and its runs by name."""
    mlflow = client(outputs)
    runs = mlflow.search_runs(["1"], f"tags.`dlexp.sweep` = '{folder.name}'")

    def files(run, path=None):
        for f in mlflow.list_artifacts(run.info.run_id, path):
            yield from files(run, f.path) if f.is_dir else [f.path]

    def told(run):
        own = {"mlflow.user", "mlflow.note.content"}
        return {
            "name": run.info.run_name,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": {k: v for k, v in run.data.tags.items() if k not in own},
            "loss": [
                (m.step, m.value) for m in mlflow.get_metric_history(run.info.run_id, "train/loss")
            ],
            "metrics": sorted(run.data.metrics),
            "data": [d.dataset.name for d in run.inputs.dataset_inputs],
            "files": sorted(files(run)),
        }

    own = [run for run in runs if run.data.tags["dlexp.kind"] == "sweep"]
    names = [run.info.run_name for run in runs if run.data.tags["dlexp.kind"] == "run"]
    assert len(own) == 1
    assert len(set(names)) == len(names)
    members = {run.info.run_name: told(run) for run in runs if run.data.tags["dlexp.kind"] == "run"}
    return told(own[0]) | {"note": own[0].data.tags["mlflow.note.content"], "runs": members}
