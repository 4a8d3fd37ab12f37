"""Searches: what is drawn, how it is judged, what is refused, and that they can be continued."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from dlexp.cli.main import main
from dlexp.core.trainer import Record
from dlexp.storage import journal
from dlexp.storage.records import RunDescription
from dlexp.sweeps import search as searches
from dlexp.sweeps.space import Interval, Listed, Space
from dlexp.sweeps.trials import read_metrics

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none")
LR = "optimizer.lr=tag(log,interval(1e-4,1))"
try:
    import optuna
except ImportError:
    optuna = None
needs_optuna = pytest.mark.skipif(
    optuna is None, reason='optuna is not installed: pip install "dlexp[search]"'
)


@pytest.fixture(autouse=True)
def without_comparison(monkeypatch):
    """What a sweep ends in has tests of its own, and takes longer than these runs."""
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")


def search(sweeper, n_trials, *words):
    return main(
        ["-m", f"hydra/sweeper={sweeper}", f"hydra.sweeper.n_trials={n_trials}", *words, *FAST]
    )


def only(folder):
    (found,) = folder.iterdir()
    return found


def ledger(outputs):
    lines = (only(outputs / "outputs" / "sweeps") / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def drawn(entry):
    """The overrides of a job that are not fixed, in their order."""
    return tuple(o for o in entry["overrides"] if o not in FAST)


def best(out):
    """The line that tells the best trial."""
    (line,) = re.findall("^best .*", out, re.MULTILINE)
    return line


def listed(capsys, *words, n_trials=8):
    """The drawn overrides a dry run of hydra/sweeper=random lists."""
    capsys.readouterr()
    assert search("random", n_trials, "--dry-run", *words) == 0
    jobs = [line.split()[2:] for line in capsys.readouterr().out.splitlines()[:-1]]
    return [tuple(o for o in job if o not in FAST) for job in jobs]


def test_fields_that_are_whole_numbers_get_whole_numbers(in_tmp, capsys):
    jobs = listed(
        capsys, "batch_size=interval(5,50)", "optimizer.lr=interval(0.1,1)", "seed=0,1", n_trials=2
    )
    assert [job[2] for job in jobs] == ["seed=0", "seed=1"] * 2
    assert all(
        re.fullmatch(r"batch_size=\d+", job[0]) and re.fullmatch(r"optimizer.lr=0\.\d+", job[1])
        for job in jobs
    )
    assert list(in_tmp.iterdir()) == []


@pytest.mark.parametrize(
    ("sweeper", "n"), [("random", 3), pytest.param("tpe", 11, marks=needs_optuna)]
)
def test_the_same_search_again_trains_nothing_and_more_trials_only_the_new_ones(
    sweeper, n, in_tmp, capsys
):
    words = ("optimizer=sgd,adam", LR, "hydra.launcher.n_jobs=2")
    assert search(sweeper, n, *words) == 0
    out, err = capsys.readouterr()
    assert f"{n} finished; {n} newly trained" in out
    assert "warning" not in err
    before = ledger(in_tmp)
    assert all(1e-4 <= float(drawn(e)[1].partition("=")[2]) <= 1 for e in before)
    if sweeper == "random":
        assert search(sweeper, n, *words) == 0
        again = capsys.readouterr().out
        assert f"{n} finished; 0 newly trained" in again
        assert best(again) == best(out)
    assert search(sweeper, n + 1, *words) == 0
    assert f"{n + 1} finished; 1 newly trained" in capsys.readouterr().out
    assert ledger(in_tmp)[:n] == before


@pytest.mark.parametrize(("metric", "better"), [(None, max), ("val/loss", min)])
def test_the_best_trial_is_told_with_its_metric_and_what_was_drawn(metric, better, in_tmp, capsys):
    asked = [f"hydra.sweeper.metric={metric}"] if metric else []
    assert search("random", 3, LR, *asked) == 0
    folder = only(in_tmp / "outputs" / "sweeps")
    name = metric or "val/accuracy"
    values = {drawn(e)[-1]: read_metrics(folder / e["folder"])[name] for e in ledger(in_tmp)}
    value = better(values.values())
    message = re.match(
        r"best      (\S+) (\S+), trial \d of 3: (optimizer.lr=\S+) \(runs/",
        best(capsys.readouterr().out),
    )
    assert message.groups()[:2] == (name, f"{value:.4g}")
    assert values[message[3]] == value


def test_every_trial_is_trained_with_each_seed_and_judged_by_the_mean(in_tmp, capsys):
    assert search("random", 2, LR, "seed=0,1") == 0
    folder = only(in_tmp / "outputs" / "sweeps")
    values = {}
    for e in ledger(in_tmp):
        values.setdefault(drawn(e)[0], []).append(
            read_metrics(folder / e["folder"])["val/accuracy"]
        )
    assert [len(v) for v in values.values()] == [2, 2]
    best = max(sum(v) / 2 for v in values.values())
    assert f"val/accuracy {best:.4g} (mean of 2 seeds), trial" in capsys.readouterr().out


@pytest.mark.parametrize("sweeper", ["random", pytest.param("tpe", marks=needs_optuna)])
def test_a_search_of_a_small_space_tries_every_trial_once_and_says_that_there_are_no_more(
    sweeper, in_tmp, capsys
):
    words = ("optimizer.lr=choice(0.1,0.2,3e38)", "optimizer=sgd", "hydra.sweeper.metric=val/loss")
    assert search(sweeper, 6, *words, "hydra.launcher.n_jobs=1") == 0
    out, err = capsys.readouterr()
    assert "2 finished, 1 diverged; 3 newly trained" in out
    assert "space     only 3 different trials are possible; 6 were requested" in out
    assert re.search(r"best      val/loss \S+, trial \d of 3: optimizer.lr=0.[12] ", out)
    assert "warning" not in err


def test_a_dry_run_of_a_random_search_lists_every_trial_of_a_small_space(in_tmp, capsys):
    assert search("random", 5, "--dry-run", "optimizer=sgd,adam", "batch_size=interval(5,6)") == 0
    out = capsys.readouterr().out
    jobs = [line for line in out.splitlines() if line.startswith("to do")]
    assert len(jobs) == len(set(jobs)) == 4
    assert "only 4 different trials are possible; 5 were requested" in out


@pytest.mark.parametrize("n_jobs", [1, 3])
@needs_optuna
def test_tpe_never_repeats_a_trial_and_more_trials_begin_with_the_same(n_jobs):
    kinds = Listed("k", tuple((f"k={i}",) for i in range(4)), ordered=False)
    n = Interval("n", 1, 5, log=False, whole=True)

    def cost(k, n):
        return math.inf if k == 2 else k + n

    points, _ = ask(cost, kinds, n, n=20, n_jobs=n_jobs)
    assert len({tuple(point) for point in points}) == 20
    assert ask(cost, kinds, n, n=12, n_jobs=n_jobs)[0] == points[:12]
    assert len(ask(cost, kinds, n, n=25, n_jobs=n_jobs)[0]) == 20


def test_paired_values_are_drawn_together(in_tmp, capsys):
    words = ("optimizer=sgd,adam", "optimizer.lr=0.1,0.001", "zip=[optimizer,optimizer.lr]")
    jobs = listed(capsys, *words, n_trials=2)
    assert {job[1:] for job in jobs} == {
        ("optimizer=sgd", "optimizer.lr=0.1"),
        ("optimizer=adam", "optimizer.lr=0.001"),
    }


def test_a_search_is_another_sweep_than_the_grid_over_the_same_keys(in_tmp):
    assert search("random", 2, "optimizer=sgd,adam") == 0
    assert main(["-m", "optimizer=sgd,adam", *FAST]) == 0
    assert len(list((in_tmp / "outputs" / "sweeps").iterdir())) == 2


@needs_optuna
def test_a_dry_run_of_tpe_says_that_its_trials_depend_on_results(in_tmp, capsys):
    assert search("tpe", 9, "--dry-run", LR, "hydra.launcher.n_jobs=3") == 0
    assert (
        "9 trials, 3 at a time, over optimizer.lr; they depend on the results"
        in capsys.readouterr().out
    )
    assert list(in_tmp.iterdir()) == []


X = Interval("x", 0, 1, log=False, whole=False)


def ask(cost, *axes, n=40, seed=0, n_jobs=4):
    """The points TPE asks for where `cost` is what they cost, and how many at a time."""
    batches = []

    def train(points):
        batches.append(len(points))
        fake.trials += points
        return [cost(*point) for point in points]

    fake = SimpleNamespace(
        space=Space((), axes, ()), options=searches.Options(n, seed, None), n_jobs=n_jobs, trials=[]
    )
    fake.session, fake.train = SimpleNamespace(dry_run=False, total=0), train
    searches.tpe(fake)
    return fake.trials, batches


@needs_optuna
def test_tpe_asks_for_as_many_as_there_are_workers_and_the_same_for_a_seed():
    kinds = Listed("k", (("k=a",), ("k=b",)), ordered=False)
    n = Interval("n", 1, 64, log=True, whole=True)

    def cost(x, k, n):
        return abs(x - 0.3) + k + n

    points, batches = ask(cost, X, kinds, n, n=22)
    assert batches == [4, 4, 4, 4, 4, 2]
    assert ask(cost, X, kinds, n, n=22)[0] == points
    assert ask(cost, X, kinds, n, n=26)[0][:22] == points
    assert ask(cost, X, kinds, n, n=22, seed=1)[0] != points
    assert all(k in (0, 1) and isinstance(n, int) and 1 <= n <= 64 for _, k, n in points)


@needs_optuna
def test_tpe_draws_where_the_results_are_good():
    points, _ = ask(lambda x: (x - 0.3) ** 2, X)
    assert np.mean([abs(x - 0.3) for (x,) in points[20:]]) < 0.5 * np.mean(
        [abs(x - 0.3) for (x,) in points[:10]]
    )


@needs_optuna
def test_tpe_learns_from_trials_that_failed_to_stay_away():
    points, _ = ask(lambda x: math.inf if x > 0.5 else (x - 0.25) ** 2, X)
    assert sum(x > 0.5 for (x,) in points[:10]) >= 3
    assert sum(x > 0.5 for (x,) in points[20:]) <= 5
    assert len(ask(lambda x: math.inf, X, n=15)[0]) == 15


RAISER = '''
from dlexp import Optimizer, plugin, positive

@plugin("raiser")
class Raiser(Optimizer):
    """raises: https://example.org"""
    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        raise RuntimeError("no")
