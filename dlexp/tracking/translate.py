"""Translates a run folder for MLflow: accepted names, values, a page. Imports no MLflow."""

from __future__ import annotations

import getpass
import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp import redaction, shell
from dlexp.storage import journal
from dlexp.storage.lines import JournalEvent
from dlexp.storage.records import RunDescription
from dlexp.storage.status import Status

KEY, PARAM, TAG, NAME = 250, 6000, 8000, 250  # MLflow's limits, in characters


def readable(text: object, limit: int) -> str:
    """Text that any store accepts: no control characters, no half surrogates, not too long.

    >>> readable("a\\x00b", 10), readable("abcdef", 4)
    ('a b', 'abc…')
    """
    public = redaction.clean(str(text))
    clean = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", public).encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def key(name: str) -> str:
    """A name of a parameter, metric or tag that MLflow accepts.

    >>> key("train/loss"), key("a=b@c"), key("../../etc//passwd"), key("")
    ('train/loss', 'a_b_c', 'etc/passwd', '_')
    """
    clean = re.sub(r"[^/\w.\- :]", "_", readable(name, KEY))
    parts = [part for part in posixpath.normpath(clean).split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "_"


def value(plain: Any) -> str:
    """A plain value as it is typed on the command line.

    >>> [value(v) for v in (None, True, 0.001, [100, 50], "adam")]
    ['null', 'true', '0.001', '[100, 50]', 'adam']
    """
    return readable(
        plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False), PARAM
    )


def params(description: RunDescription) -> dict[str, str]:
    """Flat parameters by name."""
    return {key(name): value(plain) for name, plain in description.params.items()}


def run_name(description: RunDescription) -> str:
    """The run's name on one line, for tables."""
    return " ".join(readable(description.name or description.id, NAME).split()) or description.id


def tags(description: RunDescription) -> dict[str, str]:
    """The run's own tags, and those that MLflow's pages use."""
    given = description.tags
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    usual = {
        "mlflow.user": user,
        "mlflow.source.name": given.get("dlexp.command", "python -m dlexp"),
        "mlflow.source.type": "LOCAL",
        "dlexp.kind": "run",
        "dlexp.run_id": description.id,
    }
    return {key(name): readable(text, TAG) for name, text in {**usual, **given}.items()}


def mixture(events: Sequence[JournalEvent]) -> dict[str, str]:
    """The tag of a run that was resumed although something had changed."""
    mixed = journal.changes(events)
    return {"dlexp.resumed_with": readable("; ".join(mixed), TAG)} if mixed else {}


def dataset(description: RunDescription) -> dict[str, str] | None:
    """The fields of MLflow's Dataset, or None for a run without data."""
    data = description.dataset
    if not data:
        return None
    source = str(data.get("source", ""))
    web = source.startswith(("http://", "https://"))
    sizes = {
        k: data[k] for k in ("features", "classes", "train", "validation", "test") if k in data
    }
    columns = {
        "features": {
            "type": "tensor",
            "tensor-spec": {"dtype": "float32", "shape": [-1, data.get("features", -1)]},
        },
        "targets": {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}},
    }
    return {
        "name": readable(data.get("name", "data"), 500),
        "digest": str(data.get("sha256", ""))[:8] or "unknown",
        "source_type": "http" if web else "local",
        "source": json.dumps({"url": source} if web else {"uri": source}),
        "schema": json.dumps(
            {"mlflow_tensorspec": {k: json.dumps([v]) for k, v in columns.items()}}
        ),
        "profile": json.dumps({**sizes, "sha256": data.get("sha256")}),
    }


@dataclass
class Axis:
    """The x axis of MLflow's charts: the epoch, plus one for a record within an epoch.

    Two steps never share a place, and a step keeps its own.

    >>> axis = Axis()
    >>> [axis.place(epoch, step) for epoch, step in [(0, 0), (1, 12), (4, 48), (4, 50), (4, 50)]]
    [0, 1, 4, 5, 5]
    """

    places: dict[int, int] = field(default_factory=dict)
    last: int = -1

    def place(self, epoch: int, step: int) -> int:
        """The position of the record of a step."""
        if step not in self.places:
            self.last = max(epoch, self.last + 1) if epoch <= self.last else epoch
            self.places[step] = self.last
        return self.places[step]


@dataclass(frozen=True)
class Point:
    """One finite measurement, and the number of its journal line, from 1."""

    name: str
    value: float
    time_ms: int
    step: int
    line: int


def points(events: Sequence[JournalEvent], after: int = 0) -> Iterator[Point]:
    """The measurements after the first `after` lines of the journal, without NaN and infinity."""
    axis = Axis()
    for line, event in enumerate(events, start=1):
        if not event.is_measurement:
            continue
        step = axis.place(event.epoch, event.step)
        if line > after:
            for name, number in event.metrics.items():
                if number is not None:
                    yield Point(key(name), float(number), event.time_ms, step, line)


def note(
    description: RunDescription,
    events: Sequence[JournalEvent],
    folder: Path,
    status: Status,
    error: str | None,
) -> str:
    """The run's page in Markdown: the result, the command, and how to repeat it."""
    tags = description.tags
    records = [e for e in events if e.kind == "record"]
    latest = {
        name: number for e in records for name, number in e.metrics.items() if number is not None
    }
    tested = {name: number for name, number in latest.items() if name.startswith("test/")} or {
        name: number for name, number in latest.items() if name.endswith(("/loss", "/accuracy"))
    }
    result = " · ".join(f"**{name}** {number:.4g}" for name, number in sorted(tested.items()))
    lines = [f"> {line}" for line in (error or "").strip().splitlines()[:20]]
    lines += [f"> since it was resumed: {change}" for change in journal.changes(events)[:20]]
    lines = [
        *lines,
        "",
        result or "nothing measured yet",
        "",
        f"{status.lower()} {_extent(records, events)}",
    ]
    command = shell.one_line(str(tags.get("dlexp.command", "python -m dlexp")))
    commit = str(tags.get("dlexp.git.commit", ""))[:10]
    edited = " with uncommitted changes" if tags.get("dlexp.git.dirty") == "true" else ""
    version = tags.get("dlexp.version.dlexp")
    source = [f"dlexp {version}" if version else "", f"commit {commit}{edited}" if commit else ""]
    lines += ["", "Repeat it:", "", f"    {command}", "", ", ".join(filter(None, source))]
    lines += ["", f"Complete configuration: artifact `config.yaml`. Run folder: `{folder}`"]
    return readable("\n".join(lines), TAG)


def _extent(records: Sequence[JournalEvent], events: Sequence[JournalEvent]) -> str:
    """`after 50 epochs (600 steps) in 0.9 s`; for an unfinished run, the last measurement."""
    if not records:
        return ""
    epoch, step, seconds = records[-1].epoch, records[-1].step, events[-1].elapsed
    extent = f"{step} steps" if epoch == step else f"{epoch} epochs ({step} steps)"
    if events[-1].status != Status.FINISHED:
        return f"(last measured after {extent})"
    return f"after {extent} in {seconds:.3g} s"
