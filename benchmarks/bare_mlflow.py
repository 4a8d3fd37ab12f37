"""Logs one finished run as a person would by hand: the reference of `main_job.py`.

    python -m benchmarks.bare_mlflow <run folder of a dlexp run> <sqlite store> <artifact folder>

Logs the same parameters, tags, metrics, figure and model as dlexp's sender did, with MLflow's
ordinary calls. It neither trains nor composes a configuration.
"""

import json
import os
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import mlflow
from mlflow.entities import Metric


def main(folder: Path, store: Path, artifacts: Path) -> None:
    """Log one run into an SQLite store."""
    run = json.loads((folder / "run.json").read_text("utf-8"))
    events = [
        json.loads(line) for line in (folder / "journal.jsonl").read_text("utf-8").splitlines()
    ]
    records = [e for e in events if e["event"] == "record"]
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name("bare") is None:
        client.create_experiment("bare", artifact_location=artifacts.as_uri())
    mlflow.set_experiment("bare")
    with mlflow.start_run(run_name=run["name"]) as active:
        mlflow.log_params(run["params"])
        mlflow.set_tags(run["tags"])
        metrics = [
            Metric(name, value, r["time_ms"], r["epoch"])
            for r in records
            for name, value in r["metrics"].items()
            if value is not None
        ]
        client.log_batch(active.info.run_id, metrics=metrics)
        figure, axes = plt.subplots(1, 2, figsize=(9, 4))
        for axis, what in zip(axes, ("loss", "accuracy"), strict=True):
            for split in ("train", "val"):
                points = [
                    (r["epoch"], r["metrics"][f"{split}/{what}"])
                    for r in records
                    if f"{split}/{what}" in r["metrics"]
                ]
                axis.plot(*zip(*points, strict=True), label=split)
            axis.set(xlabel="epoch", ylabel=what)
            axis.legend()
        mlflow.log_figure(figure, "figures/curves.png")
        for name in ("config.yaml", "run.log", "run.json"):
            mlflow.log_artifact(str(folder / name))
        mlflow.pyfunc.log_model(
            name="model",
            loader_module="dlexp.storage.network_file",
            data_path=str(folder / "network.npz"),
            pip_requirements=["dlexp", "numpy"],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve())
