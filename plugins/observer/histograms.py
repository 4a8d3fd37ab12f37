"""What the hidden units say, and what they hear back, before and after training."""

from dataclasses import dataclass

import numpy as np

from dlexp import Activation, Array, Observer, figures, plugin, softmax_cross_entropy

COLUMNS = 6  # layers shown at most
BINS = 40
WIDE = 0.86  # a histogram's share of its column
LINE = 0.125  # a line of text's share of the height of a row


@plugin("histograms")
class Histograms(Observer):
    """Distribution of activations per hidden layer and of the gradients with respect to them, untrained and trained

    Up to 1,000 training samples, in evaluation mode: dropout is off. Only a network that keeps running averages
    (batch_norm) is seen in training mode, with the statistics of these samples: an untrained one has no averages yet.
    Gradients are those of each sample's own loss, drawn by their size on a logarithmic axis, which all layers share,
    so that vanishing gradients move to the left. Exact zeros (ReLU) are counted, not drawn.
    "across samples" is the standard deviation of a unit over the samples, averaged over the units: a layer that says
    the same whatever the input has none, though the pooled histogram may look healthy. Without hidden layers the
    network's output is shown.
    """

    def start(self, run, s):
        s.before = _look(run) if run.folder is not None else None

    def finish(self, run, s, error):
        path = run.figure_path("histograms")
        before = getattr(s, "before", None)
        if path is None or before is None:
            return
        moments = [(before, "untrained" if before.step == 0 else f"at step {before.step}")]
        if run.trainer.t > before.step:
            moments.append((_look(run), "trained" if error is None else f"at step {run.trainer.t}"))
        bad = figures.outcome(run, error)
        title = f"{figures.task(run)}: {bad or 'activations and gradients per layer'}"
        layers = f"{len(before.traces)} of {before.depth} layers · " if len(before.traces) < before.depth else ""
        if not isinstance(before.traces[0].layer, Activation):
            layers = "no hidden layers: the network's output · "
        notes = [*figures.notes(run), f"{layers}{before.mode} · each panel scaled to its own highest bar"]
        size = (max(1.3 * len(before.traces) + 0.4, 6.0), 2.6 * len(moments) + 1.1)
        with figures.drawing(
            path, title, notes, rows=2 * len(moments), size=size, left=0.2, pad=0.3, gaps=(0.36, 0), alarm=bool(bad)
        ) as axes:
            upper, lower = np.split(axes[:, 0], 2)
            activations = [[_Panel.of_activations(trace) for trace in look.traces] for look, _ in moments]
            gradients = [[_Panel.of_gradients(trace) for trace in look.traces] for look, _ in moments]
            for ax, row, (_, when) in zip(upper, activations, moments, strict=True):
                _draw(ax, row, f"activations y, {when}", figures.BLUE, _linear(row))
            for ax, row, (_, when) in zip(lower, gradients, moments, strict=True):
                _draw(ax, row, f"|∂L/∂y|, {when}, log scale", figures.ORANGE, _logarithmic(gradients))


@dataclass(frozen=True)
class Look:
    """The hidden layers at one moment: their number, and the traces of those that are shown."""

    step: int
    depth: int
    mode: str
    traces: list


def _look(run):
    """What passes the hidden layers now; nothing of it remains in the run. None where there is no network."""
    if run.network is None or run.dataset is None:
        return None
    x, labels, ctx = run.probe()
    with run.trainer.rehearsal(), np.errstate(all="ignore"):  # a diverged network may overflow
        traces = run.network.trace(x, ctx, lambda logits: softmax_cross_entropy(logits, labels)[1] * len(x))
    hidden = [trace for trace in traces if isinstance(trace.layer, Activation)] or traces[-1:]
    shown = np.linspace(0, len(hidden) - 1, min(COLUMNS, len(hidden))).round().astype(int)
    mode = "training mode (statistics of these samples)" if ctx.training else "evaluation mode"
    return Look(run.trainer.t, len(hidden), f"{len(x)} training samples, {mode}", [hidden[i] for i in shown])


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


def _draw(ax, row, title, color, scale):
    """A row of histograms in one axes: panel j stands at j … j + WIDE, its bars reach from 0 to 1."""
    low, high, ticks = scale
    top = 1 / (0.95 - LINE * max(1 + panel.text.count("\n") for panel in row))
    ax.set_title(title, loc="left", size=figures.NORMAL, weight="bold", pad=3)
    ax.grid(visible=False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set(xlim=(0, len(row) - 1 + WIDE), ylim=(0, top), yticks=[])
    places, heights, edges = {}, [], []
    for j, panel in enumerate(row):
        counts, at = np.histogram(panel.values, BINS, (low, high))
        heights += [*counts / max(counts.max(), 1), 0]  # the gap to the next panel
        edges += [*j + WIDE * (at - low) / (high - low)]
        ax.text(j, top, panel.text, size=figures.SMALL, va="top", linespacing=1.1)
        places |= {j + WIDE * (tick - low) / (high - low): text for tick, text in ticks}
    ax.stairs(heights[:-1], edges, fill=True, color=color)
    ax.hlines([0] * len(row), range(len(row)), np.arange(len(row)) + WIDE, colors=figures.GREY, linewidth=1)
    ax.set_xticks(list(places), labels=list(places.values()))
    ax.tick_params(axis="x", length=2, pad=2)


def _linear(row):
    """An axis for all layers of a row, without the last permille on each side: its ends, its ticks and their labels."""
    from matplotlib.ticker import MaxNLocator

    values = np.concatenate([panel.values for panel in row])
    low, high = np.quantile(values, [0.001, 0.999]) if values.size else (0.0, 0.0)
    low, high = max(min(low, 0.0), -figures.HUGE), min(max(high, 0.0), figures.HUGE)
    if low == high:
        low, high = -1.0, 1.0
    slack = (high - low) / 50  # a bound such as 1 may just be missed
    ticks = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low, high)
    return low, high, [(tick, f"{tick:g}") for tick in ticks if low - slack <= tick <= high + slack]


def _logarithmic(rows):
    """The same for all rows, in powers of ten; ticks keep clear of the neighbouring panels."""
    values = np.concatenate([panel.values for row in rows for panel in row])
    low, high = np.quantile(values, [0.001, 0.999]) if values.size else (-1.0, 0.0)
    low, high = np.floor(low), np.ceil(high)
    if low == high:
        low, high = low - 1, high + 1
    quarter = (high - low) / 4
    ticks = sorted({np.ceil(low + quarter / 2), np.floor(high - quarter / 2)})
    return low, high, [(tick, f"1e{tick:.0f}") for tick in ticks]


def _short(value):
    """Two significant digits: 0.60, 0.0012, 3.3e+18."""
    return f"{value:#.2g}".rstrip(".") if value else "0"
