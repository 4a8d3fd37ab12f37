"""The mirror: MLflow has the content of the run folder, however often sending is repeated."""

import contextlib
import json
import re
import secrets
import socket
import warnings

import numpy as np
import pytest
from run_folders import BEGAN, event, records, run_folder, send

from dlexp import tracking
from dlexp.storage import journal, network_file
from dlexp.tracking import run_follower, state, translate

pytestmark = pytest.mark.usefixtures("no_waiting")


def client(outputs):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking.store_uri(outputs))


@pytest.fixture
def make(outputs, tmp_path, request):
    """Run folders for the common store, of ids that no other test has."""

    def make(events=None, name="a", uri=None, **more):
        home = re.sub("[^a-z0-9]+", "-", f"{request.node.name.lower()}-{name}") + secrets.token_hex(
            3
        )
        return run_folder(
            tmp_path / home, uri or tracking.store_uri(outputs), events or records(3), **more
        )

    return make


def mirrored(outputs, folder):
    """All that MLflow says of a run."""
    mlflow = client(outputs)
    run_id = state.load(folder).run_id
    run = mlflow.get_run(run_id)
    models = mlflow.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )

    def files(path=None):
        for f in mlflow.list_artifacts(run_id, path):
            yield from files(f.path) if f.is_dir else [f.path]

    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "times": (run.info.start_time, run.info.end_time),
        "params": run.data.params,
        "tags": {k: v for k, v in run.data.tags.items() if k != "mlflow.user"},
        "metrics": {
            key: sorted(
                (m.step, m.value, m.timestamp) for m in mlflow.get_metric_history(run_id, key)
            )
            for key in run.data.metrics
        },
        "data": [
            (d.dataset.name, d.dataset.digest, d.tags[0].value) for d in run.inputs.dataset_inputs
        ],
        "files": sorted(files()),
        "models": [
            (m.name, str(m.status), {x.key: x.value for x in m.metrics or ()}) for m in models
        ],
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
    }


def same_but_for_ids(a, b):
    def bare(found):
        own = {"dlexp.run_id", "mlflow.note.content"}
        return {**found, "tags": {k: v for k, v in found["tags"].items() if k not in own}}

    assert bare(a) == bare(b)


def test_a_finished_run_is_all_there(outputs, make):
    last = event("record", epoch=2, step=24, metrics={"test/accuracy": 0.75, "test/loss": 0.5})
    folder = make([*records(3), last])
    assert send(folder) == 0
    found = mirrored(outputs, folder)
    assert found["name"] == "adam he dropout s0"
    assert found["status"] == "FINISHED"
    assert found["times"] == (BEGAN, BEGAN + 9000)
    assert found["params"] == {
        "optimizer": "adam",
        "optimizer.lr": "0.001",
        "model.hidden": "[100, 50]",
        "steps": "null",
        "x.on": "true",
    }
    assert found["metrics"]["train/loss"] == [(i, 1 / (i + 1), BEGAN + 120 * i) for i in range(3)]
    assert found["metrics"]["test/accuracy"] == [(2, 0.75, BEGAN + 240)]
    assert found["data"] == [("digits", "abababab", "training")]
    assert found["files"] == [
        "config.yaml",
        "figures/curves.png",
        "journal.jsonl",
        "run.json",
        "run.log",
    ]
    assert found["models"] == [("network", "READY", {"test/accuracy": 0.75, "test/loss": 0.5})]
    assert found["outputs"] == 1
    tags = found["tags"]
    assert (tags["dlexp.kind"], tags["dlexp.status"]) == ("run", "FINISHED")
    assert tags["dlexp.git.commit"] == "c0ffee"
    assert tags["mlflow.source.name"] == "python -m dlexp optimizer=adam"
    for message in (
        "**test/accuracy** 0.75",
        "    python -m dlexp optimizer=adam",
        "2 epochs (24 steps)",
        str(folder),
    ):
        assert message in tags["mlflow.note.content"]
    outcome = tracking.outcome([folder])
    assert outcome.complete
    assert outcome.run_id in str(outcome)


