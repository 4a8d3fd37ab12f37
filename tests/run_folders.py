"""Run folders as training leaves them behind, for the tests of the mirror."""

import json
import tempfile
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from dlexp import Dense, Network, tracking
from dlexp.core import registry
from dlexp.storage import network_file
from dlexp.tracking import sender, store

BEGAN = 1_700_000_000_000


def send(*folders):
    """Mirror these folders from this process."""
    with warnings.catch_warnings():  # MLflow's own
        warnings.simplefilter("ignore")
        return sender.run(folders)


@cache
def _blank():
    """A new store, made once, where another sender was killed making it: half a store lies there
    already.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "mlflow.db"
        file.with_name("mlflow.db.new").write_bytes(store.MAGIC + b" and then the power failed")
        store._ready(file)
        assert [f.name for f in file.parent.iterdir()] == [file.name]
        return file.read_bytes()


def with_store(outputs):
    """An outputs folder with a store in it; its address."""
    outputs.mkdir(parents=True, exist_ok=True)
    (outputs / "mlflow.db").write_bytes(_blank())
    return tracking.store_uri(outputs)


def event(name, **news):
    return {"event": name, "time_ms": BEGAN + 10 * news.get("step", 0), "elapsed": 0.5, **news}


def records(n, **more):
    return [
        event(
            "record",
            epoch=i,
            step=12 * i,
            metrics={"train/loss": 1 / (i + 1), "val/accuracy": 0.1 * i, **more},
        )
        for i in range(n)
    ]


def run_folder(
    folder,
    uri,
    events,
    *,
    finish="FINISHED",
    error=None,
    net=True,
    shown_as="adam he dropout s0",
    **changes,
):
    """A run folder as training leaves it behind."""
    folder.mkdir(parents=True)
    told = {
        "id": f"20261122-123005-{folder.name}",
        "name": shown_as,
        "created_ms": BEGAN,
        "params": {
            "optimizer": "adam",
            "optimizer.lr": 0.001,
            "model.hidden": [100, 50],
            "steps": None,
            "x.on": True,
        },
        "tags": {"dlexp.command": "python -m dlexp optimizer=adam", "dlexp.git.commit": "c0ffee"},
        "dataset": {
            "name": "digits",
            "source": "https://doi.org/10.24432/C50P49",
            "sha256": "ab" * 32,
            "features": 5,
            "classes": 3,
            "train": 9,
            "validation": 2,
            "test": 2,
        },
        "tracking": {
            "uri": uri,
            "artifacts": None,
            "experiment": "dlexp",
            "model": True,
            "wait": 60,
        },
        "config_file": "config.yaml",
    } | changes
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    ending = [] if finish is None else [event("finish", status=finish, error=error, step=900)]
    lines = [event("start"), *events, *ending]
    (folder / "journal.jsonl").write_text(
        "".join(json.dumps(e) + "\n" for e in lines), encoding="utf-8"
    )
    (folder / "config.yaml").write_text("optimizer: {name: adam}\n", encoding="utf-8")
    (folder / "run.log").write_text("a word\n", encoding="utf-8")
    (folder / "figures").mkdir()
    (folder / "figures" / "curves.png").write_bytes(b"\x89PNG")
    if net:
        made = Network([Dense(units=4), registry.find("activation", "relu")(), Dense(units=3)], 5)
        made.params.storage[...] = np.random.default_rng(3).standard_normal(
            made.params.storage.shape
        )
        network_file.save_network(folder / "network.npz", made)
    return folder
