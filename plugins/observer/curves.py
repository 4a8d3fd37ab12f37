"""The figure of a run: how loss and accuracy went."""

from dlexp import Diverged, Observer, Surface, figures, plugin

SPLITS = {"train": (figures.BLUE, "-"), "val": (figures.RED, "--"), "test": (figures.GREEN, "")}
UNITS = {"loss": "loss (nats)", "accuracy": "accuracy (share correct)"}
FEW = 15  # records up to which each is marked by a point


@plugin("curves")
class Curves(Observer):
    """Loss and accuracy on training and validation data by epoch, with the final test value

    In evaluation mode and without penalties, epoch 0 being the untrained network. The loss is on a
    logarithmic axis where it spans more than a decade. With early stopping the epoch whose weights
    were kept is marked. For a surface: f against the step. A run that did not finish is drawn as
    far as it came.
    """

    measures = ()

    def finish(self, run, s, error):
        path = run.figure_path("curves")
        panels = _panels(run)
        if path is None or not panels:
            return
        bad = figures.outcome(run, error)
        title = f"{figures.task(run)}: {bad or _result(run)}"
        with figures.drawing(
            path,
            title,
            figures.notes(run),
            rows=len(panels),
            right=1.05,
            gaps=(0.16, 0),
            alarm=bool(bad),
            sharex=True,
        ) as axes:
            for ax, what in zip(axes[:, 0], panels, strict=True):
                _panel(ax, run, what, error)
            axes[-1, 0].set_xlabel(run.trainer.problem.epoch_name)


def _panels(run):
    """What is measured on the training or the validation split; the loss first."""
    names = {name.split("/", 1)[1] for name in run.metrics if name.startswith(("train/", "val/"))}
    return sorted(names - {"objective"}, key=lambda what: (what != "loss", what))[:3]


def _result(run):
    trainer = run.trainer
    steps = f"{trainer.t} step{'s' * (trainer.t != 1)}"
    name = trainer.problem.epoch_name
    length = (
        steps if name == "step" else f"{trainer.epoch} {name}{'s' * (trainer.epoch != 1)} ({steps})"
    )
    loss = "f =" if isinstance(run.experiment.objective, Surface) else "train loss"
    for name, what in (
        ("test/accuracy", "test accuracy"),
        ("test/loss", "test loss"),
        ("train/loss", loss),
    ):
        if name in run.metrics:
            return f"{what} {_number(name, run.metrics[name])} after {length}"
    return f"after {length}"


def _number(metric, value):
    return f"{value:.3f}" if metric.endswith("accuracy") else figures.number(value)


def _panel(ax, run, what, error):
    per_epoch = run.trainer.problem.steps_per_epoch
    surface = isinstance(run.experiment.objective, Surface)
    best = (
        run.trainer.best.step / per_epoch
        if run.experiment.early_stopping.patience is not None
        else None
    )
    ends, heights = [], []
    for split, (color, line) in SPLITS.items():
        steps, values = run.history(f"{split}/{what}")
        if not steps:
            continue
        x = [step / per_epoch for step in steps]
        if split == "test" and best is not None:
            x = [best]
        marker = "D" if split == "test" else "o" if len(x) <= FEW else ""
        ax.plot(
            x,
            [min(v, figures.HUGE) for v in values],
            line,
            color=color,
            marker=marker,
            clip_on=False,
            zorder=3,
        )
        ends.append(
            (
                x[-1],
                min(values[-1], figures.HUGE),
                f"{'f =' if surface else split} {_number(what, values[-1])}",
                color,
            )
        )
        heights += values
    last = max(run.trainer.t, run.records[-1].step) / per_epoch
    figures.scale_epochs(ax, last)
    if what == "accuracy":
        ax.set_ylim(0, 1)
    log = what == "loss" and figures.scale_heights(ax, heights)
    unit = "f(x, y)" if surface else UNITS.get(what, what)
    ax.set_ylabel(f"{unit}, log scale" if log else unit)
    if best is not None:
        _mark(
            ax,
            best,
            f"best {run.experiment.early_stopping.metric}" if what == "loss" else "",
            figures.GREY,
        )
    if isinstance(error, Diverged):
        _mark(ax, error.step / per_epoch, "diverged" if what == "loss" else "", figures.RED)
    figures.label_ends(ax, ends)


def _mark(ax, x, text, color):
    """A dotted line at x, with its meaning written on the side where there is room."""
    ax.axvline(x, color=color, linewidth=0.8, linestyle=":", zorder=2)
    low, high = ax.get_xlim()
    side = 1 if x < (low + high) / 2 else -1
    ax.annotate(
        text,
        (x, 1),
        (3 * side, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=color,
        size=figures.SMALL,
        va="top",
        ha="left" if side > 0 else "right",
    )
