"""What the benchmarks' tables say follows from what was measured. Nothing is timed here."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import budget
    import changes
    import command
    import fresh
    import goals
    import main_job
    import measuring
    import page
    import parts
    import peers
    import startup
    import step
    import sweep
    import tried
    import workloads
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

W1 = workloads.W1
PAGE = "<!-- begin goals -->\n<!-- end -->\n"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A page with nothing but goals, and a command line that has measured them."""
    monkeypatch.setattr(sys, "argv", ["here/step.py", "--rounds", "3", "--page"])
    path = tmp_path / "page.md"
    path.write_text(PAGE, "utf-8")
    return path


def rows(path):
    return {cells[0]: cells[1:] for cells in map(goals.cells_of, path.read_text("utf-8").splitlines()[3:-1])}


def test_a_goal_is_met_where_the_median_is_and_its_row_says_in_how_many_rounds(file):
    goals.tell({"a step ÷ GEMM, W1": [1.7, 1.9, 1.75], "a step ÷ GEMM, W2": [1.7, 1.5, 1.8]}, write=True, page=file)
    found = rows(file)
    assert found["a step ÷ GEMM, W1"][:3] == ["≤ 1.8", "1.75 (1.70–1.90)", "yes, 2 of 3"]
    assert found["a step ÷ GEMM, W2"][:3] == ["≤ 1.6", "1.70 (1.50–1.80)", "no, 1 of 3"]
    goals.tell({"500 steps in a fresh process, JAX ÷ dlexp": [6.0, 5.9, 7.0]}, write=True, page=file)
    assert rows(file)["500 steps in a fresh process, JAX ÷ dlexp"][:3] == ["≥ 6", "6.00 (5.90–7.00)", "yes, 2 of 3"]


def test_the_table_of_goals_keeps_what_others_measured_in_the_order_of_the_goals(file):
    late, first = "step 3,000 ÷ step 100, W1", "a step ÷ GEMM, W1"
    goals.tell({late: [1.0]}, write=True, page=file)
    kept = rows(file)[late]
    goals.tell({first: [2.0]}, write=True, page=file)
    assert list(rows(file)) == [first, late]
    assert rows(file)[late] == kept
    goals.tell({first: [1.0]}, write=True, page=file)
    assert rows(file)[first][2] == "yes, 1 of 1"
    assert kept[-1].startswith("`step.py --rounds 3`, dlexp at ")
    before = file.read_text("utf-8")
    goals.tell({first: [5.0]}, write=False, page=file)
    assert file.read_text("utf-8") == before


def test_what_is_no_goal_is_refused(file):
    with pytest.raises(KeyError):
        goals.tell({"a step ÷ GEMM, W9": [1.0]}, write=True, page=file)


def test_the_page_has_a_row_for_every_goal_and_its_verdict_follows_from_its_numbers():
    lines = page.block("goals").splitlines()[2:]
    found = {cells[0]: cells for cells in map(goals.cells_of, lines)}
    assert list(found) == list(goals.GOALS)
    for name, (_, asked, spread, met, _) in found.items():
        goal = goals.GOALS[name]
        assert asked == str(goal)
        assert met.startswith("yes" if goal.met(float(spread.split()[0])) else "no"), name


def test_fresh_processes_are_compared_as_the_goals_say():
    times = {"dlexp": [4.0, 4.0], "dlexp, no Hydra": [2.0, 1.0], "JAX scan": [8.0, 8.0], "PyTorch fused": [20.0, 30.0]}
    assert fresh.kept("sweep", times) == {
        "mixed sweep of 32 runs, JAX ÷ dlexp": [4, 8],
        "mixed sweep of 32 runs, PyTorch ÷ dlexp": [10, 30],
        "mixed sweep of 32 runs, JAX ÷ dlexp with Hydra": [2, 2],
        "mixed sweep of 32 runs, PyTorch ÷ dlexp with Hydra": [5, 7.5],
    }
    assert fresh.kept("run", times) == {
        "500 steps in a fresh process, JAX ÷ dlexp": [4, 8],
        "500 steps in a fresh process, PyTorch ÷ dlexp": [10, 30],
    }


def test_a_peer_is_ahead_or_behind_only_where_three_quarters_of_the_rounds_say_so():
    fast, like = [0.7, 0.8, 0.8, 0.8, 0.9, 0.9, 1.1], [0.9, 1.1, 0.9, 1.1, 1.0, 1.0, 1.0]
    times = {"dlexp": [1.0] * 7, "fast": fast, "slow": [2 - t for t in fast], "like": like}
    assert [step.word(times, c) for c in ("fast", "slow", "like")] == ["ahead", "behind", "no difference"]
    said = step.ahead({"W1": measuring.Measured(times, {"gone": "not installed"})}, ["fast", "gone"])
    assert goals.cells_of(said.splitlines()[-1]) == ["gone", "not installed"]


def test_a_page_that_was_written_is_no_change_of_dlexp(monkeypatch):
    asked = []

    class Done:
        stdout = ""

    monkeypatch.setattr(page.subprocess, "run", lambda command, **how: asked.append(command) or Done)
    assert page._commit() == "unknown"
    assert ":!docs/speed.md" in asked[0]


