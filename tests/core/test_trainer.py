"""The loop: records, streams, resuming, divergence, early stopping, clipping, denormals."""

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest

from dlexp.conformance.toy import experiment, outcome, same
from dlexp.core import params
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.experiment import streams
from dlexp.core.kinds import Optimizer
from dlexp.core.pieces import clip
from dlexp.core.registry import find
from dlexp.core.trainer import Diverged
from dlexp.runs.run import Run


def plugin(kind, name, **values):
    return find(kind, name)(**values)


def everything(**settings):
    """Batch norm, dropout, momentum, two penalties: all that has state or draws numbers."""
    return experiment(
        plugin("normalization", "batch_norm"),
        plugin("optimizer", "adam", lr=0.01),
        regularizer=(plugin("regularizer", "dropout"), plugin("regularizer", "weight_decay")),
        **{"epochs": 3, **settings},
    )


def records(e):
    return list(e.trainer().run())


def test_the_same_seed_gives_the_same_metrics_to_the_last_bit_and_another_seed_others():
    assert records(everything()) == records(everything())
    assert records(everything(seed=0)) != records(everything(seed=1))


def test_records_come_at_step_0_at_every_epoch_and_at_the_end_with_the_test_metrics():
    r = records(experiment(epochs=2))
    assert [(x.epoch, x.step) for x in r] == [(0, 0), (1, 6), (2, 12), (2, 12)]
    assert set(r[0].metrics) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    assert set(r[1].metrics) == {*r[0].metrics, "train/objective"}
    assert set(r[-1].metrics) == {"test/loss", "test/accuracy"}


def test_no_epochs_record_the_untrained_network():
    e = experiment(epochs=0)
    before = e.trainer().problem.params.storage.copy()
    trainer = e.trainer()
    assert [x.step for x in trainer.run()] == [0, 0]
    assert (trainer.problem.params.storage == before).all()


def test_steps_overrule_epochs_and_a_partial_last_epoch_is_recorded():
    assert [(x.epoch, x.step) for x in records(experiment(epochs=5, steps=8))] == [
        (0, 0),
        (1, 6),
        (1, 8),
        (1, 8),
    ]


def test_eval_every_thins_the_records_and_changes_no_weight():
    every, second = experiment(epochs=4).trainer(), experiment(epochs=4, eval_every=2).trainer()
    assert [x.epoch for x in every.run()] == [0, 1, 2, 3, 4, 4]
    assert [x.epoch for x in second.run()] == [0, 2, 4, 4]
    assert (every.problem.params.storage == second.problem.params.storage).all()


def test_the_last_incomplete_batch_is_dropped():
    trainer = experiment(batch_size=50).trainer()  # 60 training samples
    assert trainer.problem.steps_per_epoch == 1
    assert [len(labels) for _, labels in trainer.problem.batches(np.random.default_rng(0))] == [50]


@pytest.mark.parametrize("at", [1, 5, 6, 7, 17])
def test_a_run_resumed_at_any_step_equals_an_uninterrupted_one_bit_for_bit(at):
    straight = everything().trainer()
    list(straight.run())

    first = everything().trainer()
    while first.t < at:
        for batch in first.rest_of_epoch():
            first.step(batch)
            if first.t == at:
                break
    second = everything(seed=0).trainer()
    second.problem.params.storage[...] = 7  # whatever stands there is replaced
    second.load_state_dict(first.state_dict())
    list(second.run())
    assert second.problem.params.storage.tobytes() == straight.problem.params.storage.tobytes()
    assert second.rngs["order"].bit_generator.state == straight.rngs["order"].bit_generator.state


def test_a_state_saved_at_a_record_does_not_repeat_it():
    whole = records(everything())
    for n in range(1, len(whole)):
        first, second = everything().trainer(), everything().trainer()
        before = list(islice(first.run(), n))
        second.load_state_dict(first.state_dict())
        assert [*before, *second.run()] == whole


def test_a_state_dict_is_a_copy_that_later_steps_do_not_change():
    trainer = everything().trainer()
    saved = trainer.state_dict()
    kept = saved["storage"].copy()
    list(trainer.run())
    assert (saved["storage"] == kept).all()
    assert saved["t"] == 0


def test_a_rehearsal_leaves_no_trace():
    plain = everything().trainer()
    expected = list(plain.run())
    trainer = everything().trainer()
    seen = []
    for record in trainer.run():
        seen.append(record)
        with trainer.rehearsal():
            for batch in trainer.rest_of_epoch():
                trainer.step(batch)
    assert seen == expected
    assert trainer.problem.params.storage.tobytes() == plain.problem.params.storage.tobytes()


