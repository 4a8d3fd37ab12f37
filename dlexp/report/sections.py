"""The sections of a report, the same for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlexp.report import tables, words
from dlexp.report.answer import answer, tuned_answer
from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.checks import warnings
from dlexp.report.compare import Comparison
from dlexp.report.method import definitions
from dlexp.report.plots import Picture
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.report.table import Table
from dlexp.report.tuned import Tuned

MADE_WITH = (
    "dlexp.version.dlexp",
    "dlexp.git.commit",
    "dlexp.git.dirty",
    "dlexp.version.python",
    "dlexp.version.numpy",
    "dlexp.numerics.blas",
    "dlexp.numerics.core",
    "dlexp.numerics.digest",
    "dlexp.platform",
)


@dataclass(frozen=True)
class Findings:
    """The content of a report: one comparison (two with `--tuned`) and the pictures."""

    sweeps: Sequence[SweepRecord]
    table: Table
    main: Comparison
    tuned: Tuned | None
    pictures: Sequence[Picture]
    repeat: str

    @property
    def title(self) -> str:
        """`optimizer × initializer on digits: test/accuracy`."""
        axes = " × ".join(axis.key for axis in self.table.axes) or "one setting"
        data = sorted(
            {str(run.dataset["name"]) for run in self.runs if run.dataset and "name" in run.dataset}
        )
        tasks = data or sorted({str(run.params.get("objective", "")) for run in self.runs} - {""})
        tuned = ", tuned" if self.tuned else ""
        return (
            f"{axes}{f' on {words.listed(tasks, 4)}' if tasks else ''}:"
            f" {self.main.measure.metric}{tuned}"
        )

    @property
    def subtitle(self) -> str:
        """Which sweeps, how many runs and seeds."""
        names = words.listed([f"sweep {sweep.label}" for sweep in self.sweeps], 6)
        return (
            f"{names} · {words.many(len(self.runs), 'run')} ·"
            f" {words.many(len(self.table.groups), 'group')} ·"
            f" {words.many(len(self.table.seeds), 'seed')}"
        )

    @property
    def runs(self) -> list[RunRecord]:
        """Every run."""
        return [run for _, _, run in self.table.runs()] + list(self.table.unplaced)

    @property
    def answer(self) -> list[str]:
        """The sentences that say what is known."""
        return tuned_answer(self.tuned) if self.tuned else answer(self.main)

    @property
    def warnings(self) -> list[str]:
        """What limits it."""
        return list(
            dict.fromkeys([*(self.tuned.warnings if self.tuned else ()), *warnings(self.main)])
        )


def page(f: Findings) -> list[Block]:
    """Everything."""
    return [
        *(Words(a, "answer") for a in f.answer),
        *(Words(w, "warning") for w in f.warnings),
        *_compared(f),
        *_results(f),
        *_planned(f),
        *_figures(f),
        *failures(f),
        Heading("How it was computed"),
        Facts(definitions(f.main)),
        *_repeat(f),
    ]


def terminal(f: Findings, html: Path | None) -> list[Block]:
    """What fits on a screen or two."""
    blocks: list[Block] = [
        Words(f.title),
        Words(f.subtitle),
        Words(""),
        *(Words(a) for a in f.answer),
    ]
    blocks += [Words("")] if f.warnings else []
    blocks += [Words(w, "warning") for w in f.warnings]
    if f.tuned:
        blocks += [tables.choices(f.tuned)]
        side = tables.settings_side_by_side(f.tuned)
        blocks += [side] if side else []
    blocks += [tables.groups(f.main, wide=False)]
    if f.main.pairs:
        blocks += [tables.comparisons(f.main, wide=False)]
    blocks += list(tables.ranks(f.main))
    failed = tables.failures(f.table, most=12, wide=False)
    blocks += [failed] if failed else []
    return [*blocks, Words(""), Code([f"report  {html}"])] if html else blocks


def _compared(f: Findings) -> Iterator[Block]:
    yield Heading("What was compared")
    rows = [
        [axis.key, ", ".join(words.value(t) for t in axis.levels), _follows(f, i)]
        for i, axis in enumerate(f.table.axes)
    ]
    if rows:
        yield Grid(["axis", "values", "varies with it"], rows, "sss")
    items = [("Commands", " ; ".join(s.command for s in f.sweeps if s.command), "")]
    items += [("Seeds", words.ranges(f.table.seeds), ""), *_data(f), ("Runs", _statuses(f), "")]
    same = _same(f.runs)
    items += (
        [("The same for all runs", ", ".join(f"{k}={v}" for k, v in same.items()), "")]
        if same
        else []
    )
    made = [
        f"{tag.split('.', 1)[1]} {words.listed([words.cut(words.plain(v), 24) for v in seen], 4)}"
        for tag in MADE_WITH
        if (seen := sorted({r.tags[tag] for r in f.runs if tag in r.tags}))
    ]
    items += [("Made with", "; ".join(made), "")] if made else []
    yield Facts([item for item in items if item[1]])


def _follows(f: Findings, i: int) -> str:
    axis = f.table.axes[i]
    keys = sorted({key for goes in axis.follows.values() for key in goes})
    shown = [
        f"{key}: "
        + ", ".join(
            f"{words.value(level)} {words.value(axis.follows[level][key])}"
            for level in axis.levels
            if axis.follows[level].get(key) is not None
        )
        for key in keys
    ]
    return "; ".join(shown) or words.ABSENT


def _data(f: Findings) -> Iterator[tuple[str, str, str]]:
    seen: dict[str, tuple[str, str]] = {}
    for run in f.runs:
        if run.dataset:
            d = run.dataset
            sizes = [
                f"{d[k]:,} {k}" if isinstance(d.get(k), int) else ""
                for k in ("train", "validation", "test")
            ]
            shape = [f"{d[k]} {k}" if k in d else "" for k in ("features", "classes")]
            text = f"{d.get('name', 'data')}: {', '.join(filter(None, [*sizes, *shape]))}"
            seen[text] = (text, str(d.get("source", "")))
    for text, source in sorted(seen.values()):
        address = source if source.startswith(("https://", "http://")) else ""
        yield "Data", text + " (split anew by each seed, the same for every group)", address


def _statuses(f: Findings) -> str:
    kinds = sorted({run.status for run in f.runs})
    return words.listed([f"{sum(run.status == kind for run in f.runs)} {kind}" for kind in kinds])


def _same(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Parameters with one value in all runs."""
    keys = dict.fromkeys(key for run in runs for key in run.params if key != "seed")
    seen = {key: {words.token(run.params.get(key)) for run in runs if run.params} for key in keys}
    return {
        key: words.value(next(iter(values)))
        for key, values in seen.items()
        if len(values) == 1 and values != {"null"}
    }


