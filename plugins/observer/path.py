"""The way an optimizer takes down a surface."""

import numpy as np

from dlexp import Observer, Surface, figures, plugin

REACH = 3.0  # how many times as wide as the surface's window the picture may become
GRID = 241  # heights computed each way for the contour lines
# of the grid that is kept, along each side of the surface's window; a quarter for gradients
CELLS = 160
ARROWS = 21  # of the gradient field, along the longer side


@plugin("path")
class Path(Observer):
    """The path over contour lines of f and arrows of its negative gradients; for surfaces only

    Contour levels rise by constant factors above the minimum. Arrows point along −∇f; their length
    grows with |∇f| and levels off. The window is the surface's own, wider where the path leaves it,
    up to three times as wide.

    The run folder's arrays/surface.npz keeps what the figures of several runs need of the surface.
    `figure=false` leaves that alone, as in a sweep.
    """

    figure: bool = True
    measures = ()

    def finish(self, run, s, error):
        surface = run.experiment.objective
        walked = np.array(
            [
                [r.metrics["path/x"], r.metrics["path/y"]]
                for r in run.records
                if "path/x" in r.metrics
            ]
        )
        if not isinstance(surface, Surface) or run.folder is None:
            return
        run.save_arrays("surface", _terrain(surface))
        if not self.figure or not len(walked):
            return
        path = run.figure_path("path")
        window = _window(surface, walked)
        size, aspect = _shape(window)
        bad = figures.outcome(run, error)
        title = (
            f"{figures.choices(run.experiment)} on {figures.task(run)}:"
            f" {bad or f'{run.trainer.t} steps'}"
        )
        every = _every(len(walked))
        notes = _notes(run, walked, window, every)
        with figures.drawing(
            path, title, notes, size=size, right=0.95, pad=0.26, alarm=bool(bad)
        ) as axes:
            ax = axes[0, 0]
            ax.grid(visible=False)
            ax.set(
                xlim=window[0], ylim=window[1], xlabel="x", ylabel="y", aspect=aspect, anchor="W"
            )
            with np.errstate(all="ignore"):  # far out, f may overflow
                _contours(ax, surface, window)
                _arrows(ax, surface, window, aspect)
            _walk(ax, surface, walked, every)


def _terrain(surface):
    """f and its gradient on grids as wide as any figure, f finer in the window, and the minimum."""
    window = np.array(surface.window, float)
    extra = (REACH - 1) / 2 * np.ptp(window, axis=1)
    ends = [
        (low - more, low, high, high + more)
        for (low, high), more in zip(window, extra, strict=True)
    ]
    x, y = (
        np.concatenate(
            [
                np.linspace(a, b, CELLS // 4 + 1)[:-1],
                np.linspace(b, c, CELLS + 1),
                np.linspace(c, d, CELLS // 4 + 1)[1:],
            ]
        )
        for a, b, c, d in ends
    )
    at = [np.linspace(a, d, round(REACH * CELLS / 4) + 1) for a, _, _, d in ends]
    with np.errstate(all="ignore"):  # far out, f may overflow
        u, v = surface.gradient(*np.meshgrid(*at))
        return {
            "window": window,
            "minimum": np.array([*surface.minimum, surface.f(*surface.minimum)], float),
            "x": x,
            "y": y,
            "f": np.asarray(surface.f(*np.meshgrid(x, y)), np.float32),
            "gradient_x": at[0],
            "gradient_y": at[1],
            "gradient": np.array(
                np.broadcast_arrays(u, v, np.empty((len(at[1]), len(at[0]))))[:2], np.float32
            ),
        }


def _shape(window):
    """Size of the figure in inches, and whether both axes have equal units."""
    wide, high = np.ptp(window, axis=1)
    if not 0.4 < wide / high < 2.6:
        return (6.6, 4.6), "auto"
    scale = min(5 / wide, 3.9 / high)
    return (max(scale * wide + 1.6, 5.6), scale * high + 1.5), "equal"


def _every(n):
    """Mark every how manieth step, so that the marks do not run together."""
    return next(k for k in (1, 2, 5, *(10**d for d in range(1, 12))) if n <= 60 * k)


def _window(surface, walked):
    """The surface's window, widened to hold the path and a margin, within reason."""
    sides = []
    for (low, high), positions in zip(surface.window, walked.T, strict=True):
        extra, margin = (REACH - 1) / 2 * (high - low), 0.05 * (high - low)
        low_needed = max(positions.min() - margin, low - extra)
        high_needed = min(positions.max() + margin, high + extra)
        sides.append((min(low, low_needed), max(high, high_needed)))
    return np.array(sides, float)


def _notes(run, walked, window, every):
    steps = run.history("path/x")[0]
    x, y = walked[-1]
    notes = [
        *figures.notes(run)[:-1],
        (
            f"from ({walked[0][0]:g}, {walked[0][1]:g}) to ({x:.3g}, {y:.3g}); f ="
            f" {run.metrics['train/loss']:.3g}, distance to the minimum"
            f" {run.metrics['path/distance']:.3g} · {run.experiment.dtype}"
        ),
    ]
    outside = ((walked < window[:, 0]) | (walked > window[:, 1])).any(axis=1)
    if outside.any():
        notes.append(f"the path leaves the picture at step {steps[int(outside.argmax())]}")
    elif every > 1:
        notes.append(f"a dot every {steps[every] - steps[0]} steps")
    return notes


def _contours(ax, surface, window):
    """Bands of equal height with a scale beside them, or nothing where f is flat."""
    x, y = (np.linspace(low, high, GRID) for low, high in window)
    bottom = float(surface.f(*surface.minimum))
    above = surface.f(*np.meshgrid(x, y)) - bottom
    levels = figures.contour_levels(above)
    if not levels:
        return
    bands = figures.contours(ax, x, y, above, levels)
    bar = ax.figure.colorbar(bands, cax=ax.inset_axes([1.02, 0, 0.025, 1]), extendfrac=0.03)
    bar.set_ticks(levels, labels=[f"{level + bottom:g}" for level in levels])
    bar.set_label("f(x, y)")


def _arrows(ax, surface, window, aspect):
    wide, high = np.ptp(window, axis=1)
    counts = [max(5, round(ARROWS * side / max(wide, high))) for side in (wide, high)]
    if aspect == "auto":
        counts = [ARROWS, 13]
    x, y = np.meshgrid(
        *(np.linspace(a, b, n + 2)[1:-1] for (a, b), n in zip(window, counts, strict=True))
    )
    figures.gradient_field(ax, x, y, *surface.gradient(x, y))


def _walk(ax, surface, walked, every):
    x, y = walked.T
    ax.plot(x, y, "-", color=figures.RED, linewidth=1.2, zorder=3)
    ax.plot(x[::every], y[::every], "o", color=figures.RED, markersize=2.5, zorder=3)
    marks = [
        ("start", walked[0], {"marker": "o", "markerfacecolor": "white", "markersize": 6}),
        ("end", walked[-1], {"marker": "s", "markersize": 5}),
        ("minimum", surface.minimum, {"marker": "*", "color": figures.BLACK, "markersize": 8}),
    ]
    for name, (px, py), look in marks:
        ax.plot([px], [py], linestyle="", zorder=4, label=name, **{"color": figures.RED, **look})
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        fontsize=figures.SMALL,
        borderaxespad=0.1,
        handletextpad=0.1,
    )
