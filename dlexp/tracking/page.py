"""What a new experiment's page says and shows: MLflow's tags for it. Imports no MLflow."""

from __future__ import annotations

import base64
import json
import zlib

VIEW = "results"  # a ready-made view of the runs: without one the table shows no metric at all
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
COLUMNS = [
    f"metrics.`{name}`" for name in ("test/accuracy", "val/accuracy", "train/accuracy", "test/loss", "train/loss")
]
NOTE = """\
Each row is one training run of dlexp; its name says the choices that matter. `python -m dlexp help` lists them all.

Charts: `train/`, `val/` and `test/` over epochs. A run's page has the command that repeats it, its pictures under
*Artifacts*, and the trained network under *Logged models*.
"""


def tags(now_ms: int) -> dict[str, str]:
    """The tags to create an experiment with: its description, and the view `results`.

    The view's form is undocumented, read off MLflow 3.17's own pages; an MLflow that does not know it ignores it.
    """
    state = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*COLUMNS, "attributes.`Dataset`", "attributes.`Models`"],
        "columnOrder": COLUMNS,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    view = {"name": VIEW, "createdAt": now_ms, "updatedAt": now_ms, "state": f"deflate;{packed}"}
    return {"mlflow.note.content": NOTE, VIEW_TAG: json.dumps(view)}
