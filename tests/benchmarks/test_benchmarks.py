"""The benchmarks measure the same work for all and compute correct tables. Nothing is timed."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import (
    budget,
    command,
    fresh,
    growth,
    late,
    measuring,
    page,
    peers,
    step,
    worker,
    workloads,
)
from benchmarks.tasks import task

W1 = workloads.W1
UNTRAINED = ("GEMM", "JAX products")  # they multiply matrices and nothing else
# the eager one, compiled
TRAINED = [name for name in peers.PEERS if name not in (*UNTRAINED, "torch.compile")]
NETWORKS = [
    (name, column)
    for name, workload in workloads.WORKLOADS.items()
    for column in TRAINED
    if (peers.PEERS[column].normalizes or not workload.batch_norm)
    and (column != "dlexp, no Hydra" or name == "W1")
]
ORDERED = [name for name in TRAINED if name != "scikit-learn"]  # they can be told the order


@pytest.fixture(autouse=True)
def denormal_numbers_are_what_they_were():
    """PyTorch's module makes the processor flush denormal numbers; these tests need them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def built(column, workload, task):
    peer = peers.PEERS[column]
    if why := peer.absent(workload):
        pytest.skip(why)
    state = np.random.get_state()
    training = peer.build(workload, task)
    np.random.set_state(state)  # importing JAX draws from the global generator
    return training


@pytest.fixture(scope="module")
def tasks():
    """Every workload with few samples, and its task."""
    few = {name: budget.small(w) for name, w in workloads.WORKLOADS.items()}
    return {name: (w, task(w)) for name, w in few.items()}


@pytest.mark.parametrize(("name", "column"), NETWORKS)
def test_every_peer_builds_the_same_network_from_the_same_weights(tasks, name, column):
    workload, task = tasks[name]
    found = built(column, workload, task).parameters()
    assert {k: v.shape for k, v in found.items()} == workload.shapes
    assert all(v.dtype == np.float32 for v in found.values())
    for i, given in enumerate(task.weights, 1):
        np.testing.assert_array_equal(found[f"W{i}"], given)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("column", ORDERED)
def test_a_peer_that_can_be_told_the_order_takes_dlexps_path(tasks, column, batch_norm):
    if batch_norm and column == "dlexp, no Hydra":
        pytest.skip("it is for plain networks")
    workload = replace(tasks["W1"][0], block=5, batch_norm=batch_norm)
    ours = built("dlexp", workload, task(workload))
    theirs = built(column, workload, task(workload))
    ours.train(15)  # into the second epoch
    theirs.train(15)
    expected, found = ours.parameters(), theirs.parameters()
    # it takes biases off again: their gradient is rounding
    idle = [f"b{i}" for i in range(1, 6)] if batch_norm else []
    for name in workload.shapes.keys() - idle:
        apart = np.abs(found[name] - expected[name]).mean()
        moved = np.abs(
            expected[name] - (tasks["W1"][1].weights[int(name[1:]) - 1] if name[0] == "W" else 0)
        ).mean()
        assert apart < 1e-3 * moved, name


def test_scikit_learn_takes_dlexps_path_where_the_order_of_samples_does_not_matter(tasks):
    workload = replace(tasks["W1"][0], batch=1257)  # all of them
    ours = built("dlexp", workload, task(workload))
    theirs = built("scikit-learn", workload, task(workload))
    ours.train(5)
    theirs.train(5)
    for name, expected in ours.parameters().items():
        assert np.abs(theirs.parameters()[name] - expected).mean() < 1e-4, name


def test_the_lower_bound_multiplies_the_matrices_of_a_step_and_no_others(tasks, monkeypatch):
    workload, task = tasks["W1"]
    asked = []
    monkeypatch.setattr(np, "matmul", lambda a, b, out: asked.append((a.shape, b.shape, out.shape)))
    built("GEMM", workload, task).train(1)
    layers = list(zip(workload.sizes, workload.sizes[1:], strict=False))
    n = workload.batch
    expected = [((n, i), (i, o), (n, o)) for i, o in layers]  # y = x·W
    expected += [((i, n), (n, o), (i, o)) for i, o in layers]  # dW = xᵀ·dy
    expected += [((n, o), (o, i), (n, i)) for i, o in layers[1:]]  # dx = dy·Wᵀ, but not of the data
    assert sorted(asked) == sorted(expected)


