"""The figures of the observers: what is drawn where, and what is said in words."""

import itertools
import sys

import numpy as np
import pytest

from dlexp.conformance.toy import experiment
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.registry import find
from dlexp.core.trainer import Diverged
from dlexp.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_observer_breaks")


def plugin(kind, name, **values):
    return find(kind, name)(**values)


def everything(*plugins, **settings):
    """Batch norm, dropout, Adam and early stopping: whatever is touched shows."""
    return experiment(
        plugin("normalization", "batch_norm"),
        plugin("optimizer", "adam", lr=0.05),
        *plugins,
        regularizer=(plugin("regularizer", "dropout"), plugin("regularizer", "weight_decay")),
        **{"epochs": 6, "early_stopping": EarlyStopping(patience=2), **settings},
    )


def run_of(e, folder, *observers):
    """The run, trained; one that diverges or fails says so in `error`."""
    e = type(e)(**{**vars(e), "observer": tuple(plugin("observer", name) for name in observers)})
    run = Run(e, e.trainer(), folder=folder)
    try:
        run.train()
    except (Exception, KeyboardInterrupt) as error:
        run.error = error
    return run


@pytest.fixture
def drawn(monkeypatch):
    """Each figure by name, as it was before it became a file."""
    figures = {}
    style = sys.modules["dlexp.figures.style"]
    save = style.save
    monkeypatch.setattr(
        style,
        "save",
        lambda figure, path: (figures.update({path.stem: figure}), save(figure, path)),
    )
    return figures


def title(figure):
    return " ".join(text.get_text() for text in figure.texts)


def words(axes):
    return " ".join(text.get_text() for text in axes.texts)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [(KeyboardInterrupt(), "INTERRUPTED after step 9"), (OSError("gone"), "FAILED after step 9")],
    ids=["interrupted", "failed"],
)
def test_a_run_that_was_cut_short_is_drawn_as_far_as_it_came(
    trouble, message, tmp_path, drawn, monkeypatch
):
    step, left = find("objective", "classification"), itertools.count()
    build = step.build

    def broken(self, parts, rngs):
        problem = build(self, parts, rngs)
        loss = problem.loss

        def fails(batch, ctx):
            if next(left) == 8:
                raise trouble
            return loss(batch, ctx)

        problem.loss = fails
        return problem

    monkeypatch.setattr(step, "build", broken)
    run = run_of(experiment(epochs=4), tmp_path, "curves", "histograms")
    assert run.error is trouble
    assert all(message in title(drawn[name]) for name in ("curves", "histograms"))
    assert len(drawn["curves"].axes[0].lines[0].get_xdata()) == 2


# curves


def test_curves_show_train_and_val_and_the_final_test_value(tmp_path, drawn):
    run = run_of(experiment(epochs=20), tmp_path, "curves")
    loss, accuracy = drawn["curves"].axes
    for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
        train, val, test = ax.lines
        assert list(train.get_xdata()) == list(val.get_xdata()) == list(range(21))
        assert list(train.get_ydata()) == run.history(f"train/{what}")[1]
        assert list(val.get_ydata()) == run.history(f"val/{what}")[1]
        assert list(test.get_xydata()[0]) == [20, run.metrics[f"test/{what}"]]
        assert all(name in words(ax) for name in ("train", "val", "test"))
    assert f"test {run.metrics['test/accuracy']:.3f}" in words(accuracy)
    assert loss.get_ylabel() == "loss (nats)" + ", log scale" * (loss.get_yscale() == "log")
    assert accuracy.get_ylabel() == "accuracy (share correct)"
    assert accuracy.get_xlabel() == "epoch"
    assert f"test accuracy {run.metrics['test/accuracy']:.3f} after 20 epochs (120 steps)" in title(
        drawn["curves"]
    )
    assert "60 train, 15 validation, 15 test samples · batch 10 · seed 0" in title(drawn["curves"])


def test_curves_mark_the_epoch_whose_weights_early_stopping_kept(tmp_path, drawn):
    run = run_of(everything(epochs=30), tmp_path, "curves")
    best = run.metrics["early_stopping/best_step"] / 6
    assert 0 < best < run.trainer.t / 6 < 30
    loss, accuracy = drawn["curves"].axes
    for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
        _, _, test, mark = ax.lines
        assert list(test.get_xydata()[0]) == [best, run.metrics[f"test/{what}"]]
        assert list(mark.get_xdata()) == [best, best]
    assert "best val/loss" in words(loss)


