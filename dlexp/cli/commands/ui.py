"""Show the runs in MLflow, on this machine only.

Starts MLflow's server on the store under outputs/, prints links, and ends with Ctrl-C.
"""

from __future__ import annotations

import click

from dlexp.cli.verbs import verb
from dlexp.errors import UserError


@verb(__doc__)
@click.option(
    "--port",
    type=int,
    help="The port wanted; if it is taken, the next free one (default: 5000).",
)
@click.option(
    "--uri", help="Another store: the tracking.uri of the runs (default: MLFLOW_TRACKING_URI)."
)
@click.option(
    "--experiment", help="The experiment to link to (default: MLFLOW_EXPERIMENT_NAME, or dlexp)."
)
@click.option(
    "--open", "show", is_flag=True, help="Open the last sweep, or all runs, in the browser."
)
def command(port: int | None, uri: str | None, experiment: str | None, show: bool) -> int:
    """Return 0 after Ctrl-C, 1 if the server ends by itself."""
    from dlexp.tracking import ui

    if port is not None and not 0 <= port < 65536:
        wrong = "must be a port, 0 to 65535"
        raise UserError(wrong, key="--port", value=port, where="command line")
    return ui.open_pages(uri, experiment, port=port, show=show)
