"""The mirror: a process of its own follows run folders and writes to MLflow what they say.

Training never waits for MLflow and never imports it: this file and what it imports know nothing of
it. What is not sent when a command ends is sent by the next `python -m dlexp sync`, which is the
same code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlexp import paths
from dlexp.errors import describe_error
from dlexp.paths import native
from dlexp.redaction import redacted
from dlexp.shell import quoted
from dlexp.storage.records import description_of, is_sweep
from dlexp.tracking import address, state
from dlexp.tracking.address import store_file, store_uri

LOG = "tracking.log"
SYNC = "python -m dlexp sync"

# One call to a dead server blocks for four minutes unless retries are bounded. The sender tries
# again itself, since it looks first whether a call that was not answered was carried out after all.
# A user's own settings of these stand.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
SILENCE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
# run folders and MLflow's addresses are, whatever the locale says of names of files
UTF8 = {"PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Outcome:
    """What MLflow has of the runs sent: all of them (`complete`), or why not, in one line.

    `experiment_id` and `run_id` are MLflow's, of the first run that has any; of a sweep, they are
    its own run's. `chosen` says which variables of the environment decided where that is.
    """

    complete: bool
    uri: str
    experiment_id: str | None
    run_id: str | None
    why: str = ""
    chosen: str = ""

    def __str__(self) -> str:
        return self.why or f"run {self.run_id}"


class Sender:
    """The process that mirrors some run folders."""

    def __init__(
        self, folders: Sequence[Path], process: subprocess.Popen[bytes] | None, why: str = ""
    ) -> None:
        self.folders, self.process, self._why = [Path(f) for f in folders], process, why

    def is_at_work(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait until it has sent everything or given up, `timeout` seconds at most. It goes on by
        itself afterwards.
        """
        if self.process is not None:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                return self.left()
        return outcome(self.folders, self._why)

    def left(self, why: str = "") -> Outcome:
        """What it has sent so far, when nobody waits for it any longer, and why that is."""
        on = f"it goes on in the background; `{SYNC}` completes it if that is cut short"
        return outcome(self.folders, "; ".join(filter(None, [why, on])))


def start(folders: Sequence[Path]) -> Sender:
    """Start a process that mirrors these run folders, live while they are written; returns at once.

    Each folder's `run.json` must stand and its lock be held before. The process survives Ctrl-C and
    the death of its parent; what it says goes to `tracking.log` in the first folder. Raises
    nothing: `wait` tells what went wrong.
    """
    return _start([str(Path(f).absolute()) for f in folders], folders)


def start_sweep(folder: Path) -> Sender:
    """The same for a sweep, whose `sweep.json` must stand; at low priority, so that training is not
    slowed.
    """
    return _start(["--sweep", str(Path(folder).absolute())], [folder])


def finish_sweep(folder: Path, sender: Sender | None, timeout: float | None = None) -> Outcome:
    """Wait for the sender of a sweep that has come to rest; where there is none and something is
    left, start one.
    """
    if sender is None:
        if state.is_complete(folder):
            return outcome([folder])
        sender = start_sweep(folder)
    return sender.wait(timeout)