def test_sending_again_adds_nothing_even_when_the_folder_has_forgotten(outputs, make):
    folder = make()
    send(folder)
    before, known = mirrored(outputs, folder), state.load(folder).run_id
    assert send(folder) == 0
    assert mirrored(outputs, folder) == before
    (folder / "mlflow.json").unlink()
    assert send(folder) == 0
    assert state.load(folder).run_id == known
    assert mirrored(outputs, folder) == before


def test_a_parameter_that_is_there_stays_as_it_is(outputs, make):
    """MLflow lets none be changed; a later dlexp may write a value in other words."""
    folder = make(net=False)
    send(folder)
    (folder / "mlflow.json").unlink()
    told = json.loads((folder / "run.json").read_text())
    told["params"] |= {"optimizer.lr": "1e-3", "new": 1}
    (folder / "run.json").write_text(json.dumps(told))
    assert send(folder) == 0
    found = mirrored(outputs, folder)["params"]
    assert (found["optimizer.lr"], found["new"]) == ("0.001", "1")


def test_records_within_an_epoch_do_not_share_a_place(outputs, make):
    steps = [(0, 0), (1, 12), (2, 24), (2, 30), (2, 30)]
    metrics = [{"train/loss": float(i)} for i in range(4)] + [{"test/loss": 9.0}]
    events = [
        event("record", epoch=e, step=t, metrics=m)
        for (e, t), m in zip(steps, metrics, strict=True)
    ]
    folder = make(events, net=False)
    send(folder)
    found = mirrored(outputs, folder)["metrics"]
    assert [(step, value) for step, value, _ in found["train/loss"]] == [
        (i, float(i)) for i in range(4)
    ]
    assert [step for step, _, _ in found["test/loss"]] == [3]


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


def test_a_sender_killed_after_any_call_is_completed_by_the_next(outputs, make, monkeypatch):
    from mlflow.tracking import MlflowClient

    events = [*records(2), event("record", epoch=1, step=12, metrics={"test/loss": 0.5})]
    whole = make(events, name="whole")
    send(whole)
    expected, left = mirrored(outputs, whole), [0]

    def mortal(verb):
        def call(*args, **more):
            done = verb(*args, **more)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return done

        return call

    writing = (
        "create_run",
        "log_batch",
        "log_inputs",
        "log_artifact",
        "log_artifacts",
        "create_logged_model",
        "log_outputs",
        "log_model_artifacts",
        "finalize_logged_model",
        "set_terminated",
    )
    for calls in range(30):
        folder, left[0] = make(events, name=f"{calls}"), calls
        with monkeypatch.context() as patched, contextlib.suppress(Killed):
            for name in writing:
                patched.setattr(MlflowClient, name, mortal(getattr(MlflowClient, name)))
            send(folder)
            break
        assert send(folder) == 0
        same_but_for_ids(mirrored(outputs, folder), expected)
    assert calls > len(writing)


@pytest.mark.parametrize("end", ["INTERRUPTED", "KILLED", None])
def test_a_run_resumed_after_its_end_goes_on_in_the_same_place(outputs, make, end):
    """KILLED is what the doctor writes; a killed run itself has written nothing."""
    folder = make(records(2), finish=end, net=False)
    send(folder)
    assert mirrored(outputs, folder)["status"] == "KILLED"
    assert mirrored(outputs, folder)["tags"]["dlexp.status"] == (end or "KILLED")
    known = state.load(folder).run_id

    def write(*more):
        with (folder / "journal.jsonl").open("a") as book:
            book.writelines(json.dumps(line) + "\n" for line in more)

    write(event("resume", pid=1, step=12), records(3)[2])
    follower = run_follower.RunFollower(folder, run_follower.Stores())
    with journal.FileLock(folder / "lock"):
        follower.look()  # while it is trained
        found = mirrored(outputs, folder)
        assert (found["status"], found["tags"]["dlexp.status"]) == ("RUNNING", "RUNNING")
    write(event("finish", status="FINISHED", error=None, step=30))
    follower.release()
    assert not tracking.outcome([folder]).complete
    assert send(folder) == 0
    assert state.load(folder).run_id == known
    found = mirrored(outputs, folder)
    assert (found["status"], found["tags"]["dlexp.status"]) == ("FINISHED", "FINISHED")
    assert found["metrics"]["train/loss"] == [(i, 1 / (i + 1), BEGAN + 120 * i) for i in range(3)]


