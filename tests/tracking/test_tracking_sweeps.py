"""Sweeps in MLflow: every run complete and once, the sweep's own run, the views."""

import contextlib
import json
import socket

import pytest
from run_folders import BEGAN, event, records, send
from sweep_folders import ENDED, add, client, fill, found, report, say, sweep_folder, write

from dlexp import tracking
from dlexp.storage.records import SweepDescription
from dlexp.tracking import run_follower, sender, state, sweep_page

pytestmark = pytest.mark.usefixtures("no_waiting")


def without_ids(told):
    return json.dumps(told, sort_keys=True).replace(told["tags"]["dlexp.sweep"], "ID")


def test_a_sweep_is_all_there(outputs, make_sweep):
    folder = fill(make_sweep())
    report(folder)
    assert send(folder) == 0
    told = found(outputs, folder)
    assert told["name"] == "sweep optimizer (4 runs)"
    assert (told["status"], told["times"]) == ("FINISHED", (BEGAN, ENDED))
    assert told["params"] == {"epochs": "3", "axes": "optimizer × seed"}
    assert told["files"] == ["report/figures/dots.png", "report/report.html", "report/report.json"]
    tags = {
        "dlexp.kind": "sweep",
        "dlexp.status": "FINISHED",
        "dlexp.axis.optimizer": "sgd, adam",
        "dlexp.axis.seed": "0, 1",
    }
    assert tags.items() <= told["tags"].items()
    note = (
        "**4 runs**, 4 finished",
        "adam beats sgd.",
        "> few seeds",
        "    python -m dlexp -m optimizer=sgd,adam",
        f"python -m dlexp resume {folder.name}",
        "(#/experiments/1/runs?workflowType=machine_learning",
    )
    assert not [message for message in note if message not in told["note"]]
    assert told["note"].index("|adam") < told["note"].index("|sgd")  # the best first
    assert sorted(told["runs"]) == ["adam 0", "adam 1", "sgd 0", "sgd 1"]
    run = told["runs"]["adam 0"]
    assert (run["status"], run["times"]) == ("FINISHED", (BEGAN + 2, BEGAN + 9002))
    assert run["params"] == {"epochs": "3", "optimizer": "adam", "seed": "0"}
    assert run["loss"] == [(i, 1 / (i + 1)) for i in range(3)]
    assert run["data"] == ["digits"]
    assert run["files"] == ["config.yaml", "journal.jsonl", "run.json", "run.log"]
    key = told["tags"]["dlexp.run_id"]
    assert {
        "dlexp.kind": "run",
        "dlexp.group": "adam",
        "dlexp.view": key,
        "dlexp.status": "FINISHED",
    }.items() <= run["tags"].items()
    outcome = tracking.outcome([folder])
    assert outcome.complete
    assert str(outcome) == f"the sweep's run {outcome.run_id} and its 4 runs"


def test_sending_again_adds_nothing_even_when_the_folders_have_forgotten(outputs, make_sweep):
    folder = fill(make_sweep())
    report(folder)
    send(folder)
    before = found(outputs, folder)
    assert send(folder) == 0
    assert found(outputs, folder) == before
    for known in folder.rglob("mlflow.json"):
        known.unlink()
    assert send(folder) == 0
    assert found(outputs, folder) == before
    # nothing is left: no process is started
    assert tracking.finish_sweep(folder, None, 0.0).complete


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


WRITING = (
    "create_run",
    "delete_run",
    "log_batch",
    "log_inputs",
    "log_artifact",
    "log_artifacts",
    "set_tag",
    "update_run",
    "set_terminated",
    "set_experiment_tag",
)


def test_a_sender_killed_after_any_call_is_completed_by_the_next(outputs, make_sweep, monkeypatch):
    from mlflow.tracking import MlflowClient

    def ready(name):
        folder = make_sweep(name=name)
        add(folder, "a", ["optimizer=sgd", "seed=0"])
        report(folder)
        return folder

    left = [0]

    def mortal(verb):
        def call(*args, **more):
            done = verb(*args, **more)
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return done

        return call

    whole = ready("whole")
    send(whole)
    expected = without_ids(found(outputs, whole))
    for calls in range(40):
        folder, left[0] = ready(f"n{calls}"), calls
        with monkeypatch.context() as patched, contextlib.suppress(Killed):
            for name in WRITING:
                patched.setattr(MlflowClient, name, mortal(getattr(MlflowClient, name)))
            send(folder)
            break
        assert send(folder) == 0
        assert without_ids(found(outputs, folder)) == expected
    assert calls > len(WRITING)