def test_rows_are_whole_batches_of_shuffled_epochs():
    task = workloads.Task(np.zeros((7, 2)), np.zeros(7), [], np.random.default_rng(1))
    rows = task.rows(3)
    first, second = [np.concatenate([next(rows), next(rows)]) for _ in range(2)]
    for epoch in (first, second):
        assert len(set(epoch.tolist())) == 6
    assert first.tolist() != second.tolist()


def test_a_workload_comes_back_from_its_folder_as_it_was():
    with measuring.prepared(W1) as folder:
        workload, task = worker.read(folder)
    assert workload == W1
    assert [w.shape for w in task.weights] == [W1.shapes[f"W{i}"] for i in range(1, 7)]
    assert len(task.labels) == len(task.x) == 1257


def test_ratios_are_taken_within_a_round_and_give_median_and_range():
    times = {"GEMM": [1.0, 2.0, 4.0], "dlexp": [2.0, 3.0, 12.0]}
    found = measuring.ratios(times, "GEMM")
    assert found["dlexp"] == measuring.Spread(2.0, 1.5, 3.0)
    assert str(found["dlexp"]) == "2.00 (1.50–3.00)"
    assert found["GEMM"] == measuring.Spread(1.0, 1.0, 1.0)


def test_a_missing_peers_column_says_so_and_the_others_are_measured(monkeypatch, tmp_path):
    there = peers.find_spec
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "jax" else there(name))
    found = measuring.measure(replace(W1, steps=2), ["GEMM", "JAX scan", "dlexp"], rounds=2)
    assert found.absent == {"JAX scan": "jax not installed"}
    assert {c: len(v) for c, v in found.times.items()} == {"GEMM": 2, "dlexp": 2}
    message = step.report({"W1": found}, ["GEMM", "JAX scan", "dlexp"])
    assert message.count("jax not installed") == 3  # once in each of the tables
    assert "1.00 (1.00–1.00)" in message


def test_a_peer_without_the_layers_of_a_workload_has_a_dash():
    assert peers.PEERS["scikit-learn"].absent(workloads.W3) == "–"
    assert peers.PEERS["scikit-learn"].absent(workloads.W2) == ""


def test_a_peer_that_breaks_down_says_why(tmp_path, capsys):
    lost = measuring.Worker("GEMM", tmp_path)  # there is no task in this folder
    try:
        with pytest.raises(RuntimeError, match="FileNotFoundError"):
            lost.answer()
    finally:
        lost.close()
    assert "workload.json" in capsys.readouterr().err


def test_one_thread_is_asked_for_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    found = measuring.environment(DLEXP_OUTPUTS="here")
    assert {found[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "OMP", "MKL")} == {"1"}
    assert found["DLEXP_OUTPUTS"] == "here"


def test_growth_changes_one_number_at_a_time_and_knows_a_power_law():
    assert growth.exponent((100, 200), (3.0, 12.0)) == pytest.approx(2)
    assert growth.workload("depth", 2).sizes == (64, 100, 100, 10)
    assert growth.workload("units", 25).sizes == (64, *[25] * 5, 10)
    assert growth.workload("batch", 400).batch == 400
    for size in growth.SIZES["data"]:
        n = int(growth.workload("data", size).data[-1].removeprefix("data.n="))
        assert n - round(0.1 * n) - round(0.2 * n) == size


def test_late_in_a_training_the_same_steps_are_taken_again():
    from benchmarks.peers.with_dlexp import trainer

    running = trainer(W1, 0)
    late.train(running, 20)
    assert running.t == 21  # the first is not counted
    saved = running.state_dict()
    late.train(running, 15)
    after = running.problem.params.storage.copy()
    running.load_state_dict(saved)
    late.train(running, 15)
    assert running.t == 37
    np.testing.assert_array_equal(running.problem.params.storage, after)


def test_late_and_early_steps_stand_at_the_same_place_in_an_epoch(monkeypatch):
    begun = []
    counted = late.train
    monkeypatch.setattr(
        late, "train", lambda trainer, n: begun.append(trainer.t) or counted(trainer, n)
    )
    late.late(W1, 150, rounds=2, flush=True)  # no clock is looked at
    early, later = begun[2], begun[3]
    assert early == late.EARLY - late.STEPS // 2
    assert later % 12 == early % 12
    assert abs(later - early - 50) <= 6
    assert begun[4:] == [early, later]


