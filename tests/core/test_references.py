"""Results of another implementation (scripts/make_references.py), compared with dlexp's."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlexp import Data, Experiment, softmax_cross_entropy
from dlexp.conformance import optimizer, reference
from dlexp.core import registry
from dlexp.core.experiment import streams

FOLDER = Path(__file__).parents[1] / "references"
TRAININGS = sorted((FOLDER / "training").glob("*.npz"))
STEPS = 200


def agree(actual, expected, rtol, what):
    far = np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max()
    assert far <= rtol, f"{what} differ by {far:.1e} of the largest"


@cache
def splits():
    return registry.find("data", "digits")().load(streams(0)["split"])


@dataclass(frozen=True, kw_only=True)
class Digits(Data):
    """The digits as seed 0 splits them, read once for all trainings."""

    name = "digits"

    def load(self, rng):
        return splits()


def experiment(about):
    parts = {
        kind: (
            tuple(registry.from_dict(kind, d) for d in given)
            if isinstance(given, list)
            else registry.from_dict(kind, given)
        )
        for kind, given in about["parts"].items()
    }
    assert parts["data"] == registry.find("data", "digits")()
    assert about["settings"]["seed"] == 0
    return Experiment(**parts | {"data": Digits()}, **about["settings"])


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_a_training_takes_the_same_losses_as_pytorch_at_every_step(path):
    about, expected = reference.read(path)
    trainer = experiment(about).trainer()
    losses = []
    while trainer.t < trainer.total:
        for batch in trainer.rest_of_epoch():
            losses.append(trainer.step(batch))
            if trainer.t == trainer.total:
                break
    assert len(losses) == STEPS
    relative = np.abs(np.array(losses) / expected["losses"] - 1)
    assert relative.max() <= about["rtol"], (
        f"{path.stem}: {relative.max():.1e} at step {relative.argmax() + 1}"
    )
    for name, numbers in expected.items():
        if name.startswith("final_"):
            array = trainer.problem.params[name.removeprefix("final_")].reshape(-1)
            found = [array.sum(), np.linalg.norm(array), array @ np.cos(np.arange(array.size))]
            agree(found, numbers, about["rtol"], f"the final {name.removeprefix('final_')}")


def test_softmax_cross_entropy_and_its_gradient_are_pytorchs_also_where_exp_overflows():
    about, expected = reference.read(FOLDER / "softmax_cross_entropy.npz")
    loss, gradient = softmax_cross_entropy(expected["logits"], expected["labels"].astype(int))
    agree(loss, expected["loss"], about["rtol"], "the losses")
    agree(gradient, expected["gradient"], about["rtol"], "the gradients")


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"])
def test_every_optimizer_of_pytorchs_has_its_steps_and_a_whole_training_on_record(name):
    about, arrays = reference.read(FOLDER / "optimizer" / f"{name}.npz")
    assert arrays["gradients"].shape[0] == STEPS
    assert arrays["weights"].shape == (STEPS + 1, arrays["gradients"].shape[1])
    default = registry.as_dict(registry.find("optimizer", name)())
    assert all(default[field] != value for field, value in about["fields"].items()), (
        "a default shows no wiring"
    )
    assert set(about["fields"]) == set(default) - {"name"}
    assert (FOLDER / "training" / f"{name}.npz").exists()


def test_every_reference_says_where_it_comes_from_and_agrees_to_a_millionth_or_better():
    golden = {*(FOLDER / "golden").iterdir()}  # our own weights
    files = sorted({*FOLDER.rglob("*.npz")} - golden)
    assert len(files) >= 40
    for path in files:
        about, arrays = reference.read(path)
        assert about["source"] == "PyTorch 2.13.0", path
        assert 0 < about["rtol"] <= 1e-6, path
        assert all(np.isfinite(array).all() for array in arrays.values()), path


def test_the_references_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 500_000


def test_a_reference_that_is_off_by_a_millionth_is_noticed(tmp_path):
    about, arrays = reference.read(FOLDER / "optimizer" / "adam.npz")
    (tmp_path / "optimizer").mkdir()
    arrays["weights"][150] *= 1 + 1e-6
    np.savez(tmp_path / "optimizer" / "adam-off.npz", about=json.dumps(about), **arrays)
    adam = registry.find("optimizer", "adam")()
    (found,) = reference.of(adam, tmp_path)
    assert found.plugin == registry.from_dict("optimizer", {"name": "adam", **about["fields"]})
    with pytest.raises(AssertionError, match="after step 150 differ from PyTorch"):
        optimizer.check_follows_reference(adam, tmp_path)