def test_a_call_that_was_carried_out_but_not_answered_is_not_made_again(
    outputs, make_sweep, monkeypatch
):
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    create, lost = MlflowClient.create_run, []

    def mute(*args, **more):
        run = create(*args, **more)
        if len(lost) < 2:
            lost.append(run)
            raise MlflowException("the answer was lost: timed out")
        return run

    monkeypatch.setattr(MlflowClient, "create_run", mute)
    folder = fill(make_sweep())
    assert send(folder) == 0
    assert len(lost) == 2
    assert len(found(outputs, folder)["runs"]) == 4


@pytest.mark.parametrize("status", ["KILLED", "FAILED"])
def test_a_run_trained_again_is_there_once_and_as_it_ended_last(outputs, make_sweep, status):
    folder = make_sweep()
    add(folder, "a", ["optimizer=sgd", "seed=0"])
    add(
        folder,
        "b",
        ["optimizer=adam", "seed=0"],
        status=None if status == "KILLED" else status,
        events=records(2),
    )
    assert send(folder) == 0
    first = found(outputs, folder)
    assert first["status"] == "FAILED"
    assert (
        first["runs"]["adam 0"]["tags"]["dlexp.status"],
        len(first["runs"]["adam 0"]["loss"]),
    ) == (status, 2)
    (folder / "runs" / "b-x" / "mlflow.json").unlink()  # as the sweep clears the folder away
    add(folder, "b", ["optimizer=adam", "seed=0"], began=BEGAN + 60_000)
    assert not tracking.outcome([folder]).complete
    assert send(folder) == 0
    second = found(outputs, folder)
    assert (second["status"], len(second["runs"])) == ("FINISHED", 2)
    assert (second["runs"]["adam 0"]["status"], len(second["runs"]["adam 0"]["loss"])) == (
        "FINISHED",
        3,
    )
    assert second["runs"]["sgd 0"] == first["runs"]["sgd 0"]


@pytest.mark.parametrize("ended", ["FINISHED", "KILLED"])
def test_a_run_that_went_on_after_it_was_sent_is_completed_there_with_nothing_doubled(
    outputs, make_sweep, ended
):
    folder, words = make_sweep(), ["optimizer=adam", "seed=0"]
    place = add(folder, "b", words, status="KILLED", events=records(2))
    assert send(folder) == 0
    lines = [
        event("resume", step=200, changes=[]),
        *records(3)[2:],
        event("finish", status=ended, error=None, step=300),
    ]
    with (place / "journal.jsonl").open("a") as file:
        file.writelines(
            json.dumps({**line, "time_ms": line["time_ms"] + 60_000}) + "\n" for line in lines
        )
    before = found(outputs, folder)["runs"]["adam 0"]
    assert send(folder) == 0
    assert found(outputs, folder)["runs"]["adam 0"] == before, (
        "the ledger has not said yet how it ended"
    )
    write(folder, "b", words, ended, time_ms=BEGAN + 90_000)
    assert not tracking.outcome([folder]).complete
    for _ in range(2):
        assert send(folder) == 0
        run = found(outputs, folder)["runs"]["adam 0"]
        assert (run["status"], run["tags"]["dlexp.status"], len(run["loss"])) == (ended, ended, 3)


def test_half_runs_are_not_sent(outputs, make_sweep):
    folder = make_sweep(ended=False)
    add(folder, "a", ["optimizer=sgd", "seed=0"])
    add(folder, "b", ["optimizer=adam", "seed=0"], status=None, ledger=False)
    # killed once, and now half trained again
    write(folder, "c", ["optimizer=adam", "seed=1"], "KILLED")
    add(folder, "c", ["optimizer=adam", "seed=1"], status=None, began=BEGAN + 60_000, ledger=False)
    with (folder / "ledger.jsonl").open("a") as file:
        file.write('{"key": "d", "sta')
    assert send(folder) == 0
    told = found(outputs, folder)
    assert list(told["runs"]) == ["sgd 0"]
    assert (told["status"], told["tags"]["dlexp.status"]) == ("KILLED", "INTERRUPTED")
    assert "**interrupted**" in told["note"]
    assert list((folder / "runs").glob("*/mlflow.json")) == [
        folder / "runs" / "a-x" / "mlflow.json"
    ]


