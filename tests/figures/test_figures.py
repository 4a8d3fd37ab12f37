"""The house style: equal bytes, whole files, no state left behind, nothing that overlaps or runs
off the page.
"""

import errno
import io
import os
import resource
import struct
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import pytest

from dlexp import Surface, figures
from dlexp.conformance.toy import Clouds, experiment
from dlexp.core.registry import find
from dlexp.core.trainer import Diverged
from dlexp.runs.run import Run


def plugin(kind, name, **values):
    return find(kind, name)(**values)


def run_of(*plugins, **settings):
    e = experiment(*plugins, **settings)
    return Run(e, e.trainer())


def draw(path, title="A title", notes=("a note",), **how):
    with figures.drawing(path, title, notes, **how) as axes:
        axes[0, 0].plot([0, 1, 2], [3, 1, 2])
        axes[0, 0].set(xlabel="epoch", ylabel="loss (nats)")
    return path.read_bytes()


def chunks(png):
    """The names of a PNG's chunks."""
    at, names = 8, []
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        names.append(name.decode())
        at += length + 12
    return names


@pytest.fixture
def axes(tmp_path, monkeypatch):
    """A panel to draw on, as a plugin gets it; nothing is saved."""
    monkeypatch.setattr(sys.modules["dlexp.figures.style"], "save", lambda figure, path: None)
    with figures.drawing(tmp_path / "axes.png", "A title") as axes:
        yield axes[0, 0]


def boxes(figure, texts):
    """Where each text stands, in pixels, drawn."""
    figure.savefig(io.BytesIO(), format="png")
    return [text.get_window_extent() for text in texts]


def test_equal_figures_are_equal_files_whatever_the_users_own_style(tmp_path):
    first = draw(tmp_path / "a.png")
    with mpl.rc_context(
        {"font.size": 20, "axes.facecolor": "pink", "xtick.direction": "in", "savefig.dpi": 30}
    ):
        second = draw(tmp_path / "b.png")
    assert first == second


def test_a_file_holds_neither_date_nor_versions(tmp_path):
    assert set(chunks(draw(tmp_path / "a.png"))) == {"IHDR", "pHYs", "IDAT", "IEND"}


def test_drawing_leaves_no_state_and_never_imports_pyplot(tmp_path):
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "pink"}):
        before = dict(mpl.rcParams)
        draw(tmp_path / "a.png")
        assert dict(mpl.rcParams) == before
    code = (
        "import sys; from pathlib import Path; from dlexp import figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "with figures.drawing(Path(sys.argv[1]), 'x') as axes: axes[0, 0].plot([1, 2])\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b.png")], check=True, env={**os.environ}
    )


def test_a_drawing_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.png"
    old = draw(path)
    with pytest.raises(ZeroDivisionError), figures.drawing(path, "x") as axes:
        axes[0, 0].plot([1 / 0])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.png"
    old = draw(path)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2, before[1]))  # as a full disk would
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            draw(path, title="Another")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_titles_wrap_within_the_page_and_may_hold_any_letter(tmp_path):
    title = r"data=/a$\b$c/数据.csv, mlp hidden=5×100: " + "a long story " * 30
    with figures.drawing(tmp_path / "a.png", title, ["note " * 90]) as axes:
        figure = axes[0, 0].figure
        width, height = figure.canvas.get_width_height()
        top = axes[0, 0].get_window_extent().y1
        for box in boxes(figure, figure.texts):
            assert 0 < box.x0 < box.x1 < width
            assert top < box.y0 < box.y1 < height


@pytest.mark.parametrize(
    "color", [figures.BLUE, figures.RED, figures.GREEN, figures.INK, figures.GREY]
)
def test_colours_of_lines_and_words_stand_out_from_white(color):
    r, g, b = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    light = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (r, g, b)]
    luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
    # the Web Content Accessibility Guidelines ask for that of graphics
    assert 1.05 / (luminance + 0.05) > 3


