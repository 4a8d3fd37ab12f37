"""`python -m dlexp ui`: serves MLflow's pages to this machine only. Starts MLflow, imports none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlexp import paths, tracking
from dlexp.errors import UserError
from dlexp.storage.records import SWEEP_FILE, SweepDescription
from dlexp.tracking import (
    artifacts,
    environment,
    experiment_link,
    page,
    redacted,
    run_link,
    store_file,
    store_uri,
    ui_command,
)
from dlexp.tracking.settings import VARIABLES, check_uri, of_environment
from dlexp.tracking.state import load
from dlexp.tracking.sweep_page import key
from dlexp.tracking.view import PREFIX

HOST, PORT = "127.0.0.1", 5000
READY = 120.0  # seconds that MLflow may take to answer for the first time
GRACE = 10.0  # seconds that it may take to end
NEAR = 20  # ports tried after the preferred one
# two processes and half a gigabyte, not ten and two
FRUGAL = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def open_pages(
    uri: str | None = None,
    experiment: str | None = None,
    *,
    port: int | None = None,
    show: bool = False,
) -> int:
    """Serve MLflow's pages on a store until Ctrl-C; by default, on the store of new runs.

    Raises `UserError` if there is nothing to show.
    """
    if uri is not None:
        check_uri(uri, "--uri")
    given = {"uri": uri, "experiment": experiment}
    variables = of_environment(*(name for name in VARIABLES if given[name] is None))
    for name, value in variables.items():
        print(f"chosen    by the environment: {VARIABLES[name]}={value}", flush=True)
    uri = uri or variables.get("uri") or store_uri(paths.outputs())
    experiment = experiment or variables.get("experiment") or "dlexp"
    return serve(uri, port=PORT if port is None else port, experiment=experiment, show=show)


def serve(uri: str, *, port: int = PORT, experiment: str = "dlexp", show: bool = False) -> int:
    """Run MLflow's server on a store, print links, and wait for Ctrl-C; 1 if it ends by itself.

    The last sweep has links of its own; `show` opens its charts, or else all runs, in the browser.
    The first run creates the store's tables; raises `UserError` if there was none.
    """
    if uri.startswith(("http://", "https://")):
        _print(
            [
                ("MLflow", redacted(uri)),
                *_last_sweep(paths.outputs(), uri, redacted(uri), ask=False),
            ],
            show,
        )
        return 0
    file = store_file(uri)
    if file is not None and not file.is_file():
        raise UserError(
            f"there are no runs yet: {file} does not exist;"
            " `python -m dlexp optimizer=adam` makes the first"
        )
    if file is not None:
        artifacts.settle_if_possible(file.absolute())
    home = file.absolute().parent if file is not None else Path.cwd()
    port = free_port(port)
    base, log = f"http://{HOST}:{port}", home / "mlflow-ui.log"
    command = [
        sys.executable,
        "-P",
        "-m",
        "mlflow",
        "server",
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        "1",
        "--app-name",
        "dlexp",  # tracking/guard.py
        "--no-serve-artifacts",
        "--default-artifact-root",
        (home / "mlartifacts").as_uri(),
    ]
    # not an argument, which `ps` shows: it may hold a password
    hidden = {"MLFLOW_BACKEND_STORE_URI": tracking.native(uri)}
    settings = {**environment(), **FRUGAL, **hidden}
    print("MLflow is starting …", flush=True)
    paths.check_inside(log)
    try:
        with (
            _terminable(),
            log.open("wb") as out,
            _running(command, settings, out.fileno()) as server,
        ):
            if _answers(base, server):
                links = [("look", _page(base, experiment)), *_last_sweep(home, uri, base, ask=True)]
                _print(links, show)
                if uri == redacted(uri):  # with *** in it, it would not work
                    print(f"the same  {ui_command(uri)}", flush=True)
                print("Ctrl-C ends it.", flush=True)
                server.wait()
        print(f"dlexp: error: MLflow has ended by itself; {log} says why", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(flush=True)
        return 0


def free_port(wanted: int) -> int:
    """The preferred port, or the next free one above, or any."""
    for port in [*range(wanted, min(wanted + NEAR, 65536)), 0] if wanted else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
            except OSError:
                continue
    raise UserError(f"no port is free on {HOST}", key="--port", value=wanted)


@contextmanager
def _running(
    command: list[str], settings: dict[str, str], out: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own session, which ends with all its children."""
    server = subprocess.Popen(
        command,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        _kill(server, signal.SIGTERM)
        try:
            with suppress(subprocess.TimeoutExpired):
                server.wait(GRACE)
        finally:
            _kill(server, signal.SIGKILL)
            server.wait()


def _kill(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # all have ended; macOS reports zombies as not permitted
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as Ctrl-C does, also if a shell made us ignore them."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(base: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; False if it ends first, or takes too long."""
    until = time.monotonic() + READY
    while server.poll() is None and time.monotonic() < until:
        if _get(f"{base}/health") is not None:
            return True
        time.sleep(0.1)
    return False


def _get(url: str) -> bytes | None:
    """The content at an address, or None; without a proxy, as it is on this machine."""
    import urllib.request

    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            url, timeout=10
        ) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def _page(base: str, experiment: str) -> str:
    """The experiment's page, or MLflow's first page if it does not know the experiment."""
    from urllib.parse import quote

    content = _get(
        f"{base}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(experiment)}"
    )
    try:
        known = json.loads(content or b"{}")["experiment"]
        has_view = any(tag["key"] == page.VIEW_TAG for tag in known.get("tags", ()))
        return experiment_link(base, str(known["experiment_id"]), page.VIEW if has_view else "")
    except (ValueError, KeyError):
        return base


def _last_sweep(outputs: Path, uri: str, base: str, *, ask: bool) -> list[tuple[str, str]]:
    """The latest sweep of these outputs that is in the store: its own run, and its charts.

    `ask` asks the server at `base` for it.
    """
    began = []
    for file in outputs.glob(f"sweeps/*/{SWEEP_FILE}"):
        sent = load(file.parent)
        try:
            sweep = SweepDescription.read(file.parent)
            if sent.experiment_id and sent.run_id and sent.uri == redacted(uri):
                began.append((sweep.created_ms, sent.experiment_id, key(sweep), sent.run_id))
        except (OSError, ValueError):
            continue
    for _, experiment_id, view, run_id in sorted(began, reverse=True):
        content = (
            _get(f"{base}/api/2.0/mlflow/experiments/get?experiment_id={experiment_id}")
            if ask
            else None
        )
        if not ask or f'"{PREFIX}{view}"'.encode() in (content or b""):
            charts = experiment_link(base, experiment_id, view, charts=True)
            return [("report", run_link(base, experiment_id, run_id)), ("sweep", charts)]
    return []


def _print(links: list[tuple[str, str]], show: bool) -> None:
    """Print the links; open the last one."""
    for name, link in links:
        print(f"{name:9} {link}", flush=True)
    if show:
        import webbrowser

        webbrowser.open(links[-1][1])
