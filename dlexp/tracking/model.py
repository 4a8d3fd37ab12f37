"""The trained network as an MLflow model: the folder, and the entry on the Models page.

MLflow's own `pyfunc.log_model` writes the same folder, but first lists the files of every installed
package to compare versions, which takes as long as training; so the folder is made here, with
MLflow's public pieces.
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
    """Log the network file as the run's model, once: a model that is there is left alone, half a
    one is completed, and so is one whose files were deleted.

    `scores` are measurements of the network itself, on `data` (a name and a digest).
    Raises `DataError` for a damaged file, and what MLflow raises.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    told = network_file.describe(network) | {"table": network_file.load_preparation(network)}
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    found = _existing(store, run_id, digest)
    place = (
        artifacts.local(found.artifact_location)
        if found is not None and store_file(store.uri)
        else None
    )
    if (
        found is not None
        and found.status == "READY"
        and (place is None or artifacts.is_whole_model(place))
    ):
        return
    client = store.client
    if found is None:
        tags = {FINGERPRINT: digest, "mlflow.note.content": _note(store, run_id, told)}
        kind = "regressor" if told["output"] == "identity" else "classifier"
        found = client.create_logged_model(
            store.experiment_id,
            NAME,
            source_run_id=run_id,
            tags=tags,
            params=dict(params),
            model_type=kind,
        )
    known = client.get_run(run_id).outputs
    # MLflow refuses it twice
    if known is None or found.model_id not in [m.model_id for m in known.model_outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(found.model_id, step)])
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), network, told, found, run_id)
        client.log_model_artifacts(found.model_id, folder)
    of_model = {"model_id": found.model_id, "run_id": run_id}
    if data:
        of_model |= {"dataset_name": data["name"], "dataset_digest": data["digest"]}
    client.log_batch(
        run_id, metrics=[Metric(p.name, p.value, p.time_ms, p.step, **of_model) for p in scores]
    )
    client.finalize_logged_model(found.model_id, "READY")


def _note(store: Store, run_id: str, told: Mapping[str, Any]) -> str:
    """The model's page: how to use it."""
    unasked, *others = predictor.ANSWERS[told["output"]]
    code = (
        "import mlflow",
        f"mlflow.set_tracking_uri({redacted(store.uri)!r})",
        f'network = mlflow.pyfunc.load_model("runs:/{run_id}/{NAME}")',
        f"network.predict(x)  # x: {_takes(told)}; {unasked} (n, {told['n_out']})",
        *(f'network.predict(x, params={{"output": "{other}"}})' for other in others),
    )
    return "\n".join(["Use it:", "", *(f"    {line}" for line in code), "", f"It {HOW}."])


def _takes(told: Mapping[str, Any]) -> str:
    """What the model is given."""
    numbers = f"(n, {told['n_in']}) numbers: an array or a DataFrame"
    if told["table"] is None:
        return numbers
    names = [name for name, _ in told["table"].columns]
    more = f", … ({len(names)} in all)" if len(names) > COLUMNS else ""
    return (
        f"a DataFrame with the table's columns, {', '.join(names[:COLUMNS])}{more}; or, scaled"
        f" already, {numbers}"
    )


def _existing(store: Store, run_id: str, digest: str) -> LoggedModel | None:
    """The run's model with these bytes, whole or half."""
    found = store.client.search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    return next((m for m in found if m.tags.get(FINGERPRINT) == digest), None)


def _write(
    folder: Path, network: Path, told: Mapping[str, Any], entry: LoggedModel, run_id: str
) -> None:
    """The model's folder: MLmodel, the network, and the environments that MLflow knows to build."""
    from mlflow import pyfunc
    from mlflow.models import Model

    (folder / "data").mkdir()
    shutil.copyfile(network, folder / "data" / "network.npz")
    model = Model(
        artifact_path=entry.artifact_location,
        run_id=run_id,
        model_uuid=entry.model_id,
        model_id=entry.model_id,
        signature=_signature(told),
        metadata={"input": _takes(told), "loading": HOW},
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


def _signature(told: Mapping[str, Any]) -> Any:
    """What comes out, and what may be asked for.

    Nothing is said of what goes in: MLflow would refuse float64 arrays and whole numbers for a
    float32 network, where `Predictor` just takes them.
    """
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    outputs = Schema([TensorSpec(np.dtype(told["dtype"]), (-1, told["n_out"]))])
    unasked = predictor.ANSWERS[told["output"]][0]
    return ModelSignature(
        outputs=outputs, params=ParamSchema([ParamSpec("output", DataType.string, unasked)])
    )