def test_an_extended_sweep_is_the_same_run_of_mlflow(outputs, make_sweep):
    folder = fill(make_sweep())
    send(folder)
    known, before = state.load(folder).run_id, found(outputs, folder)
    say(folder, axes={"optimizer": ["sgd", "adam"], "seed": ["0", "1", "2"]}, ended_ms=ENDED + 1)
    add(folder, "x", ["optimizer=sgd", "seed=2"], began=BEGAN + 60_000)
    assert send(folder) == 0
    after = found(outputs, folder)
    assert state.load(folder).run_id == known
    assert after["name"] == "sweep optimizer (5 runs)"
    assert after["tags"]["dlexp.axis.seed"] == "0, 1, 2"
    assert before["runs"].items() <= after["runs"].items()


def test_statuses_say_how_it_ended(outputs, make_sweep):
    folder = make_sweep()
    add(folder, "a", ["optimizer=sgd", "seed=0"], status="DIVERGED", error="not finite\nat step 3")
    assert send(folder) == 0
    told = found(outputs, folder)
    # a divergence is a result
    assert (told["status"], told["runs"]["sgd 0"]["status"]) == ("FINISHED", "FAILED")
    assert told["runs"]["sgd 0"]["tags"]["dlexp.status"] == "DIVERGED"
    write(
        folder, "b", ["optimizer=adam", "+x=1"], "KILLED", error="the worker was killed by SIGKILL"
    )  # before it had a folder
    assert send(folder) == 0
    told = found(outputs, folder)
    assert told["status"] == "FAILED"
    assert "1 diverged, 1 killed" in told["note"]
    lost = told["runs"]["adam epochs=3 +x=1"]
    assert (lost["status"], lost["params"]) == (
        "KILLED",
        {"epochs": "3", "optimizer": "adam", "x": "1"},
    )


def test_a_run_with_a_changed_plugin_takes_the_place_of_the_old_one_in_the_view(
    outputs, make_sweep
):
    folder = fill(make_sweep(), optimizers=("sgd",))
    send(folder)
    add(folder, "new", ["optimizer=sgd", "seed=0"], began=BEGAN + 60_000, edited="yes")
    assert send(folder) == 0
    mlflow, key = client(outputs), sweep_page.key(SweepDescription.read(folder))
    shown = mlflow.search_runs(["1"], f"tags.`dlexp.view` = '{key}'")
    assert sorted((r.data.params["seed"], r.data.params.get("edited")) for r in shown) == [
        ("0", "yes"),
        ("1", None),
    ]
    assert (
        len(
            mlflow.search_runs(
                ["1"], f"tags.`dlexp.sweep` = '{folder.name}' and tags.`dlexp.kind` = 'run'"
            )
        )
        == 3
    )
    assert (
        "**2 runs**" in mlflow.get_run(state.load(folder).run_id).data.tags["mlflow.note.content"]
    )


def test_a_plugin_that_failed_twice_and_was_then_mended_leaves_a_sweep_that_is_all_there(
    outputs, make_sweep
):
    """The first attempt is deleted in MLflow, which does not change deleted runs."""
    folder = make_sweep()
    add(folder, "a", ["optimizer=sgd", "seed=0"])
    for attempt in range(2):
        (folder / "runs" / "b-x" / "mlflow.json").unlink(missing_ok=True)
        add(
            folder,
            "b",
            ["optimizer=adam", "seed=0"],
            status="FAILED",
            events=[],
            began=BEGAN + 60_000 * attempt,
        )
        assert send(folder) == 0
    add(folder, "mended", ["optimizer=adam", "seed=0"], began=BEGAN + 180_000, edited="yes")
    assert send(folder) == 0, str(tracking.outcome([folder]))
    mlflow, key = client(outputs), sweep_page.key(SweepDescription.read(folder))
    assert mlflow.get_run(state.load(folder).run_id).info.status == "FINISHED"
    shown = mlflow.search_runs(["1"], f"tags.`dlexp.view` = '{key}'")
    assert sorted((r.data.params["optimizer"], r.data.params.get("edited")) for r in shown) == [
        ("adam", "yes"),
        ("sgd", None),
    ]
    assert tracking.outcome([folder]).complete


