"""One BLAS thread, set before NumPy is imported: bits depend on it. Every plugin is registered;
MLflow stays silent.
"""

import os
import subprocess
import sys
import time

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MPLBACKEND"] = "Agg"
for _variable in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
    # whoever runs the tests may have a server: the tests' runs are not for it
    os.environ.pop(_variable, None)
os.environ["COLUMNS"] = "100"  # whatever the terminal's width, what is printed is the same

import numpy as np
import pytest

from dlexp.plugins import discovery

discovery.discover()

collect_ignore_glob = ["*conftest.py"]  # they have no doctests, and all have the same name


@pytest.fixture(autouse=True)
def the_global_random_state_is_untouched():
    before = np.random.get_state()[1].copy()
    yield
    assert (np.random.get_state()[1] == before).all(), "the global random state was used"


@pytest.fixture(autouse=True)
def the_environment_names_no_store(monkeypatch):
    """Whatever the developer's says, and whatever `mlflow.set_tracking_uri` of another test has
    left there.
    """
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty working folder of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLEXP_OUTPUTS", raising=False)
    monkeypatch.delenv("DLEXP_PLUGINS", raising=False)
    return tmp_path


@pytest.fixture
def start(in_tmp):
    """Start sweeps, as commands that do not outlive the test."""
    begun = []

    def begin(*words):
        command = [sys.executable, "-m", "dlexp", "-m", *words, "tracking=none"]
        begun.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        )
        return begun[-1]

    yield begin
    for child in begun:
        child.kill()
        child.wait()
        child.stderr.close()


@pytest.fixture
def until():
    """Wait for a condition, but not for ever."""

    def wait(condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    return wait


@pytest.fixture
def no_figures(monkeypatch):
    """Reports draw no figures: they take most of the time, and test_report_page looks at them."""
    from dlexp.report import plots

    monkeypatch.setattr(plots, "draw", lambda *_: [])
    monkeypatch.setattr(plots, "draw_tuned", lambda *_: [])


@pytest.fixture
def in_process(monkeypatch):
    """Runs are sent to MLflow from this process."""
    from run_folders import send

    from dlexp import tracking

    def start(folders):
        send(*folders)
        return tracking.Sender(folders, None)

    monkeypatch.setattr(tracking, "start", start)
    monkeypatch.setattr("dlexp.tracking.sync.start", start)
