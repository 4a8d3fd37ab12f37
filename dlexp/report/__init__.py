"""From a sweep's runs to an answer that a careful referee would accept: tables, figures, one page.

    report = make([Path("outputs/sweeps/optimizers")])
    print(report.text)

Reads run folders and ledgers, trains nothing, changes no run. The same runs give the same bytes.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlexp import paths
from dlexp.errors import UserError
from dlexp.storage.atomic import write_atomically
from dlexp.storage.records import read_object

METRIC = "test/accuracy"


@dataclass(frozen=True)
class Report:
    """A finished report: texts for terminal and Markdown, page, figures, numbers (report.json)."""

    text: str
    markdown: str
    folder: Path
    html: Path
    figures: tuple[Path, ...]
    data: Mapping[str, Any]


def make(
    sweeps: Sequence[Path],
    *,
    metric: str | None = None,
    tuned: bool = False,
    target: float | None = None,
    margin: float | None = None,
    better: str | None = None,
    out: Path | None = None,
) -> Report:
    """Compare the runs of some sweeps and write the report into `out`.

    `metric` is test/accuracy, or else test/loss, or else train/loss, whichever was measured;
    `better` ("high", "low") is needed for a metric that is neither accuracy nor loss. `tuned`
    compares each method at its best hyper-parameters. `target` is a value of the validation metric,
    `margin` the largest difference that does not matter. `out` is, for one sweep, its folder's
    `report` (`report-tuned`), for several a folder under outputs/reports. Raises `UserError`.
    """
    from dlexp.report import files, markdown, page, runs, sections, terminal

    read = [runs.read(folder) for folder in dict.fromkeys(Path(s) for s in sweeps)]
    if not any(sweep.runs for sweep in read):
        raise UserError(
            "no run has ended yet, so there is nothing to report", key=", ".join(s.id for s in read)
        )
    folder = out or _home([s.folder for s in read], [s.id for s in read], tuned)
    with _writing(folder):
        paths.made(folder / "figures")
    before = _drawn_before(folder)
    repeat = _command([s.label for s in read], metric, tuned, target, margin, better)
    html = folder / "report.html"
    if (
        len(read) == 1
        and read[0].study is not None
        and not (metric or tuned or better)
        and (target, margin) == (None, None)
    ):
        return _of_study(read[0], folder, before, repeat)
    result = findings(read, folder / "figures", repeat, metric, tuned, target, margin, better)
    texts = dict(files.written(result))
    texts["report.html"] = page.render(result.title, result.subtitle, sections.page(result))
    with _writing(folder):
        for stale in before - {p.path for p in result.pictures}:
            stale.unlink(missing_ok=True)
        for name, text in texts.items():
            # no half surrogates
            write_atomically(folder / name, text.encode("utf-8", "replace").decode())
    terminal_text = terminal.render(sections.terminal(result, _near(html)))
    markdown_text = markdown.render(sections.terminal(result, None))
    return Report(
        terminal_text,
        markdown_text,
        folder,
        html,
        tuple(p.path for p in result.pictures),
        json.loads(texts["report.json"]),
    )


def _of_study(sweep: Any, folder: Path, before: set[Path], repeat: str) -> Report:
    """The report of a named study, with its claims."""
    from dlexp.report import study, study_page

    if sweep.quick and sweep.name:  # the full study has this name too
        repeat = _command([sweep.id], None, False, None, None, None)
    html = folder / "report.html"
    with _writing(folder):
        result = study.read(sweep, folder / "figures", repeat)
        for stale in before - {p.path for p in result.pictures}:
            stale.unlink(missing_ok=True)
        terminal_text, markdown_text = study_page.write(result, folder, str(_near(html)))
    data = read_object(folder / "report.json")
    pictures = tuple(p.path for p in result.pictures)
    return Report(terminal_text, markdown_text, folder, html, pictures, data)


def findings(
    read: Sequence[Any],
    figures: Path,
    repeat: str,
    metric: str | None,
    tuned: bool,
    target: float | None,
    margin: float | None,
    better: str | None,
) -> Any:
    """The comparison of sweeps that were read, with its figures drawn."""
    from dlexp.report import measure, plots, table, tuned as tuning
    from dlexp.report.compare import compare
    from dlexp.report.sections import Findings

    arranged = table.arrange(read)
    chosen = measure.choose(arranged, metric, better)
    if not tuned:
        main = compare(arranged, chosen, target=target, margin=margin)
        with _writing(figures.parent):
            return Findings(read, arranged, main, None, plots.draw(main, figures), repeat)
    best = tuning.tune(arranged, chosen, read, target=target, margin=margin)
    with _writing(figures.parent):
        return Findings(read, arranged, best.tuned, best, plots.draw_tuned(best, figures), repeat)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns a failure to write into the report's folder into a `UserError`; re-raises others."""
    try:
        yield
    except OSError as e:
        home, file = folder.absolute(), Path(e.filename or folder).absolute()
        if home in (file, *file.parents) or file in home.parents:
            wrong = (
                f"the report cannot be written there: {e.strerror or e}; --out names another folder"
            )
            raise UserError(wrong, key=str(folder)) from None
        raise


def _drawn_before(folder: Path) -> set[Path]:
    """The figures listed in a folder's report.json; other files there are left alone."""
    try:
        report = read_object(folder / "report.json")
        files = [Path(figure["file"]) for figure in report["figures"]]
        return {folder / f for f in files if f.parts[0] == "figures" and ".." not in f.parts}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return set()


def _home(folders: Sequence[Path], ids: Sequence[str], tuned: bool) -> Path:
    from dlexp.report.words import slug

    name = "report-tuned" if tuned else "report"
    if len(folders) == 1:
        return folders[0] / name
    return paths.outputs() / f"{name}s" / slug("-".join(ids))[:100]


def _command(names: Sequence[str], *options: object) -> str:
    flags = ("--metric", "--tuned", "--target", "--margin", "--better")
    arguments = [
        w
        for flag, x in zip(flags, options, strict=True)
        if x not in (None, False)
        for w in ([flag] if x is True else [flag, str(x)])
    ]
    return shlex.join(["python", "-m", "dlexp", "report", *names, *arguments])


def _near(path: Path) -> Path:
    """A path, relative to the working directory if it lies inside."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


__all__ = ["METRIC", "Report", "make"]
