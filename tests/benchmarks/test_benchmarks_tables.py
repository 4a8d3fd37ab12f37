"""What the benchmarks' tables say follows from what was measured. Nothing is timed here."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import (
    budget,
    command,
    fresh,
    goals,
    late,
    main_job,
    measuring,
    page,
    parts,
    peers,
    phases,
    startup,
    step,
    sweep,
    sweep_peer,
    table,
    workloads,
)

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
    return {
        cells[0]: cells[1:]
        for cells in map(goals.cells_of, path.read_text("utf-8").splitlines()[3:-1])
    }


def test_a_goal_is_met_where_the_median_is_and_its_row_says_in_how_many_rounds(file):
    goals.tell(
        {"a step ÷ GEMM, W1": [1.7, 1.9, 1.75], "a step ÷ GEMM, W2": [1.7, 1.5, 1.8]},
        write=True,
        page=file,
    )
    found = rows(file)
    assert found["a step ÷ GEMM, W1"][:3] == ["≤ 1.8", "1.750 (1.700–1.900)", "yes, 2 of 3"]
    assert found["a step ÷ GEMM, W2"][:3] == ["≤ 1.6", "1.700 (1.500–1.800)", "no, 1 of 3"]
    at_least = "500 steps in a fresh process, JAX ÷ dlexp, no Hydra"
    goals.tell({at_least: [6.0, 5.9, 7.0]}, write=True, page=file)
    assert rows(file)[at_least][:3] == ["≥ 6", "6.000 (5.900–7.000)", "yes, 2 of 3"]


def test_a_goal_is_judged_by_the_number_that_is_printed(file):
    name = "step 3,000 ÷ step 100, W1"
    goals.tell({name: [1.0302, 1.0303, 1.0304]}, write=True, page=file)
    assert rows(file)[name][:3] == ["≤ 1.03", "1.030 (1.030–1.030)", "yes, 0 of 3"]
    goals.tell({name: [1.031, 1.034, 1.036]}, write=True, page=file)
    assert rows(file)[name][2] == "no, 0 of 3"


def test_the_table_of_goals_keeps_what_others_measured_in_the_order_of_the_goals(file):
    late, first = "step 3,000 ÷ step 100, W1", "a step ÷ GEMM, W1"
    goals.tell({late: [1.0]}, write=True, page=file)
    kept = rows(file)[late]
    goals.tell({first: [2.0]}, write=True, page=file)
    assert list(rows(file)) == [first, late]
    assert rows(file)[late] == kept
    goals.tell({first: [1.0]}, write=True, page=file)
    assert rows(file)[first][2] == "yes, 1 of 1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d, `step --rounds 3`, dlexp at \w+(-dirty)?", kept[-1])
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
    times = {
        "dlexp": [4.0, 4.0],
        "dlexp, no Hydra": [2.0, 1.0],
        "JAX scan": [8.0, 8.0],
        "PyTorch fused": [20.0, 30.0],
    }
    assert fresh.kept("sweep", times) == {
        "mixed sweep of 32 runs, JAX ÷ dlexp, no Hydra": [4, 8],
        "mixed sweep of 32 runs, PyTorch ÷ dlexp, no Hydra": [10, 30],
        "mixed sweep of 32 runs, JAX ÷ dlexp, with Hydra": [2, 2],
        "mixed sweep of 32 runs, PyTorch ÷ dlexp, with Hydra": [5, 7.5],
    }
    found = fresh.kept("run", times | {"scikit-learn": [12.0, 12.0]})
    assert found["500 steps in a fresh process, scikit-learn ÷ dlexp, with Hydra"] == [3, 3]
    assert set(found) == {name for name in goals.GOALS if name.startswith("500 steps")}
    message = fresh.report("run", measuring.Measured(times, {}), times, ["JAX scan"])
    assert goals.cells_of(message.splitlines()[-1])[-2:] == ["6.00 (4.00–8.00)", "2.00 (2.00–2.00)"]


def test_a_step_is_compared_with_its_products_and_the_goals_name_its_workload():
    found = {
        "W1": measuring.Measured({"GEMM": [1.0, 2.0], "dlexp": [3.0, 5.0]}, {}),
        "W2": measuring.Measured({"GEMM": [1.0, 1.0], "dlexp": [2.0, 2.0]}, {}),
        "W3": measuring.Measured({"dlexp": [2.0, 2.0]}, {"GEMM": "missing"}),
    }
    assert step.kept(found) == {"a step ÷ GEMM, W1": [3, 2.5], "a step ÷ GEMM, W2": [2, 2]}


def test_the_pages_table_of_a_step_is_not_replaced_by_a_part_of_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["step.py", "W1", "--page"])
    with pytest.raises(SystemExit):
        step.main()
    assert "all workloads and all peers" in capsys.readouterr().err


def test_main_job_and_sweeps_are_divided_the_way_their_goals_are_named():
    times = {"main job": [3.0, 2.0], "bare script": [4.0, 4.0]}
    assert main_job.kept(times) == {"main job ÷ bare MLflow script, wall time": [0.75, 0.5]}
    assert goals.cells_of(main_job.report(times).splitlines()[-1]) == [
        "ratio, pair by pair",
        "0.62 (0.50–0.75)",
    ]
    costs = {
        "ours": [{"wall": 2.0}],
        "as written": [{"wall": 8.0}],
        "one": [{"wall": 6.0}],
        "two": [{"wall": 4.0}],
    }
    found = sweep_peer.kept(costs, list(costs))
    assert list(found.values()) == [[4], [3], [2]]
    assert list(found) == [name for name in goals.GOALS if name.startswith("sweep of 80")]
    assert sweep_peer.kept({"ours": [{"wall": 2.0}]}, list(costs)) == {}


def test_the_commands_goals_are_what_its_processes_told():
    run = {
        command.JOURNAL: 1.0,
        command.BETWEEN: 2.0,
        command.PROGRESS: 1.0,
        command.STEPS: 60,
        command.EVALUATION: 40,
        "cpu": 0.5,
    }
    assert list(command.kept([run], [0.3], [0.6]).values()) == [[0.5], [4.0], [0.3], [0.6]]
    assert set(command.kept([run], [0.3], [0.6])) <= goals.GOALS.keys()


def test_late_is_divided_by_early_and_its_denormals_are_counted(monkeypatch):
    told = iter([0.0, 0.0, 1.0, 3.0, 2.0, 4.0])  # up to each state; then early and late, twice
    monkeypatch.setattr(late, "train", lambda trainer, n: next(told))
    assert late.late(W1, 150, rounds=2, flush=True) == ([3.0, 2.0], 0.0)
    slots = [np.array([0, 1, 1e-40, -1e-39], np.float32), np.array([1e-38, 1, 1, 1], np.float32)]
    assert late.denormals(slots) == pytest.approx(3 / 8)  # the smallest normal one is 1.18e-38


def test_a_workers_time_is_that_of_one_step(tmp_path):
    waiting = measuring.Worker("GEMM", tmp_path)
    try:
        waiting.answer = lambda: "6.0"
        assert waiting.train(4) == 1.5
    finally:
        waiting.close()


def test_arrays_of_a_trainer_begin_with_a_line_of_the_cache():
    from benchmarks.peers.with_dlexp import trainer

    running = trainer(W1, 0)
    arrays = [running.problem.params.storage, running.problem.params.grads]
    arrays += running.state.values()
    assert {a.__array_interface__["data"][0] % 64 for a in arrays} == {0}


def test_a_peer_is_ahead_or_behind_only_where_three_quarters_of_the_rounds_say_so():
    fast, like = [0.7, 0.8, 0.8, 0.8, 0.9, 0.9, 1.1], [0.9, 1.1, 0.9, 1.1, 1.0, 1.0, 1.0]
    times = {"dlexp": [1.0] * 7, "fast": fast, "slow": [2 - t for t in fast], "like": like}
    assert [step.word(times, c) for c in ("fast", "slow", "like")] == [
        "ahead",
        "behind",
        "no difference",
    ]
    message = step.ahead(
        {"W1": measuring.Measured(times, {"gone": "not installed"})}, ["fast", "gone"]
    )
    assert goals.cells_of(message.splitlines()[-1]) == ["gone", "not installed"]


def test_a_page_that_was_written_is_no_change_of_dlexp(monkeypatch, tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words],
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    for name in ("docs/speed.md", "dlexp/core/trainer.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one\n", "utf-8")
    git("add", ".")
    git("commit", "-qm", "first")
    monkeypatch.setattr(page, "ROOT", tmp_path)
    commit = page._commit()
    assert re.fullmatch(r"[0-9a-f]{7,}", commit)
    (tmp_path / "docs/speed.md").write_text("two\n", "utf-8")
    assert page._commit() == commit
    (tmp_path / "dlexp/core/trainer.py").write_text("two\n", "utf-8")
    assert page._commit() == commit + "-dirty"


def test_a_block_without_an_end_takes_no_other_with_it(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("<!-- begin x -->\n\n<!-- begin y -->\nkept\n<!-- end -->\n")
    with pytest.raises(ValueError, match="not one that ends"):
        page.put("x", "text", file)
    assert "kept" in file.read_text()


def test_jaxs_lower_bound_multiplies_what_a_network_without_activations_multiplies():
    peer = peers.PEERS["JAX products"]
    if why := peer.absent(W1):
        pytest.skip(why)
    state = np.random.get_state()  # importing JAX draws from the global generator
    from benchmarks.peers.with_jax import _products

    rng = np.random.default_rng(0)
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
    assert {name: w.shape for name, w in training.parameters().items()} == {
        f"W{i + 1}": w.shape for i, w in enumerate(weights)
    }
    with pytest.raises(ValueError, match="not a multiple of"):
        training.train(3)
    np.random.set_state(state)


def test_clocks_book_every_part_of_a_step_and_are_taken_off_again():
    from benchmarks.peers.with_dlexp import batches, trainer

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
    spent = {
        "dense": 2.5e-4,
        "relu": 5e-5,
        parts.LOSS: 2e-5,
        parts.UPDATE: 1e-4,
        parts.GATHER: 1e-5,
        parts.REST: 3e-5,
    }
    message = parts.report({"W1": (measuring.Measured(times, {}), spent)})
    found = dict(
        map(goals.cells_of, [line for line in message.splitlines() if line.startswith("| ")])
    )
    assert (found["products alone (GEMM)"], found["dense layers beyond their products"]) == (
        "200",
        "50",
    )
    assert (
        found["relu"],
        found["Adam's update"],
        found["loop, check for NaN and infinity, clocks"],
    ) == ("50", "100", "30")
    assert (found["products alone"], found["all else"]) == ("250", "50")
    assert (found["the parts' sum"], found["a step"]) == ("460", "300")  # the last: JAX's
    message = parts.report({"W1": (measuring.Measured(times, {"JAX products": "failed"}), spent)})
    assert "failed" in message.splitlines()[-1]


def test_what_no_clock_hung_at_is_the_rest_of_a_step():
    assert parts.shares(Counter({"relu": 2.0, "dense": 3.0}), 8.0, 2) == {
        "relu": 1.0,
        "dense": 1.5,
        parts.REST: 1.5,
    }


def test_a_fresh_process_tells_every_part_and_leaves_none_out():
    for how in startup.WAYS.values():
        told = startup.measured(how)
        assert len(told) == len(startup.PARTS)
        assert min(told) >= 0
    needed, whole = startup.report({"no Hydra": [[0.001] * 8, [0.003] * 8]}).splitlines()[-2:]
    assert goals.cells_of(whole) == ["all", "16 (8–24)"]
    assert goals.cells_of(needed)[1] == "6 (3–9)"


def test_a_fresh_process_trains_as_many_steps_as_the_goals_name(monkeypatch):
    from benchmarks.peers import with_dlexp

    asked = []
    trained = peers.Training(lambda n: asked.append(n), dict)
    monkeypatch.setattr(with_dlexp, "training", lambda trainer: trained)
    monkeypatch.setattr(with_dlexp, "trainer", lambda workload, seed: asked.append("composed"))
    phases.main("plain")
    phases.main("hydra")
    assert asked == [500, "composed", 500]


def test_a_sweeps_table_gives_medians_and_ratios_round_by_round():
    def run(work, memory):
        return {"runs": 80.0, "work, s": work, "peak memory of a worker, MB": memory}

    found = {"1 worker": [run(40, 48), run(44, 48)], "2 workers": [run(20, 49), run(33, 49)]}
    lines = [goals.cells_of(line) for line in sweep.report(found).splitlines()[2:]]
    assert lines[3] == ["work, s", "42.0", "26.5"]
    assert lines[-1] == [
        "work ÷ work of 1 worker, by rounds",
        "1.00 (1.00–1.00)",
        "0.62 (0.50–0.75)",
    ]


def test_a_large_table_is_read_by_processes_whose_numbers_stand_beside_those_of_pandas(tmp_path):
    table.write(tmp_path / "t.csv", 300)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 301
    assert {line.count(",") for line in lines} == {49}
    assert all(value > 0 for value in table.measured("data set", tmp_path / "t.csv"))
    text = table.report(
        {"pandas": [[2.0, 2.0, 10.0]], "read": [[3.0, 2.0, 5.0]], "data set": [[4.0, 2.0, 10.0]]},
        300,
    )
    assert re.search(r"CPU s ÷ pandas +\| 1.00 \(.*\| 1.50 \(.*\| 2.00 \(", text)
