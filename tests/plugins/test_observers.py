"""Observers change no bit, draw every kind of run, and survive a lost terminal."""

import io
import itertools
import struct
import sys

import numpy as np
import pytest

from dlexp.conformance.toy import experiment, outcome, same
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.registry import find
from dlexp.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_observer_breaks")

ALL = ("progress", "curves", "path", "histograms", "diagnostics")


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


def run_of(e, folder=None, observers=ALL, journal=None):
    """The run, trained; one that diverges or fails says so in `error`."""
    e = type(e)(**{**vars(e), "observer": tuple(plugin("observer", name) for name in observers)})
    run = Run(e, e.trainer(), folder=folder, journal=journal)
    try:
        run.train()
    except (Exception, KeyboardInterrupt) as error:
        run.error = error
    return run


class Notes(list):
    """A journal that keeps what observers note."""

    def record(self, record, event="record"):
        if event == "note":
            self.append(record)


def png_size(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    return struct.unpack(">II", data[16:24])


RUNS = {
    "everything": everything,
    "plain float32": lambda: experiment(dtype="float32", epochs=3),
    "inverted dropout": lambda: experiment(
        regularizer=(plugin("regularizer", "inverted_dropout"),), epochs=3
    ),
    "stopped in mid-epoch": lambda: everything(steps=8),
    "seldom evaluated": lambda: everything(eval_every=2),
    "softmax regression": lambda: experiment(plugin("model", "mlp", hidden=())),
    "tanh": lambda: experiment(plugin("activation", "tanh")),
    "untrained": lambda: everything(epochs=0),
    "zeros": lambda: experiment(plugin("initializer", "zeros")),
    "surface": lambda: experiment(plugin("objective", "valley"), steps=5),
    "diverged": lambda: experiment(plugin("optimizer", "sgd", lr=1e200)),
}


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS)
def test_observers_change_no_bit_of_a_run_and_draw_their_figures(make, tmp_path):
    seen, unseen = run_of(make(), tmp_path), run_of(make(), observers=())
    assert same(outcome(seen), outcome(unseen)) == ""
    assert str(seen.trainer.state_dict()) == str(unseen.trainer.state_dict())
    for slot, array in unseen.trainer.state.items():
        assert seen.trainer.state[slot].tobytes() == array.tobytes()
    files = {path.name: png_size(path) for path in (tmp_path / "figures").iterdir()}
    assert set(files) == {"curves.png"} | (
        {"histograms.png", "diagnostics.png"} if seen.network else {"path.png"}
    )
    assert all(700 <= width <= 1300 and 350 <= height <= 1100 for width, height in files.values())


@pytest.mark.parametrize(
    "make", [RUNS["everything"], RUNS["surface"]], ids=["everything", "surface"]
)
def test_the_same_run_draws_the_same_bytes(make, tmp_path):
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        run_of(make(), folder)
        files.append({path.name: path.read_bytes() for path in (folder / "figures").iterdir()})
    assert files[0] == files[1]


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS)
def test_a_run_without_a_folder_draws_nothing(make, monkeypatch):
    monkeypatch.setattr(
        sys.modules["dlexp.figures.style"], "save", lambda *saved: pytest.fail("it draws")
    )
    run_of(make())


def test_an_observer_that_raises_is_logged_once_and_the_run_and_the_others_go_on(
    tmp_path, caplog, monkeypatch
):
    def fail(self, run, s, record):
        raise ZeroDivisionError("of its own making")

    monkeypatch.setattr(find("observer", "diagnostics"), "record", fail)
    run = run_of(experiment(), tmp_path)
    assert run.error is None
    assert same(outcome(run), outcome(run_of(experiment(), observers=()))) == ""
    messages = [r.getMessage() for r in caplog.records]
    assert messages == [
        "observer diagnostics failed in record and is not called again; the run goes on"
    ]
    assert (tmp_path / "figures" / "curves.png").exists()
    caplog.clear()


# diagnostics


def measured(e, **more):
    notes = Notes()
    return run_of(e, observers=("diagnostics",), journal=notes, **more), notes


