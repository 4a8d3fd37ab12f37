"""A run that is cut short, at whatever moment, goes on to the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ("model.hidden=[16,16]", "data.n_train=200", "batch_size=50", "epochs=40")
NOISY = ("normalization=batch_norm", "regularizer=[dropout,weight_decay]", "schedule=cosine")
EYES = "observer=[curves,histograms,diagnostics]"
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")


def kill(folder, kills, *overrides, seed=0):
    """What `killing.py` found."""
    script = Path(__file__).parents[1] / "killing.py"
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, str(script), str(seed), str(kills), *SMALL, *overrides]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


FILES = {
    "network.npz",
    "figures/curves.png",
    "figures/diagnostics.png",
    "figures/histograms.png",
    "arrays/histograms.npz",
    "measured",
}


def check(found, files=FILES):
    assert found["end"] == ["finish", "FINISHED"]
    assert found["differing"] == []
    assert files <= {*found["whole"]}
    assert sum(found["resumed"]) > 0, "no kill came in time"


def test_killed_at_random_moments_and_resumed_a_run_leaves_what_an_uninterrupted_one_does(tmp_path):
    # figures take seconds
    blind = ("observer.histograms.figure=false", "observer.diagnostics.figure=false")
    found = kill(tmp_path, 4, "optimizer=adam", *NOISY, "observer=[histograms,diagnostics]", *blind)
    check(found, {"network.npz", "arrays/histograms.npz", "measured"})


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_twenty_kills_of_every_optimizer_with_batch_norm_and_dropout(tmp_path, optimizer):
    check(
        kill(tmp_path, 20, f"optimizer={optimizer}", *NOISY, EYES, seed=OPTIMIZERS.index(optimizer))
    )


@pytest.mark.slow
def test_twenty_kills_of_a_run_that_stops_early(tmp_path):
    stopping = ("early_stopping.patience=5", "epochs=200", "optimizer=adam", "optimizer.lr=0.01")
    check(kill(tmp_path, 20, *stopping, *NOISY, EYES))
