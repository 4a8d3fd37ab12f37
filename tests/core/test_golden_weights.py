"""The weights of small runs are those that are recorded, to the bit: NUMERICS stands for them."""

import json
import shutil
from pathlib import Path

import golden
import numpy as np
import pytest

from dlexp.core import identity
from dlexp.runs import provenance

KNOWN = json.loads(golden.DIGESTS.read_text())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    golden.write_data(folder)
    return folder


@pytest.fixture(scope="module")
def arithmetic():
    with provenance.one_blas_thread():
        return provenance.numerics()["digest"]


@pytest.mark.parametrize("name", golden.SETUPS)
def test_a_run_ends_with_the_weights_that_are_recorded(name, data, arithmetic, monkeypatch):
    monkeypatch.chdir(data)
    with np.load(golden.WEIGHTS) as file:
        before = file[name]
    now = golden.weights(name)
    here = KNOWN["digests"].get(arithmetic, {"weights": {}})["weights"]
    if name in here:
        assert golden.digest(now) == here[name], f"{name} has other bits: {golden.TO_DO}"
    else:
        assert golden.is_close(now, before), f"{name} has other weights: {golden.TO_DO}"


def test_what_is_recorded_is_of_todays_identities():
    assert KNOWN["identities"] == golden.identities(), "run: python tests/golden.py"
    with np.load(golden.WEIGHTS) as file:
        assert {*file} == {*golden.SETUPS}
    assert any({*one["weights"]} == {*golden.SETUPS} for one in KNOWN["digests"].values())


def test_every_plugin_of_a_release_has_its_weights_recorded():
    used = set()
    for words in golden.SETUPS.values():
        for kind, chosen in golden.experiment(words).plugins():
            used |= {f"{kind}/{plugin.name}.py" for plugin in chosen}
    released = {name for name in identity._known()["plugins"] if not name.endswith("/none.py")}
    assert len(released) > 35
    assert released <= used


def test_other_weights_are_not_recorded_of_the_same_identity(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    monkeypatch.setattr(golden, "weights", lambda name: np.zeros(3, np.float32))
    for file in ("DIGESTS", "WEIGHTS"):
        monkeypatch.setattr(golden, file, Path(shutil.copy(getattr(golden, file), tmp_path)))
    before = golden.DIGESTS.read_bytes(), golden.WEIGHTS.read_bytes()
    with pytest.raises(SystemExit, match="raise NUMERICS"):
        golden.record()
    assert (golden.DIGESTS.read_bytes(), golden.WEIGHTS.read_bytes()) == before


def test_a_run_that_is_recorded_stops_early_and_another_does_not():
    trainers = [
        golden.experiment(golden.SETUPS[name]).trainer() for name in ("everything", "float64")
    ]
    for trainer in trainers:
        list(trainer.run())
    assert [t.t < t.total for t in trainers] == [True, False]


def test_a_default_of_dlexps_own_fields_stays_or_numerics_is_raised():
    """A field at its default is no part of a run's identity."""
    now = golden.defaults()
    changed = {k: v for k, v in KNOWN["defaults"].items() if k in now and now[k] != v}
    assert not changed, f"other defaults now: {golden.TO_DO}"
    assert {"Experiment.epochs", "EarlyStopping.patience", "Data.n_train"} <= {*KNOWN["defaults"]}
