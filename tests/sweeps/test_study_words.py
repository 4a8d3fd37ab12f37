"""The description of a study is checked before training: its keys, and its claims."""

import pytest

from dlexp.cli.main import main

STUDY = """\
# @package _global_
# A small study.
defaults:
  - override /optimizer: sgd
data: {n_train: 100}
model: {hidden: [5]}
epochs: 2
hydra:
  mode: MULTIRUN
  sweeper:
    params: {optimizer: "sgd,adam", seed: "range(11)"}
    parts:
      rates: {optimizer.lr: "0.1,0.01"}
      usual: {epochs: 1}
study:
  title: {en: A study, zh: 一项研究}
  cost: 2
  parts:
    rates: {title: Rates, metric: test/accuracy}
  quick: {params: {epochs: 1}, parts: {rates: {optimizer.lr: "0.1"}}}
  figures:
    - {kind: panels, part: rates, metric: train/loss, lines: optimizer, panels: optimizer.lr}
    - {kind: dots, part: rates, metric: [test/loss, gap/loss], axis: optimizer.lr, lines: optimizer}
  claims:
    - id: faster
      says: {en: Adam is faster., zh: Adam 更快。}
      part: rates
      metric: train/loss
      of: {optimizer: adam}
      against: {optimizer: sgd}
      direction: less
      margin: 0.001
      tuned: [optimizer.lr]
      guard: {metric: train/accuracy, at_least: 0.1, at_most: 1}
"""


@pytest.fixture
def study(in_tmp, monkeypatch):
    """Run a study from a file of one's own, which trains nothing; the answer is its exit status."""

    def run_jobs(session, jobs, plan, *, n_jobs):
        assert session.dry_run, "it was not refused"
        return []

    monkeypatch.setattr("dlexp.sweeps.session.Session.run", run_jobs)

    def run(text=STUDY, *words):
        (in_tmp / "experiment").mkdir(exist_ok=True)
        (in_tmp / "experiment" / "small.yaml").write_text(text, encoding="utf-8")
        return main(["--config-dir", str(in_tmp), "experiment=small", "tracking=none", *words])

    return run


def replaced(old, new):
    assert old in STUDY
    return STUDY.replace(old, new)


def without_study():
    return STUDY.partition("study:")[0]


TITLE = "  title: {en: A study, zh: 一项研究}\n"
WRONG = {
    "text": (
        without_study() + "study: hello\n",
        "study=hello (small): must be keys with values, of these: title,",
    ),
    "list": (without_study() + "study: [1]\n", "study=[1] (small): must be keys with values"),
    "no-title": (replaced(TITLE, ""), "study.title (small): is missing"),
    "title": (
        replaced(TITLE, "  title: [a]\n"),
        "study.title=['a'] (small): must be text, or {en: text, zh: text}",
    ),
    "no-english": (
        replaced(TITLE, "  title: {zh: 一}\n"),
        "study.title={'zh': '一'} (small): must be text, or {en:",
    ),
    "language": (
        replaced("zh: 一项研究", "de: Studie"),
        "study.title.de (small): there is no such key; choose from",
    ),
    "cost": (replaced("cost: 2", "cost: much"), "study.cost=much (small): must be a number > 0"),
    "word": (
        replaced("  cost: 2", "  costs: 2"),
        "study.costs (small): there is no such key; choose from title",
    ),
    "part-word": (
        replaced("metric: test/acc", "metrik: test/acc"),
        "study.parts.rates.metrik (small): there is no",
    ),
    "part-title": (
        replaced("title: Rates", "title: 3"),
        "study.parts.rates.title=3 (small): must be text, or {en",
    ),
    "quick-text": (
        replaced(
            'quick: {params: {epochs: 1}, parts: {rates: {optimizer.lr: "0.1"}}}', "quick: 'yes'"
        ),
        "study.quick=yes (small): must be keys with values, of these: params, parts",
    ),
    "quick-part": (
        replaced("parts: {rates: {opt", "parts: {raets: {opt"),
        "study.quick.parts=raets (small): there is no such part; choose from rates, usual; did",
    ),
    "guard": (
        replaced("at_least: 0.1, at_most: 1", "at_least: 0.9, at_most: 0.1"),
        "study.claims[0].guard.at_least=0.9 (small): is above at_most, 0.1: no value fits",
    ),
    "key": (
        replaced("of: {optimizer: adam}", "of: {optimiser: adam}"),
        (
            "study.claims[0]=faster (small): no run has a parameter optimiser; did you mean"
            " 'optimizer'?"
        ),
    ),
    "value": (
        replaced("of: {optimizer: adam}", "of: {optimizer: lion}"),
        "study.claims[0]=faster (small): no run has optimizer=lion; the values are adam and sgd",
    ),
    "seeds": (
        replaced("range(11)", "range(10)"),
        (
            "study.claims[0].tuned=faster (small): needs 5 seeds to choose settings "
            "and 6 others to judge them; there are 10"
        ),
    ),
    "tuned-key": (
        replaced("tuned: [optimizer.lr]", "tuned: [optimizer.rl]"),
        "no run has such a parameter",
    ),
    "metric": (
        replaced("metric: train/loss\n      of", "metric: train/los\n      of"),
        (
            "study.claims[0].metric=train/los (small): will not be measured; choose from"
            " gap/accuracy, gap/loss"
        ),
    ),
    "metric-of-guard": (
        replaced("metric: train/accuracy, at", "metric: train/acuracy, at"),
        "did you mean 'train/acc",
    ),
    "metric-of-part": (
        replaced("metric: test/accuracy}", "metric: tset/accuracy}"),
        "rates.metric=tset/accuracy",
    ),
    "metric-of-figure": (
        replaced("[test/loss, gap/loss]", "[test/loss, gap/los]"),
        "figures[1].metric=gap/los ",
    ),
    "observer": (
        replaced("metric: train/loss\n      of", "metric: diagnostics/weight_norm/all\n      of"),
        (
            "study.claims[0].metric=diagnostics/weight_norm/all (small): is measured by the"
            " observer diag"
        ),
    ),
    "lines": (
        replaced("train/loss, lines: optimizer", "train/loss, lines: momentum"),
        (
            "study.figures[0].lines=momentum (small): does not vary in this part; choose from"
            " optimizer, "
        ),
    ),
    "axis": (replaced("axis: optimizer.lr", "axis: optimizer.rl"), "did you mean 'optimizer.lr'?"),
    "where": (
        replaced(
            "kind: panels, part: rates", "kind: panels, part: rates, where: {optimiser: adam}"
        ),
        (
            "study.figures[0].where=optimiser (small): no run has such a parameter; did you mean"
            " 'optimizer'?"
        ),
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_could_never_be_answered_is_refused_before_anything_is_created(
    study, in_tmp, capsys, text, message
):
    assert study(text) == 2  # a dry run and a real one go the same way up to here
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (in_tmp / "outputs").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (STUDY, []),
        (STUDY, ["quick=true"]),
        (STUDY, ["seed=range(7)"]),
        (STUDY, ["optimizer=sgd,momentum"]),
        (STUDY, ["optimizer.lr=0.5"]),
        (replaced("title: {en: A study, zh: 一项研究}", "title: A study"), []),
        (
            replaced(
                "override /optimizer: sgd",
                "override /optimizer: sgd\n  - override /observer: [diagnostics]",
            ).replace(
                "metric: train/loss\n      of", "metric: diagnostics/weight_norm/all\n      of"
            ),
            [],
        ),
    ],
    ids=["itself", "quick", "seeds", "typed", "one-level", "one-language", "observer"],
)
def test_what_can_be_answered_or_was_taken_away_by_the_command_line_is_accepted(
    study, capsys, text, words
):
    assert study(text, "--dry-run", *words) == 0, capsys.readouterr().err