def test_streams_are_named_so_another_plugin_shifts_none_of_them():
    a, b = streams(3), streams(3)
    a["noise"].random(1000)
    assert a["order"].random() == b["order"].random()
    draws = {name: float(rng.random()) for name, rng in streams(0).items()}
    assert len(set(draws.values())) == len(draws) == 4
    with_noise = experiment(regularizer=(plugin("regularizer", "dropout"),)).trainer()
    without = experiment().trainer()
    assert (with_noise.problem.params.storage == without.problem.params.storage).all()
    batches = [[labels.tolist() for _, labels in t.rest_of_epoch()] for t in (with_noise, without)]
    assert batches[0] == batches[1]


def test_a_diverged_run_stops_at_once_and_names_tensor_layer_and_step():
    e = experiment(plugin("optimizer", "sgd", lr=1e200), dtype="float64")
    run = Run(e, e.trainer())
    with pytest.raises(
        Diverged, match=r"diverged at step \d: (dense\d\.W|output of \w+\d) is not finite"
    ) as caught:
        run.train()
    assert caught.value.step <= 3
    assert run.trainer.t == caught.value.step


@pytest.mark.parametrize("block", [1, 7, 2**31])
def test_an_infinity_that_the_loss_does_not_show_is_found_at_the_same_step(monkeypatch, block):
    monkeypatch.setattr(params, "BLOCK", block)  # in whichever block it is
    e = experiment()
    trainer = e.trainer()
    batch = next(trainer.rest_of_epoch())
    trainer.step(batch)
    # a unit that is never active: the loss stays finite
    trainer.problem.params["dense1.b"][0] = -np.inf
    with pytest.raises(Diverged, match=r"step 2: dense1\.b is not finite"):
        trainer.step(batch)


def test_a_network_that_is_not_finite_from_the_start_is_told_with_its_layer():
    e = experiment(plugin("initializer", "normal", std=1e30), dtype="float32")
    with pytest.raises(Diverged, match=r"diverged at step 0: output of \w+\d is not finite"):
        list(e.trainer().run())


def test_a_large_but_finite_network_has_not_diverged():
    trainer = experiment(dtype="float32").trainer()
    trainer.problem.params["dense1.b"][0] = -1e25  # its square overflows float32, it does not
    trainer.step(next(trainer.rest_of_epoch()))
    assert trainer.t == 1


def test_early_stopping_stops_and_returns_to_the_best_weights():
    e = experiment(
        plugin("optimizer", "sgd", lr=3.0), epochs=200, early_stopping=EarlyStopping(patience=3)
    )
    trainer = e.trainer()
    r = list(trainer.run())
    costs = [x.metrics["val/loss"] for x in r[:-1]]
    best = int(np.argmin(costs))
    assert len(costs) == best + 4 < 201
    assert r[-1].metrics["early_stopping/best_step"] == r[best].step
    assert trainer.problem.evaluate()["val/loss"] == costs[best]


def test_an_evaluation_no_better_than_the_best_is_no_improvement():
    e = experiment(
        plugin("optimizer", "sgd", lr=1e-30), epochs=50, early_stopping=EarlyStopping(patience=2)
    )
    trainer = e.trainer()
    # the very same loss, twice
    assert [x.step for x in trainer.run()][-1] == 2 * trainer.problem.steps_per_epoch
    assert trainer.best.step == 0


def test_early_stopping_on_an_accuracy_looks_for_the_largest():
    assert EarlyStopping(metric="val/accuracy").cost({"val/accuracy": 0.9}) == -0.9
    assert EarlyStopping(metric="val/loss").cost({"val/loss": 0.9}) == 0.9


def test_a_clipped_gradient_has_the_norm_asked_for_and_keeps_its_direction():
    g = np.array([3.0, 4.0])
    clip(g, 1.0)
    assert g == pytest.approx([0.6, 0.8])
    clip(g, 2.0)
    assert g == pytest.approx([0.6, 0.8])


def test_clipping_leaves_a_gradient_alone_whose_norm_is_not_finite():
    for bad in ([np.inf, 1], [np.nan, 1], [1e25, 1e25]):
        g = np.array(bad, np.float32)
        with np.errstate(over="ignore"):
            assert not np.isfinite(clip(g, 1.0))
        np.testing.assert_array_equal(g, np.array(bad, np.float32))


def test_a_gradient_whose_norm_overflows_has_diverged_instead_of_being_clipped_to_zero():
    clipped = replace(
        experiment(plugin("optimizer", "sgd", lr=0.1), dtype="float32"), clip_norm=1.0
    )
    trainer = clipped.trainer()
    for name in trainer.problem.params.trainable:
        trainer.problem.params[name][...] *= 1e12
    with pytest.raises(Diverged, match=r"step 1: the norm of ∂L/∂dense1\.W is not finite"):
        list(trainer.run())


