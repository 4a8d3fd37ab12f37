"""One list says which keys change no number, and everybody who compares overrides goes by it."""

from dataclasses import fields

import pytest

from dlexp.config.overrides import ROOT
from dlexp.core import kinds
from dlexp.core.experiment import Experiment
from dlexp.core.silent_keys import SILENT, is_silent
from dlexp.sweeps.identity import sweep_id
from dlexp.tracking.sweep_folder import LedgerFollower

WORDS = {
    "hydra": "hydra.launcher.n_jobs=1",
    "checkpoint": "checkpoint.seconds=5",
    "zip": "zip=[a,b]",
}


def test_every_key_that_is_no_part_of_an_experiment_is_silent_but_those_that_bring_other_values():
    own = {f.name for f in fields(Experiment)} | {*kinds.KINDS}
    brings = {"experiment", "quick", "study"}  # a study's file, the smaller budget in it, its words
    assert {*SILENT} == ({*ROOT} - own - brings) | {"observer", "hydra"}


@pytest.mark.parametrize("key", SILENT)
def test_a_run_takes_the_place_of_one_that_differs_in_a_silent_key_only(tmp_path, key):
    word = WORDS.get(key, f"{key}=x")
    entries = [
        {"key": "old", "overrides": ["optimizer=sgd"]},
        {"key": "new", "overrides": ["optimizer=sgd", word]},
        {"key": "other", "overrides": ["optimizer=sgd", "epochs=3"]},
    ]
    lines = [
        '{"time_ms": 1, "folder": "runs/x", "status": "FINISHED", ' + str(e)[1:].replace("'", '"')
        for e in entries
    ]
    (tmp_path / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    ledger = LedgerFollower(tmp_path)
    ledger.read()
    assert [e.key for e in ledger.current()] == ["new", "other"]


@pytest.mark.parametrize("key", SILENT)
def test_a_sweep_is_the_same_whatever_its_silent_keys_but_for_zip_which_says_what_runs_there_are(
    key,
):
    word = WORDS.get(key, f"{key}=x")
    assert (sweep_id(["epochs=3", word], ["seed"]) == sweep_id(["epochs=3"], ["seed"])) == (
        key != "zip"
    )


@pytest.mark.parametrize(
    "word", ["sweeper=1", "observers=x", "optimizer.lr=1", "+zipped=1", "batch_size=5"]
)
def test_a_key_that_only_begins_like_a_silent_one_is_none(word):
    assert not is_silent(word)