'''


def test_trials_that_fail_or_diverge_are_recorded_count_as_the_worst_and_the_others_go_on(in_tmp):
    (in_tmp / "plugins" / "optimizer").mkdir(parents=True)
    (in_tmp / "plugins" / "optimizer" / "raiser.py").write_text(RAISER)
    options = [
        f"hydra/sweeper={'tpe' if optuna else 'random'}",
        "hydra.sweeper.n_trials=9",
        "hydra.launcher.n_jobs=2",
    ]
    words = [
        "-m",
        *options,
        "optimizer=sgd,raiser",
        "optimizer.lr=0.001,3e38",
        "hydra.sweeper.metric=val/loss",
    ]
    command = [sys.executable, "-m", "dlexp", *words, *FAST]
    done = subprocess.run(command, cwd=in_tmp, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    by = {drawn(e): e["status"] for e in ledger(in_tmp)}
    assert len(by) == 4
    assert by["optimizer=sgd", "optimizer.lr=0.001"] == "FINISHED"
    assert by["optimizer=sgd", "optimizer.lr=3e+38"] == "DIVERGED"
    assert {status for (o, _), status in by.items() if o == "optimizer=raiser"} == {"FAILED"}
    counts = [f"{n} {status.lower()}" for status, n in Counter(by.values()).items()]
    (line,) = re.findall(r"sweep .* newly trained", done.stdout)
    assert sorted(re.findall(r"\d \w+", line)) == sorted([*counts, f"{len(by)} newly"])
    assert re.search(
        r"best      val/loss \S+, trial \d+ of 4: optimizer=sgd optimizer.lr=0.001 \(", done.stdout
    )


def test_where_no_trial_finished_there_is_no_best(in_tmp, capsys):
    assert search("random", 2, "optimizer=sgd", "optimizer.lr=2e38,3e38") == 0
    assert "best      none of the trials finished" in capsys.readouterr().out


def test_a_finished_run_whose_journal_is_lost_counts_as_the_worst_with_a_warning(in_tmp, capsys):
    assert search("random", 3, LR) == 0
    best = re.search(r"trial (\d).*\((runs/.*)\)", capsys.readouterr().out)
    (only(in_tmp / "outputs" / "sweeps") / best[2] / "journal.jsonl").unlink()
    assert search("random", 3, LR) == 0
    out, err = capsys.readouterr()
    assert f"{best[2]}: no val/accuracy in its journal; it counts as the worst" in err
    assert f"trial {best[1]} of 3" not in out


def test_a_run_that_stopped_early_is_judged_by_the_weights_it_kept(tmp_path):
    book = journal.Journal(tmp_path / "a", RunDescription())
    for step, loss in ((0, 3.0), (10, 1.0), (20, 2.0)):
        book.record(Record(step // 10, step, {"val/loss": loss}))
    book.record(Record(9, 20, {"noise": 1.0}), "note")
    book.record(Record(2, 20, {"early_stopping/best_step": 10.0, "test/loss": 5.0}))
    book.finish("FINISHED")
    found = read_metrics(tmp_path / "a")
    assert (found["val/loss"], found["test/loss"]) == (1.0, 5.0)
    assert "noise" not in found
    assert read_metrics(tmp_path / "b") == {}


def test_an_interval_is_not_for_the_grid(in_tmp, capsys):
    assert main(["-m", "optimizer.lr=interval(0.1,1)", *FAST]) == 2
    message = (
        "optimizer.lr=interval(0.1,1) (command line): a grid needs a list of values, not an"
        " interval: use hydra/sweeper="
    )
    assert message in capsys.readouterr().err
    assert list(in_tmp.iterdir()) == []


def test_without_optuna_tpe_says_how_to_install_it(in_tmp, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert search("tpe", 2, LR) == 2
    assert (
        capsys.readouterr().err
        == "dlexp: error: hydra/sweeper=tpe (command line): needs optuna, which is not installed: "
        'pip install "dlexp[search]"\n'
    )
    assert list(in_tmp.iterdir()) == []


REFUSED = [
    (
        ["optimizer.lr=interval(0,1)"],
        "optimizer.lr=interval(0,1) (command line): at its end 0.0: must be > 0",
    ),
    (["batch_size=interval(10,500)"], "at its end 500: there are only 100 training samples"),
    (["optimizer=sgd,adam", "optimizer.beta1=interval(0.1,0.9)"], "sgd has no field beta1"),
    (["optimizer=sgd,adm"], "optimizer=adm (command line): there is no optimizer of that name"),
    (["dtype=interval(2,1)"], "dtype=interval(2,1) (command line): the end of an interval must be"),
    (["seed=interval(1,9)"], "seed=interval(1,9) (command line): a search does not draw seeds"),
    (["seed=0,1"], "there is nothing to search"),
    ([LR, "seed=0,-1"], "seed=-1 (command line): must be >= 0"),
    (
        [LR, "hydra.sweeper.metric=test/accuracy"],
        (
            "hydra.sweeper.metric=test/accuracy (command line): a search must not use the test"
            " data, or its result would not be a test; choose from val/accuracy, val/loss"
        ),
    ),
    ([LR, "hydra.sweeper.metric=train/loss"], "choose from val/accuracy, val/loss"),
    ([LR, "hydra.sweeper.metric=val/acuracy"], "did you mean 'val/accuracy'?"),
    ([LR, "hydra.sweeper.seed=-1"], "hydra.sweeper.seed=-1 (command line): must be >= 0"),
    ([LR, "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0 (command line): must be >= 1"),
    ([LR, "max_jobs=5", "seed=0,1"], "the sweep has 6 jobs; max_jobs=5 is the limit"),
    (
        [LR, "hydra/launcher=basic"],
        "hydra/launcher=basic (command line): there is no launcher of that name in dlexp",
    ),
    (
        ["optimizer=sgd,adam", LR, "zip=[optimizer,optimizer.lr]"],
        "a search can pair only keys with lists of values",
    ),
    (
        ["optimizer=sgd,adam", "zip=[optimizer,optimizer.lr]"],
        "is not swept, so it cannot be paired",
    ),
]


@needs_optuna
@pytest.mark.parametrize(("words", "message"), [REFUSED[0], REFUSED[2]], ids=["end", "field"])
def test_a_mistake_is_told_before_the_first_batch_of_tpe_too(words, message, in_tmp, capsys):
    assert search("tpe", 3, *words) == 2
    assert message in capsys.readouterr().err
    assert list(in_tmp.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED]
)
def test_a_mistake_is_told_before_the_first_trial_starts(words, message, in_tmp, capsys):
    assert search("random", 3, *words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def test_a_surface_is_searched_for_the_smallest_training_loss(in_tmp, capsys):
    words = [
        "hydra/sweeper=random",
        "hydra.sweeper.n_trials=3",
        "objective=valley",
        "steps=5",
        "tracking=none",
        LR,
    ]
    assert main(["-m", *words]) == 0
    assert "best      train/loss" in capsys.readouterr().out


def test_a_study_can_choose_its_sweeper_and_the_command_line_another(in_tmp, capsys):
    (in_tmp / "experiment").mkdir()
    (in_tmp / "experiment" / "drawn.yaml").write_text(
        "# @package _global_\ndefaults: [override /hydra/sweeper: random]\nhydra: {mode: MULTIRUN,"
        " sweeper: {params: {optimizer.lr: 'tag(log,interval(0.01,0.1))'}}}\n"
    )
    words = ["--config-dir", str(in_tmp), "experiment=drawn", *FAST, "--dry-run"]
    assert main([*words, "hydra.sweeper.n_trials=3"]) == 0
    assert "3 jobs, 0 done" in capsys.readouterr().out
    assert main([*words, "hydra/sweeper=grid"]) == 2
    assert "a grid needs a list of values, not an interval" in capsys.readouterr().err
