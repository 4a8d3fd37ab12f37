"""The figures of studies: what is drawn of run folders, what is said where nothing can be, and
never half a picture.
"""

import io
import sys

import numpy as np
import pytest
import report_folders as made
from PIL import Image

from dlexp.conformance.toy import experiment
from dlexp.core.registry import find
from dlexp.errors import UserError
from dlexp.report import runs, table
from dlexp.report.plots import Picture
from dlexp.report.plots.study import KINDS, Undrawn, check_figures, draw_study
from dlexp.runs.run import Run
from dlexp.storage.archives import read_arrays, write_arrays

SPECS = {
    "gradient_field": {},
    "paths": {},
    "paths_animation": {},
    "distributions": {"of": "gradients"},
    "panels": {"metric": "train/accuracy", "lines": "optimizer"},
    "gap": {"losses": True},
    "dots": {
        "metric": ["gap/accuracy", "train/loss"],
        "axis": "optimizer.lr",
        "lines": "optimizer",
    },
}


def plugin(kind, name, **values):
    return find(kind, name)(**values)


def run_of(folder, observer, *plugins, **settings):
    """A tiny run that leaves its arrays in a folder."""
    watch = plugin("observer", observer, figure=False)
    e = experiment(*plugins, observer=(watch,), **settings)
    run = Run(e, e.trainer(), folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.train()
    return run


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What the observers leave: of a surface, and of a network."""
    place = tmp_path_factory.mktemp("left")
    run_of(place / "surface", "path", plugin("objective", "valley"), steps=3)
    run_of(place / "network", "histograms", plugin("activation", "sigmoid"), epochs=1)
    return place / "surface/arrays/surface.npz", place / "network/arrays/histograms.npz"


def walked(params, seed, steps=12):
    """The journal of a run on the valley; at lr = 1 it leaves, and at last is not finite."""
    x, y, lr = -7.0, 2.0, params["optimizer.lr"]
    lines = []
    for step in range(steps + 1):
        metrics = {
            "train/loss": x * x / 20 + y * y,
            "train/accuracy": 0.5,
            "path/x": x,
            "path/y": y,
        }
        lines.append(
            made.event(step, step, {k: v if abs(v) < 1e200 else None for k, v in metrics.items()})
        )
        x, y = (x - lr * x / 10, y - lr * 2 * y) if lr < 1 else (x * 1e40, -y * 1e60)
    return lines


def folder(
    place, left, seeds=2, rates=(0.1, 0.9), optimizers=("sgd", "adam"), arrays=True, name=str, **how
):
    """A sweep whose runs have everything that any kind of figure may ask for."""
    axes = {
        "optimizer": [name(o) for o in optimizers],
        "optimizer.lr": list(rates),
        "seed": list(range(seeds)),
    }

    def lines(params, seed):
        status = how["fate"](params, seed) if "fate" in how else "FINISHED"
        curve = made.journal(made.skill(params | {"optimizer": "sgd"}, seed), 6, status)
        return [*walked(params, seed), *curve]

    made.sweep(place, axes, lines=lines, **how)
    for run in sorted(place.glob("runs/*")) if arrays else ():
        (run / "arrays").mkdir()
        for source in left:
            (run / "arrays" / source.name).write_bytes(source.read_bytes())
    return place


def drawn(place, out, *specs):
    sweep = runs.read(place)
    return draw_study(sweep, {"all": table.arrange([sweep])}, specs, out)


def one(place, out, kind, **options):
    (found,) = drawn(place, out, {"kind": kind, **SPECS[kind], **options})
    return found


@pytest.fixture
def seen(monkeypatch):
    """The figures, as they were before they became files."""
    kept = []
    style = sys.modules["dlexp.figures.style"]
    save = style.save
    monkeypatch.setattr(
        style, "save", lambda figure, path: (kept.append(figure), save(figure, path))
    )
    return kept


def message(figure):
    """All words of a figure."""
    axes = [t.get_text() for ax in figure.axes for t in (*ax.texts, ax.title, ax._left_title)]
    return " ".join([*(t.get_text() for t in figure.texts), *axes])


def test_every_kind_is_tried_here():
    assert set(SPECS) == set(KINDS)


@pytest.mark.parametrize("kind", SPECS)
def test_equal_runs_give_equal_bytes(kind, tmp_path, left):
    place = folder(tmp_path / "s", left)
    first, second = (one(place, tmp_path / out, kind) for out in "ab")
    assert isinstance(first, Picture), first
    assert first.path.read_bytes() == second.path.read_bytes()
    assert "No test" in first.caption
    assert [f.name for f in (tmp_path / "a").iterdir()] == [first.path.name]


@pytest.mark.parametrize("kind", SPECS)
def test_one_seed_is_enough(kind, tmp_path, left):
    assert isinstance(one(folder(tmp_path / "s", left, seeds=1), tmp_path, kind), Picture)


@pytest.mark.parametrize("kind", SPECS)
def test_diverged_runs_are_drawn_with_the_others(kind, tmp_path, left):
    place = folder(
        tmp_path / "s",
        left,
        rates=(0.1, 1.0),
        fate=lambda p, _: "DIVERGED" if p["optimizer.lr"] == 1 else "FINISHED",
    )
    assert isinstance(one(place, tmp_path, kind), Picture)


@pytest.mark.parametrize("kind", SPECS)
def test_where_every_run_diverged_there_is_a_picture_or_a_reason(kind, tmp_path, left):
    place = folder(tmp_path / "s", left, rates=(1.0, 2.0), fate=lambda p, _: "DIVERGED")
    found = one(place, tmp_path, kind)
    assert isinstance(found, Picture) or len(found.reason) > 20


@pytest.mark.parametrize("kind", SPECS)
def test_where_no_run_has_a_result_there_is_a_reason_and_no_file(kind, tmp_path, left):
    place = folder(tmp_path / "s", left, fate=lambda p, _: "FAILED")
    found = one(place, tmp_path / "out", kind)
    assert isinstance(found, Undrawn)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("kind", SPECS)
def test_long_names_in_any_script_stay_on_the_page(kind, tmp_path, left, seen):
    place = folder(
        tmp_path / "s", left, name=lambda o: f"{o} with a very long name $x$ 优化器 " * 3
    )
    found = one(place, tmp_path, kind, title="A title without an end " * 20)
    assert isinstance(found, Picture)
    for figure in seen:
        figure.savefig(io.BytesIO(), format="png")
        width, height = figure.canvas.get_width_height()
        texts = [
            *figure.texts,
            *(
                t
                for ax in figure.axes
                if ax.get_visible()
                for t in (*ax.texts, ax.title, ax._left_title)
            ),
        ]
        for text in texts:
            if text.get_text():
                box = text.get_window_extent()
                assert -2 <= box.x0 <= box.x1 <= width + 2, text.get_text()
                assert 0 <= box.y0 <= box.y1 <= height, text.get_text()


@pytest.mark.parametrize("kind", ["gradient_field", "paths", "paths_animation", "distributions"])
def test_runs_without_arrays_give_the_reason_and_what_to_ask_for(kind, tmp_path, left):
    found = one(folder(tmp_path / "s", left, arrays=False), tmp_path / "out", kind)
    assert isinstance(found, Undrawn)
    assert "it has no arrays/" in found.reason
    assert "observer: [" in found.reason


@pytest.mark.parametrize("kind", ["paths", "distributions"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 nonsense", None], ids=["empty", "nonsense", "others"]
)
def test_damaged_arrays_give_a_reason(kind, content, tmp_path, left):
    place = folder(tmp_path / "s", left)
    for path in place.glob("runs/*/arrays/*.npz"):
        if content is None:
            write_arrays(
                path, {"x": np.zeros(3), "layers": np.array(["a"]), "untrained_counts": np.zeros(4)}
            )
        else:
            path.write_bytes(content)
    found = one(place, tmp_path / "out", kind)
    assert isinstance(found, Undrawn)
    assert "arrays/" in found.reason


def test_the_gradient_of_the_valley_stands_at_an_angle_to_the_way_down(tmp_path, left, seen):
    found = one(folder(tmp_path / "s", left), tmp_path, "gradient_field")
    x, y = np.meshgrid(*(np.linspace(a, b, 41)[1:-1] for a, b in ((-10, 10), (-5, 5))))
    u, v = -x / 10, -2 * y
    with np.errstate(all="ignore"):
        angles = np.degrees(np.arccos((u * -x + v * -y) / np.hypot(u, v) / np.hypot(x, y)))
    assert f"median {np.nanmedian(angles):.0f}°, largest {np.nanmax(angles):.0f}°" in found.caption
    marked = [t for t in seen[0].axes[0].texts if t.get_text().endswith("°")]
    for text in marked:
        x, y = text.xy
        angle = np.degrees(
            np.arccos(
                np.clip((x * x / 10 + 2 * y * y) / np.hypot(x / 10, 2 * y) / np.hypot(x, y), -1, 1)
            )
        )
        assert text.get_text() == f"{angle:.0f}°"
    assert len(marked) == 5


def test_each_path_starts_and_ends_where_its_journal_says(tmp_path, left, seen):
    place = folder(tmp_path / "s", left, optimizers=("sgd",))
    one(place, tmp_path, "paths")
    panels = [ax for ax in seen[0].axes if ax.lines]
    assert len(panels) == 2
    for ax, lr in zip(panels, (0.1, 0.9), strict=True):
        line = next(line for line in ax.lines if len(line.get_xdata()) > 1)
        lines = walked({"optimizer.lr": lr}, 0)
        assert [tuple(p) for p in line.get_xydata()] == [
            (e["metrics"]["path/x"], e["metrics"]["path/y"]) for e in lines
        ]
        assert ax.get_xlim() == panels[0].get_xlim()
        assert ax._left_title.get_text() == f"lr={lr}"


def test_a_path_that_leaves_widens_the_window_as_far_as_the_surface_is_known(tmp_path, left, seen):
    place = folder(tmp_path / "s", left, rates=(0.1, 1.0), fate=lambda p, _: "DIVERGED")
    one(place, tmp_path, "paths")
    assert seen[0].axes[0].get_xlim() == (-30, 10)
    assert "diverged" in message(seen[0])


def test_the_animation_has_a_frame_per_step_holds_the_last_and_is_small(tmp_path, left):
    found = one(folder(tmp_path / "s", left), tmp_path, "paths_animation", seconds=0.1, hold=2)
    with Image.open(found.path) as image:
        assert image.n_frames == 13
        assert image.width == 752
        times = [(image.seek(i), image.info["duration"])[1] for i in range(13)]
        assert image.info["loop"] == 0
    assert times == [100] * 12 + [2000]
    assert found.path.stat().st_size < 1_500_000


def test_the_animations_marks_walk_along_the_path(tmp_path, left, monkeypatch):
    place, ends = folder(tmp_path / "s", left, optimizers=("sgd",), rates=(0.1,), seeds=1), []

    def animate(figure, path, moving, frames, seconds, hold):
        line, end = moving[:2]
        ends.extend((len(line.get_xdata()), *end.get_xydata()[-1]) for _ in frames)

    monkeypatch.setattr(sys.modules["dlexp.figures"], "animate", animate)
    one(place, tmp_path, "paths_animation")
    points = [e["metrics"] for e in walked({"optimizer.lr": 0.1}, 0)]
    assert ends == [(i, m["path/x"], m["path/y"]) for i, m in enumerate(points, start=1)]


def test_distributions_say_the_mean_of_the_seeds_and_draw_the_first(tmp_path, left, seen):
    place = folder(tmp_path / "s", left, optimizers=("sgd",), rates=(0.1,))
    second = place / "runs/r0001/arrays/histograms.npz"
    arrays = read_arrays(second)
    write_arrays(second, arrays | {"untrained_std": arrays["untrained_std"] * 3})
    found = one(place, tmp_path, "distributions", of="activations")
    assert f"std {2 * arrays['untrained_std'][0]:#.2g}" in message(seen[0])
    assert f"across samples {arrays['untrained_std_across_samples'][0]:#.2g}" in message(seen[0])
    assert "mean over n = 2 seeds" in found.caption
    assert "first seed" in found.caption


def test_panels_and_lines_are_those_that_were_asked_for(tmp_path, left, seen):
    place = folder(tmp_path / "s", left)
    one(place, tmp_path, "panels", lines="optimizer.lr", panels="optimizer", metric="val/loss")
    assert [ax._left_title.get_text() for ax in seen[0].axes] == ["sgd", "adam"]
    assert [len(ax.lines) for ax in seen[0].axes] == [2, 2]
    assert seen[0].axes[0].get_ylabel().startswith("validation loss")


def test_the_gap_is_told_beside_the_curves_and_what_diverged_is_counted(tmp_path, left, seen):
    place = folder(
        tmp_path / "s",
        left,
        seeds=3,
        rates=(0.1,),
        optimizers=("sgd",),
        fate=lambda p, s: "DIVERGED" if s == 1 else "FINISHED",
    )
    one(place, tmp_path, "gap", losses=False)
    (ax,) = seen[0].axes
    gaps = [
        r.final["train/accuracy"] - r.final["test/accuracy"]
        for r in runs.read(place).runs
        if r.status == "FINISHED"
    ]
    assert f"gap {np.mean(gaps):.3f}" in message(seen[0])
    assert "1 of 3 diverged" in message(seen[0])
    assert {line.get_linestyle() for line in ax.lines} >= {"-", "--"}


def test_dots_stand_at_the_levels_in_their_order(tmp_path, left, seen):
    place = folder(tmp_path / "s", left, rates=(0.9, 0.01, 0.1), optimizers=("sgd",))
    (found,) = drawn(
        place, tmp_path, {"kind": "dots", "metric": "test/accuracy", "axis": "optimizer.lr"}
    )
    assert isinstance(found, Picture)
    assert [t.get_text() for t in seen[0].axes[0].get_xticklabels()] == ["0.01", "0.1", "0.9"]


def test_where_keeps_only_runs_that_have_these_values(tmp_path, left, seen):
    place = folder(tmp_path / "s", left)
    one(place, tmp_path, "gap", losses=False, where={"optimizer": "sgd", "optimizer.lr": [0.1, 7]})
    assert len(seen[0].axes) == 1
    found = one(place, tmp_path, "gap", where={"optimizer": "lion"})
    assert "no run has optimizer=lion" in found.reason


def test_two_figures_of_one_kind_have_files_of_their_own(tmp_path, left):
    place = folder(tmp_path / "s", left)
    found = drawn(
        place,
        tmp_path,
        {"kind": "gap"},
        {"kind": "gap", "losses": True},
        {"kind": "gap", "name": "../../x/y"},
    )
    assert [p.path.name for p in found] == ["gap.png", "gap-2.png", "x-y.png"]
    assert {p.path.parent for p in found} == {tmp_path}


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        (
            "dots",
            {"metric": "test/acuracy"},
            "no run measured test/acuracy; did you mean test/accuracy?",
        ),
        ("dots", {"axis": "optimizer.rl"}, "optimizer.rl does not vary between these runs"),
        ("panels", {"lines": "seed"}, "seed does not vary"),
        ("panels", {"panels": "optimizer"}, "optimizer.lr varies as well"),
    ],
)
def test_what_the_runs_do_not_have_is_said_with_the_nearest_name(
    kind, options, reason, tmp_path, left
):
    found = one(folder(tmp_path / "s", left), tmp_path, kind, **options)
    assert isinstance(found, Undrawn)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"kind": "gap"}, "study.figures"),
        (["gap"], "needs a kind"),
        ([{"kind": "gaps"}], "did you mean 'gap'?"),
        ([{"kind": "gap", "loses": True}], "did you mean 'losses'?"),
        ([{"kind": "gap", "losses": "yes"}], "true or false"),
        ([{"kind": "dots", "axis": "optimizer"}], "needs the name of a metric"),
        ([{"kind": "distributions", "of": "weights"}], "activations or gradients"),
        ([{"kind": "paths_animation", "seconds": 0}], ".02 to 60"),
        ([{"kind": "gap", "part": "widht"}], "did you mean 'width'?"),
        ([{"kind": "gap"}], None),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused_before_anything_is_trained(asked, wrong):
    if wrong is None:
        check_figures(asked, ["width"])
        with pytest.raises(UserError, match="the study has several parts"):
            check_figures(asked, ["width", "strength"])
        return
    with pytest.raises(UserError) as refused:
        check_figures(asked, ["width"])
    assert wrong in str(refused.value)


def test_an_observer_that_is_to_draw_nothing_leaves_its_arrays_alone(tmp_path, left):
    run = run_of(tmp_path, "histograms", epochs=1)
    assert sorted(p.name for p in run.folder.iterdir()) == ["arrays"]


def test_histograms_keep_what_the_layers_say(tmp_path):
    run = run_of(tmp_path, "histograms", plugin("activation", "tanh"), epochs=0)
    kept = read_arrays(tmp_path / "arrays/histograms.npz")
    x, _, ctx = run.probe()
    outputs = {name: y for name, y in run.network.outputs(x, ctx) if name.startswith("tanh")}
    assert list(kept["layers"]) == list(outputs)
    for i, y in enumerate(outputs.values()):
        assert kept["untrained_std"][i] == pytest.approx(y.std())
        assert kept["untrained_std_across_samples"][i] == pytest.approx(y.std(axis=0).mean())
        assert kept["untrained_saturated"][i] == pytest.approx(np.mean(1 - y**2 < 0.01))
        assert kept["untrained_counts"][i].sum() == y.size
    assert (kept["untrained_edges"][0], kept["untrained_edges"][-1]) == (-1, 1)
    assert not any(name.startswith("trained") for name in kept)
