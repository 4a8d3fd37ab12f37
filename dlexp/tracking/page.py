"""MLflow's tags for the page of a new experiment: description and view. Imports no MLflow."""

from __future__ import annotations

from dlexp.tracking import view

VIEW = "results"  # a saved view of the runs: without one the table shows no metric
VIEW_TAG = f"{view.PREFIX}{VIEW}"
COLUMNS = [
    f"metrics.`{name}`"
    for name in ("test/accuracy", "val/accuracy", "train/accuracy", "test/loss", "train/loss")
]
NOTE = """\
Each row is one training run of dlexp; its name has the choices that matter. \
`python -m dlexp help` lists them all.

Charts: `train/`, `val/` and `test/` over epochs. A run's page has the command that repeats it, \
its pictures under *Artifacts*, and the trained network under *Logged models*.
"""


def tags(now_ms: int) -> dict[str, str]:
    """The tags of a new experiment: its description, and the view `results`."""
    table = view.runs([*COLUMNS, "attributes.`Dataset`", "attributes.`Models`"])
    return {"mlflow.note.content": NOTE, VIEW_TAG: view.tag_value(VIEW, table, now_ms)}
