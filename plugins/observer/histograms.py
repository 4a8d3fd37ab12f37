"""What the hidden units say, and what they hear back, before and after training."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from dlexp import Activation, Array, Observer, figures, plugin, softmax_cross_entropy

COLUMNS = 6  # layers shown at most
BINS = 40
KEPT = 120  # bins of activations that are kept as arrays, three for one of a figure
# of the gradients' sizes that are kept, ten bins each: 1e-45 is the smallest float32
DECADES = (-45, 15)
FLAT = 0.01  # of an activation's largest slope: a value where it is less is saturated
FAR = 1e6  # where a bounded activation has long reached its bound


@plugin("histograms")
class Histograms(Observer):
    """Distributions of activations and their gradients per hidden layer, untrained and trained

    Up to 1,000 training samples, in evaluation mode: dropout is off. Only a network that keeps
    running averages (batch_norm) is seen in training mode, with the statistics of these samples: an
    untrained one has no averages yet. Gradients are those of each sample's own loss, drawn by their
    size on a logarithmic axis, which all layers share, so that vanishing gradients move to the
    left. Exact zeros (ReLU) are counted, not drawn. "across samples" is the standard deviation of a
    unit over the samples, averaged over the units: a layer that says the same whatever the input
    has none, though the pooled histogram may look healthy. Without hidden layers the network's
    output is shown.

    The run folder's arrays/histograms.npz keeps the counts and these facts, for figures of several
    runs. `figure=false` leaves that alone, as in a sweep.
    """

    figure: bool = True
    measures = ()

    def start(self, run, s):
        s.before = _look(run) if run.folder is not None else None

    def finish(self, run, s, error):
        before = getattr(s, "before", None)
        if before is None:
            return
        moments = [(before, "untrained" if before.step == 0 else f"at step {before.step}")]
        if run.trainer.t > before.step:
            moments.append((_look(run), "trained" if error is None else f"at step {run.trainer.t}"))
        kept = {"layers": np.array([trace.name for trace in before.traces])}
        for (look, _), moment in zip(moments, ("untrained", "trained"), strict=False):
            kept |= {f"{moment}_{name}": array for name, array in _numbers(look).items()}
        run.save_arrays("histograms", kept)
        if not self.figure:
            return
        path = run.figure_path("histograms")
        bad = figures.outcome(run, error)
        title = f"{figures.task(run)}: {bad or 'activations and gradients per layer'}"
        layers = (
            f"{len(before.traces)} of {before.depth} layers · "
            if len(before.traces) < before.depth
            else ""
        )
        if not before.hidden:
            layers = "no hidden layers: the network's output · "
        notes = [
            *figures.notes(run),
            f"{layers}{before.mode} · each panel scaled to its own highest bar",
        ]
        size = (max(1.3 * len(before.traces) + 0.4, 6.0), 2.6 * len(moments) + 1.1)
        with figures.drawing(
            path,
            title,
            notes,
            rows=2 * len(moments),
            size=size,
            left=0.2,
            pad=0.3,
            gaps=(0.36, 0),
            alarm=bool(bad),
        ) as axes:
            upper, lower = np.split(axes[:, 0], 2)
            activations = [
                [_Panel.of_activations(trace) for trace in look.traces] for look, _ in moments
            ]
            gradients = [
                [_Panel.of_gradients(trace) for trace in look.traces] for look, _ in moments
            ]
            for ax, row, (_, when) in zip(upper, activations, moments, strict=True):
                low, high = _ends(row)
                _draw(
                    ax,
                    row,
                    f"activations y, {when}",
                    figures.BLUE,
                    low,
                    high,
                    figures.linear_ticks(low, high),
                )
            low, high = _decades(gradients)
            for ax, row, (_, when) in zip(lower, gradients, moments, strict=True):
                title = f"|∂L/∂y|, {when}, log scale"
                _draw(ax, row, title, figures.ORANGE, low, high, figures.decade_ticks(low, high))


def _look(run):
    """The activations of the hidden layers now, as plain data; None without a softmax.

    `depth` is the number of hidden layers, `traces` those that are shown; `flat` is the share of
    each one's values that are saturated, `bounds` are the ends of its range, nan for none. `hidden`
    is false where there are none to show.
    """
    if run.network is None or run.dataset is None or run.experiment.objective.output != "softmax":
        return None
    x, labels, ctx = run.probe()
    with run.trainer.rehearsal(), np.errstate(all="ignore"):  # a diverged network may overflow
        traces = run.network.trace(
            x, ctx, lambda logits: softmax_cross_entropy(logits, labels)[1] * len(x)
        )
        hidden = [i for i, trace in enumerate(traces) if isinstance(trace.layer, Activation)] or [
            len(traces) - 1
        ]
        shown = [
            hidden[i]
            for i in np.linspace(0, len(hidden) - 1, min(COLUMNS, len(hidden))).round().astype(int)
        ]
        told = [
            _range(traces[i], traces[i - 1].output if i else x, run.network.params, ctx)
            for i in shown
        ]
    mode = "training mode (statistics of these samples)" if ctx.training else "evaluation mode"
    return SimpleNamespace(
        step=run.trainer.t,
        depth=len(hidden),
        mode=f"{len(x)} training samples, {mode}",
        hidden=isinstance(traces[hidden[0]].layer, Activation),
        traces=[
            SimpleNamespace(name=t.name, output=t.output, gradient=t.gradient)
            for t in map(traces.__getitem__, shown)
        ],
        flat=[float(flat) for flat, _ in told],
        bounds=[bounds for _, bounds in told],
    )


def _range(trace, x, params, ctx):
    """The share of saturated values of an activation with input x, and its bounds."""
    if not isinstance(trace.layer, Activation):
        return np.nan, (np.nan, np.nan)
    p = params.views(trace.name)
    probe = np.tile(np.array([-FAR, *np.linspace(-10, 10, 201), FAR], x.dtype)[:, None], x.shape[1])
    slopes = []
    for inputs in (x, probe):
        y, backward = trace.layer.forward(inputs, p, ctx)
        slopes.append(np.abs(backward(np.ones_like(y))))
    low, high = float(y.min()), float(y.max())
    bounded = high - low < 0.01 * FAR
    return np.mean(slopes[0] < FLAT * max(s.max() for s in slopes)), (
        (low, high) if bounded else (np.nan, np.nan)
    )


def _numbers(look):
    """Counts and facts of every layer shown: shares of all values, spreads (nan if not finite).

    Zeros are left out of the counts of an activation without bounds, which for ReLU would hide all
    others.
    """
    outputs = [trace.output.astype(np.float64) for trace in look.traces]
    gradients = [np.abs(trace.gradient.astype(np.float64)) for trace in look.traces]
    low, high = _ends([_Panel.of_activations(trace) for trace in look.traces])
    bounded = np.isfinite(look.bounds).all()
    if bounded:
        low, high = np.min(look.bounds), np.max(look.bounds)
    edges = np.linspace(low, high, KEPT + 1)
    decades = np.linspace(*DECADES, 10 * (DECADES[1] - DECADES[0]) + 1)
    with np.errstate(all="ignore"):
        sizes = [np.log10(g[np.isfinite(g) & (g > 0)]).clip(*DECADES) for g in gradients]
        return {
            "samples": np.array(len(outputs[0])),
            "edges": edges,
            "counts": np.array(
                [np.histogram(y[np.isfinite(y) & (bounded | (y != 0))], edges)[0] for y in outputs]
            ),
            "std": np.array([y.std() for y in outputs]),
            "std_across_samples": np.array([y.std(axis=0).mean() for y in outputs]),
            "zero": np.array([np.mean(y == 0) for y in outputs]),
            "saturated": np.array(look.flat, float),
            "finite": np.array([np.mean(np.isfinite(y)) for y in outputs]),
            "gradient_edges": decades,
            "gradient_counts": np.array([np.histogram(g, decades)[0] for g in sizes]),
            "gradient_std": np.array(
                [trace.gradient.std(dtype=np.float64) for trace in look.traces]
            ),
            "gradient_zero": np.array([np.mean(g == 0) for g in gradients]),
            "gradient_finite": np.array([np.mean(np.isfinite(g)) for g in gradients]),
        }


@dataclass(frozen=True)
class _Panel:
    """The numbers of one histogram, without those that are counted in its text."""

    values: Array
    text: str

    @classmethod
    def of_activations(cls, trace):
        y = trace.output.astype(np.float64)
        with np.errstate(all="ignore"):
            facts = [f"std {_short(y.std())}", f"across samples {_short(y.std(axis=0).mean())}"]
        return cls._of(trace.name, y, facts, lambda values: values)

    @classmethod
    def of_gradients(cls, trace):
        g = trace.gradient.astype(np.float64)
        with np.errstate(all="ignore"):
            facts = [f"std {_short(g.std())}"]
        return cls._of(trace.name, g, facts, lambda values: np.log10(np.abs(values)))

    @classmethod
    def _of(cls, name, array, facts, scale):
        finite = array[np.isfinite(array)]
        values = finite[finite != 0]
        if values.size < 0.995 * finite.size:
            facts = [*facts, f"{1 - values.size / finite.size:.0%} zero"]
        if finite.size < array.size:
            facts = [f"{1 - finite.size / array.size:.0%} not finite"]
        return cls(scale(values), "\n".join([name, *facts]))


def _draw(ax, row, title, color, low, high, ticks):
    counts = [np.histogram(panel.values, BINS, (low, high))[0] for panel in row]
    figures.histogram_row(
        ax, title, color, counts, [panel.text for panel in row], (low, high), ticks
    )


def _ends(row):
    """The ends of an axis for all layers of a row, without the last permille on each side."""
    values = np.concatenate([panel.values for panel in row])
    low, high = np.quantile(values, [0.001, 0.999]) if values.size else (0.0, 0.0)
    low, high = max(min(low, 0.0), -figures.HUGE), min(max(high, 0.0), figures.HUGE)
    return (-1.0, 1.0) if low == high else (low, high)


def _decades(rows):
    """The same for all rows of gradients, in powers of ten."""
    values = np.concatenate([panel.values for row in rows for panel in row])
    low, high = np.quantile(values, [0.001, 0.999]) if values.size else (-1.0, 0.0)
    low, high = np.floor(low), np.ceil(high)
    return (low - 1, high + 1) if low == high else (low, high)


def _short(value):
    """Two significant digits: 0.60, 0.0012, 3.3e+18."""
    return f"{value:#.2g}".rstrip(".") if value else "0"