def test_diagnostics_are_noted_at_each_record_once_and_stay_out_of_the_records():
    run, notes = measured(everything(early_stopping=EarlyStopping()))
    assert [note.step for note in notes] == [0, 6, 12, 18, 24, 30, 36]
    assert not [name for name in run.metrics if name.startswith("diagnostics/")]
    assert set(notes[0].metrics) == {
        *(
            f"diagnostics/{what}/relu{i}"
            for i in (1, 2)
            for what in (
                "activation_mean",
                "activation_std",
                "activation_std_across_samples",
                "saturated",
                "dead",
                "activation_gradient_std",
            )
        ),
        *(
            f"diagnostics/{what}/dense{i}.W"
            for i in (1, 2, 3)
            for what in ("gradient_norm", "update_ratio", "weight_norm", "unit_spread")
        ),
        "diagnostics/weight_norm/all",
    }


def test_gradient_norm_and_update_ratio_are_those_of_the_step_that_follows():
    e = everything(steps=5, epochs=6, clip_norm=0.5, early_stopping=EarlyStopping())
    _, notes = measured(e)
    trainer = e.trainer()
    params, before = trainer.problem.params, trainer.problem.params.storage.copy()
    trainer.step(next(trainer.rest_of_epoch()))
    for name in ("dense1.W", "dense3.W"):
        w = params.view(before, name)
        norm, ratio = (
            np.linalg.norm(params.gradient(name)),
            np.linalg.norm(params[name] - w) / np.linalg.norm(w),
        )
        assert notes[0].metrics[f"diagnostics/gradient_norm/{name}"] == norm
        assert notes[0].metrics[f"diagnostics/update_ratio/{name}"] == ratio


def look(activation, change):
    """What diagnostics say of an untrained network whose parameters were changed."""
    e = experiment(plugin("activation", activation), plugin("model", "mlp", hidden=(8,)))
    notes, s = Notes(), type("State", (), {})()
    run = Run(e, e.trainer(), journal=notes)
    change(run.network.params)
    observer = plugin("observer", "diagnostics")
    observer.start(run, s)
    observer.record(run, s, next(run.trainer.run()))
    return run, {name.split("/", 1)[1]: value for name, value in notes[0].metrics.items()}


def test_a_relu_that_is_zero_for_every_sample_is_dead_one_that_is_zero_for_some_is_not():
    def change(params):
        params["dense1.b"][:2] = -1000
        params["dense1.b"][2:4] = 1000

    run, measured = look("relu", change)
    x, _, ctx = run.probe()
    zero = dict(run.network.outputs(x, ctx))["relu1"] == 0
    assert 2 / 8 < zero.mean() < 6 / 8
    assert measured["saturated/relu1"] == zero.mean()
    assert measured["dead/relu1"] == 2 / 8


@pytest.mark.parametrize(("activation", "edge"), [("tanh", 3.0), ("sigmoid", 6.0)])
def test_units_next_to_their_bounds_are_saturated(activation, edge):
    def scale(params):
        params["dense1.W"][...] = 0
        params["dense1.b"][...] = [0, 0, 0, edge * 0.9, edge * 1.1, -edge * 1.1, 50, -500]

    # 1 − tanh²(3) = 0.0099; for the sigmoid the same at twice the input
    _, measured = look(activation, scale)
    assert measured[f"saturated/{activation}1"] == measured[f"dead/{activation}1"] == 4 / 8

    # none is left to compare with
    _, measured = look(activation, lambda params: params["dense1.b"].fill(500))
    assert measured[f"saturated/{activation}1"] == 1


def test_equal_units_have_no_spread_independent_ones_have_one_and_the_norm_is_of_all_weights():
    def twins(params):
        params["dense1.W"][...] = params["dense1.W"][:, :1]

    run, measured = look("relu", twins)
    w = [run.network.params[name].astype(float) for name in ("dense1.W", "dense2.W")]
    assert measured["unit_spread/dense1.W"] == pytest.approx(0, abs=1e-7)
    assert measured["unit_spread/dense2.W"] == pytest.approx(1, abs=0.25)
    assert measured["weight_norm/all"] == pytest.approx(np.sqrt(sum((x**2).sum() for x in w)))
    assert look("relu", lambda params: params["dense1.W"].fill(0))[1]["unit_spread/dense1.W"] == 0