def with_gradient(trainer, value):
    """The trainer, with one number of this value in every gradient; the loss is finite."""
    loss = trainer.problem.loss

    def faulty(batch, ctx):
        found = loss(batch, ctx)
        trainer.problem.params.gradient("dense2.W")[1, 1] = value
        return found

    trainer.problem.loss = faulty
    return trainer


@dataclass(frozen=True, kw_only=True)
class Signs(Optimizer):
    """An update of bounded size, whatever the gradient."""

    name = "signs"
    lr: float = 0.01

    def update(self, w, g, s, lr, t):
        w -= lr * np.sign(np.nan_to_num(g))


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize(
    "settings", [{"clip_norm": 1.0}, {"clip_norm": None, "optimizer": Signs()}]
)
def test_a_gradient_that_is_not_finite_has_diverged_also_where_clipping_or_the_optimizer_hides_it(
    settings, value
):
    trainer = with_gradient(
        replace(experiment(plugin("optimizer", "sgd")), **settings).trainer(), value
    )
    with pytest.raises(Diverged, match=r"step 1: ∂L/∂dense2\.W is not finite"):
        list(trainer.run())


@pytest.mark.parametrize(("name", "slot"), [("adam", "v"), ("adagrad", "h")])
def test_a_running_square_that_overflows_and_keeps_the_weights_where_they_are_has_diverged(
    name, slot
):
    trainer = with_gradient(experiment(plugin("optimizer", name), dtype="float32").trainer(), 1e25)
    with pytest.raises(Diverged, match=rf"{slot} of dense2\.W is not finite"):
        list(trainer.run())


def test_a_buffer_that_overflows_has_diverged_though_loss_and_weights_are_finite():
    trainer = experiment(plugin("normalization", "batch_norm"), dtype="float32").trainer()
    trainer.problem.params["batch_norm1.var"][0] = np.inf  # the unit's outputs are 0
    with pytest.raises(Diverged, match=r"step 0: batch_norm1\.var is not finite"):
        list(trainer.run())


def test_clipping_bounds_the_step_of_a_run():
    e = replace(experiment(plugin("optimizer", "sgd", lr=1.0)), clip_norm=1e-3)
    trainer = e.trainer()
    before = trainer.problem.params.values.copy()
    trainer.step(next(trainer.rest_of_epoch()))
    assert np.linalg.norm(trainer.problem.params.values - before) == pytest.approx(1e-3)


def test_the_schedule_scales_the_learning_rate():
    constant = experiment(plugin("schedule", "constant"), epochs=1).trainer()
    cosine = experiment(plugin("schedule", "cosine"), epochs=1).trainer()
    start = constant.problem.params.values.copy()
    list(constant.run()), list(cosine.run())
    moved = [np.linalg.norm(t.problem.params.values - start) for t in (constant, cosine)]
    assert moved[1] < moved[0]


def test_denormal_numbers_in_slots_are_flushed_and_others_kept():
    trainer = experiment(plugin("optimizer", "adam"), dtype="float32").trainer()
    trainer.state["m"][:3] = [1e-38, -1e-35, 1e-20]
    trainer.flush_denormals()
    assert trainer.state["m"][:3].tolist() == pytest.approx([0, 0, 1e-20])


def test_float32_is_the_default_everywhere_and_float64_on_request():
    from dlexp.config import compose_run

    single = compose_run("epochs=1", "observer=none").experiment.trainer()
    assert {
        a.dtype
        for a in (
            single.problem.params.storage,
            single.problem.params.grads,
            *single.state.values(),
        )
    } == {np.dtype("float32")}
    double = compose_run("epochs=1", "observer=none", "dtype=float64").experiment.trainer()
    assert double.problem.params.storage.dtype == np.float64
    assert np.allclose(single.problem.params.storage, double.problem.params.storage, atol=1e-7)


def test_watching_changes_no_bit():
    watched = everything(observer=tuple(plugin("observer", name) for name in ("none", "progress")))
    a, b = Run(watched, watched.trainer()), Run(everything(), everything().trainer())
    a.train(), b.train()
    assert same(outcome(a), outcome(b)) == ""


def test_a_training_from_python_keeps_freed_memory_as_a_run_does(monkeypatch):
    import dlexp.core.trainer

    calls = []
    monkeypatch.setattr(dlexp.core.trainer, "keep_freed", lambda: calls.append(1))
    experiment().trainer()
    assert calls