def test_two_sweeps_of_one_name_do_not_mix(outputs, make_sweep, tmp_path):
    mine = fill(make_sweep())
    other = fill(
        sweep_folder(
            tmp_path / "elsewhere" / mine.name, tracking.store_uri(outputs), created=BEGAN + 1
        )
    )
    assert send(mine, other) == 0
    assert state.load(mine).run_id != state.load(other).run_id
    runs = client(outputs).search_runs(
        ["1"], f"tags.`dlexp.sweep` = '{mine.name}' and tags.`dlexp.kind` = 'run'"
    )
    assert len(runs) == 8
    assert len({run.data.tags["dlexp.view"] for run in runs}) == 2


def test_a_damaged_run_is_said_in_one_line_and_stops_no_other(outputs, make_sweep):
    folder = fill(make_sweep())
    (folder / "runs" / "0sgd0-x" / "journal.jsonl").write_text("{]\n")
    (folder / "runs" / "1sgd1-x" / "run.json").write_text("[]")
    write(folder, "evil", ["optimizer=sgd", "seed=9"], "FINISHED", folder="../../../etc")
    assert send(folder) == 1
    assert sorted(found(outputs, folder)["runs"]) == ["adam 0", "adam 1"]
    outcome = str(tracking.outcome([folder]))
    assert "3 runs cannot be sent: 0sgd0-x cannot be read: " in outcome
    assert "journal.jsonl: line 1 is damaged" in outcome
    assert "\n" not in outcome


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "x"}', '{"id": "x", "tracking": null}'])
def test_a_damaged_sweep_is_refused_in_one_line(make_sweep, text):
    folder = fill(make_sweep())
    (folder / "sweep.json").write_text(text)
    assert send(folder) == 1
    assert (
        "sweep.json cannot be read" in (message := str(tracking.outcome([folder])))
        or "tracking=none" in message
    )


def test_what_was_deleted_in_mlflow_stays_deleted(outputs, make_sweep):
    folder = fill(make_sweep())
    send(folder)
    mlflow = client(outputs)
    mlflow.delete_run(state.load(folder / "runs" / "0sgd0-x").run_id)
    for known in folder.rglob("mlflow.json"):
        known.unlink()
    assert send(folder) == 0
    assert sorted(found(outputs, folder)["runs"]) == ["adam 0", "adam 1", "sgd 1"]
    mlflow.delete_run(state.load(folder).run_id)
    assert send(folder) == 1
    assert "deleted in MLflow" in str(tracking.outcome([folder]))


def test_a_new_report_is_sent(outputs, make_sweep):
    folder = fill(make_sweep(), optimizers=("sgd",), seeds=(0,))
    send(folder)
    report(folder, answer="a|b <b>c</b>\n| d")
    assert not state.is_complete(folder)
    assert send(folder) == 0
    told = found(outputs, folder)
    assert "a|b <b>c</b> | d" in told["note"]
    assert len(told["files"]) == 3


def test_a_dead_server_is_tried_a_few_times_and_the_sweep_waits(outputs, make_sweep, monkeypatch):
    for name, value in tracking.PATIENCE.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = fill(make_sweep(uri=f"http://127.0.0.1:{port}"))
    assert send(folder) == 1
    assert "the sweep is not complete yet: cannot reach MLflow" in str(tracking.outcome([folder]))
    say(folder, tracking={"uri": tracking.store_uri(outputs), "experiment": "dlexp"})
    assert send(folder) == 0  # nothing was lost
    assert len(found(outputs, folder)["runs"]) == 4


def test_a_sweep_is_followed_while_it_is_at_work(outputs, make_sweep, monkeypatch):
    monkeypatch.setattr(run_follower, "LIVE", 0.01)
    folder = fill(make_sweep(ended=False), optimizers=("sgd",))
    seen = []

    def sleep(seconds):
        """One look at a living sweep after the other; then it comes to rest."""
        if not seen:
            seen.append(found(outputs, folder))
            add(folder, "late", ["optimizer=adam", "seed=0"])
        elif (folder / "runs" / "late-x" / "mlflow.json").exists():
            say(folder, ended_ms=ENDED)
            lock.release()

    monkeypatch.setattr(sender.time, "sleep", sleep)
    lock = run_follower.FileLock(folder / "lock")
    lock.acquire()
    assert send(folder) == 0
    assert seen[0]["status"] == "RUNNING"
    assert sorted(seen[0]["runs"]) == ["sgd 0", "sgd 1"]
    told = found(outputs, folder)
    assert (told["status"], len(told["runs"])) == ("FINISHED", 3)