@pytest.mark.parametrize(
    ("status", "shown"),
    [("DIVERGED", "FAILED"), ("FAILED", "FAILED"), ("INTERRUPTED", "KILLED"), (None, "KILLED")],
)
def test_what_did_not_finish_says_how_it_ended(outputs, make, status, shown):
    folder = make(finish=status, error="it broke\nat step 3" if status else None, net=False)
    assert send(folder) == 0
    found = mirrored(outputs, folder)
    assert (found["status"], found["tags"]["dlexp.status"]) == (shown, status or "KILLED")
    assert ("> it broke" in found["tags"]["mlflow.note.content"]) is bool(status)
    # a killed run's last sign of life
    assert found["times"][1] == BEGAN + (9000 if status else 240)


def test_what_is_not_finite_never_arrives(outputs, make):
    folder = make(records(2, **{"train/grad": None}))
    send(folder)
    assert set(mirrored(outputs, folder)["metrics"]) == {"train/loss", "val/accuracy"}


def test_a_last_line_half_written_waits_for_its_other_half(outputs, make):
    folder = make(records(2), finish=None)
    with (folder / "journal.jsonl").open("a") as book:
        book.write(json.dumps(records(3)[2])[:30])
    assert send(folder) == 0
    assert len(mirrored(outputs, folder)["metrics"]["train/loss"]) == 2


def test_thousands_of_records_arrive_each_once_at_its_epoch(outputs, make):
    folder = make(records(2500))
    assert send(folder) == 0
    found = client(outputs).get_metric_history(state.load(folder).run_id, "train/loss")
    assert sorted((m.step, m.value) for m in found) == [(i, 1 / (i + 1)) for i in range(2500)]


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "a\x00b",
        "n" * 5000,
        "",
        " \n ",
        "'; drop table runs; --",
        "数字 é \ud800",
        "<b>x</b>",
        "a`b'c",
    ],
)
def test_hostile_names_do_no_harm(outputs, make, name):
    params = {name: name, f"{name}=": 1, "long": "x" * 10_000}
    tags = {name: name, "dlexp.command": name}
    folder = make(records(2, **{name: 1.0}), params=params, tags=tags, shown_as=name)
    assert send(folder) == 0
    found = mirrored(outputs, folder)
    assert found["name"].strip()
    assert len(found["name"]) <= translate.NAME
    assert not {"\x00", "\n"} & set(found["name"])
    assert len(found["params"]["long"]) == translate.PARAM
    assert len(found["metrics"]) == 3
    assert found["files"][0] == "config.yaml"
    homes = {f.name for f in outputs.iterdir()}
    assert homes == {"mlflow.db", "mlflow.db.lock", "mlartifacts"}


def test_text_in_any_script_arrives_unharmed(outputs, make):
    folder = make(
        params={"data.folder": "数字/été"},
        tags={"dlexp.command": "python -m dlexp data=数字"},
        error="größer",
    )
    send(folder)
    found = mirrored(outputs, folder)
    assert found["params"] == {"data.folder": "数字/été"}
    assert "data=数字" in found["tags"]["mlflow.note.content"]


def test_a_surface_run_without_data_or_network_is_complete(outputs, make):
    folder = make(net=False, dataset=None)
    assert send(folder) == 0
    found = mirrored(outputs, folder)
    assert (found["data"], found["models"]) == ([], [])


