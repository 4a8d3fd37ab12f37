"""The mirror: a separate process follows run folders and sends their content to MLflow.

Training never waits for MLflow and never imports it, nor do this file and its imports. What is not
sent when a command ends is sent by the next `python -m dlexp sync`, which uses the same code.
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

# A call to a dead server blocks for four minutes unless retries are limited. The sender repeats
# calls itself, because it checks first whether an unanswered call was carried out. A user's own
# settings of these variables are kept.
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
# run folders and MLflow's addresses are UTF-8, whatever the locale
UTF8 = {"PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Outcome:
    """The state of MLflow's copy: `complete`, or in one line why not.

    `experiment_id` and `run_id` are MLflow's, of the first run that has any, or of the sweep's own
    run. `chosen` names the environment variables that decided the store.
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
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait until all is sent or given up, at most `timeout` seconds; the process goes on."""
        if self.process is not None:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                return self.left()
        return outcome(self.folders, self._why)

    def left(self, why: str = "") -> Outcome:
        """What has been sent so far, and why nothing more is waited for."""
        on = f"it continues in the background; `{SYNC}` completes it if that is interrupted"
        return outcome(self.folders, "; ".join(filter(None, [why, on])))


def start(folders: Sequence[Path]) -> Sender:
    """Start a process that mirrors these run folders while they are written; returns at once.

    Each folder needs its `run.json` and its lock before. The process survives Ctrl-C and the death
    of its parent; its output goes to `tracking.log` in the first folder. Raises nothing: `wait`
    reports failures.
    """
    return _start([str(Path(f).absolute()) for f in folders], folders)


def start_sweep(folder: Path) -> Sender:
    """The same for a sweep with a `sweep.json`; at low priority, to keep training fast."""
    return _start(["--sweep", str(Path(folder).absolute())], [folder])


def finish_sweep(folder: Path, sender: Sender | None, timeout: float | None = None) -> Outcome:
    """Wait for the sender of an ended sweep; start one if there is none and something is left."""
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
    """Our environment in UTF-8, without telemetry, with short timeouts, and dlexp importable."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(
        dict.fromkeys(filter(None, [home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    )
    return {**PATIENCE, **os.environ, **paths.substitutes(), **SILENCE, **UTF8, "PYTHONPATH": path}


def outcome(folders: Sequence[Path], why: str = "") -> Outcome:
    """The outcome by each folder's `mlflow.json`; `why` is the reason if no error was noted."""
    states = [state.load(f) for f in folders]
    missing = [(f, s) for f, s in zip(folders, states, strict=True) if not state.is_complete(f)]
    first = next((s for s in states if s.run_id), states[0])
    if not missing:
        sweep = len(folders) == 1 and is_sweep(folders[0])
        runs = f"{first.sent} run{'s' * (first.sent != 1)}"
        text = f"the sweep's run {first.run_id} and its {runs}" if sweep else ""
        return Outcome(
            True, first.uri, first.experiment_id, first.run_id, text, _chosen(folders[0])
        )
    uri = first.uri or str(_recorded_tracking(folders[0]).get("uri", ""))
    error = next((s.error for _, s in missing if s.error), "")
    if not why:
        why = (
            f"nothing is lost, `{SYNC}` sends it later"
            if error
            else f"{folders[0] / LOG} says why; `{SYNC}` sends it"
        )
    one = "the sweep is" if is_sweep(folders[0]) else "the run is"
    which = f"{len(missing)} of {len(folders)} runs are" if len(folders) > 1 else one
    text = f"{which} not complete yet: {'; '.join(filter(None, [error, why]))}"
    return Outcome(False, uri, first.experiment_id, first.run_id, text, _chosen(folders[0]))


def _recorded_tracking(folder: Path) -> dict[str, Any]:
    """What a run or sweep records of its store, with its present address; empty if unreadable."""
    try:
        tracking = description_of(folder).tracking or {}
        return {
            **tracking,
            "uri": redacted(address.asked_for(tracking, address.outputs_of(folder))),
        }
    except (OSError, ValueError, LookupError):
        return {}


def _chosen(folder: Path) -> str:
    """The environment variables that decided the store of a run or sweep, and their values."""
    recorded = _recorded_tracking(folder)
    values = {
        "MLFLOW_TRACKING_URI": recorded.get("uri"),
        "MLFLOW_EXPERIMENT_NAME": recorded.get("experiment"),
    }
    by = recorded.get("environment") or ()
    return ", ".join(
        f"{name}={' '.join(str(value).split())}" for name, value in values.items() if name in by
    )


def experiment_link(
    base_url: str, experiment_id: str, view: str = "", *, charts: bool = False
) -> str:
    """The URL of an experiment's runs, as a table or `charts`, in a saved view.

    Without its last part MLflow opens another page.

    >>> experiment_link("http://127.0.0.1:5000", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
    """
    shown = (f"&viewStateShareKey={view}" if view else "") + (
        "&compareRunsMode=CHART" if charts else ""
    )
    page = f"{base_url.rstrip('/')}/#/experiments/{experiment_id}/runs"
    return f"{page}?workflowType=machine_learning{shown}"


def run_link(base_url: str, experiment_id: str, run_id: str) -> str:
    """The URL of a run.

    >>> run_link("http://127.0.0.1:5000/", "1", "0f3a")
    'http://127.0.0.1:5000/#/experiments/1/runs/0f3a?workflowType=machine_learning'
    """
    page = f"{base_url.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
    return f"{page}?workflowType=machine_learning"


def ui_command(uri: str) -> str:
    """MLflow's own command to view a store, ready for a shell; the address, if it is a server.

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