def test_the_gradients_of_activations_are_those_of_each_samples_own_loss():
    run, measured = look("tanh", lambda params: None)
    x, labels, _ = run.probe()
    y = np.tanh(x @ run.network.params["dense1.W"])
    logits = y @ run.network.params["dense2.W"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    assert measured["activation_gradient_std/tanh1"] == pytest.approx(
        (p @ run.network.params["dense2.W"].T).std(), rel=1e-5
    )


def test_means_and_spreads_are_those_of_the_activations():
    run, measured = look("tanh", lambda params: None)
    x, _, ctx = run.probe()
    y = np.tanh(x @ run.network.params["dense1.W"])
    assert measured["activation_mean/tanh1"] == pytest.approx(y.mean())
    assert measured["activation_std/tanh1"] == pytest.approx(y.std())
    assert measured["activation_std_across_samples/tanh1"] == pytest.approx(y.std(axis=0).mean())


def test_what_is_not_a_number_is_not_noted():
    _, measured = look("relu", lambda params: params["dense1.W"].fill(0))
    assert "update_ratio/dense1.W" not in measured  # ‖Δw‖/0
    assert "update_ratio/dense2.W" in measured


# progress


class Terminal(io.StringIO):
    def isatty(self):
        return not super().isatty()  # which a closed one refuses to answer


@pytest.fixture
def slow(monkeypatch):
    """Every look at the clock finds it 0.7 s later (tqdm's) or 7 s later (ours)."""
    ticks = itertools.count()
    monkeypatch.setattr("tqdm.std.time", lambda: 0.7 * next(ticks))
    module = sys.modules[find("observer", "progress").__module__]
    monkeypatch.setattr(module, "monotonic", lambda: 7.0 * next(ticks))


def test_the_bar_shows_epoch_loss_and_accuracy(monkeypatch, slow):
    monkeypatch.setattr("sys.stderr", Terminal())
    run = run_of(experiment(epochs=4), observers=("progress",))
    last = sys.stderr.getvalue().rstrip("\n").split("\r")[-1]
    loss, accuracy = run.metrics["train/loss"], run.metrics["val/accuracy"]
    assert last.startswith("100%|")
    assert last.endswith(f", epoch 4, train loss {loss:.3g}, val accuracy {accuracy:.3g}")
    assert sys.stderr.getvalue().endswith("\n")


def test_a_run_shorter_than_a_second_shows_nothing(monkeypatch):
    monkeypatch.setattr("tqdm.std.time", lambda: 5.0)
    monkeypatch.setattr("sys.stderr", Terminal())
    run_of(experiment(epochs=4), observers=("progress",))
    assert sys.stderr.getvalue() == ""


def test_without_a_terminal_there_is_a_line_per_some_seconds(monkeypatch, slow):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    run_of(experiment(epochs=6), observers=("progress",))
    lines = sys.stderr.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert lines[0].startswith("step 6 of 36: epoch 1, train loss 0.")
    assert "\r" not in sys.stderr.getvalue()


def at_step(e, step, happens):
    """The experiment's run with the progress observer; `something` happens before an evaluation."""
    run = Run(type(e)(**{**vars(e), "observer": (plugin("observer", "progress"),)}), e.trainer())
    evaluate = run.trainer.problem.evaluate

    def evaluating():
        if run.trainer.t == step:
            happens()
        return evaluate()

    run.trainer.problem.evaluate = evaluating
    return run


def test_the_bar_is_closed_when_the_run_fails(monkeypatch, slow):
    def fail():
        raise OSError("gone")

    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(OSError, match="gone"):
        at_step(experiment(epochs=4), 18, fail).train()
    assert "epoch 2" in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\n")


class Broken(Terminal):
    """A terminal whose other end is gone."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def closed():
    stream = Terminal()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream", [lambda: None, closed, Broken], ids=["none", "closed", "broken pipe"]
)
def test_a_lost_stderr_ends_the_bar_and_nothing_else(stream, monkeypatch, slow, caplog):
    monkeypatch.setattr("sys.stderr", stream())
    run = run_of(experiment(epochs=4), observers=("progress",))
    assert run.error is None
    assert run.trainer.t == 24
    assert not caplog.records


def test_a_stderr_that_is_closed_under_way_ends_the_bar_and_nothing_else(monkeypatch, slow, caplog):
    monkeypatch.setattr("sys.stderr", Terminal())
    run = at_step(experiment(epochs=4), 12, lambda: sys.stderr.close())
    run.train()
    assert run.trainer.t == 24
    assert not caplog.records