def test_jaxs_lower_bound_multiplies_what_a_network_without_activations_multiplies():
    peer = peers.PEERS["JAX products"]
    if why := peer.absent(W1):
        pytest.skip(why)
    from peers.with_jax import _products

    rng = np.random.default_rng(0)
    state = np.random.get_state()
    weights, x = W1.weights(rng), rng.standard_normal((W1.batch, 64)).astype(np.float32)
    found = _products([np.asarray(w) for w in weights], x)
    passed = [x]
    for w in weights:
        passed.append(passed[-1] @ w)
    dy, expected = passed[-1], []
    for before, w in zip(reversed(passed[:-1]), reversed(weights), strict=True):
        expected.insert(0, before.T @ dy)
        dy = dy @ w.T
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    training = peer.build(replace(W1, block=2), workloads.Task(x, np.zeros(W1.batch), weights))
    training.train(4)
    assert {name: w.shape for name, w in training.parameters().items()} == {f"W{i + 1}": w.shape for i, w in
                                                                            enumerate(weights)}  # fmt: skip
    np.random.set_state(state)  # importing JAX draws from the global generator


def test_clocks_book_every_part_of_a_step_and_are_taken_off_again():
    from peers.with_dlexp import batches, trainer

    workload = budget.small(workloads.WORKLOADS["W3"])
    running, other = trainer(workload, 0), trainer(workload, 0)
    before = running.problem.network.layers, running.optimizer
    spent = Counter()
    ours, theirs = batches(running), batches(other)
    with parts.hung(running, spent):
        for _ in range(3):
            running.step(next(ours))
            other.step(next(theirs))
    assert set(spent) == {"dense", "batch_norm", "relu", "dropout", parts.LOSS, parts.UPDATE}
    assert min(spent.values()) > 0
    assert (running.problem.network.layers, running.optimizer) == before
    np.testing.assert_array_equal(running.problem.params.storage, other.problem.params.storage)
    booked = spent.copy()
    running.step(next(ours))
    assert spent == booked


def test_the_parts_of_a_step_are_what_is_left_of_its_products():
    times = {"GEMM": [2e-4], "dlexp": [5e-4], "JAX scan": [3e-4], "JAX products": [2.5e-4]}
    spent = {"dense": 2.5e-4, "relu": 5e-5, parts.LOSS: 2e-5, parts.UPDATE: 1e-4, parts.GATHER: 1e-5, parts.REST: 3e-5}
    said = parts.report({"W1": (measuring.Measured(times, {}), spent)})
    found = dict(map(goals.cells_of, [line for line in said.splitlines() if line.startswith("| ")]))
    assert (found["products alone (GEMM)"], found["dense layers beyond their products"]) == ("200", "50")
    assert (found["relu"], found["Adam's update"], found["the loop, calls, clocks"]) == ("50", "100", "30")
    assert (found["products alone"], found["all else"]) == ("250", "50")


def test_what_a_network_does_not_do_is_not_tried_on_it():
    from peers.with_dlexp import trainer

    running = trainer(W1, 0)
    doubtful = {name for name, change in changes.CHANGES.items() if not changes.applies(change, running)}
    assert doubtful == {"no blocks", "blocks of 49,152 parameters", "batch norm: an array for each result"}
    spreads = {name: measuring.Spread(1, 1, 1) for name in changes.CHANGES if name not in doubtful}
    assert tried.report({"W1": spreads}, 3).count("the same") == 3


def test_a_fresh_process_tells_every_part_and_leaves_none_out():
    for how in startup.WAYS.values():
        told = startup.measured(how)
        assert len(told) == len(startup.PARTS)
        assert min(told) >= 0
    said = startup.report({"no Hydra": [[0.001] * 8, [0.003] * 8]})
    assert goals.cells_of(said.splitlines()[-1]) == ["all", "16 (8–24)"]


def test_a_sweeps_table_gives_medians_and_ratios_round_by_round():
    def run(work, memory):
        return {"runs": 80.0, "work, s": work, "peak memory of a worker, MB": memory}

    found = {"1 worker": [run(40, 48), run(44, 48)], "2 workers": [run(20, 49), run(33, 49)]}
    lines = [goals.cells_of(line) for line in sweep.report(found).splitlines()[2:]]
    assert lines[3] == ["work, s", "42.0", "26.5"]
    assert lines[-1] == ["work ÷ work of 1 worker, by rounds", "1.00 (1.00–1.00)", "0.62 (0.50–0.75)"]


def test_what_journal_and_progress_cost_is_a_share_of_training_and_evaluation():
    run = {
        command.JOURNAL: 1.0,
        command.BETWEEN: 2.0,
        command.PROGRESS: 1.0,
        command.STEPS: 60.0,
        command.EVALUATION: 40.0,
    }
    assert command.watching([run]) == [4.0]
    assert main_job.JOB == ["optimizer=adam", "init=he", "regularizer=dropout"]