def test_curves_of_a_diverged_run_say_where(tmp_path, drawn):
    run = run_of(experiment(plugin("optimizer", "sgd", lr=1e200)), tmp_path, "curves")
    assert isinstance(run.error, Diverged)
    assert f"DIVERGED at step {run.error.step}: {run.error.tensor} is not finite" in title(
        drawn["curves"]
    )
    assert "diverged" in words(drawn["curves"].axes[0])


def test_curves_of_a_single_record_are_points(tmp_path, drawn):
    run_of(experiment(epochs=0), tmp_path, "curves")
    for ax in drawn["curves"].axes:
        assert [line.get_marker() for line in ax.lines] == ["o", "o", "D"]


def test_curves_of_a_surface_show_its_height_on_a_logarithmic_axis(tmp_path, drawn):
    run = run_of(experiment(plugin("objective", "valley"), steps=300), tmp_path, "curves")
    (ax,) = drawn["curves"].axes
    assert list(ax.lines[0].get_ydata()) == run.history("train/loss")[1]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == (
        "step",
        "f(x, y), log scale",
        "log",
    )


# path


def walk(tmp_path, drawn, name="valley", optimizer=("sgd", 0.1), **settings):
    surface = plugin("objective", name, **settings.pop("surface", {}))
    e = experiment(
        surface, plugin("optimizer", optimizer[0], lr=optimizer[1]), **{"steps": 30, **settings}
    )
    return run_of(e, tmp_path, "path"), drawn["path"].axes[0]


@pytest.mark.parametrize("name", ["valley", "rosenbrock", "beale"])
def test_the_path_is_drawn_step_by_step_from_the_start_in_the_surfaces_window(
    name, tmp_path, drawn
):
    run, ax = walk(tmp_path, drawn, name, ("sgd", 1e-4))
    walked = ax.lines[0].get_xydata()
    assert [tuple(point) for point in walked] == [
        (r.metrics["path/x"], r.metrics["path/y"]) for r in run.records[:-1]
    ]
    assert len(walked) == 31
    surface = run.experiment.objective
    assert (ax.get_xlim(), ax.get_ylim()) == surface.window
    marks = {line.get_label(): tuple(line.get_xydata()[0]) for line in ax.lines[2:]}
    assert marks["start"] == surface.start
    assert marks["minimum"] == surface.minimum
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    assert f"sgd lr=0.0001 on {name}: 30 steps" in title(drawn["path"])


def test_the_arrows_point_down_the_gradient_and_are_no_longer_than_the_gaps_between_them(
    tmp_path, drawn
):
    run, ax = walk(tmp_path, drawn)
    (arrows,) = [c for c in ax.collections if type(c).__name__ == "Quiver"]
    gx, gy = run.experiment.objective.gradient(arrows.X, arrows.Y)
    size = np.hypot(arrows.U, arrows.V)
    assert np.allclose(arrows.U * gx + arrows.V * gy, -size * np.hypot(gx, gy))
    assert size.max() < 1 / len(np.unique(arrows.X))


def test_the_window_widens_to_hold_the_path_but_not_for_ever(tmp_path, drawn):
    _, ax = walk(tmp_path, drawn, surface={"start": (-12.0, 2.0)})
    assert -14 < ax.get_xlim()[0] < -12
    assert ax.get_xlim()[1] == 10
    run, ax = walk(tmp_path, drawn, optimizer=("sgd", 3.0), steps=40)  # y ← −5y
    assert abs(run.metrics["path/y"]) > 1e6
    assert ax.get_ylim() == (-15, 15)
    assert "the path leaves the picture at step 2" in title(drawn["path"])


def test_a_diverged_path_is_drawn_and_said(tmp_path, drawn):
    run, _ = walk(tmp_path, drawn, "rosenbrock", ("sgd", 1.0), steps=100)
    assert isinstance(run.error, Diverged)
    assert "DIVERGED at step" in title(drawn["path"])


def test_a_long_path_has_a_dot_now_and_then(tmp_path, drawn):
    _, ax = walk(tmp_path, drawn, steps=500)
    assert len(ax.lines[0].get_xdata()) == 501
    assert len(ax.lines[1].get_xdata()) == 51
    assert "a dot every 10 steps" in title(drawn["path"])


