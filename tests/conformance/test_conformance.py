"""The conformance kit finds what it is meant to find."""

import importlib
import shutil
from contextlib import contextmanager
from pathlib import Path
from unittest import SkipTest

import faults
import numpy as np
import pytest

from dlexp import plugin
from dlexp.conformance import checks_for
from dlexp.core import kinds, registry
from dlexp.core.kinds import KINDS

REFERENCES = Path(__file__).parents[1] / "references"

for _name in (
    "every",
    "optimizers",
    "layers",
    "regularizers",
    "formulas",
    "problems",
    "datasets",
    "observers",
):
    importlib.import_module(f"faults.{_name}")


@contextmanager
def registered(cls):
    """The class under its name, for as long as it is looked at; whatever it did to the global
    generator is undone.
    """
    known, before = registry._registry.setdefault(cls.kind, {}), np.random.get_state()
    assert cls.name not in known
    known[cls.name] = cls
    try:
        yield
    finally:
        del known[cls.name]
        np.random.set_state(before)
        faults.MEMORY.clear()


def verdicts(cls, references=None):
    """Of every check its exception, or "kept" or "skipped"."""
    found = {}
    with registered(cls):
        checks = checks_for(cls, references)
        subject = cls() if len(checks) > 1 else cls
        for check in checks:
            try:
                check(subject)
            except SkipTest:
                found[check.name] = "skipped"
            except Exception as e:
                found[check.name] = e
            else:
                found[check.name] = "kept"
    return found


@pytest.mark.parametrize(
    "fault", faults.FAULTS, ids=lambda f: f"{f.cls.kind}/{f.cls.__name__}-{f.check}"
)
def test_a_deliberate_fault_is_found_by_the_check_that_is_meant_to_find_it(fault):
    found = verdicts(fault.cls)
    assert isinstance(found[fault.check], AssertionError), found[fault.check]
    assert len(str(found[fault.check])) > 20, "the message must say what to change"
    others = {name for name, verdict in found.items() if isinstance(verdict, Exception)} - {
        fault.check
    }
    assert others == set(fault.also)


def test_every_check_has_a_fault_that_it_finds():
    meant = {(check.function.__module__, check.name) for f in faults.FAULTS for check in finding(f)}
    for suite in {"every", *(suite for kind in kinds.every() for suite in kind.suites)}:
        module = importlib.import_module(f"dlexp.conformance.{suite}")
        for name in (n.removeprefix("check_") for n in vars(module) if n.startswith("check_")):
            # What compares with references has tests below.
            assert (module.__name__, name) in meant or name == "follows_reference", (
                f"no fault for {suite}: {name}"
            )


def finding(fault):
    return [check for check in checks_for(fault.cls) if check.name == fault.check]


def test_a_plugin_has_no_two_checks_of_one_name():
    for cls in registry.every():
        names = [check.name for check in checks_for(cls)]
        assert len(names) == len(set(names)), cls


def test_no_wrong_plugin_stays_registered():
    assert not {fault.cls for fault in faults.FAULTS} & set(registry.every())


def test_there_are_faults_of_every_kind():
    assert len(faults.FAULTS) >= 70
    assert {fault.cls.kind for fault in faults.FAULTS} == set(KINDS)


# References.

DOC = faults.DOC


def of_another(kind, name, tmp_path, cls):
    """A folder in which the reference of a shipped plugin is called like this class."""
    (tmp_path / kind).mkdir()
    shutil.copy(REFERENCES / kind / f"{name}.npz", tmp_path / kind / f"{cls.name}.npz")
    return verdicts(cls, tmp_path)["follows_reference"]


def made(name, cls):
    cls.__doc__ = DOC
    cls = plugin(name)(cls)
    registry.unregister(cls)
    return cls


def test_adam_without_its_bias_correction_does_not_follow_the_reference(tmp_path):
    adam = registry.find("optimizer", "adam")

    class Hasty(adam):
        def update(self, w, g, s, lr, t):
            super().update(w, g, s, lr, t=10**6)

    found = of_another("optimizer", "adam", tmp_path, made("hasty", Hasty))
    assert isinstance(found, AssertionError)
    assert "after step 1 differ from PyTorch 2.13.0" in str(found)


def test_an_optimizer_that_ignores_a_hyper_parameter_does_not_follow_the_reference(tmp_path):
    rmsprop = registry.find("optimizer", "rmsprop")

    class Deaf(rmsprop):
        def update(self, w, g, s, lr, t):
            # eps stays at its default
            rmsprop.update(rmsprop(lr=self.lr, decay=self.decay), w, g, s, lr, t)

    assert isinstance(
        of_another("optimizer", "rmsprop", tmp_path, made("deaf", Deaf)), AssertionError
    )


def test_a_batch_normalization_with_the_unbiased_variance_does_not_follow_the_reference(tmp_path):
    batch_norm = registry.find("normalization", "batch_norm")

    class Unbiased(batch_norm):
        def forward(self, x, p, ctx):
            before = p.var.copy()
            out = super().forward(x, p, ctx)
            p.var[...] = before + (p.var - before) * len(x) / (len(x) - 1)
            return out

    found = of_another("normalization", "batch_norm", tmp_path, made("unbiased", Unbiased))
    assert "the running values var differ" in str(found)


def test_a_schedule_and_a_penalty_that_are_off_do_not_follow_their_references(tmp_path):
    cosine, l1 = registry.find("schedule", "cosine"), registry.find("regularizer", "l1")

    class Late(cosine):
        def __call__(self, t, total):
            return super().__call__(max(t - 1, 0), total)

    class Double(l1):
        def penalty(self, w, g):
            return 2 * super().penalty(w, g)

    assert isinstance(
        of_another("schedule", "cosine", tmp_path, made("late", Late)), AssertionError
    )
    assert isinstance(
        of_another("regularizer", "l1", tmp_path, made("double", Double)), AssertionError
    )


def test_an_activation_that_is_off_does_not_follow_the_reference(tmp_path):
    relu = registry.find("activation", "relu")

    class Leaky(relu):
        def forward(self, x, p, ctx):
            slope = np.where(x > 0, 1, 0.01).astype(x.dtype)
            return x * slope, lambda dy: dy * slope

    assert "the outputs differ" in str(
        of_another("activation", "relu", tmp_path, made("leaky", Leaky))
    )


def test_without_a_reference_the_check_is_skipped_and_says_which_file_is_missing(tmp_path):
    sgd = registry.find("optimizer", "sgd")()
    (check,) = [check for check in checks_for(sgd, tmp_path) if check.name == "follows_reference"]
    with pytest.raises(SkipTest, match=r"there is no file .*/optimizer/sgd\.npz"):
        check(sgd)
    (check,) = [check for check in checks_for(sgd) if check.name == "follows_reference"]
    with pytest.raises(SkipTest, match="no folder of references"):
        check(sgd)
