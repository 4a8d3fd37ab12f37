"""What goes on inside: layer by layer, at each record."""

import numpy as np

from dlexp import Activation, Diverged, Observer, figures, plugin, softmax_cross_entropy

FLAT = 0.01  # of an activation's largest slope: below it hardly any gradient passes
PANELS = {
    "activation_std": "std of activations",
    "saturated": "saturated (solid), dead (dashed)",
    "gradient_norm": "gradient norm ‖∂L/∂W‖",
    "update_ratio": "update ‖ΔW‖/‖W‖",
}


@plugin("diagnostics")
class Diagnostics(Observer):
    """Activations, dead and saturated units, gradient norms, relative updates per layer

    Recorded as `diagnostics/<what>/<layer>` and drawn against the epoch. For each activation layer
    y = φ(x), with up to 1,000 training samples in evaluation mode (networks with running averages:
    in training mode):

    - `activation_mean`, `activation_std` of all y; `activation_std_across_samples` of a unit over
      the samples, averaged over the units (near 0: the output hardly depends on the input);
    - `saturated`: share of (sample, unit) pairs with |φ′(x)| below 1 % of φ's largest slope in
      −10 … 10 and at x. For ReLU these are the zeros, for sigmoid and tanh the values near their
      bounds;
    - `dead`: share of units that are saturated for every sample, so that they do not learn;
    - `activation_gradient_std`: of ∂Lᵢ/∂y, each sample's own loss, over all (sample, unit) pairs
      (vanishing gradients).

    For each weight array W (inputs, units), `weight_norm` is ‖W‖ (`weight_norm/all`: of all of them
    together) and `unit_spread` the difference between its units: the standard deviation over the
    units, root mean square over the inputs, divided by the root mean square of W. It is 0 for equal
    units and for W = 0, and about 1 for independent ones.

    For each weight array W, on the next minibatch, in a step that is undone:

    - `gradient_norm`: ‖∂L/∂W‖ as passed to the optimizer, with penalties and after clipping;
    - `update_ratio`: ‖ΔW‖/‖W‖ of that step, with decay. About 1e-3 is usual; much more is unstable,
      much less is slow.

    `figure=false` draws nothing.

    Source of the update ratio: Karpathy (2015), https://cs231n.github.io/neural-networks-3/#ratio
    """

    figure: bool = True
    needs = ("network", "dataset", "softmax")
    measures = ("diagnostics/*",)

    def start(self, run, s):
        s.history = {}
        s.step = None

    def record(self, run, s, record):
        # the test's record comes at a step already seen
        if run.lacks(self) or record.step == s.step:
            return
        s.step = record.step
        found = {}
        # apart: the step is to draw the noise that the next one will
        for measure in (_activations, _weights, _step):
            with run.trainer.rehearsal(), np.errstate(all="ignore"):
                found |= measure(run)
        found = {name: float(value) for name, value in found.items() if np.isfinite(value)}
        for name, value in found.items():
            s.history.setdefault(name, []).append((record.step, value))
        run.note({f"diagnostics/{name}": value for name, value in found.items()})

    def finish(self, run, s, error):
        if not self.figure:
            return
        path = run.figure_path("diagnostics")
        if path is None or not getattr(s, "history", None):
            return
        bad = figures.outcome(run, error)
        title = f"{figures.task(run)}: {bad or 'diagnostics per layer'}"
        notes = [
            *figures.notes(run),
            "first layer dark, last layer light; gradient and update of the next minibatch",
        ]
        found = {name.split("/")[0] for name in s.history}
        # some lack hidden layers, or a next step
        panels = [what for what in PANELS if what in found]
        rows = -(-len(panels) // 2)
        with figures.drawing(
            path,
            title,
            notes,
            rows=rows,
            columns=2,
            size=(7.4, 1.3 + 2.0 * rows),
            right=0.75,
            gaps=(0.3, 0.62),
            alarm=bool(bad),
        ) as axes:
            for ax, what in zip(axes.flat, panels, strict=False):
                _panel(ax, run, s.history, what)
                ax.set_xlabel(run.trainer.problem.epoch_name)
            for ax in axes.flat[len(panels) :]:
                ax.remove()


def _activations(run):
    """What the hidden layers say to the training samples."""
    network = run.network
    x, labels, ctx = run.probe()
    found = {}
    n = len(x)
    for trace in network.trace(x, ctx, lambda logits: softmax_cross_entropy(logits, labels)[1] * n):
        name, layer, y = trace.name, trace.layer, trace.output
        if isinstance(layer, Activation):
            flat = _flat(layer, x, network.params.views(name), ctx)
            found |= {
                f"activation_gradient_std/{name}": trace.gradient.std(dtype=np.float64),
                f"activation_mean/{name}": y.mean(dtype=np.float64),
                f"activation_std/{name}": y.std(dtype=np.float64),
                f"activation_std_across_samples/{name}": y.std(axis=0, dtype=np.float64).mean(),
                f"saturated/{name}": flat.mean(),
                f"dead/{name}": flat.all(axis=0).mean(),
            }
        x = y
    return found


def _weights(run):
    """How large the weights are, and how different the units of a layer."""
    params = run.network.params
    found, squares = {}, 0.0
    for name, spec in params.specs.items():
        if spec.start is None:
            w = params[name].astype(np.float64)
            square = np.square(w).sum()
            squares += square
            found[f"weight_norm/{name}"] = np.sqrt(square)
            spread = w.var(axis=1, ddof=1).sum() if w.shape[1] > 1 else 0.0
            found[f"unit_spread/{name}"] = np.sqrt(spread * w.shape[1] / square) if square else 0.0
    return found | {"weight_norm/all": np.sqrt(squares)}


def _flat(layer, x, p, ctx):
    """Where an elementwise layer's slope is below 1 % of its largest: booleans (samples, units)."""
    probe = np.tile(np.linspace(-10, 10, 201, dtype=x.dtype)[:, None], x.shape[1])
    slopes = []
    for inputs in (x, probe):
        y, backward = layer.forward(inputs, p, ctx)
        slopes.append(np.abs(backward(np.ones_like(y))))
    return slopes[0] < FLAT * max(slope.max() for slope in slopes)


def _step(run):
    """The next step's gradients and updates."""
    trainer, params = run.trainer, run.trainer.problem.params
    if trainer.total == 0:
        return {}
    before = params.storage.copy()
    try:
        trainer.step(next(trainer.rest_of_epoch()))
    except Diverged:  # the run itself will find out, and say so
        return {}
    found = {}
    for name, spec in params.specs.items():
        if spec.start is None:
            w = params.view(before, name)
            found[f"gradient_norm/{name}"] = np.linalg.norm(params.gradient(name))
            found[f"update_ratio/{name}"] = np.linalg.norm(params[name] - w) / np.linalg.norm(w)
    return found


def _panel(ax, run, history, what):
    """One line per layer; the first and the last are named."""
    per_epoch = run.trainer.problem.steps_per_epoch
    lines = {
        name.split("/")[1]: points
        for name, points in history.items()
        if name.startswith(f"{what}/")
    }
    ends = []
    for i, (name, color) in enumerate(zip(lines, figures.by_depth(len(lines)), strict=True)):
        also = history.get(f"dead/{name}", []) if what == "saturated" else []
        for points, style in ((lines[name], "-"), (also, "--")):
            if points:
                x, y = [step / per_epoch for step, _ in points], [value for _, value in points]
                ax.plot(x, y, style, color=color, marker="o" if len(x) == 1 else "", linewidth=1.2)
        if i in (0, len(lines) - 1):
            ends.append((lines[name][-1][0] / per_epoch, lines[name][-1][1], name, color))
    figures.scale_epochs(ax, run.records[-1].step / per_epoch)
    heights = [value for points in lines.values() for _, value in points]
    log = what != "saturated" and figures.scale_heights(ax, heights)
    if what == "saturated":
        ax.set_ylim(0, 1)
    ax.set_ylabel(f"{PANELS[what]}, log scale" if log else PANELS[what])
    figures.label_ends(ax, ends)
