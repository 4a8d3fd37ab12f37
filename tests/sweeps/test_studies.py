"""Named studies: parts, their runs, and that an edited study is another sweep."""

import json

import pytest

from dlexp.cli.main import main

STUDY = """\
# @package _global_
# A small study.
defaults:
  - override /optimizer: sgd
data: {n_train: 100}
model: {hidden: [5]}
epochs: 1
hydra:
  mode: MULTIRUN
  sweeper:
    params: {seed: "range(2)"}
    parts:
      strength: {regularizer: "none,weight_decay"}
      width: {regularizer: weight_decay, model.hidden: "[5],[6]"}
study:
  title: {en: A study, zh: 一项研究}
  claims: []
"""


@pytest.fixture
def study(in_tmp, monkeypatch):
    """Run a study from a file of one's own; the answer is its exit status."""
    # has tests of its own
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")

    def run(*words, text=STUDY):
        (in_tmp / "experiment").mkdir(exist_ok=True)
        (in_tmp / "experiment" / "small.yaml").write_text(text, encoding="utf-8")
        return main(["--config-dir", str(in_tmp), "experiment=small", "tracking=none", *words])

    return run


def told(folder):
    (found,) = folder.glob("outputs/sweeps/small-*/sweep.json")
    return json.loads(found.read_text(encoding="utf-8"))


def test_a_study_is_the_union_of_its_parts_and_a_run_may_belong_to_several(study, in_tmp, capsys):
    assert study() == 0
    out, err = capsys.readouterr()
    assert "6 finished; 6 newly trained" in out
    assert "repeat" not in err  # two runs are in both parts, and that is no mistake
    parts = told(in_tmp)["parts"]
    assert [len(keys) for keys in parts.values()] == [4, 4]
    assert len({*parts["strength"]} & {*parts["width"]}) == 2
    assert told(in_tmp)["axes"] == {
        "seed": ["0", "1"],
        "regularizer": ["none", "weight_decay"],
        "model.hidden": ["[5]", "[6]"],
    }


def test_what_a_study_says_goes_with_its_sweep_and_what_was_changed(study, in_tmp):
    assert study("seed=0") == 0
    fewer = [{"en": "1 of 2 seeds", "zh": "2 个种子中的 1 个"}]
    assert told(in_tmp)["study"] == {
        "name": "small",
        "title": {"en": "A study", "zh": "一项研究"},
        "claims": [],
        "changes": {"strength": fewer, "width": fewer},
    }
    assert told(in_tmp)["name"] == "small"


def test_the_command_line_overrules_every_part(study, in_tmp, capsys):
    assert study("seed=7", "regularizer=l1", "--dry-run") == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("to do")]
    assert len(listed) == 2
    assert all("seed=7" in line and "regularizer=l1" in line for line in listed)
    assert not (in_tmp / "outputs").exists()


def test_more_seeds_extend_a_study_in_its_place(study, in_tmp, capsys):
    assert study() == 0
    assert study("seed=range(3)") == 0
    assert "9 finished; 3 newly trained" in capsys.readouterr().out
    assert [len(keys) for keys in told(in_tmp)["parts"].values()] == [6, 6]


def test_other_words_are_the_same_study_and_other_settings_another(study, in_tmp, capsys):
    assert study("seed=0") == 0
    assert (
        study(
            "seed=0",
            text=STUDY.replace("A study,", "A fine study,").replace("# A small", "# A tiny"),
        )
        == 0
    )
    assert "0 newly trained" in capsys.readouterr().out
    assert told(in_tmp)["study"]["title"]["en"] == "A fine study"
    assert study("seed=0", text=STUDY.replace("epochs: 1", "epochs: 2")) == 0
    assert len(list((in_tmp / "outputs" / "sweeps").iterdir())) == 2


def test_a_study_is_continued_and_reported_by_its_name(study, in_tmp, capsys):
    assert study() == 0
    capsys.readouterr()
    assert main(["resume", "small"]) == 0
    assert "6 finished; 0 newly trained" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (
            ["study.title=x"],
            STUDY,
            "study.title=x (command line): is set only in the study's file",
        ),
        (
            [],
            STUDY.replace("claims: []", "claims: [{id: a}]"),
            "study.claims[0].says (small): is missing",
        ),
        (["max_jobs=7"], STUDY, "the sweep has 8 jobs; max_jobs=7 is the limit"),
        (
            [],
            STUDY.replace("none,weight_decay", "none,wieght_decay"),
            "did you mean 'weight_decay'",
        ),
    ],
    ids=["words", "claim", "size", "option"],
)
def test_a_mistake_in_a_study_is_told_before_anything_is_created(
    study, in_tmp, capsys, words, text, message
):
    assert study(*words, text=text) == 2
    assert message in capsys.readouterr().err
    assert not (in_tmp / "outputs").exists()


def test_the_observers_that_a_study_asks_for_look_on_and_the_usual_ones_do_not(study, in_tmp):
    def arrays():
        return sorted({p.name for p in in_tmp.glob("outputs/sweeps/*/runs/*/arrays/*")})

    assert study("seed=0") == 0
    assert arrays() == []
    watched = STUDY.replace("defaults:", "defaults:\n  - override /observer: [histograms]")
    assert study("seed=0", text=watched + "observer: {histograms: {figure: false}}\n") == 0
    assert arrays() == ["histograms.npz"]
    assert not list(in_tmp.glob("outputs/sweeps/*/runs/*/figures/*"))