def _start(words: Sequence[str], folders: Sequence[Path]) -> Sender:
    command = [sys.executable, "-P", "-m", "dlexp.tracking", *words]
    try:
        paths.check_inside(Path(folders[0]) / LOG)
        with (Path(folders[0]) / LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as e:
        return Sender(
            folders,
            None,
            f"the sender cannot be started: {describe_error(e)}; `{SYNC}` sends it later",
        )
    return Sender(folders, process)


def environment() -> dict[str, str]:
    """Ours, in UTF-8, with MLflow's telemetry off, its patience bounded, and dlexp importable from
    wherever it was.
    """
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(
        dict.fromkeys(filter(None, [home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    )
    return {**PATIENCE, **os.environ, **paths.substitutes(), **SILENCE, **UTF8, "PYTHONPATH": path}


def outcome(folders: Sequence[Path], why: str = "") -> Outcome:
    """What `mlflow.json` of each folder says; `why` explains what is missing where no error was
    noted.
    """
    states = [state.load(f) for f in folders]
    missing = [(f, s) for f, s in zip(folders, states, strict=True) if not state.is_complete(f)]
    shown = next((s for s in states if s.run_id), states[0])
    if not missing:
        sweep = len(folders) == 1 and is_sweep(folders[0])
        runs = f"{shown.sent} run{'s' * (shown.sent != 1)}"
        said = f"the sweep's run {shown.run_id} and its {runs}" if sweep else ""
        return Outcome(
            True, shown.uri, shown.experiment_id, shown.run_id, said, _chosen(folders[0])
        )
    uri = shown.uri or str(_asked_for(folders[0]).get("uri", ""))
    error = next((s.error for _, s in missing if s.error), "")
    if not why:
        why = (
            f"nothing is lost, `{SYNC}` sends it later"
            if error
            else f"{folders[0] / LOG} says why; `{SYNC}` sends it"
        )
    one = "the sweep is" if is_sweep(folders[0]) else "the run is"
    which = f"{len(missing)} of {len(folders)} runs are" if len(folders) > 1 else one
    said = "; ".join(filter(None, [error, why]))
    said = f"{which} not all there yet: {said}"
    return Outcome(False, uri, shown.experiment_id, shown.run_id, said, _chosen(folders[0]))


def _asked_for(folder: Path) -> dict[str, Any]:
    """What a run or sweep says of the store it is meant for, as it lies now; nothing where that
    cannot be read.
    """
    try:
        said = description_of(folder).tracking or {}
        return {**said, "uri": redacted(address.asked_for(said, address.outputs_of(folder)))}
    except (OSError, ValueError, LookupError):
        return {}


def _chosen(folder: Path) -> str:
    """Which variables of the environment decided where a run or sweep is shown, and what they said."""
    said = _asked_for(folder)
    values = {
        "MLFLOW_TRACKING_URI": said.get("uri"),
        "MLFLOW_EXPERIMENT_NAME": said.get("experiment"),
    }
    by = said.get("environment") or ()
    return ", ".join(
        f"{name}={' '.join(str(value).split())}" for name, value in values.items() if name in by
    )


def experiment_link(
    base_url: str, experiment_id: str, view: str = "", *, charts: bool = False
) -> str:
    """The page of an experiment's runs, as a table or `charts`, in a ready-made view.

    Without its last part MLflow opens another page.

    >>> experiment_link("http://127.0.0.1:5000", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
    """
    shown = (f"&viewStateShareKey={view}" if view else "") + (
        "&compareRunsMode=CHART" if charts else ""
    )
    return f"{base_url.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning{shown}"


def run_link(base_url: str, experiment_id: str, run_id: str) -> str:
    """The page of a run.

    >>> run_link("http://127.0.0.1:5000/", "1", "0f3a")
    'http://127.0.0.1:5000/#/experiments/1/runs/0f3a?workflowType=machine_learning'
    """
    return f"{base_url.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def ui_command(uri: str) -> str:
    """MLflow's own command to look at a store, ready for a shell; for a server, its address.

    >>> ui_command("sqlite:////home/ann/my outputs/mlflow.db")
    "mlflow ui --backend-store-uri 'sqlite:////home/ann/my outputs/mlflow.db'"
    """
    if uri.startswith(("http://", "https://")):
        return redacted(uri)
    return f"mlflow ui --backend-store-uri {quoted(redacted(uri))}"


__all__ = [
    "Outcome",
    "Sender",
    "experiment_link",
    "finish_sweep",
    "native",
    "outcome",
    "quoted",
    "redacted",
    "run_link",
    "start",
    "start_sweep",
    "store_file",
    "store_uri",
    "ui_command",
]