@pytest.mark.parametrize(
    "heights", [(0.5, 0.5, 0.5), (0.1, 0.101, 0.9), (0.99, 1.0, 0.98), (0.2, 0.5, 0.8)]
)
def test_names_at_line_ends_do_not_overlap_nor_rise_above_the_panel(axes, heights):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figures.label_ends(axes, [(1, y, f"line {y}", "k") for y in heights])
    found = sorted(boxes(axes.figure, axes.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 2 for below, above in pairwise(found))
    assert found[-1].y1 < axes.get_window_extent().y1 + 15
    assert min(box.x0 for box in found) > axes.get_window_extent().x1


def test_a_name_stands_at_the_height_of_its_line_though_nobody_set_limits(axes):
    axes.plot([0, 10], [200, 300])
    figures.label_ends(axes, [(10, 300, "here", "k")])
    (box,) = boxes(axes.figure, axes.texts)
    assert (box.y0 + box.y1) / 2 == pytest.approx(axes.transData.transform((10, 300))[1], abs=3)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 9], "linear"),
        ([1, 11], "log"),
        ([0, 1], "linear"),
        ([0, 1, 20], "log"),
        ([], "linear"),
        ([0, 0], "linear"),
        ([1, float("inf")], "linear"),
        ([1.0, 1e307], "log"),
        ([1.5e308, 1.6e308], "linear"),
        ([5e-324, 1.0], "log"),
    ],
)
def test_heights_are_logarithmic_where_they_span_more_than_a_decade(axes, values, scale):
    assert figures.scale_heights(axes, values) == (scale == "log")
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert low == 0 or scale == "log"
    assert high > low
    axes.figure.savefig(io.BytesIO(), format="png")
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert not any("$" in label for label in labels)


@pytest.mark.parametrize(("last", "ticks"), [(0, ["0"]), (0.25, ["0", "0.25"]), (1, ["0", "1"])])
def test_a_run_within_its_first_epoch_has_ticks_at_its_ends_only(axes, last, ticks):
    figures.scale_epochs(axes, last)
    assert [t.get_text() for t in axes.get_xticklabels()] == ticks


@pytest.mark.parametrize("last", [2, 3, 7, 50, 5000])
def test_ticks_stand_at_whole_epochs(axes, last):
    figures.scale_epochs(axes, last)
    assert all(tick == round(tick) for tick in axes.get_xticks())
    assert axes.get_xlim() == (0, last)


def test_layers_are_coloured_from_dark_to_light():
    assert figures.by_depth(0) == []
    light = [sum(color[:3]) for color in figures.by_depth(5)]
    assert light == sorted(light)


def test_choices_name_what_was_chosen_and_leave_out_what_does_nothing():
    e = experiment(
        plugin("optimizer", "adam", beta1=0.8),
        plugin("initializer", "normal"),
        plugin("normalization", "batch_norm"),
        plugin("schedule", "cosine"),
        regularizer=(plugin("regularizer", "dropout"), plugin("regularizer", "none")),
        clip_norm=2.0,
    )
    assert (
        figures.choices(e)
        == "adam lr=0.001 beta1=0.8 · schedule cosine floor=0 · init normal std=0.01 · relu ·"
        " batch_norm momentum=0.9 · dropout ratio=0.2 · clip_norm=2"
    )
    assert figures.choices(experiment()) == "sgd lr=0.1 · init he · relu"


def test_the_small_print_says_how_many_samples_and_which_seed():
    run = run_of(seed=3)
    assert figures.task(run) == "clouds, mlp hidden=2×8"
    assert (
        figures.notes(run)[-1]
        == "60 train, 15 validation, 15 test samples · batch 10 · seed 3 · float64"
    )
    assert (
        figures.task(run_of(plugin("model", "mlp", hidden=(3, 4)), Clouds(n_train=30)))
        == "clouds n_train=30, mlp hidden=[3, 4]"
    )


def test_a_surface_is_told_by_its_formula():
    run = run_of(plugin("objective", "valley"), steps=3)
    assert isinstance(run.experiment.objective, Surface)
    assert figures.task(run) == "valley"
    formula, rest = figures.notes(run)
    assert formula.startswith("f(x, y) = x²/20 + y²")
    assert rest == "sgd lr=0.1 · float64"


def test_the_outcome_says_how_a_run_ended():
    run = SimpleNamespace(trainer=SimpleNamespace(t=7))
    assert figures.outcome(run, None) == ""
    assert (
        figures.outcome(run, Diverged(8, "dense1.W"))
        == "DIVERGED at step 8: dense1.W is not finite"
    )
    assert figures.outcome(run, KeyboardInterrupt()) == "INTERRUPTED after step 7"
    assert figures.outcome(run, OSError("x")) == "FAILED after step 7"
