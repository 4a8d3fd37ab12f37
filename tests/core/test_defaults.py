"""The defaults of an experiment stand in conf/config.yaml, and nowhere else."""

import shutil

import pytest

from dlexp.config import compose_run
from dlexp.core import defaults
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.experiment import Experiment
from dlexp.core.kinds import KINDS
from dlexp.paths import CONF
from dlexp.runs import provenance
from dlexp.storage.checkpoint import Checkpointing


@pytest.fixture
def menu(tmp_path, monkeypatch):
    """A function that changes texts of the file for this process, but not for Hydra."""
    shutil.copy(CONF / "config.yaml", tmp_path)

    def change(**texts):
        text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
        for key, value in texts.items():
            before = next(line for line in text.splitlines() if f"{key}: " in line)
            text = text.replace(before, f"{before.partition(':')[0]}: {value}")
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(defaults, "CONF", tmp_path)
        defaults.defaults.cache_clear()

    yield change
    defaults.defaults.cache_clear()


def with_defaults(e):
    """An experiment of the same plugins that is given nothing else."""
    return Experiment(**{name: getattr(e, name) for name in KINDS})


def test_an_experiment_takes_what_it_is_not_given_from_the_menu(menu):
    composed = compose_run().experiment
    assert with_defaults(composed) == composed
    menu(epochs="7", dtype="float64", batch_size="10", patience="3", metric="val/accuracy")
    e = with_defaults(composed)
    assert (e.epochs, e.dtype, e.batch_size) == (7, "float64", 10)
    assert e.early_stopping == EarlyStopping(patience=3, metric="val/accuracy")
    assert e.defaults()["early_stopping.metric"] == "val/accuracy"


def test_how_often_a_state_is_saved_stands_in_the_menu(menu):
    assert Checkpointing() == Checkpointing(epochs=None, seconds=10.0)
    menu(seconds="3")
    assert Checkpointing().seconds == 3.0


def test_a_runs_name_leaves_out_what_the_menu_chooses(menu):
    e = compose_run("activation=tanh", "epochs=7").experiment
    assert provenance.run_name(e) == "adam he tanh epochs=7 s0"
    menu(activation="tanh", epochs="7")
    assert provenance.run_name(e) == "adam he s0"
    assert provenance.run_name(compose_run().experiment) == "adam he relu epochs=50 s0"
