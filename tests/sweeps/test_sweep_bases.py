"""Fixed values of a sweep are checked job by job; `--cfg` and `--info` show its base."""

import logging
import re

import pytest

from dlexp.cli.main import main
from dlexp.sweeps.identity import sweep_id

FAST = ("epochs=1", "data.n_train=100", "tracking=none")
HEAD = "# @package _global_\n"
SWEEPER = "hydra: {mode: MULTIRUN, sweeper: {"


@pytest.fixture(autouse=True)
def loggers_as_before():
    """`--info` has Hydra log to what stands for the terminal in one test only."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def planned(capsys, *words):
    """The jobs of a dry run, each without what is the same in all, and the sweep's name."""
    assert main([*words, *FAST, "--dry-run"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    return re.findall(r"^to do  (.*)$", out, re.MULTILINE), out.strip().rpartition("/")[2]


@pytest.mark.parametrize(
    "words",
    [
        "optimizer=momentum,nesterov optimizer.momentum=0.5",
        "optimizer=heavy_momentum,momentum optimizer.momentum=0.5",
        "schedule=cosine,warmup_cosine schedule.floor=0.5",
        "objective=valley,rosenbrock objective.spread=0.1",
        "data=blobs,gaussian data.features=3",
        "regularizer=[dropout],[dropout,weight_decay] regularizer.dropout.ratio=0.3",
        (
            "optimizer=momentum,nesterov optimizer.momentum=0.5 hydra/sweeper=random"
            " hydra.sweeper.n_trials=2"
        ),
    ],
)
def test_a_value_that_only_the_swept_options_have_is_no_mistake(words, in_tmp, capsys):
    words = words.split()
    assert main(["-m", *words, "epochs=1", "tracking=none", "--dry-run"]) == 0, (
        capsys.readouterr().err
    )
    jobs = re.findall(r"^to do  (.*)$", capsys.readouterr().out, re.MULTILINE)
    fixed = [w for w in words if "." in w and not w.startswith("hydra")]
    assert len(jobs) == 2
    assert all(word in job.split() for job in jobs for word in fixed)


def test_a_sweep_with_such_a_value_has_the_name_and_the_jobs_its_words_say(in_tmp, capsys):
    jobs, name = planned(
        capsys, "-m", "optimizer=momentum,nesterov", "optimizer.momentum=0.5", "seed=0,1"
    )
    assert name == sweep_id(["optimizer.momentum=0.5", *FAST], ["optimizer", "seed"])
    assert jobs[0] == f"optimizer.momentum=0.5 {' '.join(FAST)} optimizer=momentum seed=0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "optimizer=sgd,momentum optimizer.momentum=0.5",
            "sgd has no field momentum; choose from lr",
        ),
        (
            "optimizer=heavy_momentum,adam optimizer.beta1=0.5",
            "heavy_momentum has no field beta1; choose from lr, mom",
        ),
        ("schedule=constant,step schedule.gamma=0.5", "constant has no field gamma"),
        (
            "regularizer=dropout,none regularizer.dropout.ratio=0.3",
            "selected by regularizer=none: use regularizer=dro",
        ),
        (
            "seed=0,1 optimizer.momentum=0.5",
            "optimizer.momentum=0.5 (command line): adam has no field momentum",
        ),
        (
            (
                "optimizer=sgd,momentum optimizer.momentum=0.5 hydra/sweeper=random"
                " hydra.sweeper.n_trials=2"
            ),
            "sgd has no field momentum",
        ),
    ],
)
def test_the_option_that_lacks_a_field_is_named_before_anything_is_created(
    words, message, in_tmp, capsys
):
    assert main(["-m", *words.split(), *FAST]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def study(folder, text):
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / "experiment" / "mine.yaml").write_text(HEAD + text, encoding="utf-8")
    return ["--config-dir", str(folder), "experiment=mine"]


@pytest.mark.parametrize(
    "text",
    [
        SWEEPER + "params: {optimizer: 'momentum,nesterov', optimizer.momentum: 0.5}}}",
        SWEEPER + "parts: {a: {optimizer: momentum, optimizer.momentum: 0.5, seed: '0,1'}}}}",
        SWEEPER
        + "params: {optimizer: 'momentum,nesterov'}}}\noptimizer: {momentum: 0.5}\nmodel: {hidden:"
        " [7]}",
    ],
    ids=["params", "parts", "body"],
)
def test_a_studys_file_may_fix_what_only_the_options_it_sweeps_have(text, in_tmp, capsys):
    jobs, _ = planned(capsys, *study(in_tmp, text))
    assert len(jobs) == 2
    jobs, _ = planned(capsys, *study(in_tmp, text), "optimizer.momentum=0.6")
    assert len(jobs) == 2
    assert all("optimizer.momentum=0.6" in job for job in jobs)
    assert main(["--config-dir", str(in_tmp), "experiment=mine", "--cfg", "job"]) == 0


def test_what_a_studys_file_fixes_wrongly_is_told_with_the_file(in_tmp, capsys):
    text = SWEEPER + "params: {optimizer: 'momentum,sgd', optimizer.momentum: 0.5}}}"
    assert main(study(in_tmp, text)) == 2
    message = "optimizer.momentum=0.5 (experiment/mine.yaml): sgd has no field momentum"
    assert message in capsys.readouterr().err


def test_the_base_of_a_sweep_is_shown(in_tmp, capsys):
    assert (
        main(
            [
                "-m",
                "seed=0,1",
                "epochs=7",
                "optimizer=momentum,sgd",
                "optimizer.momentum=0.5",
                "--cfg",
                "job",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "\nepochs: 7\n" in out
    assert "\nseed: 0\n" in out
    assert main(["-m", "seed=0,1", "epochs=7", "--cfg", "hydra", "--package", "hydra.mode"]) == 0
    assert "MULTIRUN" in capsys.readouterr().out
    assert main(["-m", "seed=0,1", "epochs=7", "--info", "config"]) == 0
    assert "\nepochs: 7\n" in capsys.readouterr().out
    assert main(["experiment=dropout", "seed=0,1", "--cfg", "job", "--package", "study.title"]) == 0
    assert list(in_tmp.iterdir()) == []
    assert main(["seed=0,1", "--cfg", "job"]) == 2
    assert "several values make a sweep: use python -m dlexp -m seed=0,1" in capsys.readouterr().err
