"""Logs the trained network as an MLflow model: its folder, and its entry on the Models page.

MLflow's own `pyfunc.log_model` writes the same folder, but first lists the files of all installed
packages to compare versions, which takes as long as training; so the folder is made here with
MLflow's public functions.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp.storage import network_file, predictor
from dlexp.tracking import artifacts, redacted, store_file
from dlexp.tracking.store import Store
from dlexp.tracking.translate import Point

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

COLUMNS = 30  # named on the model's page
NAME, FINGERPRINT = "network", "dlexp.sha256"
HOW = "needs dlexp (and the plugins it was trained with) installed where it is loaded"


def log_network(
    store: Store,
    run_id: str,
    network: Path,
    *,
    params: Mapping[str, str],
    scores: Sequence[Point],
    data: Mapping[str, str] | None,
    step: int,
) -> None:
    """Log the network file as the run's model, unless it is complete already; an incomplete one is
    completed.

    `scores` are measurements of the network itself, on `data` (a name and a digest). Raises
    `DataError` for a damaged file, and MLflow's exceptions.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    description = network_file.describe(network) | {"table": network_file.load_preparation(network)}
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    model = _existing(store, run_id, digest)
    place = (
        artifacts.local(model.artifact_location)
        if model is not None and store_file(store.uri)
        else None
    )
    if (
        model is not None
        and model.status == "READY"
        and (place is None or artifacts.is_whole_model(place))
    ):
        return
    client = store.client
    if model is None:
        tags = {FINGERPRINT: digest, "mlflow.note.content": _note(store, run_id, description)}
        kind = "regressor" if description["output"] == "identity" else "classifier"
        model = client.create_logged_model(
            store.experiment_id,
            NAME,
            source_run_id=run_id,
            tags=tags,
            params=dict(params),
            model_type=kind,
        )
    known = client.get_run(run_id).outputs
    # MLflow refuses a second time
    if known is None or model.model_id not in [m.model_id for m in known.model_outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step)])
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), network, description, model, run_id)
        client.log_model_artifacts(model.model_id, folder)
    of_model = {"model_id": model.model_id, "run_id": run_id}
    if data:
        of_model |= {"dataset_name": data["name"], "dataset_digest": data["digest"]}
    client.log_batch(
        run_id, metrics=[Metric(p.name, p.value, p.time_ms, p.step, **of_model) for p in scores]
    )
    client.finalize_logged_model(model.model_id, "READY")


def _note(store: Store, run_id: str, description: Mapping[str, Any]) -> str:
    """The text of the model's page: how to use it."""
    default, *others = predictor.ANSWERS[description["output"]]
    code = (
        "import mlflow",
        f"mlflow.set_tracking_uri({redacted(store.uri)!r})",
        f'network = mlflow.pyfunc.load_model("runs:/{run_id}/{NAME}")',
        f"network.predict(x)  # x: {_takes(description)}; {default} (n, {description['n_out']})",
        *(f'network.predict(x, params={{"output": "{other}"}})' for other in others),
    )
    return "\n".join(["Use it:", "", *(f"    {line}" for line in code), "", f"It {HOW}."])


def _takes(description: Mapping[str, Any]) -> str:
    """A description of the model's input."""
    numbers = f"(n, {description['n_in']}) numbers: an array or a DataFrame"
    if description["table"] is None:
        return numbers
    names = [name for name, _ in description["table"].columns]
    more = f", … ({len(names)} in all)" if len(names) > COLUMNS else ""
    return (
        f"a DataFrame with the table's columns, {', '.join(names[:COLUMNS])}{more}; or, scaled"
        f" already, {numbers}"
    )


def _existing(store: Store, run_id: str, digest: str) -> LoggedModel | None:
    """The run's model with these bytes, complete or not."""
    models = store.client.search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    return next((m for m in models if m.tags.get(FINGERPRINT) == digest), None)


def _write(
    folder: Path, network: Path, description: Mapping[str, Any], entry: LoggedModel, run_id: str
) -> None:
    """Write the model's folder: MLmodel, the network, and environments that MLflow can build."""
    from mlflow import pyfunc
    from mlflow.models import Model

    (folder / "data").mkdir()
    shutil.copyfile(network, folder / "data" / "network.npz")
    model = Model(
        artifact_path=entry.artifact_location,
        run_id=run_id,
        model_uuid=entry.model_id,
        model_id=entry.model_id,
        signature=_signature(description),
        metadata={"input": _takes(description), "loading": HOW},
    )
    pyfunc.add_to_model(
        model,
        loader_module="dlexp.storage.network_file",
        data="data/network.npz",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )
    model.model_size_bytes = network.stat().st_size
    model.save(str(folder / "MLmodel"))
    needs = [f"mlflow=={version('mlflow')}", f"numpy=={version('numpy')}"]
    python = platform.python_version()
    pip = "".join(f"  - {need}\n" for need in needs)
    (folder / "requirements.txt").write_text("\n".join(needs) + "\n", encoding="utf-8")
    (folder / "python_env.yaml").write_text(
        f"python: {python}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n",
        encoding="utf-8",
    )
    (folder / "conda.yaml").write_text(
        f"name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python={python}\n- pip\n-"
        f" pip:\n{pip}",
        encoding="utf-8",
    )


def _signature(description: Mapping[str, Any]) -> Any:
    """The model's output, and the parameter that selects it.

    The input is not part of it: MLflow would refuse float64 arrays and whole numbers for a float32
    network, although `Predictor` accepts them.
    """
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    outputs = Schema([TensorSpec(np.dtype(description["dtype"]), (-1, description["n_out"]))])
    default = predictor.ANSWERS[description["output"]][0]
    return ModelSignature(
        outputs=outputs, params=ParamSchema([ParamSpec("output", DataType.string, default)])
    )