# histograms


def texts(drawn):
    """The panels' texts, row by row."""
    return [[text.get_text() for text in ax.texts] for ax in drawn["histograms"].axes]


def test_histograms_show_activations_and_gradients_untrained_and_trained(tmp_path, drawn):
    run_of(experiment(epochs=3), tmp_path, "histograms")
    rows = [ax.get_title(loc="left") for ax in drawn["histograms"].axes]
    assert rows == [
        "activations y, untrained",
        "activations y, trained",
        "|∂L/∂y|, untrained, log scale",
        "|∂L/∂y|, trained, log scale",
    ]
    assert [text.split("\n")[0] for text in texts(drawn)[0]] == ["relu1", "relu2"]


def test_histograms_state_the_spread_and_the_share_of_zeros_of_what_passes_the_network(
    tmp_path, drawn
):
    e = experiment(epochs=0)
    run = run_of(e, tmp_path, "histograms")
    x, _, ctx = run.probe()
    (_, y), *_ = [pair for pair in run.network.outputs(x, ctx) if pair[0].startswith("relu")]
    spread, across = f"{y.std():#.2g}", f"{y.std(axis=0).mean():#.2g}"
    assert (
        texts(drawn)[0][0]
        == f"relu1\nstd {spread}\nacross samples {across}\n{(y == 0).mean():.0%} zero"
    )


def test_gradients_are_those_of_each_samples_own_loss(tmp_path, drawn):
    run = run_of(experiment(plugin("model", "mlp", hidden=()), epochs=0), tmp_path, "histograms")
    x, labels, _ = run.probe()
    logits = x @ run.network.params["dense1.W"]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = p - np.eye(3)[labels]
    assert texts(drawn)[1] == [f"dense1\nstd {gradient.std():#.2g}"]
    assert "no hidden layers" in title(drawn["histograms"])


def test_a_layer_that_says_the_same_whatever_the_input_is_found_out(tmp_path, drawn):
    e = experiment(plugin("activation", "sigmoid"), plugin("initializer", "zeros"), epochs=0)
    observer, s = plugin("observer", "histograms"), type("State", (), {})()
    run = Run(e, e.trainer(), folder=tmp_path)
    run.network.params["dense1.b"][...] = np.linspace(-3, 3, 8)
    observer.start(run, s)
    observer.finish(run, s, None)
    first = texts(drawn)[0][0]
    assert "std 0.3" in first
    assert float(first.split()[-1]) < 1e-15


def test_of_many_layers_the_first_the_last_and_some_between_are_shown(tmp_path, drawn):
    run_of(experiment(plugin("model", "mlp", hidden=(4,) * 20)), tmp_path, "histograms")
    names = [text.split("\n")[0] for text in texts(drawn)[0]]
    assert names == ["relu1", "relu5", "relu9", "relu12", "relu16", "relu20"]
    assert "6 of 20 layers" in title(drawn["histograms"])


def test_an_untrained_batch_norm_is_seen_with_the_statistics_of_the_samples(tmp_path, drawn):
    parts = plugin("normalization", "batch_norm"), plugin("initializer", "normal", std=0.1)
    run_of(experiment(*parts, epochs=0), tmp_path, "histograms")
    assert "training mode" in title(drawn["histograms"])
    # relu of N(0, 1): 0.58
    assert "std 0.5" in texts(drawn)[0][1] or "std 0.6" in texts(drawn)[0][1]


def test_numbers_that_are_not_finite_are_counted(tmp_path, drawn):
    run_of(experiment(plugin("optimizer", "sgd", lr=1e200)), tmp_path, "histograms")
    assert any("not finite" in text for row in texts(drawn) for text in row)


# diagnostics


def test_the_figure_of_the_diagnostics_has_a_line_per_layer(tmp_path, drawn):
    run_of(experiment(epochs=3), tmp_path, "diagnostics")
    spread, saturated, gradients, updates = drawn["diagnostics"].axes
    assert [len(ax.lines) for ax in (spread, saturated, gradients, updates)] == [2, 4, 3, 3]
    assert "relu1" in words(spread)
    assert "relu2" in words(spread)
    assert [ax.get_xlabel() for ax in (spread, updates)] == ["epoch", "epoch"]