def test_a_surface_measures_what_it_measures(study, capsys):
    text = STUDY.partition("  parts:\n    rates: {title")[0]
    text = text.replace(
        "override /optimizer: sgd", "override /objective: valley\n  - override /optimizer: sgd"
    )
    text = text.replace("data: {n_train: 100}\nmodel: {hidden: [5]}\n", "")
    claim = (
        STUDY[STUDY.index("  claims:") :]
        .partition("      guard")[0]
        .replace("      tuned: [optimizer.lr]\n", "")
    )
    assert study(text + claim.replace("train/loss", "path/y @ turns"), "--dry-run") == 0, (
        capsys.readouterr().err
    )
    assert study(text + claim.replace("train/loss", "test/accuracy"), "--dry-run") == 2
    assert (
        "metric=test/accuracy (small): will not be measured; choose from path/distance, path/x,"
        in capsys.readouterr().err
    )


# --- one run of a study


@pytest.mark.parametrize("how", [[], ["--dry-run"]], ids=["real", "dry"])
@pytest.mark.parametrize(
    "text",
    [
        replaced("  mode: MULTIRUN\n", ""),
        without_study().replace("  mode: MULTIRUN\n", ""),
        "# @package _global_\nepochs: 1\n" + STUDY[STUDY.index("study:") :],
    ],
    ids=["all", "sweeper", "claims"],
)
def test_a_study_is_not_trained_as_one_run(study, in_tmp, capsys, text, how):
    assert study(text, *how) == 2
    err = capsys.readouterr().err
    assert (
        err == "dlexp: error: experiment=small: is a study; this command would train one run of it"
        " and ignore its claims: its file lacks mode: MULTIRUN under hydra; or add -m\n"
    )
    assert not (in_tmp / "outputs").exists()


def test_a_study_without_its_mode_is_a_sweep_with_m(study, capsys):
    assert study(replaced("  mode: MULTIRUN\n", ""), "-m", "--dry-run") == 0, (
        capsys.readouterr().err
    )


def test_a_dry_run_of_a_single_run_says_what_it_would_train_and_creates_nothing(in_tmp, capsys):
    assert main(["--dry-run", "epochs=3", "optimizer=sgd", "data.n_train=200"]) == 0
    assert (
        capsys.readouterr().out
        == "to do     sgd he n_train=200 epochs=3 s0: 6 steps, 1 run; nothing was created\n"
    )
    assert not (in_tmp / "outputs").exists()
    assert main(["--dry-run", "batch_size=5000"]) == 2
    assert "training samples" in capsys.readouterr().err


# --- the file itself


def test_a_file_without_its_header_or_without_words_is_told_what_it_lacks(study, capsys):
    assert study(STUDY.replace("# @package _global_\n", "")) == 2
    message = (
        "dlexp: error: (experiment/small.yaml): must begin with the line '# @package _global_'"
    )
    assert capsys.readouterr().err.startswith(message)
    assert study("") == 2
    assert "experiment/small.yaml): is empty" in capsys.readouterr().err


def test_studies_of_one_s_own_are_among_the_names_that_are_listed(study, in_tmp, capsys):
    assert study(STUDY, "--dry-run") == 0
    assert main(["--config-dir", str(in_tmp), "experiment=smal"]) == 2
    err = capsys.readouterr().err
    assert "small, weight_decay" in err
    assert "did you mean 'small'?" in err
