"""Observers declare what they measure, so that a study's claims can be checked."""

import pytest

from dlexp import Observer, plugin
from dlexp.cli.main import main
from dlexp.core.registry import unregister

STUDY = """\
# @package _global_
# A small study.
defaults:
  - override /observer: [OBSERVER]
epochs: 1
hydra:
  mode: MULTIRUN
  sweeper:
    params: {optimizer: "sgd,adam", seed: "range(11)"}
study:
  title: {en: A study, zh: 一项研究}
  claims:
    - id: flatter
      says: {en: Adam ends flatter., zh: Adam 更平坦。}
      metric: METRIC
      of: {optimizer: adam}
      against: {optimizer: sgd}
      direction: less
      margin: 0.001
"""


class Sharpness(Observer):
    """The largest curvature."""

    measures = ("sharpness/*",)


class Secretive(Observer):
    """Something."""


@pytest.fixture
def checked(in_tmp, capsys):
    """What a dry run says of a study with this observer and metric."""
    made = [
        plugin(cls.__name__.lower())(type(cls.__name__, (cls,), {"__doc__": cls.__doc__}))
        for cls in (Sharpness, Secretive)
    ]

    def ask(observer, metric):
        text = STUDY.replace("OBSERVER", observer)
        (in_tmp / "experiment").mkdir(exist_ok=True)
        path = in_tmp / "experiment" / "small.yaml"
        path.write_text(text.replace("METRIC", metric), encoding="utf-8")
        words = ["--config-dir", str(in_tmp), "experiment=small", "tracking=none", "--dry-run"]
        return main(words), capsys.readouterr().err

    yield ask
    for cls in made:
        unregister(cls)


def test_what_an_observer_declares_may_be_claimed_and_nothing_else(checked):
    assert checked("sharpness", "sharpness/top")[0] == 0
    status, error = checked("sharpness", "shrapness/top")
    assert status == 2
    assert "will not be measured; choose from gap/accuracy, " in error
    assert ", sharpness/…" in error


def test_an_observer_that_measures_it_is_named(checked):
    status, error = checked("curves", "sharpness/top")
    assert status == 2
    assert (
        "is measured by the observer sharpness only: add - override /observer: [sharpness]" in error
    )


def test_an_observer_that_declares_nothing_may_measure_anything_but_an_objectives(checked):
    assert checked("secretive", "whatever/it/is")[0] == 0
    status, error = checked("secretive", "test/acuracy")
    assert status == 2
    assert "will not be measured" in error