def _results(f: Findings) -> Iterator[Block]:
    yield Heading("Results")
    if f.tuned:
        yield tables.choices(f.tuned)
        if side := tables.settings_side_by_side(f.tuned):
            yield side
    yield tables.groups(f.main, wide=True)
    yield from tables.ranks(f.main)


def _planned(f: Findings) -> Iterator[Block]:
    if f.main.pairs:
        yield Heading("Planned comparisons" + (", at tuned settings" if f.tuned else ""))
        yield tables.comparisons(f.main, wide=True)
    if f.tuned and f.tuned.default and f.tuned.default.pairs:
        yield Heading("Planned comparisons, at default settings")
        yield from (Words(sentence) for sentence in answer(f.tuned.default))
        yield tables.comparisons(f.tuned.default, wide=True)


def _figures(f: Findings) -> Iterator[Block]:
    if f.pictures:
        yield Heading("Figures")
        yield from (Shown(p) for p in f.pictures)


def failures(f: Findings) -> Iterator[Block]:
    """The runs that have no result, and why."""
    yield Heading("Runs that did not finish")
    yield tables.failures(f.table, most=200, wide=True) or Words("None: every run finished.")


def _repeat(f: Findings) -> Iterator[Block]:
    yield Heading("How to repeat it")
    commands = [s.command for s in f.sweeps if s.command]
    yield Code([*commands, f.repeat])
    yield Words(
        "The same commands in the same checkout train nothing again and write the same page, byte"
        " for byte. The numbers are in runs.csv, summary.csv, pairs.csv and report.json beside it.",
        "note",
    )