def test_dlexp_gathers_no_batch_twice_however_its_steps_are_cut(tasks, monkeypatch):
    workload, task = tasks["W1"]
    gathered = []
    take = np.take
    monkeypatch.setattr(np, "take", lambda *a, **k: gathered.append(1) or take(*a, **k))
    training = built("dlexp", workload, task)
    for n in (5, 5, 5):
        training.train(n)
    assert len(gathered) == 15


def test_a_count_is_over_its_budget_beyond_what_repeating_explains():
    allowed = {"instructions": 1000, "peak_bytes": 1000}
    assert budget.over({"instructions": 1020, "peak_bytes": 900}, allowed) == []
    assert budget.over({"instructions": 1021, "peak_bytes": 1100}, allowed) == [
        "instructions",
        "peak_bytes",
    ]
    assert budget.over({"instructions": 5}, {}) == []


def test_a_budget_far_above_what_is_counted_is_out_of_date(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(budget, "BUDGET", tmp_path / "budget.json")
    monkeypatch.setattr(budget, "instructions", lambda workload: 1000)
    monkeypatch.setattr(sys, "argv", ["budget.py", "W1", "--write"])
    monkeypatch.setattr(budget, "peak_bytes", lambda workload: 1000)
    assert budget.main() == 0
    monkeypatch.setattr(sys, "argv", ["budget.py", "W1"])
    for now, status, message in (
        (1000, 0, ""),
        (920, 0, ""),
        (900, 1, "renewed (--write): W1 peak"),
        (1030, 1, "over budget"),
    ):
        monkeypatch.setattr(budget, "peak_bytes", lambda workload, now=now: now)
        assert budget.main() == status
        assert message in capsys.readouterr().out


def test_the_memory_of_a_step_is_counted_and_repeats():
    batch = W1.batch * 100 * 4  # bytes of one hidden layer's activations
    found = budget.peak_bytes(W1)
    assert 5 * batch < found < 50 * batch
    assert budget.peak_bytes(W1) == pytest.approx(found, rel=0.02)


def test_a_block_of_the_page_is_replaced_and_nothing_else(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(
        "a\n<!-- begin x -->\nold\n<!-- end -->\nb\n<!-- begin y -->\nkept\n<!-- end -->\n"
    )
    page.put("x", "new \\1 text\n", file)
    assert (
        file.read_text()
        == "a\n<!-- begin x -->\nnew \\1 text\n<!-- end -->\nb\n<!-- begin y -->\nkept\n<!-- end"
        " -->\n"
    )
    with pytest.raises(ValueError, match="0 blocks called z"):
        page.put("z", "text", file)


def test_the_page_has_every_block_that_a_command_writes_and_no_other():
    blocks = re.findall(r"<!-- begin (.+?) -->", page.PAGE.read_text("utf-8"))
    growths = [f"growth {what}" for what in growth.SIZES]
    freshes = [f"fresh {what}" for what in fresh.COLUMNS]
    tables = [
        "step",
        "parts",
        "late",
        "startup",
        "command",
        "sweep_peer",
        "sweep",
        "main_job",
        "table",
    ]
    assert sorted(blocks) == sorted(
        ["goals", "machine", "ahead", "elsewhere", *tables, *growths, *freshes]
    )


def test_the_machine_is_described_with_the_versions_that_matter():
    message = page.machine()
    assert f"numpy {np.__version__}" in message
    assert "torch" in message
    assert str(page.ROOT) not in message


def test_a_part_inside_another_stops_the_others_clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(command.time, "time", lambda: now[0])

    class Job:
        def outer(self):
            now[0] += 2
            self.inner()
            now[0] += 3

        def inner(self):
            now[0] += 10
            raise ValueError

    clocks = command.Clocks(99.0)
    clocks.clock(Job, "outer", "outer")
    clocks.clock(Job, "inner", "inner")
    with pytest.raises(ValueError):  # noqa: PT011
        Job().outer()
    now[0] += 4
    clocks.switch()
    assert clocks.spent == {"start-up": 5, "outer": 2, "inner": 10}


def test_every_clock_of_the_command_hangs_at_a_part_of_the_table(monkeypatch):
    hung = []
    monkeypatch.setattr(command.Clocks, "clock", lambda self, owner, name, part: hung.append(part))
    from dlexp.core.trainer import Trainer

    monkeypatch.setattr(Trainer, "step", Trainer.step)
    command.hang(command.Clocks(0.0), [])
    named = {part for part in hung if "{}" not in part}
    observers = {part for part in command.PARTS if part.startswith("observer ")}
    assert named | observers | {"start-up"} == {*command.PARTS}
