"""Warnings beside a comparison: everything that limits what its numbers can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dlexp.report import paired, words
from dlexp.report.compare import SEARCH, Comparison
from dlexp.report.runs import RunRecord
from dlexp.report.table import Table
from dlexp.storage.status import Status

SAME = {  # tags that should be equal in all runs of a comparison
    "dlexp.version.dlexp": "versions of dlexp",
    "dlexp.git.commit": "commits",
    "dlexp.version.numpy": "versions of NumPy",
    "dlexp.numerics.digest": "numerical environments (numerics fingerprints)",
}


def warnings(c: Comparison) -> list[str]:
    """Everything that limits what this comparison can say."""
    return [*_power(c), *_gaps(c), *_diverged(c), *_fairness(c), *c.table.notes]


def _power(c: Comparison) -> Iterator[str]:
    low, high = c.n
    if c.seedless:
        yield (
            "The seed changes nothing here: all runs of a group measured the same numbers."
            " Repeating them is no evidence, so there are no tests; every difference is exact for"
            " this one task."
        )
        return
    for axis in c.table.axes:
        if axis.numeric and len(axis.levels) > SEARCH:
            many = len(axis.levels)
            yield (
                f"{axis.key} has {many} values, as in a search: its values are not compared pair by"
                " pair."
            )
    advice = "" if c.table.searched else " --tuned compares each method at its best setting."
    for key, names in c.unmade.items():
        yield (
            f"Along {key} there is no comparison of {words.listed(names, 6)}: no two groups with"
            f" results differ only in it.{advice}"
        )
    if not c.pairs:
        return
    tests = len(c.pairs)
    n = f"{low}" if low == high else f"{low} to {high}"
    if low < paired.FEWEST:
        yield (
            f"n = {n} paired seeds: a verdict needs at least {paired.FEWEST}; with {low} the"
            f" smallest possible two-sided p is {words.probability(paired.smallest_p(low))}. Add"
            " seeds: the same command with 'seed=range(10)'."
        )
    elif paired.smallest_p(low) * tests > paired.ALPHA:
        yield (
            f"With n = {n} paired seeds and {tests} planned comparisons no single difference can be"
            f" significant: the smallest p is 2/2^{low} ="
            f" {words.probability(paired.smallest_p(low))}, times {tests} is more than .05."
            f" {paired.seeds_needed(tests)} seeds, or fewer comparisons, could decide."
        )


def _gaps(c: Comparison) -> Iterator[str]:
    lost = [run for _, _, run in c.table.runs() if not run.observed] + list(c.table.unplaced)
    if lost:
        kinds = sorted({run.status for run in lost})
        counts = words.listed([f"{sum(r.status == kind for r in lost)} {kind}" for kind in kinds])
        yield (
            f"{words.many(len(lost), 'run')} without a result ({counts}), listed below. They are"
            " missing, not counted as bad: a seed that lacks a run on either side is left out of"
            " that comparison."
        )
    unstarted = sum(s.expected - len(c.table.groups[s.group]) for s in c.summaries)
    if unstarted:
        what = words.many(unstarted, "combination")
        yield f"{what} of group and seed not run yet: the groups do not all have the same seeds."
    mute = sum(
        run.status == Status.FINISHED and c.measure.metric not in run.final
        for _, _, run in c.table.runs()
    )
    if mute:
        yield f"{words.many(mute, 'finished run')} did not measure {c.measure.metric}."


def _diverged(c: Comparison) -> Iterator[str]:
    measured = sorted({m for _, _, run in c.table.runs() for m in run.final})
    if c.measure.metric not in measured:
        others = f" --metric chooses among {', '.join(measured)}." if measured else ""
        yield f"No run has measured {c.measure.metric}.{others}"
    diverged = sum(s.diverged for s in c.summaries)
    if diverged and not c.capped:
        yield (
            f"{words.many(diverged, 'run')} diverged and count as {c.measure.metric} = 0, the"
            " worst value."
        )
    elif c.capped:
        infinite = sum(not math.isfinite(v) for s in c.summaries for v in s.values.values())
        cap = words.number(c.measure.cap, c.measure.metric)
        shown = f" ({cap})" * math.isfinite(c.measure.cap)
        yield (
            f"{words.many(infinite, 'run')} diverged and count as infinitely bad in means and"
            " medians of groups. Paired differences must be finite; there, each counts as the worst"
            f" final value of any run{shown}, so that the true difference is at least as large as"
            " shown."
        )


def _fairness(c: Comparison) -> Iterator[str]:
    for axis in c.table.axes:
        goes = {axis.name(level): axis.follows.get(level, {}) for level in axis.levels}
        others = sorted(
            {k for f in axis.follows.values() for k in f if not k.startswith(axis.key + ".")}
        )
        for key in others:
            both = [(p.better, p.worse) for p in c.pairs if p.axis == axis.key]
            apart = {
                name for a, b in both if goes[a].get(key) != goes[b].get(key) for name in (a, b)
            }
            if apart:
                shown = words.listed(
                    [
                        f"{name}: {words.value(goes[name].get(key))}"
                        for name in goes
                        if name in apart
                    ]
                )
                yield (
                    f"{axis.key} does not vary alone: {key} differs as well ({shown}); their"
                    " effects cannot be separated."
                )
    advice = "" if c.table.searched else " --tuned compares each at its best value."
    choices = sorted(
        {p.axis for p in c.pairs} - {axis.key for axis in c.table.axes if axis.tunable}
    )
    tunable = [axis.key for axis in c.table.axes if axis.tunable]
    if choices and tunable:
        yield (
            f"The comparisons of {words.listed(choices)} are averages over all swept values of"
            f" {words.listed(tunable)}, good and bad.{advice}"
        )
    runs = [run for _, _, run in c.table.runs() if run.observed]
    for tag, what in SAME.items():
        seen = sorted({run.tags[tag] for run in runs if tag in run.tags})
        if len(seen) > 1:
            yield (
                f"The runs were made with {len(seen)} {what}"
                f" ({words.listed([words.plain(s)[:12] for s in seen], 4)}): a difference may come"
                " from that."
            )
    torn = _torn(c.table)
    if torn:
        yield (
            f"Not truly paired: for seed {words.listed([str(s) for s in torn], 6)} the groups used"
            " different data."
        )


def _torn(table: Table) -> list[int]:
    """Seeds for which groups with the same data settings have data of different SHA-256."""
    seen: dict[tuple[object, ...], set[str]] = {}
    for _, seed, run in table.runs():
        if run.dataset and run.observed:
            seen.setdefault((seed, *_data(run)), set()).add(str(run.dataset.get("sha256")))
    return sorted({int(str(key[0])) for key, digests in seen.items() if len(digests) > 1})


def _data(run: RunRecord) -> Sequence[str]:
    return [
        f"{k}={words.token(v)}"
        for k, v in sorted(run.params.items())
        if k == "data" or k.startswith("data.")
    ]