def test_a_damaged_network_costs_the_model_and_not_the_run(outputs, make, capsys):
    folder = make()
    (folder / "network.npz").write_bytes(b"PK")
    assert send(folder) == 0
    assert "sent without its model" in capsys.readouterr().out
    assert mirrored(outputs, folder)["models"] == []


def test_the_logged_model_predicts_what_the_network_does_and_holds_no_pickle(outputs, make):
    folder = make()
    send(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.set_tracking_uri(tracking.store_uri(outputs))
        loaded = mlflow.pyfunc.load_model(f"runs:/{state.load(folder).run_id}/network")
        x = np.random.default_rng(0).random((4, 5))
        probabilities, labels = loaded.predict(x), loaded.predict(x, params={"output": "labels"})
    expected = network_file.Predictor(network_file.load_network(folder / "network.npz")).predict(x)
    assert (probabilities == expected).all()
    assert (labels == expected.argmax(axis=1)).all()
    files = [f for f in (outputs / "mlartifacts" / "models").rglob("*") if f.is_file()]
    assert {f.name for f in files} >= {
        "MLmodel",
        "network.npz",
        "requirements.txt",
        "conda.yaml",
        "python_env.yaml",
    }
    for file in files:
        assert file.suffix not in (".pkl", ".pickle", ".joblib")
        assert not file.read_bytes().startswith(b"\x80")
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                assert all(arrays[name] is not None for name in arrays.files)


def test_a_password_in_the_address_is_nowhere_to_be_read():
    assert tracking.ui_command("postgresql://ann:secret@host/db").endswith(
        "postgresql://ann:***@host/db'"
    )
    assert tracking.redacted("http://ann:secret@host") == "http://***@host"


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_dead_server_is_tried_a_few_times_and_the_run_waits(outputs, make, monkeypatch, capsys):
    for name, value in tracking.PATIENCE.items():
        monkeypatch.setenv(name, value)
    address = f"http://127.0.0.1:{closed_port()}"
    folder = make(uri=address, net=False)
    assert send(folder) == 1
    assert capsys.readouterr().out.count("cannot reach MLflow") == run_follower.TRIES
    outcome = tracking.outcome([folder])
    assert not outcome.complete
    assert f"cannot reach MLflow at {address}: connection refused" in str(outcome)
    assert "python -m dlexp sync" in str(outcome)
    told = json.loads((folder / "run.json").read_text())
    told["tracking"]["uri"] = tracking.store_uri(outputs)
    (folder / "run.json").write_text(json.dumps(told))
    assert send(folder) == 0  # nothing was lost
    assert mirrored(outputs, folder)["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("run.json", "{", "run.json cannot be read"),
        ("run.json", "[]", "run.json cannot be read"),
        ("run.json", '{"id": "x", "tracking": null}', "tracking=none"),
        ("journal.jsonl", "{]\n", "the journal cannot be read"),
    ],
)
def test_a_damaged_folder_is_said_in_one_line_and_stops_no_other(
    outputs, make, file, text, message
):
    bad, good = make(name="bad", net=False), make(name="good", net=False)
    (bad / file).write_text(text)
    assert send(bad, good) == 1
    assert message in state.load(bad).error
    assert "\n" not in str(tracking.outcome([bad, good]))
    assert state.is_complete(good)


def test_a_store_that_is_no_database_is_refused_and_left_as_it_is(make, tmp_path):
    (tmp_path / "mlflow.db").write_text("dear diary")
    folder = make(uri=f"sqlite:///{tmp_path}/mlflow.db", net=False)
    assert send(folder) == 1
    assert "is not an SQLite database" in state.load(folder).error
    assert (tmp_path / "mlflow.db").read_text() == "dear diary"


def test_a_run_deleted_in_mlflow_stays_deleted(outputs, make):
    folder = make(net=False)
    send(folder)
    client(outputs).delete_run(state.load(folder).run_id)
    (folder / "mlflow.json").unlink()
    assert send(folder) == 1
    assert "deleted in MLflow" in state.load(folder).error
